"""Summaries: medians and equal-tailed intervals of draws, and tables of one row per element."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.dims import SAMPLE, interval_quantiles


def quantiles(
    draws: xr.DataArray, prob: float, *, dim: str | tuple[str, ...] = SAMPLE
) -> xr.Dataset:
    """Return the median of draws and the ends of their equal-tailed interval.

    Parameters
    ----------
    draws
        Draws, one of whose dims is `dim`.
    prob
        Probability of the interval.
    dim
        Dim over which the quantiles are taken.

    Returns
    -------
    Variables median, lower and upper, with the other dims.

    Raises
    ------
    LatentscaleError
        If `prob` is not strictly between 0 and 1.
    """
    low, high = interval_quantiles(prob)
    ends = draws.quantile([low, 0.5, high], dim=dim)
    places = {"median": 1, "lower": 0, "upper": 2}
    return xr.Dataset({name: ends.isel(quantile=k, drop=True) for name, k in places.items()})


def summary(draws: xr.DataArray, prob: float, *, is_posterior: bool = True) -> pd.DataFrame:
    """Return one row per element: its coordinates, median, lower and upper.

    Parameters
    ----------
    draws
        Dims (sample, ...).
    prob
        Probability of the equal-tailed interval.
    is_posterior
        False for a point estimate, whose lower and upper are NaN.

    Raises
    ------
    LatentscaleError
        If `prob` is not strictly between 0 and 1.
    """
    columns = quantiles(draws, prob)
    if not is_posterior:
        columns = columns.assign(lower=np.nan * columns["lower"], upper=np.nan * columns["upper"])
    dims = [dim for dim in draws.dims if dim != SAMPLE]
    if not dims:
        return pd.DataFrame({str(name): [float(columns[name])] for name in columns})
    return columns.to_dataframe(dim_order=dims)[list(columns)].reset_index()
