"""Stochastic ascent of the evidence lower bound: learning rates, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from latentscale.inference.tools.posterior_density import PosteriorDensity

# Adam's decay rates of the two moments, and the constant that avoids division by 0 (Kingma and Ba
# 2015).
_DECAY = (0.9, 0.999)
_SMALL = 1e-8
_EVERYWHERE = slice(None)
# First rates to try, on parameters of order 1: half an order of magnitude apart, for 100 steps
# each, which show the largest that does not diverge (Kucukelbir et al. 2017, section 2.6). If few
# steps are allowed, trials take at most half of them.
_TRIAL_RATES = (0.1, 0.03, 0.01)
_TRIAL_STEPS = 100
_TRIAL_SHARE = 0.5
_FEWEST = 2  # steps per window, so that its mean has a standard error
# The rate falls threefold between four stages, 27-fold in all, and the iterates' noise with it.
_FALL = 3.0
_STAGES = 4
_PATIENCE = 2  # windows without a rise that end a stage: one may be noise


class Approximation(Protocol):
    """A distribution whose draws are smooth functions of its parameters and of noise."""

    @property
    def parameters(self) -> np.ndarray:
        """Free parameters, one vector."""

    @property
    def size(self) -> int:
        """Dimension of a draw."""

    @property
    def entropy(self) -> float:
        """Entropy in nats."""

    def point(self, noise: np.ndarray) -> np.ndarray:
        """Return the draw that standard normal noise gives."""

    def gradient(self, noise: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return the ELBO's gradient with respect to the parameters."""

    def with_parameters(self, parameters: np.ndarray) -> Self:
        """Return the same kind of approximation with other parameters."""


@dataclass(frozen=True)
class ELBOMaximum[Normal: Approximation]:
    """What a stochastic ascent of the ELBO reached.

    Attributes
    ----------
    normal
        The approximation, its parameters averaged over the last window.
    elbo, error
        Mean of the ELBO over the last window, and its standard error, in nats.
    steps
        Steps taken, including trials of learning rates.
    learning_rate
        The first learning rate.
    converged
        Whether the ELBO, a finite number, stopped rising at the smallest rate.
    interrupted
        Whether the user stopped it.
    """

    normal: Normal
    elbo: float
    error: float
    steps: int
    learning_rate: float
    converged: bool
    interrupted: bool

    def after(self, steps: int) -> ELBOMaximum[Normal]:
        """Return the same result, with the steps of an earlier ascent added."""
        return replace(self, steps=self.steps + steps)


class Climber[Normal: Approximation](Protocol):
    """What moves an approximation uphill."""

    @property
    def normal(self) -> Normal:
        """The current approximation."""

    @property
    def gradients(self) -> int:
        """Number of gradients per step."""

    def step(self, rate: float) -> float:
        """Take a step and return an estimate of the ELBO there."""


class Adam:
    """Directions of ascent from noisy gradients (Kingma and Ba 2015, algorithm 1).

    Parameters
    ----------
    size
        Number of parameters n.
    """

    def __init__(self, size: int) -> None:
        self._first, self._second = np.zeros(size), np.zeros(size)
        self._bias = tuple(np.ones(size) for _ in _DECAY)  # left of the start at zero

    def direction(self, gradient: np.ndarray, at: np.ndarray | slice = _EVERYWHERE) -> np.ndarray:
        """Take in a gradient and return the direction of ascent, with the gradient's shape.

        Parameters
        ----------
        gradient
            Gradient with respect to the updated parameters, shape (m,).
        at
            Which parameters these are; the moments of the others do not change.
        """
        for left, decay in zip(self._bias, _DECAY, strict=True):
            left[at] *= decay
        first = self._first[at] + (1 - _DECAY[0]) * (gradient - self._first[at])
        second = self._second[at] + (1 - _DECAY[1]) * (gradient**2 - self._second[at])
        self._first[at], self._second[at] = first, second
        mean = first / (1 - self._bias[0][at])
        spread = np.sqrt(second / (1 - self._bias[1][at]))
        return np.asarray(mean / (spread + _SMALL))


