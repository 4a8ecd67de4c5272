"""Plots of checks: residual map, predictive statistics, outliers."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from latentscale.analysis.checks.check import FitCheck
from latentscale.analysis.checks.predictive import PredictiveCheck
from latentscale.analysis.tools.units import other_units, spreads
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect
from latentscale.plots.labels import distinct
from latentscale.plots.style import (
    BLACK,
    BLUE,
    GREY,
    ROW_LETTERS,
    SCORE_LABEL,
    VERMILLION,
    OnAxes,
    Sheet,
    heading,
    legend,
    name_rows,
    panels,
    part_shown,
    percent_axis,
    title,
)
from latentscale.validate import whole_number

_ROW_INCHES = 0.17
"""Height of a row of small text."""
_GROUP_INCHES = 0.24
"""Height of a row with its interval."""
MAX_ROWS = 40
"""Rows that fit on a page."""
_MAX_COLUMNS = 40
"""Benchmarks side by side: at half an inch each they take 20 inches, some two screens."""
_SLANTED_INCHES = 0.045
"""Height of a letter of a name at 45 degrees, at 8 points."""
_REACH = 4.0
"""Standardised residuals at the ends of the colour scale: 1 in 16,000 is larger by chance."""


def plot_residuals(check: FitCheck, *, rows: int = MAX_ROWS, ax: OnAxes = None) -> Sheet:
    """Draw leave-one-out residuals as a map of models and benchmarks.

    Parameters
    ----------
    check
        From `latentscale.check`.
    rows
        Largest number of models; those with the largest residuals are shown, family by family. Of
        more than 40 benchmarks, those with the largest residuals of these models are shown.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `check` is not what `latentscale.check` returns.
    DataError
        If `rows` is not a whole number above 0.

    Examples
    --------
    >>> checked = ls.check(pooled)
    >>> ls.plots.plot_residuals(checked).savefig("figure.png")
    """
    expect(check, FitCheck, "check")
    rows = whole_number(rows, "rows", least=1, error=DataError)
    grid = check.residuals.transpose(MODEL, BENCHMARK)
    worst = abs(grid).max(BENCHMARK).to_series().sort_values(ascending=False)
    kept = set(worst.head(rows).index)
    order = sorted(kept, key=lambda name: (str(grid["family"].sel(model=name).item()), name))
    shown = grid.sel({MODEL: order})
    shown = shown.isel({BENCHMARK: _columns_shown(shown)})
    names = [str(name) for name in shown[BENCHMARK].values]
    labels = distinct(names, ROW_LETTERS)
    below = _SLANTED_INCHES * max(map(len, labels))
    width, height = 1.6 + 0.5 * len(names), 0.6 + _ROW_INCHES * len(order) + max(below, 0.3)
    figure, (panel,) = panels(1, columns=1, width=width, height=height, ax=ax)
    colours = mpl.colormaps["PuOr_r"].with_extremes(bad="white")
    image = panel.pcolormesh(
        np.ma.masked_invalid(shown.values), cmap=colours, vmin=-_REACH, vmax=_REACH
    )
    panel.grid(False)
    doubtful = np.argwhere(shown.notnull().values & ~shown["reliable"].values)
    panel.scatter(
        doubtful[:, 1] + 0.5,
        doubtful[:, 0] + 0.5,
        s=9,
        color=BLACK,
        edgecolors="white",
        linewidths=0.5,
        label="Pareto k too high: residual too small",
    )
    outliers = set(zip(check.outliers["model"], check.outliers["benchmark"], strict=True))
    drawn = {(m, b) for m, b in outliers if m in kept and b in names}
    at = [(names.index(b) + 0.5, order.index(m) + 0.5) for m, b in drawn]
    panel.scatter(
        [x for x, _ in at],
        [y for _, y in at],
        s=60,
        marker="s",
        facecolors="none",
        edgecolors=BLACK,
        linewidths=1.3,
        path_effects=[withStroke(linewidth=3.2, foreground="white")],
        label="outlier",
    )
    panel.set_xticks(np.arange(len(names)) + 0.5, labels, rotation=45, ha="right", parse_math=False)
    models = distinct([str(name) for name in order], ROW_LETTERS)
    panel.set_yticks(np.arange(len(order)) + 0.5, models, fontsize=7, parse_math=False)
    panel.set_ylim(len(order), 0)
    bar = figure.colorbar(image, ax=panel, extend="both", shrink=0.6, aspect=30)
    bar.set_label("residual (predictive sd)", fontsize=8.5)
    title(
        figure,
        f"Leave-one-out residuals{_left_out(grid, shown)}",
        "Orange: better than the other scores predict. Purple: worse. White: not measured.",
        check.notes,
    )
    legend(figure, [panel])
    return figure


def _left_out(grid: xr.DataArray, shown: xr.DataArray) -> str:
    """Return how many models and benchmarks are shown, where not all are."""
    return "".join(
        f", {shown.sizes[dim]} of {grid.sizes[dim]} {dim}s"
        for dim in (MODEL, BENCHMARK)
        if shown.sizes[dim] < grid.sizes[dim]
    )


def _columns_shown(residuals: xr.DataArray) -> npt.NDArray[np.int64]:
    """Return places of the benchmarks with the largest residuals, in the table's order."""
    largest = abs(residuals).max(MODEL).fillna(-1.0).values
    return np.sort(np.argsort(-largest, kind="stable")[:_MAX_COLUMNS])


