"""Moves: changes of the effects that all models share, and draws moved by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.dims import SAMPLE

SHIFT = "shift"
"""Dim of the directions in which draws are moved."""


def moved_by(draws: xr.Dataset, moves: xr.Dataset, z: npt.NDArray[np.float64]) -> xr.Dataset:
    """Return the moved variables at shifts z.

    Parameters
    ----------
    draws
        Posterior draws, dims (sample, ...).
    moves
        Change of each variable per unit of shift, dims (sample, shift, ...).
    z
        Shifts, shape (sample, shift).
    """
    shift = xr.DataArray(z, dims=(SAMPLE, SHIFT))
    moved = {}
    for name, change in moves.data_vars.items():
        by = xr.dot(shift, change, dim=SHIFT)
        moved[name] = draws[name] + by.transpose(*(d for d in draws[name].dims if d in by.dims))
    return xr.Dataset(moved)
