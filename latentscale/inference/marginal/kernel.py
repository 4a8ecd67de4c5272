"""Compiled loops: the likelihood of a family given its latents, its mode, and its integral.

These repeat in scalar form the equations that `latentscale.model.equations` has for named arrays
(the Beta density, the links, the floor and the ceiling), with first and second derivatives; tests
compare the two. A family's latents are alpha = A y with y standard normal.

They release the interpreter's lock, so that starts, columns of the information and draws run in
threads.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from latentscale.engine.ops.gammas import log_gamma, log_gamma_and_digamma, trigamma

LINKS: Final = {"logistic": 0, "power-logistic": 1, "cloglog": 2}
"""Numeric codes of the links in the loops."""


class Loop(NamedTuple):
    """The inputs of every loop: cells sorted by family, benchmarks' curves, and the mixing matrix.

    Attributes
    ----------
    first
        Where each family's cells begin, shape (family + 1,).
    bench, base, phi
        Benchmark, linear predictor at y = 0 and precision of each cell, shape (cell,).
    constant
        log Gamma(phi), digamma(phi), log score and log(1 - score), shape (cell, 4).
    curve
        Floor, ceiling, link power, and the power link's shift and stretch with their derivatives
        with respect to the power, shape (benchmark, 7).
    mix
        Loadings times A, so that eta = base + mix y, shape (benchmark, K).
    link
        The link's code.
    """

    first: np.ndarray
    bench: np.ndarray
    base: np.ndarray
    phi: np.ndarray
    constant: np.ndarray
    curve: np.ndarray
    mix: np.ndarray
    link: int


EXTRAS: Final = 4
"""Expected derivatives of each cell besides eta y: eta, log phi, log power, ceiling."""

_EDGE = 1e-6  # as `latentscale.model.equations` clamps expected scores inside (0, 1)
# Newton's steps to a family's mode: about 5 are usual, and each may be halved down to rounding. It
# ends when, by the decrement, the remaining gain is rounding too.
_MAX_STEPS = 60
_HALVINGS = 30
_DECREMENT = 1e-12


@njit(cache=True, error_model="numpy")
def _softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


@njit(cache=True, error_model="numpy")
def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@njit(cache=True, error_model="numpy")
def link_value(
    link: int, eta: float, curve: np.ndarray, j: int
) -> tuple[float, float, float, float]:
    """Return benchmark j's h, its first two eta-derivatives, and its derivative by the power."""
    if link == 0:
        h = _sigmoid(eta)
        slope = h * (1.0 - h)
        return h, slope, slope * (1.0 - 2.0 * h), 0.0
    if link == 1:
        power, shift, stretch = curve[j, 2], curve[j, 3], curve[j, 4]
        u = shift + stretch * eta
        left = _sigmoid(-u)
        soft = _softplus(-u)
        h = math.exp(-power * soft)
        ratio = power * stretch * left
        bend = ratio * ratio - power * stretch * stretch * left * (1.0 - left)
        by_power = h * (power * left * (curve[j, 5] + curve[j, 6] * eta) - soft)
        return h, h * ratio, h * bend, by_power
    e = math.exp(min(eta, 50.0))
    rest = math.exp(-e)
    slope = e * rest
    return -math.expm1(-e), slope, slope * (1.0 - e), 0.0


@njit(cache=True, error_model="numpy")
def _mean(
    link: int, eta: float, curve: np.ndarray, j: int
) -> tuple[float, float, float, float, float]:
    """Return mu and its derivatives by eta (two), log power and ceiling; zero if clamped."""
    h, h1, h2, by_power = link_value(link, eta, curve, j)
    span = curve[j, 1] - curve[j, 0]
    mean = curve[j, 0] + span * h
    if mean <= _EDGE:
        return _EDGE, 0.0, 0.0, 0.0, 0.0
    if mean >= 1.0 - _EDGE:
        return 1.0 - _EDGE, 0.0, 0.0, 0.0, 0.0
    return mean, span * h1, span * h2, span * by_power * curve[j, 2], h


@njit(cache=True, error_model="numpy")
def _eta(base: float, mix: np.ndarray, j: int, y: np.ndarray) -> float:
    eta = base
    for k in range(y.size):
        eta += mix[j, k] * y[k]
    return eta


@njit(cache=True, error_model="numpy")
def _log_density(mean: float, phi: float, constant: np.ndarray, c: int) -> float:
    a, b = mean * phi, (1.0 - mean) * phi
    beta = constant[c, 0] - log_gamma(a) - log_gamma(b)
    return beta + (a - 1.0) * constant[c, 2] + (b - 1.0) * constant[c, 3]


