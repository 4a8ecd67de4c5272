"""Elementwise functions on arrays with named dims, for the model and for its posterior.

The model's equations are written once. They run on PyTensor's xtensor variables when a
model is built and on xarray's DataArrays when its draws are used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
import xarray as xr
from scipy import special

from latentscale.dims import BENCHMARK, CELL, FAMILY, LINEAGE, MODEL, RELEASE, SETTING

_TABLE_DIMS = frozenset({MODEL, BENCHMARK, FAMILY, LINEAGE, RELEASE, SETTING, CELL})


class Named(Protocol):
    """An array with named dims: an xarray DataArray or a PyTensor xtensor variable.

    The equations may use arithmetic, which broadcasts over dims by name and takes numbers too, and
    a few methods that both kinds of array have. `maths_of` gives the functions.

    Examples
    --------
    >>> array = xr.DataArray([[1.0, 3.0], [2.0, 4.0]], dims=("model", "skill"))
    >>> (array + 1.0).dims
    ('model', 'skill')
    """

    @property
    def dims(self) -> tuple[Any, ...]:
        """Names of the dims, in order.

        Examples
        --------
        >>> array.dims
        ('model', 'skill')
        """

    def __neg__(self) -> Named: ...

    def __add__(self, other: Any, /) -> Named: ...

    def __radd__(self, other: Any, /) -> Named: ...

    def __sub__(self, other: Any, /) -> Named: ...

    def __rsub__(self, other: Any, /) -> Named: ...

    def __mul__(self, other: Any, /) -> Named: ...

    def __rmul__(self, other: Any, /) -> Named: ...

    def __truediv__(self, other: Any, /) -> Named: ...

    def __rtruediv__(self, other: Any, /) -> Named: ...

    def __pow__(self, other: Any, /) -> Named: ...

    def __lt__(self, other: Any, /) -> Named: ...

    def __gt__(self, other: Any, /) -> Named: ...

    def sum(self, dim: Any = ..., /) -> Named:
        """Return the sum over a dim.

        Parameters
        ----------
        dim
            Name of a dim, or several; by default all.

        Returns
        -------
        Named
            Without these dims.

        Examples
        --------
        >>> array.sum("skill").values.tolist()
        [4.0, 6.0]
        """

    def mean(self, dim: Any = ..., /) -> Named:
        """Return the mean over a dim.

        Parameters
        ----------
        dim
            Name of a dim, or several; by default all.

        Returns
        -------
        Named
            Without these dims.

        Examples
        --------
        >>> array.mean("skill").values.tolist()
        [2.0, 3.0]
        """

    def isel(self, indexers: Any = ..., /) -> Named:
        """Return elements by position along dims.

        Parameters
        ----------
        indexers
            Positions by dim.

        Returns
        -------
        Named
            The elements; a dim indexed by a single position is dropped.

        Examples
        --------
        >>> array.isel({"model": 1}).values.tolist()
        [2.0, 4.0]
        """

    def rename(self, names: Any = ..., /) -> Named:
        """Return the array with other names of dims.

        Parameters
        ----------
        names
            New names by old ones.

        Returns
        -------
        Named
            The same values.

        Examples
        --------
        >>> array.rename({"skill": "other_skill"}).dims
        ('model', 'other_skill')
        """

    def transpose(self, *dims: Any) -> Named:
        """Return the array with dims in this order.

        Parameters
        ----------
        *dims
            Names of all dims.

        Returns
        -------
        Named
            The same values in that order.

        Examples
        --------
        >>> array.transpose("skill", "model").dims
        ('skill', 'model')
        """


def on_draws(array: Named) -> xr.DataArray:
    """Return an array of draws, typed as the DataArray that it is.

    Raises
    ------
    TypeError
        If it is part of a PyTensor graph.
    """
    if not isinstance(array, xr.DataArray):
        raise TypeError(f"An array of draws is an xarray.DataArray; got {type(array).__name__}.")
    return array


class Maths(ABC):
    """Elementwise functions for the model's equations, for links and for likelihoods.

    Examples
    --------
    >>> from latentscale.extend import maths_of
    >>> x = xr.DataArray([0.25, 0.5], dims="model")
    >>> maths_of(x).logit(x).round(3).values.tolist()
    [-1.099, 0.0]
    """

    @abstractmethod
    def _apply(self, function: str, *arguments: Named | float) -> Named:
        """Return a function of this name on arrays, by broadcasting over dims."""

    @abstractmethod
    def named(self, values: np.ndarray, dims: tuple[str, ...]) -> Named:
        """Return a constant with these dims."""

    @abstractmethod
    def number(self, value: float, name: str) -> Named:
        """Return a setting that enters as data (see `as_number`)."""

    def exp(self, x: Named) -> Named:
        """Return e to the x."""
        return self._apply("exp", x)

    def expm1(self, x: Named) -> Named:
        """Return exp(x) - 1 without cancellation."""
        return self._apply("expm1", x)

    def log(self, x: Named) -> Named:
        """Return the natural logarithm."""
        return self._apply("log", x)

    def log1p(self, x: Named) -> Named:
        """Return log(1 + x) without cancellation."""
        return self._apply("log1p", x)

    def sqrt(self, x: Named) -> Named:
        """Return the square root."""
        return self._apply("sqrt", x)

    def abs(self, x: Named) -> Named:
        """Return the absolute value."""
        return self._apply("abs", x)

    def sigmoid(self, x: Named) -> Named:
        """Return 1 / (1 + exp(-x))."""
        return self._apply("sigmoid", x)

    def logit(self, x: Named) -> Named:
        """Return log(x / (1 - x)), the inverse of `sigmoid`."""
        return self.log(x) - self.log1p(-x)

    def softplus(self, x: Named) -> Named:
        """Return log(1 + exp(x)) without overflow."""
        return self._apply("softplus", x)

    def tanh(self, x: Named) -> Named:
        """Return the hyperbolic tangent."""
        return self._apply("tanh", x)

    def arctan(self, x: Named) -> Named:
        """Return the angle whose tangent is x."""
        return self._apply("arctan", x)

    def erf(self, x: Named) -> Named:
        """Return the error function."""
        return self._apply("erf", x)

    def erfc(self, x: Named) -> Named:
        """Return 1 - erf(x) without cancellation."""
        return self._apply("erfc", x)

    def gammaln(self, x: Named) -> Named:
        """Return the log of the gamma function."""
        return self._apply("gammaln", x)

    def betaln(self, a: Named, b: Named) -> Named:
        """Return the log of the beta function."""
        return self.gammaln(a) + self.gammaln(b) - self.gammaln(a + b)

    def maximum(self, x: Named, y: Named | float) -> Named:
        """Return the larger of the two."""
        return self._apply("maximum", x, y)

    def minimum(self, x: Named, y: Named | float) -> Named:
        """Return the smaller of the two."""
        return self._apply("minimum", x, y)

    def clip(self, x: Named, lower: float, upper: float) -> Named:
        """Return x clipped to [lower, upper]."""
        return self._apply("clip", x, lower, upper)

    def ceil(self, x: Named) -> Named:
        """Return the smallest whole number that is at least x."""
        return self._apply("ceil", x)

    def floor(self, x: Named) -> Named:
        """Return the largest whole number that is at most x."""
        return self._apply("floor", x)

    def where(self, condition: Named, x: Named | float, y: Named | float) -> Named:
        """Return x where the condition holds, y elsewhere."""
        return self._apply("where", condition, x, y)


class _XarrayMaths(Maths):
    """On xarray DataArrays."""

    _OTHERS: ClassVar[dict[str, Callable[..., np.ndarray]]] = {
        "sigmoid": special.expit,
        "softplus": partial(np.logaddexp, 0.0),
        "erf": special.erf,
        "erfc": special.erfc,
        "gammaln": special.gammaln,
    }
    """Functions that numpy does not have by the name used here."""

    def _apply(self, function: str, *arguments: Named | float) -> Named:
        call = self._OTHERS.get(function) or getattr(np, function)
        return xr.apply_ufunc(call, *arguments)

    def betaln(self, a: Named, b: Named) -> Named:
        return xr.apply_ufunc(special.betaln, a, b)

    def named(self, values: np.ndarray, dims: tuple[str, ...]) -> xr.DataArray:
        return xr.DataArray(values, dims=dims)

    def number(self, value: float, name: str) -> xr.DataArray:
        return xr.DataArray(value)


class _XtensorMaths(Maths):
    """On PyTensor's xtensor variables."""

    def _apply(self, function: str, *arguments: Named | float) -> Named:
        from pytensor.xtensor import as_xtensor, math

        # PyTensor would hold a plain number in single precision, and compute with that.
        return getattr(math, function)(
            *(as_xtensor(np.float64(x)) if isinstance(x, int | float) else x for x in arguments)
        )

    def named(self, values: np.ndarray, dims: tuple[str, ...]) -> Named:
        return as_data(values, dims)

    def number(self, value: float, name: str) -> Named:
        return as_number(value, name)


