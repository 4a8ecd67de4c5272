"""Pulls of given scores compared with forecasts without them; texts and refusals."""

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
from latentscale.analysis.forecasts import pulls as pulls_module
from latentscale.analysis.forecasts.weights import Degenerate
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError, FitError
from latentscale.posterior.fit import Fit

NONE = np.nan
ROWS = pd.DataFrame(
    [
        ("fresh-1", "fresh", 3.0, 1.0, 0, 0.72, NONE),
        ("fresh-2", "fresh", 9.0, 1.0, 0, NONE, 0.80),
    ],
    columns=["model", "family", "params_b", "tokens_t", "instruct", "alpha", "beta"],
)


def explain(fit: Fit, rows: pd.DataFrame = ROWS, **how: Any) -> ls.results.Explanation:
    return ls.studies.explain(fit, rows, seed=1, progress=False, **how)


def expected(fit: Fit, rows: pd.DataFrame) -> xr.DataArray:
    return ls.predict(fit, rows, seed=1).mean_draws.median("sample")


@pytest.fixture(scope="module")
def given(held_fit: Fit) -> ls.results.Explanation:
    return explain(held_fit, benchmarks=["gamma", "alpha"])


def test_a_pull_is_the_difference_of_two_forecasts(
    held_fit: Fit, given: ls.results.Explanation
) -> None:
    whole = expected(held_fit, ROWS).sel(benchmark=["alpha", "gamma"])
    without = {
        "alpha of fresh-1": ROWS.assign(alpha=NONE),
        "beta of fresh-2": ROWS.drop(columns="beta"),
        "all given scores": ROWS.drop(columns=["alpha", "beta"]),
    }
    assert given.pulls is not None and list(given.pulls["given"].values) == list(without)
    for name, rows in without.items():
        other = expected(held_fit, rows).sel(benchmark=["alpha", "gamma"])
        np.testing.assert_allclose(given.pulls["pull"].sel(given=name), whole - other, atol=1e-12)
        np.testing.assert_allclose(given.pulls["median"].sel(given=name), other, atol=1e-12)
    table = given.pulls_table()
    assert table["given"].tolist() == 4 * list(without)
    assert table["score"].head(2).tolist() == [0.72, 0.80] and table["pull"].notna().all()


def test_errors_of_pulls_are_those_of_other_seeds(held_fit: Fit) -> None:
    """Standard errors match the variation of pulls between seeds, within a factor."""
    found = [
        ls.studies.explain(held_fit, ROWS, "gamma", seed=seed, draws=200, progress=False).pulls
        for seed in range(6)
    ]
    pull = xr.concat([one["pull"].sel(given="alpha of fresh-1") for one in found], "seed")
    stated = xr.concat([one["se"].sel(given="alpha of fresh-1") for one in found], "seed")
    assert 0.3 < float((pull.std("seed", ddof=1) / stated.mean("seed")).mean()) < 2


