"""The plot of a probe set: what each step leaves unknown, and what the set leaves of the others."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from latentscale.analysis.choices.probe_set import ProbeSet
from latentscale.analysis.tools.units import STANDARD
from latentscale.expect import expect
from latentscale.markup import FRACTION
from latentscale.plots.labels import MOST_MODELS
from latentscale.plots.style import (
    BLUE,
    GREY,
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

_ROW_INCHES = 0.24
"""Height of a row with its interval."""
_MAX_NAME = 30
"""Letters of a benchmark next to a row; longer names are cut."""


def plot_probe_set(probes: ProbeSet, *, ax: OnAxes = None) -> Sheet:
    """Draw how much each step leaves unknown, and the spread of every other benchmark.

    The values are expectations over future models, so they have no intervals.

    Parameters
    ----------
    probes
        From `latentscale.probe_set`; of the benchmarks outside the set the 40 that it explains best
        are drawn.
    ax
        Axes to draw on in place of a new figure, one per panel: two, or one where the set holds
        every target. The result is then their figure.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `probes` is not what `latentscale.probe_set` returns.

    Examples
    --------
    >>> probes = ls.probe_set(fit, 2, seed=1)
    >>> ls.plots.plot_probe_set(probes).savefig("figure.png")
    """
    expect(probes, ProbeSet, "probes")
    shown = min(len(probes.left), MOST_MODELS)
    count = 2 if shown else 1
    height = 0.9 + _ROW_INCHES * max(len(probes.steps), shown)
    figure, axes = panels(count, columns=2, width=6.6 / count, height=height, share_y=False, ax=ax)
    _steps(axes[0], probes)
    if shown:
        _others(axes[1], probes, shown)
    side = "Left: share" if shown else "Share"
    title(
        figure,
        f"Run first: {', '.join(probes.best)}"
        + part_shown(shown, len(probes.left), "other benchmarks"),
        f"Expected over future models. {side} of variance left unexplained, mean over targets, by "
        "all benchmarks down to the row."
        + (
            " Right: standard deviation of each other benchmark once the whole set is run."
            if shown
            else ""
        ),
        probes.notes,
    )
    legend(figure, axes)
    return figure


def _steps(panel: Axes, probes: ProbeSet) -> None:
    steps = probes.steps
    bars = panel.barh(np.arange(len(steps)), steps["share_left"], color=BLUE, height=0.62)
    panel.bar_label(bars, [f"{share:.0%}" for share in steps["share_left"]], padding=3, fontsize=8)
    names = [f"+ {name}" if place else name for place, name in enumerate(probes.best)]
    if steps["cost"].nunique() > 1:
        names = [f"{n} (cost {c:g})" for n, c in zip(names, steps["cost"], strict=True)]
    name_rows(panel, names, limit=_MAX_NAME)
    panel.grid(visible=False, axis="y")
    panel.set_xlim(0, 1)
    percent_axis(panel.xaxis)
    panel.set_xlabel("variance left (%)", fontsize=8.5)
    heading(panel, "each step")


def _others(panel: Axes, probes: ProbeSet, shown: int) -> None:
    left, rows = probes.left.head(shown), np.arange(shown)
    panel.hlines(rows, left["sd_after"], left["sd_before"], color=GREY, lw=1.4, zorder=2)
    for column, color, marker, label in (
        ("sd_before", GREY, "D", "before"),
        ("sd_after", BLUE, "o", "when the set is run"),
    ):
        panel.scatter(left[column], rows, s=26, color=color, marker=marker, zorder=3, label=label)
    name_rows(panel, list(left["benchmark"]), limit=_MAX_NAME)
    panel.set_xlim(left=0)
    if probes.unit == FRACTION:
        percent_axis(panel.xaxis)
    unit = {FRACTION: "points", STANDARD: "standard deviations of its scores"}
    panel.set_xlabel(
        f"standard deviation of the expected score\n({unit.get(probes.unit, probes.unit)})",
        fontsize=8.5,
        parse_math=False,
    )
    heading(panel, "the other benchmarks")
