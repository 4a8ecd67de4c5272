"""The next benchmark: Gaussian closed forms, simulated measurements, costs, refusals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

import latentscale as ls
from latentscale.analysis.choices import next_benchmark as module
from latentscale.analysis.choices.next_benchmark import covariance_after, normal_scores
from latentscale.errors import DataError, FitError
from latentscale.posterior.fit import Fit

ROW = pd.DataFrame(
    [{"model": "n-7b", "family": "n", "params_b": 7.0, "tokens_t": 2.0, "alpha": np.nan}]
)


@pytest.fixture(scope="module")
def ranking(held_fit: Fit):
    return ls.next_benchmark(held_fit, ROW, targets=["gamma"], seed=1)


def test_the_covariance_left_is_that_of_one_gaussian_factor() -> None:
    """t = 2 z; y_j = b_j z + e_j: given y, z has variance 1 / (1 + sum b_j^2 / s_j^2)."""
    b, s = np.array([2.0, 1.0, -0.5, 0.7]), np.array([0.0, 0.4, 0.8, 0.3])
    covariance = np.outer(b, b) + np.diag(s**2)
    for measured in ([1], [2], [1, 3], [1, 2, 3]):
        left = 1 / (1 + np.sum(b[measured] ** 2 / s[measured] ** 2))
        np.testing.assert_allclose(covariance_after(covariance, [0], measured), [[4 * left]])
    np.testing.assert_allclose(covariance_after(covariance, [0, 2], []), covariance[::2, ::2])


def test_two_targets_are_left_what_a_regression_leaves() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5))
    x = np.column_stack([np.ones(60), values[:, [1, 4]]])
    rest = values[:, [0, 3]] - x @ np.linalg.lstsq(x, values[:, [0, 3]], rcond=None)[0]
    left = covariance_after(np.cov(values, rowvar=False), [0, 3], [1, 4])
    np.testing.assert_allclose(left, rest.T @ rest / 59, rtol=1e-9)


def test_the_variance_left_is_what_simulated_measurements_leave(held_fit: Fit, repeated) -> None:
    """Quadrature over the single unknown level, for each of many simulated scores.

    A standard deviation of 20,000 draws has a Monte Carlo error of 0.5% (1 / sqrt(2 n) of normal
    draws, and these have shorter tails); 2.5% is five of them.
    """
    ranking = ls.next_benchmark(repeated(held_fit, 20_000), ROW, targets=["gamma"], seed=1)
    families = held_fit.samples.sizes["family"]
    level = np.linspace(-4.5, 4.5, 901)
    prior = stats.norm.pdf(level, scale=np.sqrt(1 + 1 / families))
    prior /= prior.sum()
    data = held_fit.scores.dataset
    flops = np.log(6e21 * (data["params"] * data["tokens"]).values)
    x = (np.log(6e21 * 14) - flops.mean()) / flops.std()
    intercepts = dict(zip(held_fit.scores.benchmarks, [0.2, -0.3, 0.1, -0.6], strict=True))

    def mean(name: str) -> np.ndarray:
        floor = float(data["floor"].sel(benchmark=name))
        share = expit(intercepts[name] + held_loading(held_fit, name) * (level + 0.6 * x))
        return floor + (1 - floor) * share

    target = mean("gamma")
    rng = np.random.default_rng(5)
    before = np.sqrt(prior @ target**2 - (prior @ target) ** 2)
    for row in ranking.table().itertuples():
        expected = mean(row.benchmarks)
        variances = []
        for true in rng.choice(len(level), 4000, p=prior):
            score = rng.beta(expected[true] * 40, (1 - expected[true]) * 40)
            weight = prior * stats.beta.pdf(score, expected * 40, (1 - expected) * 40)
            weight /= weight.sum()
            variances.append(weight @ target**2 - (weight @ target) ** 2)
        assert row.sd_before == pytest.approx(before, rel=0.025)
        true = rng.choice(len(level), 200_000, p=prior)
        score = rng.beta(expected[true] * 40, (1 - expected[true]) * 40)
        score = normal_scores(score[:, None])[:, 0]
        line = np.polynomial.Polynomial.fit(score, target[true], 1)
        left = np.std(target[true] - line(score))
        assert row.sd_after == pytest.approx(left, rel=0.025)
        # The best linear prediction leaves more variance than the best prediction, here up to a
        # seventh.
        assert np.sqrt(np.mean(variances)) < left < 1.25 * np.sqrt(np.mean(variances))


def test_scores_near_the_floor_do_not_set_the_order(held_fit: Fit) -> None:
    """Neither a unit of measurement nor one extreme draw changes normal scores, or any result."""
    values = np.random.default_rng(2).standard_normal((500, 2))
    moved = np.exp(values)
    moved[values[:, 0].argmin(), 0] = 1e-300
    np.testing.assert_array_equal(normal_scores(moved), normal_scores(values))
    sds = [
        ls.next_benchmark(held_fit, ROW, targets=["gamma"], seed=seed).table()["sd_after"].min()
        for seed in range(5)
    ]
    # 1,500 draws: 1.8% Monte Carlo error each.
    np.testing.assert_allclose(sds, np.mean(sds), rtol=0.09)


def held_loading(fit: Fit, name: str) -> float:
    return float(fit.samples["loading"].sel(benchmark=name).isel(sample=0, skill=0))


def test_the_table_ranks_by_gain(ranking) -> None:
    assert ranking.best == (ranking.table()["benchmarks"].iloc[0],)
    assert ranking.table()["gain"].is_monotonic_decreasing
    assert set(ranking.table()["benchmarks"]) == {"alpha", "beta", "delta"}
    left = 1 - (ranking.table()["sd_after"] / ranking.table()["sd_before"]) ** 2
    np.testing.assert_allclose(left, ranking.table()["variance_removed"])
    assert ranking.targets == ("gamma",) and ranking.measured == () and ranking.search == "exact"
    assert ranking.best[0] in repr(ranking)


def test_cost_divides_the_gain(held_fit: Fit, ranking) -> None:
    dear = {name: 1.0 for name in ranking.table()["benchmarks"]} | {ranking.best[0]: 50.0}
    again = ls.next_benchmark(held_fit, ROW, targets=["gamma"], costs=dear, seed=1)
    assert again.best == (ranking.table()["benchmarks"].iloc[1],)
    last = again.table().set_index("benchmarks").loc[ranking.best[0]]
    assert last["gain"] == pytest.approx(ranking.table()["gain"].iloc[0] / 50)


def test_by_information_one_target_ranks_the_same_way(held_fit: Fit, ranking) -> None:
    again = ls.next_benchmark(held_fit, ROW, targets=["gamma"], rank_by="information", seed=1)
    assert again.table()["gain"].equals(again.table()["information"])
    assert (again.table()["information"] > 0).all()
    # One normal target: information = -1/2 log(1 - share removed).
    wanted = -0.5 * np.log1p(-again.table()["variance_removed"])
    np.testing.assert_allclose(again.table()["information"], wanted, rtol=0.15)


def test_sets_are_all_compared_or_grown(held_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = ls.next_benchmark(held_fit, ROW, targets=["gamma"], n=2, seed=1)
    assert set(exact.sets) == set(combinations(["alpha", "beta", "delta"], 2))
    monkeypatch.setattr(module, "MOST_SETS", 1)
    greedy = ls.next_benchmark(held_fit, ROW, targets=["gamma"], n=2, seed=1)
    single = ls.next_benchmark(held_fit, ROW, targets=["gamma"], seed=1)
    assert greedy.search == "greedy" and exact.search == "exact"
    assert all(single.best[0] in names for names in greedy.sets)
    assert greedy.table()["gain"].max() <= exact.table()["gain"].max() + 1e-12
    removed = "variance_removed"
    assert exact.table()[removed].max() > single.table()[removed].max()
    np.testing.assert_allclose(exact.table()["gain"], exact.table()[removed] / 2)


def test_what_is_measured_is_no_candidate(held_fit: Fit) -> None:
    row = ROW.assign(alpha=0.7)
    ranking = ls.next_benchmark(held_fit, row, seed=1)
    assert np.isfinite(ranking.table()["information"]).all()
    assert ranking.measured == ("alpha",)
    assert set(ranking.targets) == set(ranking.table()["benchmarks"]) == {"beta", "gamma", "delta"}
    without = ls.next_benchmark(held_fit, ROW, seed=1)
    assert ranking.table()["sd_before"].iloc[0] < without.table()["sd_before"].iloc[0]
    fitted = held_fit.scores.to_frame()
    full = fitted.loc[fitted[list(held_fit.scores.benchmarks)].notna().all(axis=1)].iloc[[0]]
    with pytest.raises(DataError, match="already"):
        ls.next_benchmark(held_fit, full.drop(columns=list(held_fit.scores.benchmarks)))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"targets": ["gama"]}, "gamma"),
        ({"targets": "gamma"}, "list"),
        ({"candidates": []}, "list"),
        ({"candidates": ["nothing"]}, "nothing"),
        ({"model": "m-7b"}, "n-7b"),
        ({"costs": {"alpha": 1.0}}, "beta"),
        ({"costs": {"alpha": 1.0, "beta": 0.0, "gamma": 1.0, "delta": 1.0}}, "beta"),
        ({"n": 0}, "n must be"),
        ({"n": 9}, "4 candidates"),
        ({"rank_by": "luck"}, "luck"),
    ],
)
def test_misuse_is_refused(held_fit: Fit, asked: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ls.next_benchmark(held_fit, ROW, **asked)


def test_several_rows_need_a_name(held_fit: Fit) -> None:
    two = pd.concat([ROW, ROW.assign(model="n-30b", params_b=30.0)])
    with pytest.raises(DataError, match="model="):
        ls.next_benchmark(held_fit, two)
    assert ls.next_benchmark(held_fit, two, model="n-30b").model == "n-30b"


def test_few_draws_are_refused(held_fit: Fit, thinned) -> None:
    with pytest.raises(FitError, match="50 posterior draws"):
        ls.next_benchmark(thinned(held_fit, 20), ROW)
