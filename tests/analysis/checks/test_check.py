"""Checks: a corrupted score is found and named, a sound table raises no alarm, p-values by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.checks import check as module
from latentscale.analysis.checks import leave_one_out as leave_one_out_module
from latentscale.analysis.checks import predictive as predictive_module
from latentscale.analysis.checks.check import uniform_p_value
from latentscale.analysis.checks.leave_one_out import logit_residual
from latentscale.analysis.checks.predictive import posterior_predictive
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit

Spoiled = tuple[ls.Scores, tuple[str, str]]


@pytest.fixture(scope="module")
def checked(pooled_fit: Fit) -> ls.results.FitCheck:
    return ls.check(pooled_fit, false_alarms=0.01, seed=4)


def test_only_the_spoiled_score_is_an_outlier(
    checked: ls.results.FitCheck, spoiled: Spoiled
) -> None:
    assert list(zip(checked.outliers["model"], checked.outliers["benchmark"], strict=True)) == [
        spoiled[1]
    ]
    row = checked.outliers.iloc[0]
    assert abs(row["z"]) > checked.threshold > 3
    assert row["basis"] == "importance weights"
    assert spoiled[1][0] in str(checked) and "Look at each outlier" in str(checked)
    said = "no better than guessing" if row["score"] < 0.5 else "contamination"
    assert said in row["advice"]


def test_a_table_of_two_ratings_is_checked_without_warnings(prior_fit: Callable[..., Fit]) -> None:
    """Without any fractions, NumPy warned about statistics over all of them, and p was NaN."""
    rows = {"model": ["a", "b"], "family": ["f", "f"], "released": ["2024-01-01", "2025-01-01"]}
    scores = ls.Scores.from_frame(
        pd.DataFrame(rows | {"elo": [1000.0, 1200.0]}),
        benchmarks={"elo": ls.Benchmark(scale="real", unit="Elo")},
    )
    changes = {"covariates": ["released"], "benchmarks.slopes": ["released"]}
    fit = prior_fit(ls.load_spec("pooled_flops").with_(changes), scores)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checked = ls.check(fit)
    assert checked.predictive.table()["by"].unique().tolist() == ["benchmark"]
    assert "pit uniform: not tested with fewer than 10 reliable scores." in checked.headline


def test_scores_are_replicated_once(pooled_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check holds what its two parts return separately, from one set of replicated scores."""
    loo = ls.leave_one_out(pooled_fit, prob=0.8, seed=3)
    predictive = posterior_predictive(pooled_fit, prob=0.8, seed=3)
    calls, whole = [], leave_one_out_module.forecast_rows

    def counted(*fits: Any, **how: Any) -> Any:
        calls.append(how["seed"])
        return whole(*fits, **how)

    for part in (leave_one_out_module, predictive_module):
        monkeypatch.setattr(part, "forecast_rows", counted)
    checked = ls.check(pooled_fit, prob=0.8, seed=3)
    assert calls == [3]
    pd.testing.assert_frame_equal(checked.loo.rows, loo.rows, check_exact=True)
    xr.testing.assert_identical(checked.predictive.draws, predictive.draws)
    pd.testing.assert_frame_equal(checked.predictive.rows, predictive.rows, check_exact=True)


def test_residuals_are_a_map_of_the_table(checked: ls.results.FitCheck, pooled_fit: Fit) -> None:
    table = checked.loo.table().set_index(["model", "benchmark"])["z"]
    grid = checked.residuals
    assert int(grid.notnull().sum()) == len(table) == pooled_fit.scores.n_observed
    for model, benchmark in table.index[::50]:
        assert float(grid.sel(model=model, benchmark=benchmark)) == table[(model, benchmark)]
    clean = checked.by_benchmark.set_index("benchmark").drop(index="alpha")
    assert ((clean["rms_z"] > 0.8) & (clean["rms_z"] < 1.25)).all()
    assert checked.by_family["scores"].sum() == len(table)


def test_pit_of_a_right_spec_are_uniform_and_of_a_wrong_one_not(
    checked: ls.results.FitCheck,
) -> None:
    assert checked.pit_p_value > 0.01
    rng = np.random.default_rng(1)
    assert uniform_p_value(pd.Series(rng.beta(0.6, 0.6, 500))) < 0.001
    flat = [uniform_p_value(pd.Series(rng.uniform(size=200))) for _ in range(200)]
    assert np.mean(np.array(flat) < 0.05) < 0.12
    assert np.isnan(uniform_p_value(pd.Series([0.5] * 5)))


def test_a_model_that_is_off_on_everything_points_to_its_metadata(
    checked: ls.results.FitCheck, pooled_fit: Fit
) -> None:
    table = checked.loo.table().copy()
    model = pooled_fit.scores.models[2]
    table.loc[table["model"] == model, "z"] = -6.0
    rows = table[table["model"] == model]
    assert all("check its size" in line for line in module._advice_for(pooled_fit, rows, table))


