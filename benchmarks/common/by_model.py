"""Forecasts of a fold model by model, each kept in a file, or family by family."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import xarray as xr

import latentscale as ls
from latentscale.analysis.backtest import forecast_fold, score_forecast
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.data.scaling import is_bounded
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL
from latentscale.errors import DataError
from latentscale.files import replacing


def forecast_by_model(
    fit: ls.Fit, scores: Scores, fold: ls.folds.Fold, folder: Path, seed: int, minutes: float
) -> pd.DataFrame | None:
    """Return a fold's forecasts, conditional on the scores that it gives of each model.

    Degenerate importance weights are accepted. The numbers are those of `forecast_fold` on
    the whole fold, which forecasts models with given scores one by one.

    Parameters
    ----------
    fit, scores, fold
        As for `forecast_fold`.
    folder
        Where the forecasts of each model are kept.
    seed
        Seed of every forecast.
    minutes
        After this time no further model is begun, and None is returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    with_scores = {model for model, _ in fold.given}
    alone = [(model,) for model in fold.test if model in with_scores]
    rest = tuple(model for model in fold.test if model not in with_scores)
    few = ls.FewShot(degenerate="warn")
    tables = []
    for number, models in enumerate([*alone, rest] if rest else alone):
        file = folder / f"{number}.csv"
        if not file.exists():
            if time.time() - began > 60 * minutes:
                print(f"{number} of {len(alone)} models are done", flush=True)
                return None
            given = tuple(cell for cell in fold.given if cell[0] in models)
            one = replace(fold, test=models, given=given)
            table = forecast_fold(fit, scores, one, seed=seed, few_shot=few)
            with replacing(file, DataError) as fresh:
                table.to_csv(fresh, index=False)
        tables.append(pd.read_csv(file))
    return pd.concat(tables, ignore_index=True)


def forecast_by_family(fit: ls.Fit, scores: Scores, fold: ls.folds.Fold, seed: int) -> pd.DataFrame:
    """Return forecasts of a fold's models with given scores, a family's models together.

    Each family is forecast conditional on all scores that the fold gives for its models;
    importance weights are tempered if they are degenerate.

    Parameters
    ----------
    fit, scores, fold, seed
        As for `forecast_fold`, whose columns the table has, and `power` of the weights.
    """
    data = scores.dataset
    models = list(dict.fromkeys(model for model, _ in fold.given))
    known = xr.zeros_like(data["score"], dtype=bool)
    for model, benchmark in fold.given:
        known.loc[{MODEL: model, BENCHMARK: benchmark}] = True
    rows = data.assign(score=data["score"].where(known))
    rows = rows.sel({BENCHMARK: list(fit.scores.benchmarks)})
    family = data["family"].sel({MODEL: models}).to_series()
    few, fitted, tables = ls.FewShot(degenerate="temper"), SharedFittedScores(fit), []
    for name, names in family.groupby(family, sort=False).groups.items():
        own = rows.sel({MODEL: list(names)})
        forecast = forecast_rows(fit, own, seed=seed, few_shot=few, fitted=fitted)
        hidden = data["score"].where(~known).sel({MODEL: list(names)})
        table = score_forecast(forecast, hidden, scores.item_counts, DEFAULT_PROB, is_bounded(data))
        how = forecast.conditioning
        power = 1.0 if how is None else how.power
        tables.append(table.assign(fold=fold.name, family=name, prob=DEFAULT_PROB, power=power))
    return pd.concat(tables, ignore_index=True).assign(max_rhat=fit.convergence().max_rhat)
