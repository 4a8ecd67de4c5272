"""Noise by model: models' log precisions and their spread, by slice sampling."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from latentscale.inference.gibbs.slices import (
    SHRINKS,
    STEPS,
    log_prior,
    slice_number,
    slice_scale,
)

_FIRST_SPREAD = 0.3  # chains begin near equal noise, as priors of the spread favour
_LARGEST = 30.0  # log precisions beyond which noise is none or all; not reached


class ModelNoise:
    """Effects m_i ~ Normal(0, spread^2) on the log precision of all scores of a model.

    Attributes
    ----------
    prior
        Of the spread, as a code.
    effect
        m_i, shape (model,).
    spread
        Their standard deviation.

    Parameters
    ----------
    prior
        See the attribute.
    model
        Model of each cell, shape (cell,).
    models
        Number of models.
    """

    def __init__(self, prior: np.ndarray, model: np.ndarray, models: int) -> None:
        self.prior = prior
        self.effect = np.zeros(models)
        self.spread = _FIRST_SPREAD
        self._model = model
        self._order = np.argsort(model, kind="stable")
        self._start = np.searchsorted(model[self._order], np.arange(models + 1)).astype(np.int64)

    @property
    def factor(self) -> np.ndarray:
        """Factor of each cell's precision, shape (cell,)."""
        return np.exp(self.effect)[self._model]

    def draw(self, scaled: np.ndarray, tail: np.ndarray, rng: np.random.Generator) -> None:
        """Draw the effects, then their spread twice, with mixing weights integrated out.

        Parameters
        ----------
        scaled
            Squared residuals divided by the squared scale of the benchmarks' noise, shape (cell,).
        tail
            Degrees of freedom of each cell, 0 for normal noise, shape (cell,).
        rng
            Source of random numbers.
        """
        order = self._order
        self.effect = slice_effects(
            self.effect, self.spread, self._start, scaled[order], tail[order], rng
        )
        square = float(np.sum(self.effect**2))
        count = float(self.effect.size)
        self.spread = slice_scale(self.spread, self.prior, count, square, 0.0, 0.0, 0.0, rng)
        self._draw_spread_given_units(scaled[order], tail[order], rng)

    def _draw_spread_given_units(
        self, scaled: np.ndarray, tail: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Draw the spread given effects in its units (Yu and Meng 2011)."""
        unit = self.effect / self.spread

        def density(log_spread: float) -> float:
            return float(spread_density(log_spread, self.prior, unit, self._start, scaled, tail))

        self.spread = math.exp(slice_number(density, math.log(self.spread), rng))
        self.effect = unit * self.spread


@njit(nogil=True, cache=True, error_model="numpy")
def _log_likelihood(x: float, scaled: np.ndarray, tail: np.ndarray) -> float:
    """Return the log density of a model's residuals given its log precision, up to a constant."""
    times = math.exp(x)
    density = 0.5 * scaled.size * x
    for e in range(scaled.size):
        if tail[e] == 0:
            density -= 0.5 * scaled[e] * times
        else:
            density -= 0.5 * (tail[e] + 1) * math.log1p(scaled[e] * times / tail[e])
    return density


@njit(nogil=True, cache=True, error_model="numpy")
def _effect_density(x: float, spread: float, scaled: np.ndarray, tail: np.ndarray) -> float:
    if abs(x) > _LARGEST:
        return -np.inf
    return _log_likelihood(x, scaled, tail) - 0.5 * (x / spread) ** 2


@njit(nogil=True, cache=True, error_model="numpy")
def spread_density(
    log_spread: float,
    prior: np.ndarray,
    unit: np.ndarray,
    start: np.ndarray,
    scaled: np.ndarray,
    tail: np.ndarray,
) -> float:
    """Return the log density of the log spread given effects in its units.

    Parameters
    ----------
    log_spread
        Its logarithm.
    prior
        Of the spread, as a code.
    unit
        Effects over the spread, shape (model,).
    start
        Where each model's cells begin, shape (model + 1,).
    scaled, tail
        As for `ModelNoise.draw`, in the order of models.
    """
    if abs(log_spread) > _LARGEST:
        return -np.inf
    spread = math.exp(log_spread)
    density = log_prior(prior, spread) + log_spread
    for i in range(unit.size):
        x = spread * unit[i]
        if abs(x) > _LARGEST:
            return -np.inf
        own = slice(start[i], start[i + 1])
        density += _log_likelihood(x, scaled[own], tail[own])
    return density


@njit(nogil=True, cache=True, error_model="numpy")
def slice_effects(
    effect: np.ndarray,
    spread: float,
    start: np.ndarray,
    scaled: np.ndarray,
    tail: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the next effects of all models, shape (model,).

    Parameters
    ----------
    effect, spread
        Their values and standard deviation.
    start
        Where each model's cells begin, shape (model + 1,).
    scaled, tail
        As for `ModelNoise.draw`, in the order of models.
    rng
        Source of random numbers.
    """
    drawn = np.empty_like(effect)
    for i in range(effect.size):
        own, nu = scaled[start[i] : start[i + 1]], tail[start[i] : start[i + 1]]
        at = effect[i]
        level = _effect_density(at, spread, own, nu) - rng.standard_exponential()
        lower = at - spread * rng.random()
        upper = lower + spread
        for _ in range(STEPS):
            if _effect_density(lower, spread, own, nu) <= level:
                break
            lower -= spread
        for _ in range(STEPS):
            if _effect_density(upper, spread, own, nu) <= level:
                break
            upper += spread
        new = at
        for _ in range(SHRINKS):
            new = lower + (upper - lower) * rng.random()
            if _effect_density(new, spread, own, nu) > level:
                break
            if new < at:
                lower = new
            else:
                upper = new
        drawn[i] = new
    return drawn
