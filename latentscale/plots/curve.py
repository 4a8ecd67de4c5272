"""The plot of a scaling curve: one panel per benchmark."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from latentscale.analysis.curves.curves import Curve
from latentscale.data.frames import as_pandas
from latentscale.errors import DataError, listed
from latentscale.expect import expect
from latentscale.plots.intervals import NARROW, WIDE
from latentscale.plots.labels import MOST_PANELS, distinct
from latentscale.plots.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILLION,
    OnAxes,
    Sheet,
    across_label,
    headings,
    legend,
    log_axis,
    panels,
    part_shown,
    score_axis,
    score_label,
    title,
    unit_ending,
)

_COLUMNS = 4
"""Panels per row: their labels stay readable across a page."""
_MAX_LABELS = 5
"""Models that are named in a panel: more names would cover each other."""
_LETTERS = 14
"""Most letters of a model's name in a panel: half of the panel at 7 points."""
_LETTER_SHARE = 0.5 / _LETTERS
"""Share of a panel's width that a letter of such a name takes."""
_POINT_COLUMNS = ("model", "benchmark", "at", "score")


def plot_curve(
    curve: Curve,
    *,
    noise: bool = True,
    hidden: pd.DataFrame | None = None,
    floors: Mapping[str, float] | None = None,
    ax: OnAxes = None,
) -> Sheet:
    """Draw a scaling curve: median, 50% and 90% bands, and the measured scores.

    Panels of fractions span 0 to 100%, or, where lower is better, 0 to the largest value drawn;
    other panels span what is drawn.

    Parameters
    ----------
    curve
        From `latentscale.scaling_curve`; of its benchmarks the first 24 are drawn.
    noise
        Whether the bands are for new scores, noise included, or for expected scores. The caption
        says which. The line is the median expected score in both cases.
    hidden
        Measured scores that the fit did not see, drawn apart from those it saw: columns
        model, benchmark, at (natural units) and score (fraction), like ``curve.observed``.
    floors
        Guessing floor by benchmark (fractions): a dotted line, if it is within the panel.
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
        If `hidden` is not a table or lacks a column.

    Examples
    --------
    >>> curve = ls.scaling_curve(fit, family="qwen2", points=5, seed=1)
    >>> ls.plots.plot_curve(curve).savefig("figure.png")
    """
    expect(curve, Curve, "curve")
    wide, narrow = curve.table(WIDE), curve.table(NARROW)
    every = list(dict.fromkeys(wide["benchmark"]))
    names = every[:MOST_PANELS]
    cut = part_shown(len(names), len(every), "benchmarks")
    points = _checked(hidden)
    columns = min(len(names), _COLUMNS)
    height = 2.0 if columns > 2 else 2.8
    # Elo and percent need separate axes, and so do scores and error rates, which may all be small.
    alike = not any(name in curve.units or name in curve.falling for name in names)
    figure, axes = panels(
        len(names), columns=columns, width=2.5, height=height, share_y=alike, ax=ax
    )
    headings(axes, names, [unit_ending(name, curve.units) for name in names])
    for name, panel in zip(names, axes, strict=True):
        _ranges(panel, curve)
        _along(panel, curve, wide["at"])
        outer, inner = (table[table["benchmark"] == name] for table in (wide, narrow))
        _bands(panel, outer, inner, noise, curve.is_posterior)
        labelled = len(set(curve.observed["model"]) | set(points["model"])) <= _MAX_LABELS
        _points(panel, curve.observed, name, curve.family, labelled, fitted=True)
        _points(panel, points, name, curve.family, labelled, fitted=False)
        if name not in curve.units:
            panel.set_ylim(0, min(panel.get_ylim()[1], 1) if name in curve.falling else 1)
        floor = 0.0 if floors is None or name in curve.units else floors.get(name, 0.0)
        if 0 < floor < panel.get_ylim()[1]:
            panel.axhline(floor, color=GREY, lw=1, ls=":", label="guessing")
        score_axis(panel.yaxis, name, curve.units)
    for panel in axes[::columns]:
        panel.set_ylabel(score_label(names, curve.units))
    across_label(axes, columns, curve.label)
    kind = "new scores, noise included" if noise else "expected scores, without noise"
    bands = f"Bands: {NARROW:.0%} and {WIDE:.0%} intervals of {kind}."
    if not curve.is_posterior:
        bands = "A point estimate" + (": bands show the noise only." if noise else ".")
    what = curve.label.partition(" (")[0]
    left = f"\nNot drawn, as their place is unknown along {what}: {listed(curve.left_out)}."
    title(
        figure,
        f"{curve.family}: scores along {what}{cut}",
        f"{bands}\nAlong the curve: {curve.held}." + (left if curve.left_out else ""),
        curve.notes,
    )
    legend(figure, axes)
    return figure


