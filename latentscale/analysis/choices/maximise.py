"""Maximise: the highest point of a curve on [-1, 1], in closed form or by search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

PLACE = "place"
_GRID = 65
"""Places in the first pass; a budget's line has few local maxima."""
_ZOOM = 17
"""Places in each refined pass."""
_FINE = 1e-9
"""Width, on a line of length 2, at which the search ends: double precision cannot resolve a maximum
further."""


def quadratic(values: xr.DataArray) -> xr.Dataset:
    """Return the parabola through a curve's values at -1, 0 and 1.

    Parameters
    ----------
    values
        The curve, with dim ``place`` of size 3: at -1, 0 and 1.

    Returns
    -------
    Variables level, slope and bend (level + slope u + bend u^2), without the dim ``place``.
    """
    low, middle, high = (values.isel({PLACE: index}, drop=True) for index in range(3))
    return xr.Dataset(
        {"level": middle, "slope": (high - low) / 2, "bend": (high + low) / 2 - middle}
    )


def value_at(curve: xr.Dataset, u: xr.DataArray | float) -> xr.DataArray:
    """Return level + slope u + bend u^2."""
    return curve["level"] + (curve["slope"] + curve["bend"] * u) * u


def highest_of_quadratic(curve: xr.Dataset) -> xr.DataArray:
    """Return the maximiser of a parabola on [-1, 1]: -slope / (2 bend), or an end.

    Parameters
    ----------
    curve
        From `quadratic`.
    """
    slope, bend = curve["slope"], curve["bend"]
    end = xr.where(slope >= 0, 1.0, -1.0)
    inside = bend < 0
    vertex = -slope / (2 * bend.where(inside, -1.0))
    return xr.where(inside, vertex.clip(-1.0, 1.0), end).transpose(*curve["level"].dims)


def highest_by_search(curve: Callable[[xr.DataArray], xr.DataArray]) -> xr.DataArray:
    """Return the maximiser of a curve on [-1, 1], by successively finer grids.

    The first grid finds the highest of several local maxima if they are at least 1/32 apart. An end
    of [-1, 1] is returned exactly.

    Parameters
    ----------
    curve
        Function of places, with dim ``place`` and possibly the curve's own dims, to values with
        ``place`` and the curve's own dims.
    """
    places = xr.DataArray(np.linspace(-1.0, 1.0, _GRID), dims=(PLACE,))
    step = 2 / (_GRID - 1)
    zoom = xr.DataArray(np.linspace(-1.0, 1.0, _ZOOM), dims=(PLACE,))
    best = places.isel({PLACE: curve(places).argmax(PLACE)})
    while step > _FINE:
        places = (best + step * zoom).clip(-1.0, 1.0)
        best = places.isel({PLACE: curve(places).argmax(PLACE)})
        step *= 2 / (_ZOOM - 1)
    return best
