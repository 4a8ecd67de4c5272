"""Log gamma, digamma and trigamma of one positive number, for compiled loops over cells."""

from __future__ import annotations

import math

from numba import njit

# Below this, the recurrence is used first; above it, Stirling's series (DLMF 5.11.1, 5.11.2 and
# 5.15.8) with the terms written here is exact to about 1e-13.
LARGE = 8.0
_HALF_LOG_2_PI = 0.9189385332046727  # log(2 pi) / 2, of Stirling's series

# fastmath is turned off explicitly: a caller that has it on would otherwise pass it on, and the
# code on disk would depend on who called first.


@njit(error_model="numpy", fastmath=False, forceinline=True)
def stirling(x: float, log_x: float) -> tuple[float, float]:
    """Return log Gamma(x) and its derivative for large x, given log(x)."""
    r = 1.0 / x
    s = r * r
    series = r * (
        1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * 691 / 360360))))
    )
    slope = s * (
        1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132 - s * 691 / 32760))))
    )
    return (x - 0.5) * log_x - x + _HALF_LOG_2_PI + series, log_x - 0.5 * r - slope


@njit(cache=True, error_model="numpy", fastmath=False)
def log_gamma(x: float) -> float:
    """Return log Gamma(x) for x > 0."""
    product = 1.0
    while x < LARGE:
        product *= x
        x += 1.0
    value, _ = stirling(x, math.log(x))
    return value - math.log(product) if product != 1.0 else value


@njit(cache=True, error_model="numpy", fastmath=False)
def log_gamma_and_digamma(x: float) -> tuple[float, float]:
    """Return log Gamma(x) and its derivative for x > 0, sharing the work."""
    product, shift = 1.0, 0.0
    while x < LARGE:
        product *= x
        shift += 1.0 / x
        x += 1.0
    value, slope = stirling(x, math.log(x))
    if product != 1.0:
        value -= math.log(product)
    return value, slope - shift


@njit(cache=True, error_model="numpy", fastmath=False)
def trigamma(x: float) -> float:
    """Return the second derivative of log Gamma(x) for x > 0."""
    shift = 0.0
    while x < LARGE:
        shift += 1.0 / (x * x)
        x += 1.0
    r = 1.0 / x
    s = r * r
    series = s * r * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * 5 / 66))))
    return r + 0.5 * s + series + shift
