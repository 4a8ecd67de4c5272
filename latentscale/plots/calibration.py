"""Plots of calibration: PIT histogram, reliability curve and coverage by benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.analysis.checks.calibrate import HELD_OUT, pit_histogram, reliability
from latentscale.analysis.checks.leave_one_out import LeaveOneOut
from latentscale.data.frames import as_pandas
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataError, listed
from latentscale.expect import expect
from latentscale.plots.labels import distinct
from latentscale.plots.style import (
    BLACK,
    BLUE,
    GREY,
    ROW_LETTERS,
    VERMILLION,
    OnAxes,
    Sheet,
    heading,
    legend,
    name_rows,
    panels,
    percent_axis,
    title,
)

_ROW_INCHES = 0.28
"""Height of a line of text with a bar next to it."""
_FINE = tuple(np.round(np.arange(0.02, 1.0, 0.02), 2))
"""Steps of a fiftieth: the curve looks smooth."""


def plot_pit(
    table: pd.DataFrame,
    *,
    bins: int = 10,
    prob: float = DEFAULT_PROB,
    source: str = "held-out",
    ax: OnAxes = None,
) -> Sheet:
    """Draw the histogram of probability integral transforms with its binomial band.

    Calibrated forecasts give a flat histogram; intervals that are too narrow give a U, too wide a
    hump, and medians that are too low an upward slope.

    Parameters
    ----------
    table
        From `latentscale.backtest`, or any table with the column pit.
    bins
        Number of bins.
    prob
        Probability of the band.
    source
        What the scores are, for the headline: ``"held-out"`` or ``"leave-one-out"``.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If the column is missing or the table is empty.

    Examples
    --------
    >>> ls.plots.plot_pit(table).savefig("figure.png")  # table: from ls.backtest
    """
    return _pit_sheet(as_pandas(table, HELD_OUT), bins, prob, source, ax)


def _pit_sheet(
    table: pd.DataFrame,
    bins: int,
    prob: float,
    source: str,
    ax: OnAxes,
    notes: Sequence[str] = (),
) -> Sheet:
    """Do what `plot_pit` does, with notes in the caption."""
    counted = pit_histogram(table, bins, prob=prob)
    figure, (panel,) = panels(1, columns=1, width=5.0, height=2.8, ax=ax)
    edges = np.append(counted["left"], 1.0)
    panel.stairs(
        counted["upper"],
        edges,
        baseline=counted["lower"],
        fill=True,
        color=GREY,
        alpha=0.5,
        lw=0,
        zorder=3,
        label=f"{prob:.0%} band if calibrated and independent",
    )
    panel.stairs(counted["count"], edges, color=BLUE, fill=True, alpha=0.35)
    panel.stairs(counted["count"], edges, color=BLUE, lw=1.4, label=f"{source} scores")
    panel.axhline(counted["expected"].iloc[0], color=BLACK, lw=1, ls="--", label="uniform")
    panel.set_xlim(0, 1)
    panel.set_ylim(bottom=0)
    panel.set_xlabel("probability integral transform (share of the forecast below the score)")
    panel.set_ylabel("scores")
    title(
        figure,
        f"Calibration of {len(table)} {source} scores",
        "Flat: calibrated. U: intervals too narrow. Hump: too wide. Slope: medians off.",
        notes,
    )
    legend(figure, [panel])
    return figure


def plot_leave_one_out(
    loo: LeaveOneOut, *, bins: int = 10, prob: float = DEFAULT_PROB, ax: OnAxes = None
) -> Sheet:
    """Draw the histogram of leave-one-out probability integral transforms, as `plot_pit` does.

    Parameters
    ----------
    loo
        From `latentscale.leave_one_out`.
    bins
        Number of bins.
    prob
        Probability of the band.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `loo` is not what `latentscale.leave_one_out` returns.
    LatentscaleError
        If `prob` is not strictly between 0 and 1, or `bins` is not a whole number above 0.

    Examples
    --------
    >>> loo = ls.leave_one_out(pooled)
    >>> ls.plots.plot_leave_one_out(loo).savefig("figure.png")
    """
    expect(loo, LeaveOneOut, "loo")
    return _pit_sheet(loo.rows, bins, prob, "leave-one-out", ax, loo.notes)


def plot_reliability(
    table: pd.DataFrame,
    *,
    prob: float = DEFAULT_PROB,
    resamples: int = 2000,
    seed: int = 0,
    source: str = "held-out",
    ax: OnAxes = None,
) -> Sheet:
    """Draw actual against nominal coverage of central intervals, with a band over families.

    Parameters
    ----------
    table
        From `latentscale.backtest`, or that of `latentscale.leave_one_out`.
    prob
        Probability of the bootstrap band.
    resamples, seed
        Size and seed of the bootstrap, which keeps the cells of a family together.
    source
        As in `plot_pit`.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If a column is missing or the table is empty.

    Examples
    --------
    >>> ls.plots.plot_reliability(table).savefig("figure.png")  # table: from ls.backtest
    """
    table = as_pandas(table, HELD_OUT)
    curve = reliability(table, _FINE, prob=prob, resamples=resamples, seed=seed)
    figure, (panel,) = panels(1, columns=1, width=4.6, height=4.2, ax=ax)
    panel.plot([0, 1], [0, 1], color=BLACK, lw=1, ls="--", label="calibrated")
    if curve["lower"].notna().all():
        panel.fill_between(
            curve["nominal"],
            curve["lower"],
            curve["upper"],
            color=BLUE,
            alpha=0.22,
            lw=0,
            label=f"{prob:.0%} bootstrap band over {curve['families'].iloc[0]} families",
        )
    panel.plot(curve["nominal"], curve["actual"], color=BLUE, lw=1.8, label="actual coverage")
    panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    percent_axis(panel.xaxis)
    percent_axis(panel.yaxis)
    panel.set_xlabel("nominal probability of the interval (%)")
    panel.set_ylabel("scores inside the interval (%)")
    title(
        figure,
        f"Coverage of {len(table)} {source} scores",
        "Below the diagonal: intervals too narrow. Above: too wide.",
    )
    legend(figure, [panel])
    return figure


def plot_coverage(
    table: pd.DataFrame,
    *,
    levels: tuple[float, ...] = (0.5, 0.9),
    prob: float = DEFAULT_PROB,
    resamples: int = 2000,
    seed: int = 0,
    source: str = "held-out",
    ax: OnAxes = None,
) -> Sheet:
    """Draw actual coverage of each benchmark, one panel per nominal level.

    Parameters
    ----------
    table
        From `latentscale.backtest`.
    levels
        Nominal levels, at most 4.
    prob
        Probability of the bootstrap interval over families.
    resamples, seed
        Size and seed of the bootstrap.
    source
        As in `plot_pit`.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If a column is missing, the table is empty, or a level is out of range.

    Examples
    --------
    >>> ls.plots.plot_coverage(table).savefig("figure.png")  # table: from ls.backtest
    """
    if isinstance(levels, Sequence) and len(levels) > 4:
        raise DataError(f"levels holds {len(levels)} levels ({listed(levels)}); give at most 4.")
    table = as_pandas(table, HELD_OUT)
    curve = reliability(table, levels, by=["benchmark"], prob=prob, resamples=resamples, seed=seed)
    names = list(dict.fromkeys(curve["benchmark"]))
    height = 0.5 + _ROW_INCHES * len(names)
    figure, axes = panels(len(levels), columns=len(levels), width=3.0, height=height, ax=ax)
    for level, panel in zip(levels, axes, strict=True):
        heading(panel, f"{level:.0%} intervals")
        _coverage_rows(panel, curve[curve["nominal"] == level], names, prob)
        panel.axvline(level, color=BLACK, lw=1, ls="--", label="nominal")
        panel.set_xlim(-0.02, 1.02)
        percent_axis(panel.xaxis)
        panel.set_xlabel("scores inside (%)")
    cells = curve.groupby("benchmark", sort=False)["cells"].first()
    shown = zip(distinct(names, ROW_LETTERS), names, strict=True)
    labels = [f"{short} ({cells[name]})" for short, name in shown]
    for panel in axes:
        name_rows(panel, labels, limit=None)
    title(
        figure, "Coverage by benchmark", f"In brackets: number of {source} scores on the benchmark."
    )
    legend(figure, axes)
    return figure


def _coverage_rows(panel: Axes, table: pd.DataFrame, names: list[str], prob: float) -> None:
    rows = np.array([names.index(name) for name in table["benchmark"]])
    known = table["lower"].notna().to_numpy()
    panel.hlines(
        rows[known],
        table["lower"][known],
        table["upper"][known],
        color=BLUE,
        lw=2,
        label=f"{prob:.0%} bootstrap interval over families",
    )
    panel.scatter(table["actual"], rows, s=26, color=VERMILLION, zorder=3, label="actual coverage")
