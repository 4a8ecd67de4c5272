"""Pulls: how far each given score moves a forecast, compared with a forecast without it."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.weights import Degenerate
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.inference.progress import WorkProgress
from latentscale.posterior.fit import Fit

GIVEN: Final = "given"
GIVEN_MODEL, GIVEN_BENCHMARK, GIVEN_SCORE = "given_model", "given_benchmark", "given_score"
"""Coordinates along `GIVEN`: the model, the benchmark and the score; empty and NaN for all scores
together."""
ALL: Final = "all given scores"

_OF_A_MEDIAN: Final = 1.25
"""Ratio of the standard errors of the median and the mean of normal draws: sqrt(pi / 2)."""

Cell = tuple[str, str]


def given_cells(fit: Fit, planned: xr.Dataset) -> list[Cell]:
    """Return model and benchmark of each score of the rows that is new to the fit.

    Raises
    ------
    DataError
        If a score of a fitted model differs from the one that was fitted.
    """
    if "score" not in planned:
        return []
    fresh = new_scores(fit, planned)
    return [
        (str(fresh[MODEL].values[i]), str(fresh[BENCHMARK].values[j]))
        for i, j in np.argwhere(fresh.values)
    ]


def pulls_of_given(
    fit: Fit,
    planned: xr.Dataset,
    forecast: Forecast,
    *,
    seed: int,
    few_shot: FewShot,
    draws: int | None,
    fitted: SharedFittedScores,
    progress: bool,
) -> xr.Dataset:
    """Return how far the medians of expected scores move without each given score, and without any.

    Parameters
    ----------
    fit, planned
        A fit and checked rows with new scores.
    forecast
        The forecast of the rows given all scores.
    seed, few_shot, draws, fitted
        As for `latentscale.analysis.forecasts.predict.forecast_rows`.
    progress
        Whether to show how many forecasts are done.

    Returns
    -------
    xarray.Dataset
        Variables ``pull``, ``median`` (without the score) and ``se`` (the Monte Carlo standard
        error of the pull), dims (given, model, benchmark), in the units of the scores. A pull is
        the median with all scores minus the median without; the last entry along given is `ALL`.
        NaN where the weights of the posterior draws are degenerate without the score.
    """
    cells = given_cells(fit, planned)
    without_any = _summary(forecast_rows(fit, planned, seed=seed, draws=draws))

    def without(cell: Cell) -> xr.Dataset:
        if len(cells) == 1:
            return without_any
        rows = planned.assign(score=_empty_at(planned["score"], cell))
        try:
            return _summary(
                forecast_rows(fit, rows, seed=seed, few_shot=few_shot, draws=draws, fitted=fitted)
            )
        except Degenerate:
            return xr.full_like(without_any, np.nan)

    others = []
    with WorkProgress(len(cells), "given scores", "scores", enabled=progress) as bar:
        for done, cell in enumerate(cells, start=1):
            others.append(without(cell))
            bar.update(done)
    joined = xr.concat([*others, without_any], dim=GIVEN)
    whole = _summary(forecast)
    score = planned["score"]
    values = [float(score.sel({MODEL: m, BENCHMARK: b})) for m, b in cells]
    return xr.Dataset(
        {
            "pull": whole["median"] - joined["median"],
            "median": joined["median"],
            "se": (whole["se"] ** 2 + joined["se"] ** 2) ** 0.5,
        }
    ).assign_coords(
        {
            GIVEN: [*(f"{benchmark} of {model}" for model, benchmark in cells), ALL],
            GIVEN_MODEL: (GIVEN, [*(model for model, _ in cells), ""]),
            GIVEN_BENCHMARK: (GIVEN, [*(benchmark for _, benchmark in cells), ""]),
            GIVEN_SCORE: (GIVEN, [*values, np.nan]),
        }
    )


def _summary(forecast: Forecast) -> xr.Dataset:
    """Return medians of expected scores and their Monte Carlo standard errors.

    Expected rather than new scores, which are noisy and rounded as in the table.
    """
    expected = forecast.mean_draws
    report = forecast.conditioning
    count = expected.sizes[SAMPLE] if report is None else report.ess
    error = _OF_A_MEDIAN * expected.std(SAMPLE) / count**0.5
    return xr.Dataset({"median": expected.median(SAMPLE), "se": error})


def _empty_at(score: xr.DataArray, cell: Cell) -> xr.DataArray:
    """Return the scores with the cell of one model on one benchmark emptied."""
    model, benchmark = cell
    return score.where((score[MODEL] != model) | (score[BENCHMARK] != benchmark))
