"""Priors and changes of variables of the hand-written kernels, for numba."""

from __future__ import annotations

from math import exp, log, log1p

from numba import njit

REAL, SCALE, SHARE, LOG_NORMAL = 0, 1, 2, 3  # Normal, HalfNormal, Beta, LogNormal


@njit(error_model="numpy")
def to_natural(point, natural, ranges, kinds):
    """Fill in the natural scale of an unconstrained point."""
    for which in range(len(kinds)):
        for i in range(ranges[which, 0], ranges[which, 1]):
            value = point[i]
            if kinds[which] == SHARE:
                value = 1 / (1 + exp(-value))
            elif kinds[which] != REAL:
                value = exp(value)
            natural[i] = value


@njit(error_model="numpy")
def log_priors(point, natural, gradient, ranges, kinds, numbers):
    """Return the log priors with their Jacobians, without constants.

    Turns the gradient of everything else on the natural scale into the whole gradient on the
    unconstrained scale.
    """
    value = 0.0
    for which in range(len(kinds)):
        kind, first, second = kinds[which], numbers[which, 0], numbers[which, 1]
        for i in range(ranges[which, 0], ranges[which, 1]):
            u, v = point[i], natural[i]
            if kind == SHARE:
                value += first * log(v) + second * log1p(-v)
                gradient[i] = gradient[i] * v * (1 - v) + first * (1 - v) - second * v
            elif kind == SCALE:
                z = v / second
                value += u - 0.5 * z * z
                gradient[i] = gradient[i] * v + 1 - z * z
            else:
                z = (u - first) / second
                value -= 0.5 * z * z
                gradient[i] = gradient[i] * (v if kind == LOG_NORMAL else 1.0) - z / second
    return value
