"""Thresholds and the compute for a target: closed forms, ceilings, scores given, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import logit

import latentscale as ls
from latentscale.analysis.curves.compute_grid import token_ratio
from latentscale.analysis.curves.compute_needed import _first_reach
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.rows import planned_rows, typical_features
from latentscale.data.known_features import known_features
from latentscale.data.planned import planned_models
from latentscale.errors import DataError, FitError, SpecError
from latentscale.posterior.fit import Fit

ROWS = pd.DataFrame(
    {
        "model": ["a", "b"],
        "family": ["fam01", "fresh"],
        "params_b": [7.0, 30.0],
        "tokens_t": [2.0, 4.0],
    }
)
LIMITS = (1e20, 1e27)


def test_probabilities_are_shares_of_draws(held_fit: Fit) -> None:
    passing = ls.probability_above(held_fit, ROWS, {"alpha": 0.6, "delta": 0.5}, seed=3)
    forecast = ls.predict(held_fit, ROWS, seed=3)
    assert list(passing.table()["benchmark"]) == ["alpha", "delta"] * 2
    for row in passing.table().itertuples():
        new, mean = (
            d.sel(model=row.model, benchmark=row.benchmark).values
            for d in (forecast.draws, forecast.mean_draws)
        )
        assert row.probability == pytest.approx(np.mean(new >= row.threshold))
        assert row.probability_expected == pytest.approx(np.mean(mean >= row.threshold))
    both = forecast.draws.sel(model="b")
    wanted = np.mean((both.sel(benchmark="alpha") >= 0.6) & (both.sel(benchmark="delta") >= 0.5))
    assert passing.joint["b"] == pytest.approx(float(wanted))
    assert 0 < passing.joint["b"] < passing.table()["probability"].iloc[2:].min()


def test_one_threshold_serves_all_and_higher_ones_are_harder(held_fit: Fit) -> None:
    low, high = (ls.probability_above(held_fit, ROWS, t).table() for t in (0.4, 0.8))
    assert len(low) == 8 and (low["probability"] >= high["probability"]).all()
    assert low["probability"].mean() > high["probability"].mean() + 0.2


def test_scores_given_move_the_probability(held_fit: Fit) -> None:
    rows = ROWS.assign(alpha=[np.nan, 0.95])
    before = ls.probability_above(held_fit, ROWS, {"beta": 0.75}).joint["b"]
    assert ls.probability_above(held_fit, rows, {"beta": 0.75}).joint["b"] > before + 0.1


@pytest.mark.parametrize(
    ("threshold", "said"),
    [(1.2, "alpha"), ({"alhpa": 0.4}, "alpha"), ({"beta": True}, "beta"), ({}, "no benchmark")],
)
def test_a_wrong_threshold_is_refused(held_fit: Fit, threshold: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ls.probability_above(held_fit, ROWS, threshold)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pooled(quick_spec, small_scores, prior_fit) -> Fit:
    return prior_fit(quick_spec, small_scores, draws=300)


def test_pooled_curves_are_inverted_in_closed_form(pooled: Fit) -> None:
    compute = ls.flops_for_target(
        pooled, "beta", 0.6, family="any", tokens_per_parameter=20, limits=LIMITS, points=601
    )
    s, data = pooled.samples, pooled.scores.dataset
    flops = np.log(6e21 * (data["params"] * data["tokens"]).values)
    share = (0.6 - 0.25) / 0.75
    slope = s["benchmark_slope"].sel(benchmark="beta").values[:, 0]
    x = (logit(share) - s["intercept"].sel(benchmark="beta").values) / slope
    log_wanted = flops.mean() + flops.std() * x
    low, high = np.log(LIMITS)
    inside = (slope > 0) & (log_wanted > low) & (log_wanted < high)
    assert inside.sum() > 50
    np.testing.assert_allclose(np.log(compute.draws.values[inside]), log_wanted[inside], atol=2e-4)
    never = np.isinf(compute.draws.values)
    np.testing.assert_array_equal(
        never, ((slope > 0) & (log_wanted > high)) | ((slope < 0) & (log_wanted < low))
    )
    assert compute.probability_unreachable == pytest.approx(never.mean())
    assert compute.probability_above_ceiling == 0.0
    assert compute.probability_already == pytest.approx(np.mean(compute.draws == LIMITS[0]))


def test_a_curve_that_falls_first_counts_from_its_lowest_point() -> None:
    """Curvature in log size turns down below the fitted sizes: a tenth as large is not better."""
    at = np.array([1.0, 10.0, 100.0, 1e3, 1e4])
    curves = np.array(
        [
            [0.8, 0.5, 0.3, 0.6, 0.9],  # falls, then rises past the target
            [0.8, 0.5, 0.3, 0.4, 0.5],  # falls, and never rises again
            [0.2, 0.5, 0.8, 0.6, 0.1],  # rises first, whatever follows
            [0.9, 0.8, 0.75, 0.8, 0.95],  # above the target even at its lowest point
            [0.1, 0.2, 0.3, 0.4, 0.5],  # never
        ]
    )
    halfway = 10.0 ** (3 + 1 / 3)
    wanted = [halfway, 1.0, 10.0 ** (1 + 2 / 3), 1.0, np.inf]
    np.testing.assert_allclose(_first_reach(curves, at, 0.7), wanted)


def test_a_target_that_most_draws_do_not_reach_is_not_at_infinite_flops(held_fit: Fit) -> None:
    compute = ls.flops_for_target(held_fit, "alpha", 0.9, family="fresh", tokens_per_parameter=50)
    far = np.where(np.arange(compute.draws.size) % 3 == 0, 1e22, np.inf)
    most = replace(compute, draws=compute.draws.copy(data=far), probability_unreachable=2 / 3)
    assert "with probability 0.33 only; 90% interval from 1e+22 FLOPs on" in most.headline
    never = replace(compute, draws=compute.draws * np.inf, probability_unreachable=1.0)
    assert never.headline.endswith("with probability 0.00 only")


def test_compute_at_the_lower_limit_is_that_or_less(held_fit: Fit) -> None:
    """Draws for which the lower limit suffices end the search there."""
    compute = ls.flops_for_target(held_fit, "alpha", 0.7, family="fresh", tokens_per_parameter=50)
    least = compute.limits[0]
    values = np.where(np.arange(compute.draws.size) % 3 == 0, least, 100 * least)
    some = replace(compute, draws=compute.draws.copy(data=values), probability_already=1 / 3)
    assert f"interval {least:.2g} or less to {100 * least:.2g})" in some.headline
    assert f"; {least:.2g} is enough with probability 0.33; probability that" in some.headline
    most = f"probability that {some.limits[1]:.2g} FLOPs do not suffice: "
    assert f"{most}{some.probability_unreachable:.2f}" in some.headline
    drawn = " ".join(some.plot().get_suptitle().split())
    assert f"{most.capitalize()}{some.probability_unreachable:.0%}".lower() in drawn.lower()
    assert f"at {least:.2g} or less FLOPs" not in some.headline
    label = some.plot().axes[0].get_legend_handles_labels()[1]
    assert "90% interval, open below" in label and "median" in label
    low = np.where(np.arange(values.size) % 3 == 0, 100 * least, least)
    most = replace(compute, draws=compute.draws.copy(data=low), probability_already=2 / 3)
    assert f"at {least:.2g} or less FLOPs (90% interval {least:.2g} or less to" in most.headline
    assert "median" not in most.plot().axes[0].get_legend_handles_labels()[1]


def test_whether_compute_is_beyond_the_fitted_is_missing_where_none_is_disclosed(
    held_fit: Fit,
) -> None:
    compute = ls.flops_for_target(
        held_fit, "alpha", 0.7, family="fresh", tokens_per_parameter=50, limits=LIMITS
    )
    table = replace(compute, fitted_range=(np.nan, np.nan)).table()
    assert table["beyond_fitted"].isna().all()


@pytest.mark.parametrize(("target", "shown"), [(0.7, "70%"), (0.999, "99.9%"), (0.125, "12.5%")])
def test_a_target_is_shown_as_it_was_given(held_fit: Fit, target: float, shown: str) -> None:
    compute = ls.flops_for_target(
        held_fit, "alpha", target, family="fresh", tokens_per_parameter=50, points=3
    )
    assert compute.shown_target == shown


def test_the_table_is_of_quantiles_at_the_ratio_held(held_fit: Fit) -> None:
    compute = ls.flops_for_target(
        held_fit, "alpha", 0.7, family="fresh", tokens_per_parameter=50, limits=LIMITS
    )
    table = compute.table(0.8)
    assert list(table.index) == ["lower", "median", "upper"]
    flops = 6 * table["params_b"] * 1e9 * table["tokens_t"] * 1e12
    np.testing.assert_allclose(flops, table["flops"], rtol=1e-9)
    np.testing.assert_allclose(1000 * table["tokens_t"] / table["params_b"], 50)
    ordered = np.sort(compute.draws.values)
    for name, share in (("lower", 0.1), ("median", 0.5), ("upper", 0.9)):
        assert abs(np.mean(ordered <= table.loc[name, "flops"]) - share) < 0.01
    assert table["beyond_fitted"].dtype == bool
    assert (np.diff(compute.reached.values) >= 0).all()
    near = int(np.searchsorted(compute.reached["at"].values, table.loc["median", "flops"]))
    assert compute.reached.values[near - 2] < 0.5 < compute.reached.values[near + 2]
    assert "alpha" in repr(compute) and "70%" in repr(compute)


def test_a_higher_target_takes_more(held_fit: Fit) -> None:
    needs = [
        ls.flops_for_target(held_fit, "alpha", t, family="fam01", limits=LIMITS).draws
        for t in (0.5, 0.7, 0.9)
    ]
    assert bool((needs[0] < needs[1]).all()) and bool((needs[1] < needs[2]).all())


def test_scores_given_narrow_the_answer(held_fit: Fit) -> None:
    rows = pd.DataFrame(
        [{"model": "f-1b", "family": "f", "params_b": 1.0, "tokens_t": 0.1, "alpha": 0.5,
          "beta": 0.55}]
    )  # fmt: skip
    options = {"family": "f", "tokens_per_parameter": 100.0, "limits": (1e15, 1e32)}
    wide = ls.flops_for_target(held_fit, "gamma", 0.7, **options)
    narrow = ls.flops_for_target(held_fit, "gamma", 0.7, given=rows, **options)
    assert narrow.conditioning is not None and narrow.conditioning.n_scores == 2
    spread = [float(np.log(f.draws).std()) for f in (wide, narrow)]
    assert spread[1] < 0.6 * spread[0]
    own = ls.flops_for_target(held_fit, "gamma", 0.7, family="f", given=rows)
    assert own.tokens_per_parameter == pytest.approx(100)


def test_ceilings_may_stand_in_the_way(small_scores, prior_fit, with_posterior) -> None:
    part = ls.ModelSpec(name="x").benchmarks.model_copy(
        update={"ceiling": "estimated", "slopes": ("log_flops",)}
    )
    spec = ls.load_spec("pooled_flops").model_copy(update={"benchmarks": part})
    fit = prior_fit(spec, small_scores, draws=200)
    ceiling = fit.samples["ceiling"].sel(benchmark="alpha")
    target = float(ceiling.quantile(0.3))
    compute = ls.flops_for_target(fit, "alpha", target, family="any", limits=LIMITS)
    assert compute.probability_above_ceiling == pytest.approx(0.3, abs=0.02)
    assert compute.probability_unreachable >= compute.probability_above_ceiling
    assert np.isinf(compute.table(0.9).loc["upper", "flops"])
    with pytest.raises(DataError, match="ceiling"):
        ls.flops_for_target(fit, "alpha", float(ceiling.max()) + 1e-4, family="any")


def test_rows_of_one_model_share_its_residual(small_scores, prior_fit, one_skill) -> None:
    skills = one_skill.skills.model_copy(update={"residual": True})
    fit = prior_fit(one_skill.model_copy(update={"skills": skills}), small_scores, draws=60)
    frame = pd.concat([ROWS.iloc[[0]].assign(model=name) for name in "pqr"])
    planned = planned_models(frame, fit.scores.benchmarks, {})
    mean = forecast_rows(fit, planned, seed=1, one_model=["p", "q"]).mean_draws
    np.testing.assert_array_equal(mean.sel(model="p").values, mean.sel(model="q").values)
    assert not np.allclose(mean.sel(model="p").values, mean.sel(model="r").values)
    compute = ls.flops_for_target(fit, "alpha", 0.6, family="fam01", limits=LIMITS)
    assert isinstance(compute.draws, xr.DataArray)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"benchmark": "alhpa"}, "alpha"),
        ({"target": 1.0}, "strictly between"),
        ({"target": True}, "strictly between"),
        ({"benchmark": "beta", "target": 0.25}, "floor"),
        ({"tokens_per_parameter": -1.0}, "tokens_per_parameter"),
        ({"limits": (1e24, 1e22)}, "limits"),
        ({"limits": 3}, "limits"),
        ({"points": 1}, "points"),
        ({"family": ""}, "family"),
    ],
)
def test_misuse_is_refused(held_fit: Fit, change: dict, said: str) -> None:
    asked = {"benchmark": "alpha", "target": 0.5, "family": "fam01"} | change
    with pytest.raises(DataError, match=said):
        ls.flops_for_target(held_fit, **asked)


def test_specs_and_fits_that_cannot_answer_are_refused(
    held_fit: Fit, small_scores, prior_fit, one_skill
) -> None:
    spec = one_skill.model_copy(update={"covariates": ("instruct",)})
    with pytest.raises(SpecError, match="log_flops"):
        ls.flops_for_target(prior_fit(spec, small_scores), "alpha", 0.5, family="fam01")
    point = replace(held_fit, status=replace(held_fit.status, is_posterior=False))
    with pytest.raises(FitError, match="point estimate"):
        ls.flops_for_target(point, "alpha", 0.5, family="fam01")
    with pytest.raises(FitError, match="point estimate"):
        ls.probability_above(point, ROWS, 0.5)


def test_a_fitted_model_that_is_given_again_counts_once_in_the_ratio(held_fit: Fit) -> None:
    """The mean ratio was biased towards fitted models that were given a new score."""
    data = held_fit.scores.dataset
    family = str(data["family"].values[0])
    members = data.isel(model=np.flatnonzero(data["family"].values == family))
    assert members.sizes["model"] > 1
    again = pd.DataFrame(
        {
            "model": members["model"].values[:1],
            "family": family,
            "params_b": members["params"].values[:1],
            "tokens_t": members["tokens"].values[:1],
        }
    )
    rows = planned_rows(held_fit, again)
    assert token_ratio(held_fit, family, rows, None) == token_ratio(held_fit, family, None, None)
    new = planned_rows(held_fit, again.assign(model="new", tokens_t=again["tokens_t"] * 10))
    ratios = 1000 * members["tokens"].values / members["params"].values
    wanted = stats.gmean([*ratios, 10 * ratios[0]])
    assert token_ratio(held_fit, family, new, None) == pytest.approx(wanted)


def test_features_that_curves_choose_are_those_that_say_so(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {name for name, known in known_features().items() if known.chosen}
    assert chosen == {"params_b", "tokens_t", "flops", "instruct"}
    members = held_fit.scores.dataset
    assert not typical_features(held_fit, members, 1).keys() & {"params", "tokens", "flops"}
    freed = {name: replace(known, chosen=False) for name, known in known_features().items()}
    monkeypatch.setattr("latentscale.analysis.forecasts.rows.known_features", lambda: freed)
    assert typical_features(held_fit, members, 1)
