"""Curvature: Hessians by central differences, and normal distributions of a given curvature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from latentscale.numerics.threads import in_threads

Floats = npt.NDArray[np.float64]
Gradient = Callable[[Floats], Floats]
"""From a point, shape (n,), to the gradient of a function there, shape (n,)."""

STEP = 1e-4
"""Step of central differences on the unconstrained scale, where parameters are of order 1.

The error is about step^2 from the third derivatives and 1e-16 |f'| / step from rounding, which are
equal at about 1e-5. A gradient that is itself a sum over a table has larger rounding errors, and
1e-4 is nearly optimal.
"""


def differences(
    function: Callable[[Floats], Floats],
    point: Floats,
    directions: Floats,
    *,
    cores: int | None = 1,
) -> Floats:
    """Return the derivatives of a function along directions, by central differences.

    Parameters
    ----------
    function
        From a point, shape (n,), to values, shape (m,).
    point
        Where, shape (n,).
    directions
        Shape (d, n).
    cores
        Threads; None for as many as the machine has.

    Returns
    -------
    Shape (m, d).
    """

    def along(direction: Floats) -> Floats:
        ahead, behind = function(point + STEP * direction), function(point - STEP * direction)
        return np.asarray((ahead - behind) / (2 * STEP))

    return np.stack(in_threads(along, directions, cores), axis=1)


def hessian(
    gradient: Gradient,
    point: Floats,
    *,
    places: npt.NDArray[np.int64] | None = None,
    cores: int | None = 1,
) -> Floats:
    """Return the Hessian of a function by central differences of its gradient.

    Parameters
    ----------
    gradient
        The function's gradient.
    point
        Where, shape (n,).
    places
        Indices to which the Hessian is restricted, shape (p,); None for all.
    cores
        Threads; None for as many as the machine has.

    Returns
    -------
    Shape (p, p), symmetric.
    """
    at = np.arange(point.size) if places is None else places
    columns = differences(gradient, point, np.eye(point.size)[at], cores=cores)[at]
    return (columns + columns.T) / 2


def root_of_inverse(curvature: Floats, least: float) -> Floats:
    """Return S with S S' the inverse of a symmetric matrix, after raising small eigenvalues.

    Parameters
    ----------
    curvature
        Shape (n, n), a negative Hessian.
    least
        Smaller eigenvalues are raised to this: flat directions, and those that curve upward.
    """
    values, vectors = np.linalg.eigh(curvature)
    return np.asarray(vectors / np.sqrt(np.maximum(values, least)))


def normal_draws(
    centre: Floats, covariance: Floats, count: int, rng: np.random.Generator
) -> Floats:
    """Return draws (count, n) of a normal distribution whose covariance may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    return np.asarray(centre + rng.standard_normal((count, centre.size)) @ root.T)
