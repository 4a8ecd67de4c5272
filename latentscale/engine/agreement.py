"""Check a compiled gradient against its log density, since an error would go unnoticed.

Sampling with a wrong gradient still targets the log density, so nothing fails, but chains hardly
move. One directional derivative by finite differences costs a few evaluations per table.
"""

from __future__ import annotations

import numpy as np

from latentscale.engine.density import LogDensity

_APART = 0.05
"""Standard deviation of the test point's coordinates around the start. At the start, parameters
that are exactly 0 or equal may be at kinks; this close, the density is as well behaved."""
_STEPS = (1e-4, 1e-6)
"""Steps along a unit direction. The error of central differences is about step^2 times the third
derivative plus 1e-16 |log density| / step: below 1e-4 of the gradient for one of the two."""
_TOLERANCE = 1e-3
"""Relative to the directional derivative or the gradient's root mean square, whichever is larger:
well above the error of finite differences, well below the effect of a wrong term."""
_SEED = 20261128
"""Arbitrary, but fixed, so that every process uses the same point and direction."""


def expect_agreement(log_density: LogDensity, start: np.ndarray) -> None:
    """Raise if a gradient disagrees with finite differences along a direction.

    Parameters
    ----------
    log_density
        From a point, shape (size,), to the log density and its gradient, shape (size,).
    start
        Where a sampler may start, shape (size,).

    Raises
    ------
    ArithmeticError
        If they disagree for both step sizes. A point without a finite log density is not checked.
    """
    rng = np.random.default_rng(_SEED)
    point = start + _APART * rng.standard_normal(len(start))
    direction = rng.standard_normal(len(start))
    direction /= np.linalg.norm(direction)
    value, gradient = log_density(point)
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        return
    stated = float(gradient @ direction)
    scale = max(abs(stated), float(np.sqrt(np.mean(np.square(gradient)))))
    found = [_derivative(log_density, point, direction, step) for step in _STEPS]
    if all(np.isfinite(found)) and min(np.abs(np.array(found) - stated)) > _TOLERANCE * scale:
        raise ArithmeticError(
            f"the gradient of the log density has the slope {stated:.6g} along a direction in "
            f"which finite differences have {found[0]:.6g}"
        )


def _derivative(
    log_density: LogDensity, point: np.ndarray, direction: np.ndarray, step: float
) -> float:
    ahead, behind = (log_density(point + sign * step * direction)[0] for sign in (1, -1))
    return (ahead - behind) / (2 * step)
