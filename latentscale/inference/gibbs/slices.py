"""Slice sampling of single numbers, compiled: standard deviations, precisions, shares, tails.

Neal 2003, "Slice sampling", section 4: stepping out, then shrinking. All densities are for an
unbounded number (the log of a positive one), with the Jacobian.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numba import njit

from latentscale.declare.prior import Prior

_DISTRIBUTIONS: Final = {
    "Normal": 0,
    "StudentT": 1,
    "Laplace": 2,
    "HalfNormal": 3,
    "HalfStudentT": 4,
    "LogNormal": 5,
    "Gamma": 6,
    "Exponential": 7,
    "Beta": 8,
}
"""Numeric codes of the distributions in the loops."""

STEPS: Final = 61
"""Most steps out on either side: one more than takes the interval from one limit to the other."""
SHRINKS: Final = 200
"""Most shrinkings: each removes a part of the interval, so after 200 only rounding is left."""
_WIDTH: Final = 1.0
"""First interval, in logs: the uncertainty of a standard deviation given ten effects."""
_SMALLEST, _LARGEST = -30.0, 30.0
"""Logs beyond which a scale is 0 or infinite compared with any other; no prior has mass there."""


def prior_code(prior: Prior) -> np.ndarray:
    """Return a prior for the loops: its code and its hyperparameters, shape (4,)."""
    numbers = list(prior.numbers.values())
    return np.array([_DISTRIBUTIONS[prior.dist], *numbers, *[0.0] * (3 - len(numbers))])


@njit(nogil=True, cache=True, error_model="numpy")
def log_prior(prior: np.ndarray, x: float) -> float:
    """Return the log density of a prior at x inside its support, up to a constant."""
    kind, a, b, c = int(prior[0]), prior[1], prior[2], prior[3]
    if kind == 0:
        return -0.5 * ((x - a) / b) ** 2
    if kind == 1:
        return -0.5 * (a + 1) * math.log1p(((x - b) / c) ** 2 / a)
    if kind == 2:
        return -abs(x - a) / b
    if kind == 3:
        return -0.5 * (x / a) ** 2
    if kind == 4:
        return -0.5 * (a + 1) * math.log1p((x / b) ** 2 / a)
    if kind == 5:
        return -0.5 * ((math.log(x) - a) / b) ** 2 - math.log(x)
    if kind == 6:
        return (a - 1) * math.log(x) - b * x
    if kind == 7:
        return -a * x
    return (a - 1) * math.log(x) + (b - 1) * math.log1p(-x)


@njit(nogil=True, cache=True, error_model="numpy")
def _scale_density(
    log_x: float, prior: np.ndarray, power: float, square: float, a: float, b: float, at: float
) -> float:
    """Return log prior(x) - power log x - square / (2 x^2) + a (x - at) - b (x - at)^2 / 2 + log x.

    The first terms are for effects with standard deviation x, the next two for a linear predictor
    that is linear in x, and the last is the Jacobian.
    """
    if log_x < _SMALLEST or log_x > _LARGEST:
        return -np.inf
    x = math.exp(log_x)
    away = x - at
    density = log_prior(prior, x) + (1 - power) * log_x + a * away - 0.5 * b * away * away
    if square > 0:
        density -= 0.5 * square / (x * x)
    return density


@njit(nogil=True, cache=True, error_model="numpy")
def slice_scale(
    x: float,
    prior: np.ndarray,
    power: float,
    square: float,
    a: float,
    b: float,
    at: float,
    rng: np.random.Generator,
) -> float:
    """Return the next value of a positive number with the density of `_scale_density`.

    Parameters
    ----------
    x
        Its value.
    prior
        From `prior_code`.
    power, square
        Number of effects with this standard deviation, and the sum of their squares; both 0 if
        effects do not enter.
    a, b, at
        Slope and curvature of the log likelihood in x at `at`; both 0 if x does not enter it.
    rng
        Source of random numbers.
    """
    start = math.log(x)
    level = _scale_density(start, prior, power, square, a, b, at) - rng.standard_exponential()
    lower = start - _WIDTH * rng.random()
    upper = lower + _WIDTH
    for _ in range(STEPS):
        if _scale_density(lower, prior, power, square, a, b, at) <= level:
            break
        lower -= _WIDTH
    for _ in range(STEPS):
        if _scale_density(upper, prior, power, square, a, b, at) <= level:
            break
        upper += _WIDTH
    for _ in range(SHRINKS):
        proposal = lower + (upper - lower) * rng.random()
        if _scale_density(proposal, prior, power, square, a, b, at) > level:
            return math.exp(proposal)
        if proposal < start:
            lower = proposal
        else:
            upper = proposal
    return x


@njit(nogil=True, cache=True, error_model="numpy")
def slice_scales(
    x: np.ndarray,
    priors: np.ndarray,
    power: np.ndarray,
    square: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the next values of independent positive numbers, each shape (n,); see `slice_scale`.

    Slope and curvature of the log likelihood are those at `x`; `priors` has shape (n, 4).
    """
    drawn = np.empty_like(x)
    for e in range(x.size):
        drawn[e] = slice_scale(x[e], priors[e], power[e], square[e], a[e], b[e], x[e], rng)
    return drawn