def plot_predictive(
    check: PredictiveCheck,
    *,
    by: str = "benchmark",
    statistics: tuple[str, ...] = ("mean", "sd", "smallest", "largest"),
    rows: int = MAX_ROWS,
    ax: OnAxes = None,
) -> Sheet:
    """Draw observed statistics of groups of scores with those of replicated tables.

    Parameters
    ----------
    check
        From `latentscale.studies.prior_predictive` or `latentscale.studies.posterior_predictive`.
    by
        ``"benchmark"``, ``"family"`` or ``"all"``.
    statistics
        Names of statistics, one panel each.
    rows
        Largest number of groups; those with the smallest p-values are shown.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If `by` or a statistic is unknown, or `rows` is not a whole number above 0.

    Examples
    --------
    >>> replicated = ls.studies.posterior_predictive(pooled)
    >>> ls.plots.plot_predictive(replicated).savefig("figure.png")
    """
    expect(check, PredictiveCheck, "check")
    rows = whole_number(rows, "rows", least=1, error=DataError)
    table = check.rows[check.rows["by"] == by]
    if table.empty:
        allowed = list(dict.fromkeys(check.rows["by"]))
        raise DataError(f'by is "{by}"; allowed are {listed(allowed)}.' + nearest(by, allowed))
    units = {} if check.scores is None or by != "benchmark" else other_units(check.scores)
    table = table[~table["group"].isin(list(units))]
    if table.empty:
        raise DataError(
            f"The scores of {listed(units)} have units of their own and cannot share an axis; look "
            "at check.table()."
        )
    known = list(dict.fromkeys(table["statistic"]))
    for name in statistics:
        if name not in known:
            raise DataError(
                f'There is no statistic "{name}"; allowed are {listed(known)}.'
                + nearest(name, known)
            )
    if not statistics:
        raise DataError(f"Name at least one statistic; allowed are {listed(known)}.")
    lowest = (
        table[table["statistic"].isin(statistics)].groupby("group", sort=False)["p_value"].min()
    )
    kept = set(lowest.sort_values().head(rows).index)
    groups = [group for group in lowest.index if group in kept]
    cut = part_shown(len(groups), len(lowest))
    columns = min(len(statistics), 4)
    figure, axes = panels(
        len(statistics), columns=columns, width=2.3, height=0.6 + _GROUP_INCHES * len(groups), ax=ax
    )
    for name, panel in zip(statistics, axes, strict=True):
        heading(panel, name)
        of_statistic = table[table["statistic"] == name].set_index("group")
        _statistic(
            panel, of_statistic.loc[[g for g in groups if g in of_statistic.index]], groups, check
        )
        percent_axis(panel.xaxis)
    for panel in axes[-columns:]:
        panel.set_xlabel(SCORE_LABEL, fontsize=8.5)
    for panel in axes:  # a caller's axes need not share rows
        name_rows(panel, [str(group) for group in groups])
    title(
        figure,
        f"{check.kind.capitalize()} predictive check by {by}{cut}",
        f"Lines: {check.prob:.0%} interval over {check.draws.sizes['sample']} replicated tables."
        + (f"\nNot drawn, as they have units of their own: {listed(units)}." if units else ""),
        check.notes,
    )
    legend(figure, axes)
    return figure


