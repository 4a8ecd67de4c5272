"""Means over cells with standard errors clustered by group."""

from __future__ import annotations

import numpy as np
import pandas as pd


def mean_and_error(values: pd.Series, groups: pd.Series) -> tuple[float, float]:
    """Return the mean and its standard error where groups of cells are independent."""
    middle = float(values.mean())
    sums = (values - middle).groupby(groups).sum()
    count = len(sums)
    if count < 2:
        return middle, float("nan")
    return middle, float(np.sqrt((sums**2).sum() * count / (count - 1)) / len(values))


def shown(values: pd.Series, groups: pd.Series, decimals: int = 2) -> str:
    """Return the mean and its standard error as text."""
    middle, error = mean_and_error(values, groups)
    return f"{middle:.{decimals}f} ± {error:.{decimals}f}"
