"""Forecasts of a fold model by model, each kept in a file: a stopped study goes on from there."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

import latentscale as ls
from latentscale.analysis.backtest import forecast_fold
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from latentscale.files import replacing


def forecast_by_model(
    fit: ls.Fit, scores: Scores, fold: ls.folds.Fold, folder: Path, seed: int, minutes: float
) -> pd.DataFrame | None:
    """Return a fold's forecasts, conditional on what it gives of each model.

    Weights of posterior draws that are degenerate are borne with. The numbers are those of
    `forecast_fold` on the whole fold, which forecasts models with given scores one by one.

    Parameters
    ----------
    fit, scores, fold
        As for `forecast_fold`.
    folder
        Where the forecasts of each model are kept.
    seed
        Seed of every forecast.
    minutes
        After so many no further model is begun, and None is returned.
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
