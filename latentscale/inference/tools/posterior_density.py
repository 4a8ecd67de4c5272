"""The target of approximate methods: a log density on R^n, and the map to named parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.engine.compile import compile_density


@dataclass(frozen=True)
class PosteriorDensity:
    """An unnormalised log posterior density on R^n, with its gradient.

    Scales and shares are on the log and logit scale, with the Jacobian in the density.

    Attributes
    ----------
    start
        The priors' support points, shape (n,).
    evaluate
        From a point, shape (n,), to the log density and its gradient, shape (n,).
    expand
        From a point to named parameters on their natural scale.
    dims, coords
        Dims of those parameters, and their coordinates.

    Examples
    --------
    >>> from latentscale.extend import build_design, posterior_density
    >>> density = posterior_density(build_design(pooled.spec, pooled.design))
    >>> density.size == len(density.start)
    True
    """

    start: np.ndarray
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]]
    expand: Callable[[np.ndarray], dict[str, np.ndarray]]
    dims: dict[str, tuple[str, ...]]
    coords: dict[str, Any]

    @property
    def size(self) -> int:
        """Number of scalar parameters n.

        Examples
        --------
        >>> density.size
        18
        """
        return len(self.start)

    def value_and_gradient(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density at a point of shape (n,) and its gradient.

        If the density is zero or NaN: -inf, and a gradient of zeros.

        Parameters
        ----------
        point
            Unconstrained parameters, shape (n,).

        Returns
        -------
        tuple
            The log density, and its gradient, shape (n,).

        Examples
        --------
        >>> value, gradient = density.value_and_gradient(density.start)
        >>> bool(np.isfinite(value)), gradient.shape == density.start.shape
        (True, True)
        """
        value, gradient = self.evaluate(point)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return -np.inf, np.zeros(self.size)
        return float(value), np.asarray(gradient)

    def values(self, points: np.ndarray) -> np.ndarray:
        """Return the log density at points of shape (m, n): shape (m,).

        Parameters
        ----------
        points
            Unconstrained parameters, shape (m, n).

        Returns
        -------
        numpy.ndarray
            Log densities, shape (m,).

        Examples
        --------
        >>> density.values(density.start[None]).shape
        (1,)
        """
        return np.array([self.value_and_gradient(point)[0] for point in points])

    def to_posterior(self, points: np.ndarray) -> xr.Dataset:
        """Return points as named parameters.

        Parameters
        ----------
        points
            Shape (m, n), one chain of m draws, or (chain, m, n).

        Returns
        -------
        xarray.Dataset
            Parameters on their natural scale, dims (chain, draw, ...).

        Examples
        --------
        >>> density.to_posterior(density.start[None])["intercept"].dims
        ('chain', 'draw', 'benchmark')
        """
        chains = points[None] if points.ndim == 2 else points
        expanded = [self.expand(point) for chain in chains for point in chain]
        count, length = chains.shape[:2]
        held = {name: np.stack([np.array(draw[name]) for draw in expanded]) for name in self.dims}
        return xr.Dataset(
            {
                name: (
                    (CHAIN, DRAW, *dims),
                    held[name].reshape(count, length, *held[name].shape[1:]),
                )
                for name, dims in self.dims.items()
            },
            coords={**self.coords, CHAIN: np.arange(count), DRAW: np.arange(length)},
        )


def kept_names(model: pm.Model) -> list[str]:
    """Return the names of the variables in a posterior: all except raw parts of effects.

    Parameters
    ----------
    model
        A PyMC model.

    Returns
    -------
    list of str
        Names, free variables first.

    Examples
    --------
    >>> kept_names(ls.build(pooled.spec, pooled.scores))[:2]
    ['intercept', 'benchmark_slope']
    """
    variables = [*model.free_RVs, *model.deterministics]
    return [v.name for v in variables if not v.name.endswith("_raw")]


def posterior_density(model: pm.Model) -> PosteriorDensity:
    """Compile a model's log posterior density, its gradient and its named parameters.

    Parameters
    ----------
    model
        A PyMC model.

    Returns
    -------
    PosteriorDensity
        On the unconstrained scale.

    Examples
    --------
    >>> posterior_density(ls.build(pooled.spec, pooled.scores)).start.ndim
    1
    """
    density = compile_density(model, kept_names(model))
    return PosteriorDensity(
        start=density.start,
        evaluate=density.log_density,
        expand=density.expand,
        dims=density.dims,
        coords=density.coords,
    )
