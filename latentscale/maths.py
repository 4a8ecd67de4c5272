"""Elementwise functions on arrays with named dims, for the model and for its posterior.

The model's equations are written once. They run on PyTensor's xtensor variables when a
model is built and on xarray's DataArrays when its draws are used.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import xarray as xr
from scipy.special import expit

from latentscale.dims import BENCHMARK, CELL, FAMILY, LINEAGE, MODEL

_TABLE_DIMS = frozenset({MODEL, BENCHMARK, FAMILY, LINEAGE, CELL})

Named = Any
"""An array with named dims: an xarray DataArray or a PyTensor xtensor variable."""


class Maths(Protocol):
    """The elementwise functions that the model's equations need."""

    def exp(self, x: Named) -> Named:
        """Return e to the x."""

    def log(self, x: Named) -> Named:
        """Return the natural logarithm."""

    def sqrt(self, x: Named) -> Named:
        """Return the square root."""

    def sigmoid(self, x: Named) -> Named:
        """Return 1 / (1 + exp(-x))."""

    def softplus(self, x: Named) -> Named:
        """Return log(1 + exp(x)) without overflow."""

    def expm1(self, x: Named) -> Named:
        """Return exp(x) - 1 without cancellation."""

    def clip(self, x: Named, lower: float, upper: float) -> Named:
        """Return x held inside [lower, upper]."""

    def named(self, values: np.ndarray, dims: tuple[str, ...]) -> Named:
        """Return a constant with these dims."""


class _XarrayMaths:
    def exp(self, x: Named) -> Named:
        return np.exp(x)

    def log(self, x: Named) -> Named:
        return np.log(x)

    def sqrt(self, x: Named) -> Named:
        return np.sqrt(x)

    def sigmoid(self, x: Named) -> Named:
        return xr.apply_ufunc(expit, x)

    def softplus(self, x: Named) -> Named:
        return xr.apply_ufunc(lambda v: np.logaddexp(0.0, v), x)

    def expm1(self, x: Named) -> Named:
        return np.expm1(x)

    def clip(self, x: Named, lower: float, upper: float) -> Named:
        return x.clip(lower, upper)

    def named(self, values: np.ndarray, dims: tuple[str, ...]) -> xr.DataArray:
        return xr.DataArray(values, dims=dims)


class _XtensorMaths:
    def __init__(self) -> None:
        from pytensor.xtensor import math

        self._math: Any = math

    def exp(self, x: Named) -> Named:
        return self._math.exp(x)

    def log(self, x: Named) -> Named:
        return self._math.log(x)

    def sqrt(self, x: Named) -> Named:
        return self._math.sqrt(x)

    def sigmoid(self, x: Named) -> Named:
        return self._math.sigmoid(x)

    def softplus(self, x: Named) -> Named:
        return self._math.softplus(x)

    def expm1(self, x: Named) -> Named:
        return self._math.expm1(x)

    def clip(self, x: Named, lower: float, upper: float) -> Named:
        return self._math.clip(x, lower, upper)

    def named(self, values: np.ndarray, dims: tuple[str, ...]) -> Named:
        return as_data(values, dims)


def maths_of(array: Named) -> Maths:
    """Return the elementwise functions that fit the kind of `array`."""
    return _XarrayMaths() if isinstance(array, xr.DataArray) else _XtensorMaths()


def as_data(values: np.ndarray, dims: tuple[str, ...]) -> Named:
    """Return an array as part of a PyTensor graph.

    Along dims that change from table to table it is a shared variable of unknown length: models
    of one structure then have one graph, and what was compiled for one table serves the next.
    """
    from pytensor.xtensor import as_xtensor
    from pytensor.xtensor.type import xtensor_shared

    if _TABLE_DIMS.intersection(dims):
        return xtensor_shared(np.asarray(values), dims=dims)
    return as_xtensor(np.asarray(values), dims=dims)