@njit(cache=True, error_model="numpy")
def _joint(loop: Loop, first: int, last: int, y: np.ndarray) -> float:
    """Return the log density of a family's scores and its latents y, plus K/2 log 2 pi."""
    _, bench, base, phi, constant, curve, mix, link = loop
    value = 0.0
    for k in range(y.size):
        value -= 0.5 * y[k] * y[k]
    for c in range(first, last):
        j = bench[c]
        mean = _mean(link, _eta(base[c], mix, j, y), curve, j)[0]
        value += _log_density(mean, phi[c], constant, c)
    return value


@njit(cache=True, error_model="numpy")
def _newton_parts(
    loop: Loop, first: int, last: int, y: np.ndarray, observed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient and negative Hessian (or Fisher information) of `_joint` at y."""
    _, bench, base, phi, constant, curve, mix, link = loop
    size = y.size
    gradient = -y.copy()
    hessian = np.eye(size)
    for c in range(first, last):
        j = bench[c]
        mean, m1, m2, _, _ = _mean(link, _eta(base[c], mix, j, y), curve, j)
        a, b = mean * phi[c], (1.0 - mean) * phi[c]
        _, da = log_gamma_and_digamma(a)
        _, db = log_gamma_and_digamma(b)
        by_mean = phi[c] * (db - da + constant[c, 2] - constant[c, 3])
        bend = phi[c] * phi[c] * (trigamma(a) + trigamma(b)) * m1 * m1
        if observed:
            bend -= by_mean * m2
        for k in range(size):
            gradient[k] += by_mean * m1 * mix[j, k]
            for other in range(k + 1):
                hessian[k, other] += bend * mix[j, k] * mix[j, other]
    for k in range(size):
        for other in range(k):
            hessian[other, k] = hessian[k, other]
    return gradient, hessian


@njit(cache=True, error_model="numpy")
def _cholesky(matrix: np.ndarray) -> tuple[bool, np.ndarray]:
    size = matrix.shape[0]
    factor = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > 1e-10:
                    return False, factor
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return True, factor


@njit(cache=True, error_model="numpy")
def _whitener(factor: np.ndarray) -> np.ndarray:
    """Return the transpose of the inverse of a lower triangular matrix."""
    size = factor.shape[0]
    inverse = np.zeros((size, size))
    for column in range(size):
        for i in range(column, size):
            total = 1.0 if i == column else 0.0
            for k in range(column, i):
                total -= factor[i, k] * inverse[k, column]
            inverse[i, column] = total / factor[i, i]
    return inverse.T.copy()


@njit(cache=True, error_model="numpy")
def _newton(
    loop: Loop, first: int, last: int, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Climb to the mode of one family's latents; return it and the spread around it."""
    y = start.copy()
    value = _joint(loop, first, last, y)
    for _ in range(_MAX_STEPS):
        gradient, hessian = _newton_parts(loop, first, last, y, True)
        good, factor = _cholesky(hessian)
        if not good:
            _, hessian = _newton_parts(loop, first, last, y, False)
            good, factor = _cholesky(hessian)
        spread = _whitener(factor)
        step = spread @ (spread.T @ gradient)
        decrement = gradient @ step
        if decrement < _DECREMENT:
            break
        length = 1.0
        for _ in range(_HALVINGS):
            tried = y + length * step
            reached = _joint(loop, first, last, tried)
            if reached >= value:
                break
            length *= 0.5
        if not reached >= value:
            break
        y, value = tried, reached
    _, hessian = _newton_parts(loop, first, last, y, True)
    good, factor = _cholesky(hessian)
    if not good:  # not concave, at a score near its floor; the Fisher information is safe
        _, hessian = _newton_parts(loop, first, last, y, False)
        good, factor = _cholesky(hessian)
    return y, _whitener(factor), value


@njit(cache=True, nogil=True, error_model="numpy")
def family_modes(loop: Loop, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each family's mode (family, K), spread (family, K, K) and joint density there.

    The spread S is the inverse square root of the negative Hessian: y = mode + S z.
    """
    families, size = start.shape
    modes = np.empty((families, size))
    spreads = np.empty((families, size, size))
    values = np.empty(families)
    for f in range(families):
        y, spread, value = _newton(loop, loop.first[f], loop.first[f + 1], start[f])
        modes[f] = y
        spreads[f] = spread
        values[f] = value
    return modes, spreads, values


@njit(cache=True, error_model="numpy")
def _point(
    modes: np.ndarray, spreads: np.ndarray, nodes: np.ndarray, f: int, q: int, y: np.ndarray
) -> float:
    """Write family f's mode + spread z_q into y; return -y'y / 2. Spreads are upper triangular."""
    size = y.size
    value = 0.0
    for k in range(size):
        total = modes[f, k]
        for other in range(k, size):
            total += spreads[f, k, other] * nodes[q, other]
        y[k] = total
        value -= 0.5 * total * total
    return value


@njit(cache=True, error_model="numpy")
def _log_volume(spread: np.ndarray) -> float:
    total = 0.0
    for k in range(spread.shape[0]):
        total += math.log(spread[k, k])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def integrate(
    loop: Loop,
    modes: np.ndarray,
    spreads: np.ndarray,
    nodes: np.ndarray,
    log_weights: np.ndarray,
) -> np.ndarray:
    """Return each family's log marginal likelihood by adaptive Gauss-Hermite quadrature.

    sum_q w_q exp(z_q^2 / 2) p(scores, mode + S z_q) |S|; `log_weights` are log w_q + z_q^2 / 2.
    """
    families = modes.shape[0]
    values = np.empty(families)
    for f in range(families):
        y = np.empty(modes.shape[1])
        top, total = -np.inf, 0.0
        for q in range(nodes.shape[0]):
            _point(modes, spreads, nodes, f, q, y)
            value = log_weights[q] + _joint(loop, loop.first[f], loop.first[f + 1], y)
            if value > top:
                total = total * math.exp(top - value) + 1.0
                top = value
            else:
                total += math.exp(value - top)
        values[f] = top + math.log(total) + _log_volume(spreads[f])
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def integrate_with_scores(
    loop: Loop,
    modes: np.ndarray,
    spreads: np.ndarray,
    nodes: np.ndarray,
    log_weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return `integrate` and, for each cell, posterior expectations of its derivatives.

    By Fisher's identity the gradient of a log marginal is the posterior expectation of the
    complete-data score. Columns: d/d eta, d/d log phi, d/d log power, d/d ceiling, and then
    y_k d/d eta for each k.
    """
    first, bench, base, phi, constant, curve, mix, link = loop
    families, size = modes.shape
    values = np.empty(families)
    expected = np.zeros((bench.size, EXTRAS + size))
    for f in range(families):
        start, count = first[f], first[f + 1] - first[f]
        parts = np.empty((count, EXTRAS))
        y = np.empty(size)
        top, total = -np.inf, 0.0
        for q in range(nodes.shape[0]):
            value = log_weights[q] + _point(modes, spreads, nodes, f, q, y)
            for i in range(count):
                c = start + i
                j = bench[c]
                mean, m1, _, m_power, m_top = _mean(link, _eta(base[c], mix, j, y), curve, j)
                a, b = mean * phi[c], (1.0 - mean) * phi[c]
                ga, da = log_gamma_and_digamma(a)
                gb, db = log_gamma_and_digamma(b)
                ls, l1s = constant[c, 2], constant[c, 3]
                value += constant[c, 0] - ga - gb + (a - 1.0) * ls + (b - 1.0) * l1s
                by_mean = phi[c] * (db - da + ls - l1s)
                parts[i, 0] = by_mean * m1
                parts[i, 1] = phi[c] * constant[c, 1] + a * (ls - da) + b * (l1s - db)
                parts[i, 2] = by_mean * m_power
                parts[i, 3] = by_mean * m_top
            if value > top:
                shrink = math.exp(top - value)
                total *= shrink
                for i in range(count):
                    for k in range(EXTRAS + size):
                        expected[start + i, k] *= shrink
                top = value
            weight = math.exp(value - top)
            total += weight
            for i in range(count):
                for k in range(EXTRAS):
                    expected[start + i, k] += weight * parts[i, k]
                by_eta = weight * parts[i, 0]
                for k in range(size):
                    expected[start + i, EXTRAS + k] += by_eta * y[k]
        for i in range(count):
            for k in range(EXTRAS + size):
                expected[start + i, k] /= total
        values[f] = top + math.log(total) + _log_volume(spreads[f])
    return values, expected


@njit(cache=True, nogil=True, error_model="numpy")
def joint_at(loop: Loop, latents: np.ndarray) -> np.ndarray:
    """Return `_joint` at given latents, (family, point) for latents (family, point, K)."""
    families, points, _ = latents.shape
    values = np.empty((families, points))
    for f in range(families):
        for q in range(points):
            values[f, q] = _joint(loop, loop.first[f], loop.first[f + 1], latents[f, q])
    return values
