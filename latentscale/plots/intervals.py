"""Intervals of rows: a narrow and a wide one, the same in all figures that have both."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.plots.style import BLACK, BLUE, GREY, VERMILLION

WIDE: Final = 0.9
"""Probability of the thin line, or of the pale band."""
NARROW: Final = 0.5
"""Probability of the thick line, or of the dark band."""


def interval_rows(panel: Axes, wide: pd.DataFrame, narrow: pd.DataFrame) -> None:
    """Draw both intervals of each row, from the first at 0 down.

    Parameters
    ----------
    panel
        Its rows are at whole numbers.
    wide, narrow
        Tables of the same rows with the columns lower and upper, of these probabilities.
    """
    for table, prob, width in ((wide, WIDE, 1.3), (narrow, NARROW, 3.6)):
        panel.hlines(
            np.arange(len(table)),
            table["lower"],
            table["upper"],
            color=BLUE,
            lw=width,
            zorder=3,
            label=f"{prob:.0%} interval",
        )


def intervals(panel: Axes, wide: pd.DataFrame, narrow: pd.DataFrame, bands: bool) -> None:
    """Draw medians with two intervals, one row per quantity, from the top down.

    Parameters
    ----------
    panel
        Its rows are at whole numbers.
    wide, narrow
        Columns lower, median and upper, of the probabilities `WIDE` and `NARROW`, in order.
    bands
        Whether there are intervals; a point estimate has none.
    """
    place = np.arange(len(wide))
    fixed = (wide[["lower", "median", "upper"]].fillna(0.0) == 0).all(axis="columns").to_numpy()
    if fixed.any():
        panel.scatter(
            np.zeros(fixed.sum()),
            place[fixed],
            s=18,
            marker="x",
            color=GREY,
            linewidths=1.0,
            zorder=3,
            label="fixed at 0",
        )
    if bands:
        interval_rows(panel, wide, narrow)
    sure = (wide["lower"] > 0) | (wide["upper"] < 0) if bands else wide["median"].notna()
    for apart, fill, label in (
        (True, VERMILLION, "median; 90% interval excludes 0" if bands else "estimate"),
        (False, "white", "median; 90% interval includes 0"),
    ):
        here = (sure == apart).to_numpy() & ~fixed
        if here.any():
            panel.scatter(
                wide["median"][here],
                place[here],
                s=24,
                color=fill,
                edgecolors=VERMILLION if not apart else BLACK,
                linewidths=0.9,
                zorder=4,
                label=label,
            )
