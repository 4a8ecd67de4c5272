"""The plot of a comparison: differences in predictive density and stacking weights."""

from __future__ import annotations

import numpy as np

from latentscale.analysis.checks.compare import Comparison
from latentscale.expect import expect
from latentscale.plots.style import (
    BLACK,
    BLUE,
    VERMILLION,
    OnAxes,
    Sheet,
    heading,
    legend,
    name_rows,
    panels,
    title,
)

_ROW_INCHES = 0.34
"""Height of a row with two markers."""


def plot_compare(comparison: Comparison, *, ax: OnAxes = None) -> Sheet:
    """Draw each model's difference from the best with two standard errors, and its weight.

    Parameters
    ----------
    comparison
        From `latentscale.compare` or `latentscale.studies.compare_backtests`.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `comparison` is not what `latentscale.compare` or
        `latentscale.studies.compare_backtests` returns.

    Examples
    --------
    >>> comparison = ls.compare({"small": fit, "pooled": pooled})
    >>> ls.plots.plot_compare(comparison).savefig("figure.png")
    """
    expect(comparison, Comparison, "comparison")
    table = comparison.rows.assign(
        difference=comparison.rows["difference"].where(np.isfinite(comparison.rows["difference"]))
    )
    places = np.arange(len(table))
    height = 0.7 + _ROW_INCHES * len(table)
    figure, (gap, weight) = panels(2, columns=2, width=3.4, height=height, ax=ax)
    heading(gap, "log predictive density")
    gap.hlines(
        places,
        table["difference"] - 2 * table["difference_se"],
        table["difference"] + 2 * table["difference_se"],
        color=BLUE,
        lw=2,
        label="two standard errors (bootstrap over families)",
    )
    gap.scatter(table["difference"], places, s=30, color=BLUE, zorder=3, label="difference")
    gap.axvline(0, color=BLACK, lw=1, ls="--", label="the best")
    gap.set_xlabel("difference from the best (right is better)", fontsize=8.5)
    heading(weight, "stacking weight")
    weight.barh(places, table["weight"], height=0.5, color=VERMILLION)
    weight.set_xlim(0, 1)
    weight.set_xlabel("weight in the stacked forecast", fontsize=8.5)
    # A model with log score -inf has an infinite difference, which cannot be drawn.
    names = [
        str(name) if np.isfinite(elpd) else f"{name} (-inf)"
        for name, elpd in zip(table["name"], table["elpd"], strict=True)
    ]
    for panel in (gap, weight):
        name_rows(panel, names)
    cells = int(table["cells"].iloc[0])
    if comparison.held_out:
        caption = f"{cells} held-out scores, exact."
    else:
        heavy = ", ".join(str(count) for count in table["high_k"])
        caption = (
            f"{cells} scores, leave-one-out by importance weights; scores with high Pareto k: "
            f"{heavy}."
        )
    title(figure, "Predictive accuracy", caption, comparison.notes)
    legend(figure, [gap, weight])
    return figure
