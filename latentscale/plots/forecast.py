"""The plot of a forecast: one panel per benchmark, one line per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.analysis.forecasts.each import Forecasts
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.data.frames import as_pandas
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL
from latentscale.errors import DataError, listed
from latentscale.expect import expect
from latentscale.plots.labels import MOST_MODELS, MOST_PANELS, drawn
from latentscale.plots.style import (
    BLACK,
    BLUE,
    VERMILLION,
    OnAxes,
    Sheet,
    across_label,
    headings,
    legend,
    name_rows,
    panels,
    part_shown,
    score_axis,
    score_label,
    title,
    unit_ending,
    within,
)

_COLUMNS = 4
"""Panels per row: their labels stay readable across a page."""
_ROW_INCHES = 0.19
"""Height of a row of small text."""
_PALE = 0.35
"""Opacity of rows without a measured score, compared with rows that have one."""


def plot_forecast(
    forecast: Forecast | Forecasts,
    observed: pd.DataFrame | None = None,
    *,
    prob: float = DEFAULT_PROB,
    models: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    ax: OnAxes = None,
) -> Sheet:
    """Draw forecast medians and intervals, with measured scores where they are known.

    Parameters
    ----------
    forecast
        From `latentscale.predict` or `latentscale.studies.predict_each`.
    observed
        Measured scores (in the units of the forecast) of some of the models: a wide table with
        ``model`` and benchmark columns, or a long one with ``model``, ``benchmark`` and
        ``score``. If it is given, forecasts without a measured score are drawn pale. Scores that
        the forecast was given have their own marker and do not make forecasts pale.
    prob
        Probability of the equal-tailed interval of a new score.
    models, benchmarks
        Which are drawn, in this order; by default the first 40 models and the first 24 benchmarks
        of the forecast, and the headline says if there are more.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, not registered with pyplot: save it with ``.savefig``, or let a
        notebook show it.

    Raises
    ------
    DataError
        If `observed` is not a table, has no ``model`` column, or has none of the drawn models and
        benchmarks; or if `models` or `benchmarks` names one that is not in the forecast.
    LatentscaleError
        If `prob` is not strictly between 0 and 1.

    Examples
    --------
    >>> forecast = ls.predict(fit, planned)
    >>> ls.plots.plot_forecast(forecast).savefig("figure.png")
    """
    if not isinstance(forecast, Forecasts):
        expect(forecast, Forecast, "forecast")
    table = forecast.table(prob)
    all_models, all_benchmarks = (list(dict.fromkeys(table[c])) for c in (MODEL, BENCHMARK))
    models = drawn(all_models, models, MOST_MODELS, "models")
    benchmarks = drawn(all_benchmarks, benchmarks, MOST_PANELS, "benchmarks")
    table = table[table["model"].isin(models)]
    given = given_scores(forecast)
    truth = None if observed is None else _measured(observed, models, benchmarks, given)
    height = 0.7 + _ROW_INCHES * len(models)
    columns = min(len(benchmarks), _COLUMNS)
    figure, axes = panels(len(benchmarks), columns=columns, width=2.4, height=height, ax=ax)
    place = {model: row for row, model in enumerate(models)}
    endings = [unit_ending(name, forecast.units) for name in benchmarks]
    headings(axes, benchmarks, endings, beside=models)
    for name, panel in zip(benchmarks, axes, strict=True):
        mine = table[table["benchmark"] == name]
        known = None if truth is None else truth[truth["benchmark"] == name]
        _intervals(panel, mine, place, known, prob, given[given["benchmark"] == name])
        if known is not None:
            _truths(panel, known, place)
        mark_given(panel, given[given["benchmark"] == name], place)
        score_axis(panel.xaxis, name, forecast.units)
        within(panel, name, forecast.units)
        name_rows(panel, models)
    across_label(axes, columns, score_label(benchmarks, forecast.units))
    cut = part_shown(len(models), len(all_models), "models")
    cut += part_shown(len(benchmarks), len(all_benchmarks), "benchmarks")
    versus = "" if truth is None else ", with the measured scores"
    title(
        figure,
        f"Forecast scores{versus}{cut}",
        f"Dots: median. Lines: {prob:.0%} interval of a new score. Scales differ between panels.",
        forecast.notes,
    )
    legend(figure, axes)
    return figure


def given_scores(forecast: Forecast | Forecasts) -> pd.DataFrame:
    """Return the scores that a forecast was given: columns model, benchmark, score."""
    parts = forecast.parts if isinstance(forecast, Forecasts) else (forecast,)
    tables = [part.models["score"].to_series() for part in parts if "score" in part.models]
    if not tables:
        return pd.DataFrame({MODEL: [], BENCHMARK: [], "score": []})
    return pd.concat(tables).dropna().rename("score").reset_index()


def mark_given(panel: Axes, given: pd.DataFrame, place: Mapping[str, float]) -> None:
    """Mark the given scores of one benchmark, in the rows that their models have."""
    shown = given[given[MODEL].isin(place)]
    if shown.empty:
        return
    panel.scatter(
        shown["score"],
        [place[model] for model in shown[MODEL]],
        s=30,
        marker="s",
        facecolors="none",
        edgecolors=BLACK,
        linewidths=1.2,
        zorder=4,
        label="given score",
    )


def _measured(
    observed: pd.DataFrame, models: list[str], benchmarks: list[str], given: pd.DataFrame
) -> pd.DataFrame | None:
    """Return measured scores of the forecast as columns model, benchmark, score.

    Scores that the forecast was given are left out; None if no others remain.
    """
    observed = as_pandas(observed, "These measured scores cannot be drawn")
    if "model" not in observed:
        raise DataError(
            f'observed needs a column "model"; it has {listed(observed.columns)}. Give a '
            "column model and one per benchmark, or columns model, benchmark and score."
        )
    if {"benchmark", "score"} <= set(observed.columns):
        rows = observed[["model", "benchmark", "score"]]
    else:
        columns = [name for name in benchmarks if name in observed]
        rows = observed.melt("model", columns, var_name="benchmark", value_name="score")
    rows = rows[rows["model"].isin(models) & rows["benchmark"].isin(benchmarks)].dropna()
    if rows.empty:
        raise DataError(
            f"observed holds no score of the forecast's models ({listed(models)}) and benchmarks "
            f"({listed(benchmarks)})."
        )
    rows = rows.astype({"score": float})
    keys = rows[[MODEL, BENCHMARK]].merge(given, how="left")["score"].to_numpy(dtype=float)
    others = rows[~np.isclose(keys, rows["score"])]  # NaN, where none was given, is close to none
    return None if others.empty else others


def _intervals(
    panel: Axes,
    table: pd.DataFrame,
    place: dict[str, int],
    known: pd.DataFrame | None,
    prob: float,
    given: pd.DataFrame,
) -> None:
    rows = np.array([place[model] for model in table["model"]])
    measured = np.ones(len(table), bool)
    if known is not None:
        measured = table["model"].isin([*known["model"], *given["model"]])
    for chosen, alpha, note in (
        (np.asarray(measured), 1.0, ""),
        (~np.asarray(measured), _PALE, ", no measured score"),
    ):
        if not chosen.any():
            continue
        shown = table[chosen]
        panel.hlines(
            rows[chosen],
            shown["lower"],
            shown["upper"],
            color=BLUE,
            lw=2,
            alpha=alpha,
            label=f"{prob:.0%} interval{note}",
        )
        panel.scatter(
            shown["median"],
            rows[chosen],
            s=20,
            color=BLUE,
            alpha=alpha,
            zorder=3,
            label="" if note else "forecast median",
        )


def _truths(panel: Axes, known: pd.DataFrame, place: dict[str, int]) -> None:
    if known.empty:
        return
    panel.scatter(
        known["score"],
        [place[model] for model in known["model"]],
        s=26,
        marker="D",
        facecolors="none",
        edgecolors=VERMILLION,
        linewidths=1.4,
        zorder=4,
        label="measured score",
    )
