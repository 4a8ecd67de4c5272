"""Climb: the mode of a log density by L-BFGS, with the path that leads there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

Floats = npt.NDArray[np.float64]
LogDensity = Callable[[Floats], tuple[float, Floats]]
"""From a point, shape (n,), to a log density and its gradient, shape (n,)."""

# Loss where the density is zero or not a number: above any loss, and finite, as L-BFGS needs.
_WORSE_THAN_ANY = 1e300
# Evaluations a step, on average: line searches take 1.1; a climb with more has lost its way.
_EVALUATIONS = 2
# The sup norm of the gradient at which a climb has arrived, scipy's own.
_FLAT = 1e-5


@dataclass(frozen=True)
class Trajectory:
    """A run of L-BFGS on a log density.

    Attributes
    ----------
    points, gradients
        Iterates, the last ones alone where so many were asked for, and the log density's gradient
        there; shape (steps, n).
    value
        Log density at the last iterate; -inf where it was finite nowhere on the way.
    converged
        Whether the optimiser's tolerances were met.
    """

    points: Floats
    gradients: Floats
    value: float
    converged: bool

    @property
    def mode(self) -> Floats:
        """The last iterate, shape (n,)."""
        return self.points[-1]


def climb(
    log_density: LogDensity,
    begin: Floats,
    *,
    steps: int,
    history: int,
    tolerance: float,
    flat: float = _FLAT,
    kept: int | None = None,
) -> Trajectory:
    """Climb a log density by L-BFGS (Liu and Nocedal 1989).

    Parameters
    ----------
    log_density
        What to climb. Where it or its gradient is not finite the line search turns back.
    begin
        Where to begin, shape (n,).
    steps
        Most steps.
    history
        Pairs of differences that the approximation of the Hessian keeps.
    tolerance
        Relative gain of a step below which the climb ends.
    flat
        Largest entry of the gradient at which it ends.
    kept
        How many iterates the trajectory holds, the last ones; None for all, with `begin`.
    """
    path: deque[tuple[Floats, Floats]] = deque(maxlen=kept)
    latest: tuple[Floats, Floats] | None = None

    def loss(point: Floats) -> tuple[float, Floats]:
        nonlocal latest
        value, gradient = log_density(point)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _WORSE_THAN_ANY, np.zeros_like(point)
        latest = point.copy(), np.array(gradient)
        if not path:
            path.append(latest)
        return -float(value), -np.asarray(gradient)

    def keep(point: Floats) -> None:
        # A step ends where its line search ended, unless that was given up.
        if latest is not None and np.array_equal(point, latest[0]):
            path.append(latest)

    solved = optimize.minimize(
        loss,
        begin,
        jac=True,
        method="L-BFGS-B",
        callback=keep,
        options={
            "maxcor": history,
            "maxiter": steps,
            "maxfun": _EVALUATIONS * steps,
            "ftol": tolerance,
            "gtol": flat,
        },
    )
    value = -float(solved.fun) if solved.fun < _WORSE_THAN_ANY else -np.inf
    if not path or not np.array_equal(path[-1][0], solved.x):
        path.append((np.asarray(solved.x), -np.asarray(solved.jac)))
    points, gradients = zip(*path, strict=True)
    return Trajectory(np.array(points), np.array(gradients), value, bool(solved.success))
