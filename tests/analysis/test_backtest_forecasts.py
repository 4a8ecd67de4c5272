"""Backtests: what forecasts may use, the requested interval, and scores beyond (0, 1)."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.backtest import score_forecast
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.declare.likelihood import NormalNoise


def test_forecasts_do_not_depend_on_the_scores_that_they_are_compared_with(
    by_prior_draws: list[ls.Scores], small_scores: ls.Scores, quick_spec: ls.ModelSpec
) -> None:
    """Values in hidden cells that are not given do not change the forecasts."""
    models, fitted = small_scores.models, small_scores.models[4]
    hidden = (list(models[4:]), list(models[:4]))
    (fold,) = ls.folds.with_given([hidden], small_scores, 2, seed=3)
    fold = replace(fold, cells=((fitted, "alpha"), (fitted, "beta")))
    score = small_scores.dataset["score"].copy(deep=True)
    for cell in {*((m, b) for m in fold.test for b in small_scores.benchmarks), *fold.cells}:
        if cell not in fold.given:
            place = dict(zip(("model", "benchmark"), cell, strict=True))
            score.loc[place] = 1 - score.loc[place]
    tables = []
    for table in (small_scores, ls.Scores(small_scores.dataset.assign(score=score))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ls.FitWarning)  # twenty draws of the prior are few
            few = ls.FewShot(degenerate="warn")
            tables.append(ls.backtest(quick_spec, table, [fold], few_shot=few, progress=False))
    names = ["model", "benchmark", "mean", "median", "lower", "upper"]
    pd.testing.assert_frame_equal(tables[0][names], tables[1][names], check_exact=True)
    assert (tables[0]["score"] != tables[1]["score"]).all()


def test_intervals_have_the_probability_asked_for(
    by_prior_draws: list[ls.Scores], small_scores: ls.Scores, quick_spec: ls.ModelSpec
) -> None:
    """For the same forecasts, bounds at 50% are inside those at 95%, and all else is equal."""
    folds = ls.folds.random_cells_out(small_scores, share=0.3, n_folds=1, seed=2)
    wide, narrow = (
        ls.backtest(quick_spec, small_scores, folds, prob=prob, progress=False)
        for prob in (0.95, 0.5)
    )
    assert set(wide["prob"]) == {0.95} and set(narrow["prob"]) == {0.5}
    assert (wide["lower"] < narrow["lower"]).all() and (narrow["upper"] < wide["upper"]).all()
    rest = [name for name in wide.columns if name not in ("prob", "lower", "upper")]
    pd.testing.assert_frame_equal(wide[rest], narrow[rest], check_exact=True)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_scores_without_bounds_are_scored_where_they_are(score: float) -> None:
    """0 and 1 are limits of fractions only; for Elo or minutes they are values like any other."""
    coords = {"sample": np.arange(50), "model": ["m"], "benchmark": ["b"]}
    dims = ("sample", "model", "benchmark")
    middle, phi = 1.7, 4.0  # a standard deviation of 1
    drawn = np.random.default_rng(1).normal(middle, 1, (50, 1, 1))
    models = xr.Dataset(
        {"basis": ("model", ["new family"]), "extrapolates": ("model", [""])}, {"model": ["m"]}
    )
    forecast = Forecast(
        draws=xr.DataArray(drawn, coords, dims),
        mean_draws=xr.DataArray(np.full((50, 1, 1), middle), coords, dims),
        precision_draws=xr.DataArray(np.full(50, phi), dims=("sample",)),
        models=models,
        noise=NormalNoise(),
    )
    names = {"model": ["m"], "benchmark": ["b"]}
    truth = xr.DataArray([[score]], names, ("model", "benchmark"))
    items = xr.DataArray([2.0], {"benchmark": ["b"]}, ("benchmark",))
    bounded = xr.DataArray([False], {"benchmark": ["b"]}, ("benchmark",))
    row = score_forecast(forecast, truth, items, bounded=bounded).iloc[0]
    assert row["log_score"] == pytest.approx(stats.norm(middle, 1).logpdf(score))


@pytest.mark.parametrize(
    ("few_shot", "warned"),
    [
        ({}, "raised to the power 0"),
        ({"few_shot": ls.FewShot(degenerate="warn")}, "not reliable"),
    ],
)
def test_models_of_degenerate_weights_are_forecast_and_named(
    by_prior_draws: list[ls.Scores],
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    few_shot: dict[str, ls.FewShot],
    warned: str,
) -> None:
    """Scores far from all twenty prior draws: at the two ends of one model's range."""
    model = small_scores.models[0]
    data = small_scores.dataset.copy(deep=True)
    for benchmark, score in {"alpha": 0.9999, "beta": 0.0001, "delta": 0.5}.items():
        data["score"].loc[{"model": model, "benchmark": benchmark}] = score
    cells = ((model, "alpha"), (model, "beta"))
    fold = ls.folds.Fold("odd", small_scores.models[4:], (model,), given=cells)
    said = f'1 model has a warning: "{model}".*{warned}'
    with pytest.warns(ls.FitWarning, match=said) as caught:
        table = ls.backtest(quick_spec, ls.Scores(data), [fold], progress=False, **few_shot)
    assert [one.filename for one in caught if "has a warning" in str(one.message)] == [__file__]
    assert set(table["model"]) == {model} and np.isfinite(table["crps"]).all()
    refused = f'Every fold failed.*Model "{model}": The 2 scores given'
    with pytest.raises(ls.FitError, match=refused):
        ls.backtest(quick_spec, ls.Scores(data), [fold], few_shot=ls.FewShot(), progress=False)