@njit(nogil=True, cache=True, error_model="numpy")
def _noise_density(log_phi: float, prior: np.ndarray, square: np.ndarray, tail: float) -> float:
    """Return the log density of log phi given squared residuals of a benchmark.

    Residuals are Student-t with scale 2 / sqrt(phi), or normal if the tail is 0.
    """
    if log_phi < _SMALLEST or log_phi > _LARGEST:
        return -np.inf
    phi = math.exp(log_phi)
    density = log_prior(prior, phi) + (1 + 0.5 * square.size) * log_phi
    if tail == 0:
        return density - phi * square.sum() / 8
    for s in square:
        density -= 0.5 * (tail + 1) * math.log1p(s * phi / (4 * tail))
    return density


@njit(nogil=True, cache=True, error_model="numpy")
def slice_precisions(
    phi: np.ndarray,
    priors: np.ndarray,
    start: np.ndarray,
    square: np.ndarray,
    tail: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the next precisions of all benchmarks, shape (benchmark,).

    Parameters
    ----------
    phi, priors
        Their values, and their priors, shape (benchmark, 4).
    start
        Where each benchmark's cells begin, shape (benchmark + 1,).
    square
        Squared residuals, shape (cell,).
    tail
        Degrees of freedom, 0 for normal noise, shape (benchmark,).
    rng
        Source of random numbers.
    """
    drawn = np.empty_like(phi)
    for j in range(phi.size):
        own = square[start[j] : start[j + 1]]
        at = math.log(phi[j])
        level = _noise_density(at, priors[j], own, tail[j]) - rng.standard_exponential()
        lower = at - _WIDTH * rng.random()
        upper = lower + _WIDTH
        for _ in range(STEPS):
            if _noise_density(lower, priors[j], own, tail[j]) <= level:
                break
            lower -= _WIDTH
        for _ in range(STEPS):
            if _noise_density(upper, priors[j], own, tail[j]) <= level:
                break
            upper += _WIDTH
        new = at
        for _ in range(SHRINKS):
            new = lower + (upper - lower) * rng.random()
            if _noise_density(new, priors[j], own, tail[j]) > level:
                break
            if new < at:
                lower = new
            else:
                upper = new
        drawn[j] = math.exp(new)
    return drawn


@njit(nogil=True, cache=True, error_model="numpy")
def tail_density(log_tail: float, prior: np.ndarray, scaled: np.ndarray) -> float:
    """Return the log density of log degrees of freedom given squared scaled residuals."""
    if log_tail < _SMALLEST or log_tail > _LARGEST:
        return -np.inf
    nu = math.exp(log_tail)
    each = math.lgamma(0.5 * (nu + 1)) - math.lgamma(0.5 * nu) - 0.5 * log_tail
    density = log_prior(prior, nu) + log_tail + scaled.size * each
    for z in scaled:
        density -= 0.5 * (nu + 1) * math.log1p(z / nu)
    return density


def slice_number(
    density: Callable[[float], float], at: float, rng: np.random.Generator, width: float = _WIDTH
) -> float:
    """Return the next value of an unbounded number.

    Parameters
    ----------
    density
        Its log density, up to a constant; -inf outside its support.
    at
        Its value.
    rng
        Source of random numbers.
    width
        First interval.
    """
    level = density(at) - rng.standard_exponential()
    lower = at - width * rng.random()
    upper = lower + width
    for _ in range(STEPS):
        if density(lower) <= level:
            break
        lower -= width
    for _ in range(STEPS):
        if density(upper) <= level:
            break
        upper += width
    for _ in range(SHRINKS):
        proposal = lower + (upper - lower) * rng.random()
        if density(proposal) > level:
            return float(proposal)
        if proposal < at:
            lower = proposal
        else:
            upper = proposal
    return at
