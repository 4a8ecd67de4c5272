"""Intervals of rows: a narrow and a wide one, alike in all figures that have both."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.plots.style import BLUE

WIDE: Final = 0.9
"""Probability of the thin line, or of the pale band."""
NARROW: Final = 0.5
"""Probability of the thick line, or of the dark band."""


def interval_rows(panel: Axes, wide: pd.DataFrame, narrow: pd.DataFrame) -> None:
    """Draw both intervals of each row, from the first at 0 down.

    Parameters
    ----------
    panel
        Its rows lie at whole numbers.
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
