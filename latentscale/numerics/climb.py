"""Climb: the mode of a log density by L-BFGS, with the path that leads to it."""

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

# Loss where the density is zero or NaN: above any other loss, but finite, as L-BFGS requires.
_WORSE_THAN_ANY = 1e300
# Average evaluations per step: line searches take 1.1, and a climb that needs more is stuck.
_EVALUATIONS = 2
# The sup norm of the gradient at which a climb has converged, SciPy's default.
_FLAT = 1e-5


@dataclass(frozen=True)
class Trajectory:
    """A run of L-BFGS on a log density.

    Attributes
    ----------
    points, gradients
        Iterates (only the last ones if `kept` was given), and the log density's gradient at them;
        shape (steps, n).
    value
        Log density at the last iterate; -inf if it was not finite anywhere along the path.
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
        What to climb. If it or its gradient is not finite, the line search turns back.
    begin
        Where to begin, shape (n,).
    steps
        Maximum number of steps.
    history
        Number of difference pairs in the approximation of the Hessian.
    tolerance
        Relative gain of a step below which the climb ends.
    flat
        Largest absolute entry of the gradient at which it ends.
    kept
        How many of the last iterates the trajectory holds; None for all, including `begin`.
    """
    path = _Path(log_density, kept)
    solved = optimize.minimize(
        path.loss,
        begin,
        jac=True,
        method="L-BFGS-B",
        callback=path.keep,
        options={
            "maxcor": history,
            "maxiter": steps,
            "maxfun": _EVALUATIONS * steps,
            "ftol": tolerance,
            "gtol": flat,
        },
    )
    value = -float(solved.fun) if solved.fun < _WORSE_THAN_ANY else -np.inf
    steps_taken = path.steps
    if not steps_taken or not np.array_equal(steps_taken[-1][0], solved.x):
        steps_taken.append((np.asarray(solved.x), -np.asarray(solved.jac)))
    points, gradients = zip(*steps_taken, strict=True)
    return Trajectory(np.array(points), np.array(gradients), value, bool(solved.success))


class _Path:
    """What an optimiser calls: the loss, which stores what it evaluates, and a callback.

    Attributes
    ----------
    steps
        Points and gradients of the steps so far (only the last ones if a number was given).
    """

    def __init__(self, log_density: LogDensity, kept: int | None) -> None:
        self.steps: deque[tuple[Floats, Floats]] = deque(maxlen=kept)
        self._log_density = log_density
        self._latest: tuple[Floats, Floats] | None = None

    def loss(self, point: Floats) -> tuple[float, Floats]:
        """Return minus the log density and its gradient, finite everywhere."""
        value, gradient = self._log_density(point)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _WORSE_THAN_ANY, np.zeros_like(point)
        self._latest = point.copy(), np.array(gradient)
        if not self.steps:
            self.steps.append(self._latest)
        return -float(value), -np.asarray(gradient)

    def keep(self, point: Floats) -> None:
        """Store a step, which ends where its line search ended, unless that was given up."""
        if self._latest is not None and np.array_equal(point, self._latest[0]):
            self.steps.append(self._latest)
