"""Medians with a wide and a narrow interval, one row a quantity."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.plots.style import BLACK, BLUE, GREY, VERMILLION

WIDE, NARROW = 0.9, 0.5
"""Probabilities of the wide and the narrow line, in all pictures alike."""


def intervals(panel: Axes, wide: pd.DataFrame, narrow: pd.DataFrame, bands: bool) -> None:
    """Draw medians with two intervals, one row a quantity, from the top down.

    Parameters
    ----------
    panel
        Its rows lie at whole numbers.
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
        for table, prob, width in ((wide, WIDE, 1.3), (narrow, NARROW, 3.6)):
            panel.hlines(
                place,
                table["lower"],
                table["upper"],
                color=BLUE,
                lw=width,
                zorder=3,
                label=f"{prob:.0%} interval",
            )
    sure = (wide["lower"] > 0) | (wide["upper"] < 0) if bands else wide["median"].notna()
    for apart, fill, label in (
        (True, VERMILLION, "median; 90% interval away from 0" if bands else "estimate"),
        (False, "white", "median; 90% interval covers 0"),
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