def test_suspects_are_settled_by_a_refit_without_them(
    pooled_fit: Fit, spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refit is replaced by the same fit: this tests how it is called and used."""
    asked, converged = [], [False, True]

    def run_fit(spec, scores, *, method, seed, progress):  # type: ignore[no-untyped-def]
        asked.append(scores)
        return replace(pooled_fit, status=replace(pooled_fit.status, converged=converged.pop(0)))

    real = module.with_replicated

    def doubtful(fit: Fit, prob: float, seed: int) -> tuple[ls.results.LeaveOneOut, xr.DataArray]:
        values, replicated = real(fit, prob, seed)
        table = values.table().copy()
        table.loc[[0, 1], ["reliable", "z"]] = [False, 2.5]
        return replace(values, rows=table), replicated

    monkeypatch.setattr(module, "run_fit", run_fit)
    monkeypatch.setattr(module, "with_replicated", doubtful)
    before = ls.check(pooled_fit, false_alarms=0.01, seed=4)
    assert len(before.unsettled) == 2 and len(before.outliers) == 1
    assert any("settles them" in line for line in before.advice)
    with pytest.warns(ls.FitWarning, match="The refit"):
        method = ls.NUTS(draws=10, tune=10, chains=2)
        after = ls.check(pooled_fit, refit=method, false_alarms=0.01, seed=4)
    hidden = pooled_fit.scores.n_observed - asked[0].n_observed
    assert hidden == 3
    assert after.unsettled.empty
    assert list(after.outliers["model"]) == [spoiled[1][0]]
    assert list(after.outliers["basis"]) == ["refit"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ls.FitWarning)
        again = ls.check(pooled_fit, refit=method, false_alarms=0.01, seed=4)
    pd.testing.assert_frame_equal(again.outliers, after.outliers)


def test_misuse_is_refused(
    pooled_fit: Fit, prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec
) -> None:
    with pytest.raises(ls.FitError, match="false_alarms"):
        ls.check(pooled_fit, false_alarms=0)
    with pytest.raises(ls.FitError, match=r"refit must be a method"):
        ls.check(pooled_fit, refit="nuts")  # type: ignore[arg-type]
    with pytest.raises(ls.FitError, match="at least 25"):
        ls.check(prior_fit(quick_spec, pooled_fit.scores, draws=5))


def test_posterior_predictive_statistics_by_hand(pooled_fit: Fit) -> None:
    predictive = ls.studies.posterior_predictive(pooled_fit, prob=0.8, seed=2)
    table = predictive.table().set_index(["by", "group", "statistic"])
    observed = pooled_fit.scores.dataset["score"]
    beta = table.loc[("benchmark", "beta", "mean")]
    assert beta["observed"] == pytest.approx(float(observed.sel(benchmark="beta").mean()))
    replicated = predictive.draws.sel(benchmark="beta").where(
        observed.sel(benchmark="beta").notnull()
    )
    means = replicated.mean("model")
    assert beta["lower"] == pytest.approx(float(means.quantile(0.1)))
    above = float((means > beta["observed"]).mean())
    assert beta["p_value"] == pytest.approx(2 * min(above, 1 - above), abs=0.01)
    family = table.loc[("family", "fam03", "largest")]
    mine = observed.sel(model=[m for m in pooled_fit.scores.models if m.startswith("fam03")])
    assert family["observed"] == pytest.approx(float(mine.max()))
    share = table.loc[("benchmark", "beta", "share below floor"), "observed"]
    known = observed.sel(benchmark="beta").dropna("model")
    assert share == pytest.approx(float((known < 0.25).mean()))
    assert table.loc[("all", "all", "mean"), "p_value"] > 0.05
    assert "Posterior predictive check" in str(predictive)


def test_a_wrong_noise_shows_in_the_posterior_predictive_check(pooled_fit: Fit) -> None:
    posterior = pooled_fit.posterior
    narrow = posterior.assign(precision=posterior["precision"] * 100)
    groups = {name: pooled_fit.tree[name].to_dataset() for name in pooled_fit.tree.children}
    from xarray import DataTree

    wrong = replace(pooled_fit, tree=DataTree.from_dict({**groups, "posterior": narrow}))
    right, off = (ls.studies.posterior_predictive(f, seed=2) for f in (pooled_fit, wrong))
    assert len(off.surprising) > 3 * len(right.surprising)


def test_exact_zeros_that_a_benchmark_records_are_expected(
    held_fit: Fit, with_posterior: Callable[[Fit, xr.Dataset], Fit]
) -> None:
    """A benchmark too hard for all models: half of its 500-item scores are 0, as are replicates."""
    hard = held_fit.posterior.copy(deep=True)
    hard["intercept"].loc[{"benchmark": "gamma"}] = -6.0
    fit = with_posterior(held_fit, hard)
    mean = forecast_rows(fit, fit.scores.dataset, seed=0).mean_draws.isel(sample=0)
    drawn = np.random.default_rng(3).beta(40 * mean, 40 * (1 - mean))
    measured = fit.scores.dataset["score"].notnull()
    counted = mean.copy(data=np.round(drawn * 500) / 500).where(measured).reset_coords(drop=True)
    fit = replace(fit, scores=ls.Scores(fit.scores.dataset.assign(score=counted)))
    zeros = float((counted.sel(benchmark="gamma") == 0).sum())
    assert zeros >= 4
    predictive = posterior_predictive(fit, prob=0.98)
    row = predictive.table().query("group == 'gamma' and statistic == 'smallest'").iloc[0]
    assert row["observed"] == row["upper"] == 0 and row["p_value"] > 0.5
    assert not (predictive.surprising["group"] == "gamma").any()
    # So is the score left out: its rank among new scores also counts half of the zeros.
    left_out = ls.leave_one_out(_with_own_densities(fit)).table()
    exact = left_out[(left_out["benchmark"] == "gamma") & (left_out["score"] == 0)]
    assert len(exact) == zeros and exact["pit"].between(0.1, 0.5).all()


def test_a_rounded_zero_is_no_further_off_than_its_rank(known: Any, prior_fit: Any) -> None:
    """With two decimals, 0.00 among new scores of 0.00 to 0.03 is low, but not by five sds."""
    two = known.scores.dataset.assign(score=known.scores.dataset["score"].round(2))
    fit = prior_fit(ls.load_spec("pooled_flops"), ls.Scores(two), draws=30)
    values = np.repeat([0.0, 0.01, 0.02, 0.03], [2, 28, 40, 30])
    drawn = xr.DataArray(values[:, None], dims=("sample", "cell"))
    zero = xr.DataArray([0.0], dims="cell").assign_coords(
        cell_model=("cell", list(fit.scores.models[:1])), cell_benchmark=("cell", ["alpha"])
    )
    residual = float(logit_residual(fit, zero, drawn, xr.full_like(drawn, 0.01))[0])
    assert -3.5 < residual < -2


def _with_own_densities(fit: Fit) -> Fit:
    """Return the fit with a log likelihood that varies a little from draw to draw."""
    drawn = Draws(fit.posterior, None, fit.status, {})
    moved = drawn.posterior.copy(deep=True)
    noise = np.random.default_rng(0).normal(0, 0.01, moved["intercept"].shape)
    moved["intercept"] = moved["intercept"] + noise
    tree = to_tree(fit.spec, fit.design, replace(drawn, posterior=moved))
    return replace(fit, tree=tree)


def test_a_prior_predictive_check_takes_a_table_with_declared_features() -> None:
    frame = pd.DataFrame(
        {
            "model": ["a", "b", "c"],
            "family": "one",
            "released": ["2023-01-01", "2024-01-01", "2025-01-01"],
            "quiz": [0.3, 0.5, 0.6],
        }
    )
    scores = ls.Scores.from_frame(frame, features=["released"])
    changes = {"covariates": ["released"], "benchmarks.slopes": ["released"]}
    spec = ls.load_spec("pooled_flops").with_(changes)
    predictive = ls.studies.prior_predictive(spec, scores, draws=20, seed=1)
    assert predictive.draws.sizes["model"] == 3


def test_prior_predictive_covers_tables_of_its_own_prior(
    quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    predictive = ls.studies.prior_predictive(quick_spec, small_scores, draws=60, seed=1)
    assert predictive.draws.sizes == {"sample": 60, "model": 12, "benchmark": 4}
    measured = small_scores.dataset["score"].notnull()
    assert bool((predictive.draws.notnull() == measured).all())
    p_values = []
    for seed in range(5):
        table = ls.simulate(quick_spec, small_scores, seed=100 + seed).scores
        again = ls.studies.prior_predictive(quick_spec, table, draws=30, seed=seed).table()
        p_values.append(again.query("by == 'all' and statistic == 'mean'")["p_value"].item())
    assert 0.15 < np.mean(p_values) < 0.85
    again = ls.studies.prior_predictive(quick_spec, small_scores, draws=60, seed=1)
    np.testing.assert_array_equal(predictive.draws, again.draws)


def test_a_prior_that_rules_the_scores_out_is_seen(
    quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    sure = quick_spec.with_priors({"intercept": {"dist": "Normal", "mu": -6, "sigma": 0.1}})
    predictive = ls.studies.prior_predictive(sure, small_scores, draws=40)
    means = predictive.surprising.query("by == 'benchmark' and statistic == 'mean'")
    assert len(means) == 4 and (means["p_value"] < 0.05).all()
    with pytest.raises(ls.DataError, match="from 20 to"):
        ls.studies.prior_predictive(quick_spec, small_scores, draws=3)
    with pytest.raises(ls.SpecError, match="ModelSpec"):
        ls.studies.prior_predictive("latentscale", small_scores)  # type: ignore[arg-type]
    with pytest.raises(ls.DataError, match="Scores"):
        ls.studies.prior_predictive(quick_spec, small_scores.to_frame())  # type: ignore[arg-type]