def _checked(hidden: pd.DataFrame | None) -> pd.DataFrame:
    if hidden is None:
        return pd.DataFrame({name: [] for name in _POINT_COLUMNS})
    hidden = as_pandas(hidden, "These hidden scores cannot be drawn")
    missing = [name for name in _POINT_COLUMNS if name not in hidden]
    if missing:
        raise DataError(
            f"hidden has no columns {listed(missing)}; it needs {listed(_POINT_COLUMNS)}."
        )
    return hidden


def _bands(panel: Axes, wide: pd.DataFrame, narrow: pd.DataFrame, noise: bool, known: bool) -> None:
    """Draw the median and the bands; expected scores of a point estimate have no bands."""
    low, high = ("score_lower", "score_upper") if noise else ("lower", "upper")
    shown = ((wide, WIDE, 0.18), (narrow, NARROW, 0.34)) if known or noise else ()
    for table, prob, alpha in shown:
        panel.fill_between(
            table["at"],
            table[low],
            table[high],
            color=BLUE,
            alpha=alpha,
            lw=0,
            label=f"{prob:.0%} interval",
        )
    panel.plot(wide["at"], wide["median"], color=BLUE, lw=1.6, label="median expected score")


def _ranges(panel: Axes, curve: Curve) -> None:
    own = curve.family_range
    if own is not None and not any(pd.isna(end) for end in own):
        panel.axvspan(
            *own, color=GREY, alpha=0.16, lw=0, label="range of the family's fitted models"
        )
    at = np.asarray(curve.draws["at"].values)
    for end in curve.fitted_range:
        if at.min() < end < at.max():
            panel.axvline(end, color=BLACK, lw=1, ls="--", label="end of all fitted models")


def _along(panel: Axes, curve: Curve, at: pd.Series) -> None:
    """Set the horizontal axis, before the points are named in it."""
    if curve.is_log:
        panel.set_xscale("log")
        panel.set_xlim(float(at.min()), float(at.max()))
        log_axis(panel.xaxis, *panel.get_xlim())
    else:
        panel.set_xlim(*curve.ends)
        _even_axis(panel, at)


def _points(
    panel: Axes, points: pd.DataFrame, name: str, family: str, labelled: bool, *, fitted: bool
) -> None:
    mine = points[(points["benchmark"] == name) & points["at"].notna()]
    if mine.empty:
        return
    panel.scatter(
        mine["at"],
        mine["score"],
        s=22 if fitted else 34,
        marker="o" if fitted else "D",
        color=BLACK if fitted else VERMILLION,
        edgecolors="white",
        linewidths=0.6,
        zorder=4,
        label="measured, fitted" if fitted else "measured, hidden from the fit",
    )
    if not labelled:
        return
    ordered = mine.sort_values(["at", "score"], ascending=[True, False], ignore_index=True)
    alike = ordered.groupby("at")["score"]  # settings of one release have one date
    turns = alike.cumcount().where(alike.transform("size") > 1, ordered.index)
    names = distinct([_short(str(model), family) for model in ordered["model"]], _LETTERS)
    across = panel.transScale + panel.transLimits
    for turn, name, at, score in zip(turns, names, ordered["at"], ordered["score"], strict=True):
        # A rising curve leaves room above on the left and below on the right of a point; taken in
        # turn, the names of neighbours do not collide, and of two points one above the other, the
        # upper has its name above. At an end of the axis one side is left.
        where = float(across.transform((panel.convert_xunits(at), score))[0])
        room = len(name) * _LETTER_SHARE
        left = where > room if turn % 2 == 0 else where > 1 - room
        panel.annotate(
            name,
            (at, score),
            xytext=(-3, 3) if left else (3, -3),
            textcoords="offset points",
            ha="right" if left else "left",
            va="bottom" if left else "top",
            fontsize=7,
            color=BLACK if fitted else VERMILLION,
            path_effects=[withStroke(linewidth=2, foreground="white")],
            parse_math=False,
        ).set_in_layout(False)  # otherwise a long name narrows every panel


def _short(model: str, family: str) -> str:
    """Return a model's name next to its family's: "qwen2-7b" of "qwen2" is "7b"."""
    rest = model.removeprefix(family).lstrip("-_ ")
    return rest or model


def _even_axis(panel: Axes, at: pd.Series) -> None:
    if at.dtype.kind != "M":
        panel.xaxis.set_major_locator(MaxNLocator(5))
        return
    # Years where there are two or more, else months: few enough for a narrow panel.
    locator = AutoDateLocator(minticks=2, maxticks=5)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
