"""The plot of an allocation: the optimal size against the budget, one panel per target."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from latentscale.analysis.choices.allocate import Allocation
from latentscale.analysis.choices.published import PUBLISHED, SAME_BUDGET
from latentscale.dims import FLOPS_PER_BILLION_TRILLION
from latentscale.expect import expect
from latentscale.plots.intervals import NARROW, WIDE
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
    title,
)

_COLUMNS = 4
"""Panels per row: their labels stay readable across a page."""
_RULE = 20.0
"""Tokens per parameter of Hoffmann et al. 2022 (arXiv:2203.15556), as a line to compare with."""
_MARGIN = 1.6
"""Factor beyond the outermost budgets on log axes: a fifth of a decade."""
_DOT, _CAP = 16, 110
"""Areas of the median's dot and of the caps at the ends of intervals, square points: a cap is twice
as wide as the dot."""
_OFTEN = 0.005
"""Share of draws on a bound above which the figure states it: it rounds to 1%."""


def plot_allocation(allocation: Allocation, *, published: bool = True, ax: OnAxes = None) -> Sheet:
    """Draw the optimal number of parameters for each budget, with 50% and 90% intervals.

    Grey bars are the sizes that the limits on sizes and token counts allow at each budget; the
    percentage is the posterior probability that the optimum is on a bound of that range. The dashed
    line is 20 tokens per parameter (Hoffmann et al. 2022, arXiv:2203.15556). Tokens follow from the
    budget: tokens = FLOPs / (6 x parameters).

    Parameters
    ----------
    allocation
        From `latentscale.optimal_allocation`.
    published
        Whether optima of Cai et al. 2025, Table 2, are drawn where they are known.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, not registered with pyplot: save it with ``.savefig``, or let a
        notebook show it.

    Raises
    ------
    FitError
        If `allocation` is not what `latentscale.optimal_allocation` returns.

    Examples
    --------
    >>> plan = ls.optimal_allocation(fit, flops=1e23)
    >>> ls.plots.plot_allocation(plan).savefig("figure.png")
    """
    expect(allocation, Allocation, "allocation")
    wide, narrow = allocation.table(WIDE), allocation.table(NARROW)
    names = [target.label for target in allocation.targets]
    columns = min(len(names), _COLUMNS)
    height = 2.1 if columns > 2 else 2.9
    figure, axes = panels(len(names), columns=columns, width=2.5, height=height, ax=ax)
    budgets = np.array([segment.flops for segment in allocation.segments])
    lows = np.exp([segment.low for segment in allocation.segments])
    highs = np.exp([segment.high for segment in allocation.segments])
    headings(axes, names)
    for name, panel in zip(names, axes, strict=True):
        _allowed_sizes(panel, budgets, lows, highs)
        mine, inner = wide[wide["target"] == name], narrow[narrow["target"] == name]
        _rule(panel, budgets)
        _intervals(panel, mine, inner, highs, allocation.is_posterior)
        low, high = lows.min(), highs.max()
        if published:
            low, high = _published(panel, name, budgets, (low, high))
        _axes(panel, budgets, low, high)
    for panel in axes[::columns]:
        panel.set_ylabel("parameters (billions)")
    across_label(axes, columns, "training compute (FLOPs)")
    bands = f"Bars: {NARROW:.0%} and {WIDE:.0%} intervals; " if allocation.is_posterior else ""
    title(
        figure,
        f"Compute-optimal size for the {allocation.basis}",
        f"{bands}numbers: probability that the optimum is on a bound\n"
        "of the allowed range. Tokens follow from the budget, FLOPs / (6 x parameters).",
        allocation.notes,
    )
    legend(figure, axes)
    return figure


def _allowed_sizes(panel: Axes, budgets: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> None:
    for budget, low, high in zip(budgets, lows, highs, strict=True):
        panel.plot(
            [budget, budget],
            [low, high],
            color=GREY,
            alpha=0.28,
            lw=9,
            solid_capstyle="butt",
            zorder=1,
            label="allowed sizes",
        )


def _rule(panel: Axes, budgets: np.ndarray) -> None:
    ends = np.array([budgets.min() / _MARGIN**2, budgets.max() * _MARGIN**2])
    size = np.sqrt(ends / FLOPS_PER_BILLION_TRILLION * 1000 / _RULE)
    panel.plot(ends, size, color=BLACK, lw=0.9, ls="--", zorder=2, label="20 tokens per parameter")


def _intervals(
    panel: Axes, wide: pd.DataFrame, narrow: pd.DataFrame, highs: np.ndarray, bands: bool
) -> None:
    if bands:
        for table, prob, width in ((wide, WIDE, 1.3), (narrow, NARROW, 3.4)):
            panel.vlines(
                table["flops"],
                table["params_lower"],
                table["params_upper"],
                color=BLUE,
                lw=width,
                zorder=3,
                label=f"{prob:.0%} interval",
            )
        for end in ("params_lower", "params_upper"):
            # Caps are drawn across the dot, so that an interval shorter than the dot shows.
            panel.scatter(
                wide["flops"], wide[end], s=_CAP, marker="_", color=BLUE, linewidths=1.3, zorder=5
            )
    panel.scatter(
        wide["flops"],
        wide["params"],
        s=_DOT,
        color="white",
        edgecolors=BLUE,
        linewidths=1.1,
        zorder=4,
        label="median optimum",
    )
    for budget, share, top in zip(wide["flops"], wide["on_bound"], highs, strict=True):
        if bands and share >= _OFTEN:
            panel.annotate(
                f"{share:.0%}",
                (budget, top),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7,
                color=BLACK,
                path_effects=[withStroke(linewidth=2, foreground="white")],
                zorder=6,
            )


def _published(
    panel: Axes, name: str, budgets: np.ndarray, sizes: tuple[float, float]
) -> tuple[float, float]:
    """Draw the published optima within the budgets asked for, and return sizes that hold them."""
    within = PUBLISHED["flops"].between(
        budgets.min() * (1 - SAME_BUDGET), budgets.max() * (1 + SAME_BUDGET)
    )
    known = PUBLISHED[(PUBLISHED["target"] == name) & within]
    if known.empty:
        return sizes
    panel.scatter(
        known["flops"],
        known["published_params"],
        s=38,
        marker="D",
        facecolors="none",
        edgecolors=VERMILLION,
        linewidths=1.3,
        zorder=5,
        label="Cai et al. 2025, Table 2",
    )
    published = known["published_params"]
    return min(sizes[0], published.min()), max(sizes[1], published.max())


def _axes(panel: Axes, budgets: np.ndarray, low: float, high: float) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlim(budgets.min() / _MARGIN**2, budgets.max() * _MARGIN**2)
    panel.set_ylim(low / _MARGIN, high * _MARGIN**2)
    log_axis(panel.xaxis, *panel.get_xlim())
    log_axis(panel.yaxis, *panel.get_ylim())
