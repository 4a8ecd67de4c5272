"""Summaries: draws to one row an element, with intervals."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from latentscale.dims import SAMPLE, interval_quantiles


def summary(draws: xr.DataArray, prob: float, *, is_posterior: bool = True) -> pd.DataFrame:
    """Return one row an element: its coordinates, median, lower and upper.

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
    low, high = interval_quantiles(prob)
    found = draws.quantile([low, 0.5, high], dim=SAMPLE)
    if not is_posterior:
        found = found.where(found["quantile"] == 0.5)
    names = {"median": 1, "lower": 0, "upper": 2}
    columns = {name: found.isel(quantile=place, drop=True) for name, place in names.items()}
    dims = [dim for dim in draws.dims if dim != SAMPLE]
    wide = xr.Dataset(columns).to_dataframe(dim_order=dims) if dims else None
    if wide is None:
        return pd.DataFrame({name: [float(value)] for name, value in columns.items()})
    return wide[list(names)].reset_index()