def test_one_given_score_takes_no_further_forecast(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    whole = pulls_module.forecast_rows

    def count(*arguments: Any, **how: Any) -> ls.results.Forecast:
        calls.append(how)
        return whole(*arguments, **how)

    monkeypatch.setattr(pulls_module, "forecast_rows", count)
    alone = explain(held_fit, ROWS.drop(columns="beta"), benchmarks="gamma")
    assert len(calls) == 1 and "few_shot" not in calls[0]
    assert alone.pulls is not None
    one, every = (alone.pulls["pull"].isel(given=k) for k in (0, 1))
    np.testing.assert_array_equal(one, every)
    assert "given scores move it by" not in alone.headline  # of two rows
    single = explain(held_fit, ROWS.head(1), benchmarks="gamma")
    assert "given scores move it by" in single.headline


def test_many_given_scores_are_left_out_unless_asked_for(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentscale.analysis.forecasts.explain._MOST_GIVEN", 1)
    short = explain(held_fit, benchmarks="gamma")
    assert short.pulls is None and "given_scores=True" in short.advice[0]
    assert short.advice[0] in repr(short).replace("\n    ", " ")
    assert not len(short.pulls_table())
    asked = explain(held_fit, benchmarks="gamma", given_scores=True)
    assert asked.pulls is not None and not asked.advice
    declined = explain(held_fit, benchmarks="gamma", given_scores=False)
    assert declined.pulls is None and not declined.advice


def test_a_score_without_which_weights_are_degenerate_has_no_pull(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pulls_module.forecast_rows

    def fails(fit: Fit, planned: xr.Dataset, **how: Any) -> ls.results.Forecast:
        if "few_shot" in how and not planned["score"].sel(benchmark="alpha").notnull().any():
            raise Degenerate(1, 3.0, 0.9, 400)
        return whole(fit, planned, **how)

    monkeypatch.setattr(pulls_module, "forecast_rows", fails)
    explanation = explain(held_fit, benchmarks="gamma")
    assert explanation.pulls is not None
    missing = explanation.pulls["pull"].isnull().all(["model", "benchmark"])
    assert missing.values.tolist() == [True, False, False]
    assert "alpha of fresh-1" in explanation.advice[0]
    explanation.plot().to_svg()


@pytest.mark.filterwarnings("ignore")
def test_a_refit_is_explained_by_its_own_draws(
    small_scores: ls.Scores, quick_spec: ls.ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = ls.Laplace(draws=200)
    fit = ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)

    def refuse(weights: object, count: int, *_: object) -> None:
        raise Degenerate(count, 3.0, 0.9, 200)

    monkeypatch.setattr("latentscale.analysis.forecasts.condition.refuse_degenerate", refuse)
    explanation = explain(fit, benchmarks="gamma", few_shot=ls.FewShot(refit=method))
    report = explanation.forecast.conditioning
    assert report is not None and report.fit is not None
    at = report.fit.evaluator.at(report.fit.samples, report.fit.scores.dataset, residuals="fitted")
    level = at.eta.mean("model").sel(benchmark=["gamma"]).transpose("sample", "benchmark")
    np.testing.assert_allclose(explanation.level_draws, level, atol=1e-10)
    with pytest.raises(FitError, match="too few posterior draws"):
        explain(fit, benchmarks="gamma")


def test_mixtures_and_point_estimates_are_refused(held_fit: Fit) -> None:
    with pytest.raises(FitError, match=r"mapping of 2 fits.*Explain the forecast of each"):
        explain({"a": held_fit, "b": held_fit})  # type: ignore[arg-type]
    with pytest.raises(FitError, match="fit must be a Fit"):
        explain("fit.nc")  # type: ignore[arg-type]
    point = replace(held_fit, status=replace(held_fit.status, is_posterior=False))
    with pytest.raises(FitError, match="point estimate"):
        explain(point)
    with pytest.raises(FitError, match=r"at least 50 draws .* there are 20"):
        explain(held_fit, draws=20)


def test_wrong_arguments_are_refused(held_fit: Fit) -> None:
    with pytest.raises(DataError, match=r'Benchmark "alfa" is not in the fit.*"alpha"'):
        explain(held_fit, benchmarks="alfa")
    for wrong in ([], [3], 3):
        with pytest.raises((DataError, FitError), match="benchmarks"):
            explain(held_fit, benchmarks=wrong)
    with pytest.raises(FitError, match="given_scores"):
        explain(held_fit, given_scores="no")
    with pytest.raises(FitError, match="progress"):
        ls.studies.explain(held_fit, ROWS, progress=2)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="column"):
        explain(held_fit, ROWS.drop(columns="family"))


def test_scores_given_to_an_aligned_fit_are_refused(
    small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    free = {"count": 2, "identify": {"kind": "free"}, "residual": True}
    loadings = {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}}
    spec = spec_from_dict({"name": "free", "skills": free, "priors": loadings})
    fit = prior_fit(spec, small_scores, draws=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        aligned = ls.align(fit).fit
    with pytest.raises(FitError, match="aligned fit"):
        explain(aligned)


def test_parts_must_be_of_the_forecast(given: ls.results.Explanation) -> None:
    other = given.part_draws.isel(sample=slice(None, None, -1))
    with pytest.raises(FitError, match="samples of its forecast"):
        replace(given, part_draws=other)