def maths_of(array: Named | None) -> Maths:
    """Return the elementwise functions that fit the kind of `array`; None for a PyTensor graph.

    Parameters
    ----------
    array
        An array with named dims.

    Returns
    -------
    Maths
        Functions for DataArrays, or for variables of a graph.

    Examples
    --------
    >>> half = xr.DataArray(0.0)
    >>> float(maths_of(half).sigmoid(half))
    0.5
    """
    return _XarrayMaths() if isinstance(array, xr.DataArray) else _XtensorMaths()


def as_data(values: np.ndarray, dims: tuple[str, ...]) -> Named:
    """Return an array as part of a PyTensor graph.

    Along dims that change from table to table it is a shared variable of unknown length: models of
    the same structure then share one graph, and code compiled for one table serves the next.

    Parameters
    ----------
    values
        The array.
    dims
        Names of its dims.

    Returns
    -------
    Named
        A variable of the graph.

    Examples
    --------
    >>> as_data(np.zeros(3), ("skill",)).dims
    ('skill',)
    """
    from pytensor.xtensor import as_xtensor
    from pytensor.xtensor.type import xtensor_shared

    if _TABLE_DIMS.intersection(dims):
        return xtensor_shared(np.asarray(values), dims=dims)
    return as_xtensor(np.asarray(values), dims=dims)


def as_number(value: float, name: str) -> Named:
    """Return a setting of a spec, such as a number of a prior, as data of a PyTensor graph.

    Specs that differ only in such numbers share one graph and are compiled once.

    Parameters
    ----------
    value
        The number.
    name
        Its name in graphs and printouts of the model.
    """
    from pytensor.xtensor.type import xtensor_shared

    return xtensor_shared(np.asarray(value, dtype="float64"), dims=(), name=name)
