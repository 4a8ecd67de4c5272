"""Coverage of forecasts when earlier forecasts set the nominal probability of their intervals."""

from __future__ import annotations

import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown

WANTED = (0.9, 0.5)
"""Wanted shares of scores inside intervals."""


def recalibrated_coverage(cells: pd.DataFrame, earlier: pd.DataFrame) -> dict[str, str]:
    """Return coverage as forecast and as adjusted by `nominal_for` from earlier forecasts.

    Parameters
    ----------
    cells, earlier
        Tables of forecasts with the columns family and pit.

    Returns
    -------
    dict
        The factor and, for each wanted coverage, the actual coverage, the nominal probability to
        ask for, and the coverage that it gives; standard errors are between families.
    """
    chosen = ls.studies.nominal_for(earlier, WANTED, seed=1)
    central = (2 * (cells["pit"] - 0.5)).abs()
    row = {"factor": f"{chosen['factor'].iloc[0]:.2f}"}
    for prob, nominal in zip(WANTED, chosen["nominal"], strict=True):
        row[f"cover {prob:.0%}"] = shown((central <= prob) * 1.0, cells["family"], 3)
        row[f"nominal for {prob:.0%}"] = f"{nominal:.3f}"
        row[f"cover {prob:.0%} recalibrated"] = shown(
            (central <= nominal) * 1.0, cells["family"], 3
        )
    return row
