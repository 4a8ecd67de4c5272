"""Log-gamma and digamma in one go, for numba."""

from __future__ import annotations

from math import log, pi

from numba import njit

_HALF_LOG_2_PI = 0.5 * log(2 * pi)


@njit(error_model="numpy")
def log_gamma_and_digamma(x):
    """Return both at x > 0, to about 12 digits.

    Below 7 the recurrence raises x; from there the Stirling series (NIST Handbook of
    Mathematical Functions, 5.11.1 and 5.11.2).
    """
    product, total = 1.0, 0.0
    while x < 7:
        product *= x
        total += 1 / x
        x += 1
    inverse = 1 / x
    square = inverse * inverse
    log_x = log(x)
    series = 1 / 1680 - square * (1 / 1188 - square * (691 / 360360))
    series = 1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * series))
    log_gamma = (x - 0.5) * log_x - x + _HALF_LOG_2_PI + inverse * series
    series = 1 / 240 - square * (1 / 132 - square * (691 / 32760))
    series = 1 / 12 - square * (1 / 120 - square * (1 / 252 - square * series))
    digamma = log_x - 0.5 * inverse - square * series
    if product != 1:
        log_gamma -= log(product)
    return log_gamma, digamma - total
