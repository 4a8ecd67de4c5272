"""The plot of the capability index: one row per model, the best at the top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latentscale.analysis.skills.capability_index import CapabilityIndex
from latentscale.dims import MODEL
from latentscale.expect import expect
from latentscale.plots.intervals import NARROW, WIDE, interval_rows
from latentscale.plots.labels import MOST_MODELS, drawn
from latentscale.plots.style import (
    BLUE,
    VERMILLION,
    OnAxes,
    Sheet,
    legend,
    name_rows,
    panels,
    part_shown,
    title,
)

_ROW_INCHES = 0.19
"""Height of a row of small text."""


def plot_capability_index(
    index: CapabilityIndex, *, models: Sequence[str] | None = None, ax: OnAxes = None
) -> Sheet:
    """Draw every model's index with 50% and 90% intervals, and the values of the anchors.

    Parameters
    ----------
    index
        From `latentscale.capability_index`.
    models
        Which are drawn, in this order; by default the best 40, and the headline says if there are
        more.
    ax
        Axes to draw on in place of a new figure; the result is then their figure.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `index` is not what `latentscale.capability_index` returns.
    DataError
        If `models` names one that the index does not hold.

    Examples
    --------
    >>> index = ls.capability_index(dated, anchors={"acme-1": 100, "delta-1": 90})
    >>> ls.plots.plot_capability_index(index).savefig("figure.png")
    """
    expect(index, CapabilityIndex, "index")
    wide, narrow = (index.table(prob).set_index(MODEL) for prob in (WIDE, NARROW))
    every = [str(name) for name in wide.index]
    names = drawn(every, models, MOST_MODELS, "models")
    height = 0.7 + _ROW_INCHES * len(names)
    figure, (panel,) = panels(1, columns=1, width=6.6, height=height, ax=ax)
    rows = np.arange(len(names))
    if index.is_posterior:
        interval_rows(panel, wide.loc[names], narrow.loc[names])
    panel.scatter(
        wide.loc[names, "median"],
        rows,
        s=22,
        color="white",
        edgecolors=BLUE,
        linewidths=1.1,
        zorder=4,
        label="median" if index.is_posterior else "estimate",
    )
    fixed = [row for row in rows if names[row] in index.anchors]
    if fixed:
        panel.scatter(
            [index.anchors[names[row]] for row in fixed],
            fixed,
            s=34,
            marker="D",
            facecolors="none",
            edgecolors=VERMILLION,
            linewidths=1.3,
            zorder=5,
            label="anchor's value",
        )
    name_rows(panel, names)
    panel.set_xlabel("capability index")
    scale = ", ".join(f"{name} = {value:g}" for name, value in index.anchors.items())
    bars = f"Bars: {NARROW:.0%} and {WIDE:.0%} intervals. " if index.is_posterior else ""
    title(
        figure,
        f"Capability index{part_shown(len(names), len(every), 'models')}",
        f"{bars}Scale: {scale}.",
        index.notes,
    )
    legend(figure, [panel])
    return figure