def plot_outliers(check: FitCheck, *, rows: int = 20, ax: OnAxes = None) -> Sheet:
    """Draw the outliers and the unsettled scores with their expected intervals.

    Parameters
    ----------
    check
        From `latentscale.check`.
    rows
        Largest number of scores shown, the worst first.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If there is nothing to show, or `rows` is not a whole number above 0.

    Examples
    --------
    >>> checked = ls.check(pooled)
    >>> ls.plots.plot_outliers(checked).savefig("figure.png")
    """
    expect(check, FitCheck, "check")
    rows = whole_number(rows, "rows", least=1, error=DataError)
    settled = check.outliers.assign(kind="outlier")
    both = pd.concat([settled, check.unsettled.assign(kind="unsettled")], ignore_index=True)
    every, both = len(both), both.head(rows)
    if both.empty:
        raise DataError("No score is an outlier or unsettled, so there is nothing to draw.")
    both, label = _on_one_axis(both, check.predictive.scores)
    figure, (panel,) = panels(1, columns=1, width=5.4, height=0.6 + 0.28 * len(both), ax=ax)
    places = np.arange(len(both))
    panel.hlines(
        places,
        both["lower"],
        both["upper"],
        color=BLUE,
        lw=2.4,
        label=f"{check.loo.prob:.0%} interval from the other scores",
    )
    for kind, color in (("outlier", VERMILLION), ("unsettled", GREY)):
        mine = (both["kind"] == kind).to_numpy()
        panel.scatter(
            both["score"][mine],
            places[mine],
            s=36,
            marker="D",
            color=color,
            zorder=3,
            label=f"measured score, {kind}" if mine.any() else "",
        )
    models = distinct([str(name) for name in both["model"]], ROW_LETTERS)
    benchmarks = distinct([str(name) for name in both["benchmark"]], ROW_LETTERS)
    names = [f"{model}: {name}" for model, name in zip(models, benchmarks, strict=True)]
    name_rows(panel, names, limit=None)
    if label == SCORE_LABEL:
        percent_axis(panel.xaxis)
    panel.set_xlabel(label)
    title(
        figure,
        f"Scores far from their leave-one-out forecasts{part_shown(len(both), every)}",
        f"Outliers: residuals beyond {check.threshold:.1f} predictive standard deviations.",
        check.notes,
    )
    legend(figure, [panel])
    return figure


def _on_one_axis(table: pd.DataFrame, scores: Scores | None) -> tuple[pd.DataFrame, str]:
    """Return scores and their intervals on one axis, and its label.

    If there are several units, they are in standard deviations from the benchmark's mean.
    """
    units = {} if scores is None else other_units(scores)
    if scores is None or not set(table["benchmark"]) & set(units):
        return table, SCORE_LABEL
    spread = table["benchmark"].map(spreads(scores).to_series()).to_numpy()
    mean = table["benchmark"].map(scores.dataset["score"].mean(MODEL).to_series()).to_numpy()
    columns = ("score", "median", "lower", "upper")
    changed = {name: (table[name] - mean) / spread for name in columns}
    return table.assign(**changed), "score, in standard deviations from the benchmark's mean"


def _statistic(panel: Axes, table: pd.DataFrame, groups: list[str], check: PredictiveCheck) -> None:
    places = np.array([groups.index(group) for group in table.index])
    panel.hlines(
        places, table["lower"], table["upper"], color=BLUE, lw=2, label="replicated tables"
    )
    outside = (
        (table["observed"] < table["lower"]) | (table["observed"] > table["upper"])
    ).to_numpy()
    for chosen, color, label in (
        (~outside, BLACK, "measured"),
        (outside, VERMILLION, "measured, outside the interval"),
    ):
        if chosen.any():
            panel.scatter(
                table["observed"][chosen],
                places[chosen],
                s=26,
                marker="D",
                color=color,
                zorder=3,
                label=label,
            )
