"""How finely a table records its scores: leaderboards often publish two decimals alone."""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.dims import BENCHMARK, MODEL

_STEPS = (0.01, 0.001, 0.0001)
_MIN_SCORES = 20
_TOLERANCE = 1e-9


def recorded_step(score: xr.DataArray) -> xr.DataArray:
    """Return the step to which each benchmark's scores are rounded; 0 where none is seen.

    Parameters
    ----------
    score
        Fractions, dims (model, benchmark), NaN where not measured.

    Returns
    -------
    0.01, 0.001, 0.0001 or 0, dims (benchmark,). A step is seen where 20 scores or more are all
    multiples of it; by chance that does not happen.
    """
    enough = score.notnull().sum(MODEL) >= _MIN_SCORES
    found = xr.zeros_like(enough, dtype=float)
    for step in reversed(_STEPS):
        offset: xr.DataArray = abs(score / step - (score / step).round()) * step
        rounded = (offset.fillna(0.0) < _TOLERANCE).all(MODEL) & enough
        found = xr.where(rounded, step, found)
    return found


def as_recorded(score: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """Round scores to the step of their benchmark, as the table would record them.

    Parameters
    ----------
    score
        Fractions, dims with benchmark.
    step
        From `recorded_step`, dims (benchmark,); 0 leaves scores as they are.
    """
    step = step.sel({BENCHMARK: score[BENCHMARK]})
    known = step > 0
    safe = xr.where(known, step, 1.0)
    return xr.where(known, np.round(score / safe) * safe, score).transpose(*score.dims)
