"""The plot of the frontier: the best score, or index, by date."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.analysis.curves.frontier import DATE, Frontier
from latentscale.dims import DEFAULT_PROB
from latentscale.expect import expect
from latentscale.plots.style import (
    FILLS,
    OnAxes,
    Sheet,
    legend,
    panels,
    score_axis,
    title,
    with_unit,
)

# Blue, vermillion, orange, black, pink and pale blue: lines need hues that differ.
_LINES = tuple(FILLS[place][0] for place in (0, 3, 4, 7, 6, 1))
_MARKERS = ("o", "s", "^", "D", "v", "P")
"""Line styles: a colour-blind reader tells the levels apart by them."""
_PALE = 0.18
"""Opacity of bands: three overlapping bands still look different from one."""
_PALER = 0.09
"""Half of that: visibly different where the two meet."""
_SLANT = 20
"""Degrees by which dates are rotated, so that they do not overlap."""


def plot_frontier(frontier: Frontier, *, prob: float = DEFAULT_PROB, ax: OnAxes = None) -> Sheet:
    """Draw the best score, or index, by date, with its interval; one line per level.

    After the last fitted release, where simulated releases enter, lines are dashed and paler.

    Parameters
    ----------
    frontier
        From `latentscale.frontier`; of its levels the 6 best at the last date are drawn.
    prob
        Probability of the equal-tailed interval.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `frontier` is not what `latentscale.frontier` returns.
    LatentscaleError
        If `prob` is not strictly between 0 and 1.

    Examples
    --------
    >>> best = ls.frontier(dated, benchmark="quiz", dates=["2025-06-01", "2026-06-01"])
    >>> ls.plots.plot_frontier(best).savefig("figure.png")
    """
    expect(frontier, Frontier, "frontier")
    table = frontier.table(prob)
    levels = list(dict.fromkeys(table[frontier.by])) if frontier.by else [""]
    shown = levels[: len(_LINES)]
    figure, (panel,) = panels(1, columns=1, width=6.6, height=3.2, ax=ax)
    for level, *look in zip(shown, _LINES, _MARKERS, strict=False):
        own = table[table[frontier.by] == level] if frontier.by else table
        band = f"{prob:.0%} interval" if frontier.is_posterior and not frontier.by else None
        label = str(level) if frontier.by else "median" if frontier.is_posterior else "estimate"
        _draw_level(panel, own, frontier.last_fitted, (look[0], look[1]), (label, band))
    name = frontier.benchmark
    units = {name: frontier.unit} if name and frontier.unit else {}
    if name is not None:
        score_axis(panel.yaxis, name, units)
    panel.set_ylabel(_label(frontier), parse_math=False)
    panel.tick_params(axis="x", labelrotation=_SLANT)
    each = f" of each {frontier.by}" if frontier.by else ""
    of = f"the {len(shown)} best of {len(levels)} levels" if len(shown) < len(levels) else ""
    caption = f"Lines: median. Bands: {prob:.0%} interval of the best expected score or index."
    if not frontier.is_posterior:
        caption = "Lines: point estimate of the best expected score or index."
    if table["beyond_fitted"].any():
        caption += (
            f" Dashed and paler: after the last fitted release, {frontier.last_fitted:%Y-%m-%d}."
        )
    title(
        figure,
        f"Best {'capability index' if name is None else name}{each} by date",
        f"{caption} Shown: {of}." if of else caption,
        frontier.notes,
    )
    legend(figure, [panel])
    return figure


def _label(frontier: Frontier) -> str:
    """Return the label of the vertical axis, with its unit, once, and if lower is better."""
    if frontier.benchmark is None:
        return "capability index"
    named = with_unit(frontier.benchmark, {frontier.benchmark: frontier.unit or "%"})
    return f"{named}, lower is better" if frontier.lower_is_better else named


def _draw_level(
    panel: Axes,
    rows: pd.DataFrame,
    last_fitted: pd.Timestamp,
    look: tuple[str, str],
    labels: tuple[str, str | None],
) -> None:
    """Draw median and band: dashed, with a paler band, after the last fitted release.

    `look` gives colour and marker; `labels` are the labels of line and band, once in the legend.
    """
    color, marker = look
    beyond = rows["beyond_fitted"].to_numpy(dtype=bool)
    edge = _at(last_fitted, rows) if beyond.any() and not beyond.all() else rows[:0]
    parts = (
        (pd.concat([rows[~beyond], edge]).drop_duplicates(DATE), "-", _PALE),
        (pd.concat([edge, rows[beyond]]), "--", _PALER),
    )
    line, band = labels
    for part, style, alpha in parts:
        if part.empty:
            continue
        asked = part[DATE].isin(rows[DATE]).to_numpy()
        panel.fill_between(
            part[DATE], part["lower"], part["upper"], color=color, alpha=alpha, lw=0, label=band
        )
        panel.plot(
            part[DATE],
            part["median"],
            color=color,
            lw=1.8,
            marker=marker,
            markevery=asked.nonzero()[0].tolist(),
            ms=4,
            ls=style,
            label=line,
        )
        line, band = "_nolegend_", "_nolegend_"


def _at(date: pd.Timestamp, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the point of a drawn line, and of its band, at a date between those of its rows."""
    days = (rows[DATE] - date).dt.total_seconds()
    columns = ("median", "lower", "upper")
    return pd.DataFrame({DATE: [date]} | {c: [np.interp(0.0, days, rows[c])] for c in columns})
