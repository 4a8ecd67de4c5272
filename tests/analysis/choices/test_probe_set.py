"""Probe sets: the set that leaves the least variance is found, and that variance is right."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.choices.probe_set import _by_exchange
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import DataError, FitError
from latentscale.posterior.fit import Fit
from latentscale.results import ProbeSet


@pytest.fixture(scope="module")
def fit(prior_fit: Callable[..., Fit], known_spec: ModelSpec, small_scores: Scores) -> Fit:
    return prior_fit(known_spec, small_scores, draws=300)


def test_the_set_is_the_best_of_all_and_leaves_what_a_regression_leaves(fit: Fit) -> None:
    """For one row of a new family: the residual variance of linear regressions on the scores."""
    from latentscale.analysis.choices.next_benchmark import normal_scores

    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks)).head(1)
    rows = rows.assign(model="coming", family="coming").drop(columns="lineage")
    probes = ls.probe_set(fit, 2, frame=rows, seed=4)
    assert probes.search == "exact" and len(probes.best) == 2
    forecast = ls.predict(fit, rows, seed=4)
    names = list(fit.scores.benchmarks)
    expected = forecast.mean_draws.isel(model=0).transpose("sample", "benchmark").values
    measured = normal_scores(forecast.draws.isel(model=0).transpose("sample", "benchmark").values)

    def left(some: tuple[int, ...]) -> np.ndarray:
        x = np.column_stack([np.ones(len(measured)), measured[:, list(some)]])
        rest = expected - x @ np.linalg.lstsq(x, expected, rcond=None)[0]
        return (rest**2).sum(axis=0) / (len(rest) - 1)

    before = expected.var(axis=0, ddof=1)

    def unknown(some: tuple[int, ...]) -> float:
        outside = [j for j in range(len(names)) if j not in some]
        return float((left(some) / before)[outside].sum())

    best = min(combinations(range(len(names)), 2), key=unknown)
    assert set(probes.best) == {names[j] for j in best}
    for row in probes.left.itertuples():
        j = names.index(row.benchmark)
        np.testing.assert_allclose(row.sd_before, np.sqrt(before[j]), rtol=1e-6)
        np.testing.assert_allclose(row.sd_after, np.sqrt(left(best)[j]), rtol=1e-6)


def test_more_benchmarks_leave_less_unknown(fit: Fit) -> None:
    probes = ls.probe_set(fit, 3, seed=1)
    assert probes.left["share_explained"].between(0, 1).all()
    one = ls.probe_set(fit, 1, seed=1)
    shared = probes.left.merge(one.left, on="benchmark", suffixes=("", "_one"))
    assert (shared["sd_after"] <= shared["sd_after_one"] + 1e-12).all()
    assert "explain" in repr(probes) and probes.table().shape == (3, 5)


def test_by_default_a_small_table_has_a_set_that_leaves_one_benchmark(fit: Fit) -> None:
    probes = ls.probe_set(fit, seed=1)
    assert len(probes.best) == 3 and len(probes.left) == 1
    assert "3 of 4, since 5 would leave no other" in probes.headline
    outside = ls.probe_set(fit, candidates=["alpha", "beta"], targets=["gamma"], seed=1)
    assert set(outside.best) == {"alpha", "beta"}


def test_a_set_of_all_benchmarks_says_that_nothing_is_left(fit: Fit) -> None:
    headline = ls.probe_set(fit, 4, seed=1).headline
    assert "nothing is left to explain" in headline and "nan" not in headline


def test_costs_change_the_choice_and_exchanges_keep_to_the_budget(fit: Fit) -> None:
    free = ls.probe_set(fit, 2, seed=1)
    dear = {name: 1000.0 if name in free.best else 1.0 for name in fit.scores.benchmarks}
    probes = ls.probe_set(fit, 2, costs=dear, seed=1)
    assert probes.search == "greedy with exchanges"
    assert not set(probes.best) & set(free.best)
    assert probes.steps["total_cost"].iloc[-1] == 2.0
    share = probes.steps["share_left"]
    assert share.is_monotonic_decreasing and 0 <= share.iloc[-1] < share.iloc[0] < 1
    outside = probes.left["share_explained"]
    assert share.iloc[-1] == pytest.approx((1 - outside).sum() / len(fit.scores.benchmarks))


def test_the_greedy_search_is_close_to_what_comparing_all_sets_gives(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedy choice of a monotone submodular gain has at least 1 - 1/e of the best."""

    def explained(probes: ProbeSet) -> float:
        return (probes.left["share_explained"].sum() + len(probes.best)) / 4

    exact = ls.probe_set(fit, 2, seed=1)
    monkeypatch.setattr("latentscale.analysis.choices.probe_set.MOST_SETS", 0)
    greedy = ls.probe_set(fit, 2, seed=1)
    assert greedy.search == "greedy with exchanges"
    assert explained(exact) >= explained(greedy) >= (1 - np.exp(-1)) * explained(exact)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be a whole number"),
        ({"n": 9}, "from 1 to the 4 candidates"),
        ({"candidates": ["alfa"]}, '"alfa" is not a fitted benchmark'),
        ({"targets": []}, "targets"),
        ({"n": 2, "costs": {"alpha": 1}}, "costs has no entry"),
    ],
)
def test_what_cannot_be_asked_is_refused(fit: Fit, arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ls.probe_set(fit, **arguments)


def test_scores_and_short_fits_are_refused(
    fit: Fit, prior_fit: Callable[..., Fit], known_spec: ModelSpec, small_scores: Scores
) -> None:
    with pytest.raises(DataError, match=r'frame holds scores on "alpha"'):
        ls.probe_set(fit, 2, frame=small_scores.to_frame())
    with pytest.raises(FitError, match="at least 50 posterior draws"):
        ls.probe_set(prior_fit(known_spec, small_scores, draws=20), 2)


@pytest.mark.parametrize("draws", [1, 3, 49, 60.5])
def test_few_of_many_draws_are_refused_as_a_short_fit_is(fit: Fit, draws: float) -> None:
    """With covariances from three draws, any three benchmarks explain everything."""
    with pytest.raises(FitError, match=r"draws must be a whole number .*50"):
        ls.probe_set(fit, 2, draws=draws)  # type: ignore[arg-type]


def test_models_to_come_are_of_new_lineages_though_the_table_names_their_providers(
    small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    frame = small_scores.to_frame()
    frame["provider"] = frame["lineage"]
    named = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    spec = spec_from_dict(
        {"name": "x", "covariates": [], "family": {"level": "partial", "lineage": True}}
    )
    sets = [
        ls.probe_set(prior_fit(spec, scores, draws=200), 2, seed=1).table()
        for scores in (small_scores, named)
    ]
    pd.testing.assert_frame_equal(*sets)


def test_an_exchange_for_what_costs_the_same_is_not_lost_to_rounding() -> None:
    """In binary, 0.1 + 0.2 + 0.3 + 0.3 minus 0.3 plus 0.3 is larger than before."""
    costs = {"a": 0.1, "b": 0.3, "c": 0.3, "d": 0.2, "e": 0.3}
    alone = {"a": 0.05, "b": 0.12, "c": 0.12, "d": 0.1, "e": 0.06}

    class Known:
        """Gains add up, but e adds most to a, c and d."""

        def unknown(self, measured: frozenset[str]) -> float:
            return 0.1 if measured == set("acde") else 1 - sum(alone[name] for name in measured)

        def in_order(self, chosen: frozenset[str]) -> list[str]:
            return sorted(chosen)

    assert _by_exchange(Known(), list(costs), 4, costs) == list("acde")  # type: ignore[arg-type]