class WholeClimber[Normal: Approximation]:
    """Adam on one-draw gradients of the ELBO."""

    gradients = 1

    def __init__(self, density: PosteriorDensity, start: Normal, rng: np.random.Generator) -> None:
        self.normal = start
        self._density = density
        self._rng = rng
        self._adam = Adam(len(start.parameters))

    def step(self, rate: float) -> float:
        """Take a step and return the ELBO's one-draw estimate before it."""
        normal = self.normal
        noise = self._rng.standard_normal(normal.size)
        value, slope = self._density.value_and_gradient(normal.point(noise))
        if not np.isfinite(value):
            return -np.inf
        gradient = normal.gradient(noise, slope)
        change = rate * self._adam.direction(gradient)
        self.normal = normal.with_parameters(normal.parameters + change)
        return value + normal.entropy


def maximise_elbo[Normal: Approximation](
    begin: Callable[[], Climber[Normal]],
    *,
    steps: int,
    window: int,
    learning_rate: float | None,
    report: Callable[[int, float], None],
) -> ELBOMaximum[Normal]:
    """Climb the ELBO until it stops rising, or for a number of steps.

    Parameters
    ----------
    begin
        Makes a climber at the initial approximation.
    steps, window, learning_rate
        See `ADVI`; steps and the window in gradients.
    report
        Called after each window with the steps so far and the ELBO's mean.
    """
    done = 0
    rate = learning_rate
    if rate is None:
        rate, done = _best_rate(begin, steps)
    climber = begin()
    first, stage, stale, best = rate, 1, 0, -np.inf
    mean, error = -np.inf, np.inf
    average: np.ndarray | None = None  # until a window has ended
    converged = interrupted = False
    try:
        while (done < steps or average is None) and not converged:
            count = _steps_of(min(window, max(steps - done, 0)), climber)
            mean, error, average = _window(climber, rate, count)
            done += count * climber.gradients
            report(done, mean)
            stale = 0 if mean > best + error else stale + 1
            best = max(best, mean)
            if stale >= _PATIENCE and stage < _STAGES:
                rate, stage, stale, best = rate / _FALL, stage + 1, 0, mean
            elif stale >= _PATIENCE:
                converged = True
    except KeyboardInterrupt:
        interrupted = True
    normal = climber.normal if average is None else climber.normal.with_parameters(average)
    converged = converged and bool(np.isfinite(mean))
    return ELBOMaximum(normal, mean, error, done, first, converged, interrupted)


def _steps_of[Normal: Approximation](gradients: int, climber: Climber[Normal]) -> int:
    """Return the number of steps that take about this many gradients."""
    return max(_FEWEST, round(gradients / climber.gradients))


def _window[Normal: Approximation](
    climber: Climber[Normal], rate: float, steps: int
) -> tuple[float, float, np.ndarray]:
    """Take some steps; return the ELBO's mean, its standard error and the mean parameters."""
    values = np.empty(steps)
    total = np.zeros_like(climber.normal.parameters)
    for index in range(steps):
        values[index] = climber.step(rate)
        total += climber.normal.parameters
    finite = values[np.isfinite(values)]
    if len(finite) < max(2, steps // 2):
        return -np.inf, np.inf, climber.normal.parameters
    return float(finite.mean()), float(finite.std(ddof=1) / np.sqrt(len(finite))), total / steps


def _best_rate[Normal: Approximation](
    begin: Callable[[], Climber[Normal]], steps: int
) -> tuple[float, int]:
    """Return the rate that climbs highest in a short trial, and the gradients that trials took.

    Kucukelbir et al. 2017, section 2.6.
    """
    reached, done = [], 0
    most = min(_TRIAL_STEPS, int(_TRIAL_SHARE * steps / len(_TRIAL_RATES)))
    for rate in _TRIAL_RATES:
        climber = begin()
        count = _steps_of(most, climber)
        values = [climber.step(rate) for _ in range(count)]
        done += count * climber.gradients
        tail = np.array(values[count // 2 :])
        reached.append(tail.mean() if np.isfinite(tail).all() else -np.inf)
    return _TRIAL_RATES[int(np.argmax(reached))], done
