"""The posterior mode by L-BFGS, with the path that led there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from latentscale.inference.posterior_density import PosteriorDensity
from latentscale.inference.threads import one_blas_thread

_WORSE_THAN_ANY = 1e300
_GRADIENT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Trajectory:
    """A run of L-BFGS on the log density.

    Attributes
    ----------
    points, gradients
        Iterates with the start first, and the log density's gradient there; shape (steps, n).
    value
        Log density at the last iterate.
    converged
        Whether the optimiser's tolerances were met.
    """

    points: np.ndarray
    gradients: np.ndarray
    value: float
    converged: bool

    @property
    def mode(self) -> np.ndarray:
        """The last iterate, shape (n,)."""
        return self.points[-1]


@one_blas_thread()
def ascend(
    density: PosteriorDensity, start: np.ndarray, *, history: int, max_iterations: int
) -> Trajectory:
    """Climb the log density from `start` by L-BFGS (Liu and Nocedal 1989).

    Parameters
    ----------
    density
        The log density.
    start
        Where to begin, shape (n,).
    history
        Pairs of differences that the Hessian's approximation keeps.
    max_iterations
        When to stop.
    """
    points = [start.copy()]

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = density.value_and_gradient(point)
        return (-value if np.isfinite(value) else _WORSE_THAN_ANY), -gradient

    found = optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=lambda point: points.append(point.copy()),
        options={
            "maxcor": history,
            "maxiter": max_iterations,
            "maxfun": 10 * max_iterations,
            "ftol": 1e-12,
            "gtol": _GRADIENT_TOLERANCE,
        },
    )
    gradients = np.array([density.value_and_gradient(point)[1] for point in points])
    return Trajectory(np.array(points), gradients, -float(found.fun), bool(found.success))
