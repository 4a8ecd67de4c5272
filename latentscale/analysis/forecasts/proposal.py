"""Proposals for latents: a Laplace approximation on each posterior draw, with heavier tails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from latentscale.analysis.forecasts.latents import Floats, LocalProblem, slope_and_curvature

_TAIL = 8.0
"""Degrees of freedom of the t proposal: heavier tails than the target, hardly wider in the bulk."""
_NEWTON_STEPS = 15
"""About 5 Newton steps suffice from a good starting point; the rest are for slow draws."""
_HALVINGS = 6
"""A Newton step is halved at most this often, to 1/64, before it is abandoned."""
_CLOSE = 1e-2
"""Distance from the mode, in prior standard deviations, that does not affect a proposal, whose
standard deviation is at least about a tenth of the prior's and whose tails are heavier than the
target's."""
_DIFFERENCE = 1e-3
"""Step of finite differences of the log prior: rounding and truncation errors balance there."""
_STRAGGLERS = 0.02
"""Share of draws that may be further from their mode: their weights remain correct."""
_BATCH = 2e6
"""Array elements in one call over several candidates: about ten arrays of 16 MB exist at a time."""
_LEAST_CURVATURE = 1e-3
"""Keeps the Hessian positive definite where a prior is not log-concave: a standard deviation of
about 30."""

Target = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Proposal:
    """One Gaussian per posterior draw, with the inverse Hessian at the mode as covariance.

    Attributes
    ----------
    mode
        Shape (sample, latent).
    to_latent
        Shape (sample, latent, latent): z = mode + to_latent u, u of unit variance.
    log_scale
        Log determinant of `to_latent`, (sample,).
    """

    mode: Floats
    to_latent: Floats
    log_scale: Floats

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw latents from Student's t in each whitened direction; return them and log densities.

        A score at the guessing floor says only that skill is low; there the target falls off only
        as fast as the prior, which Gaussian tails would miss.
        """
        u = rng.standard_t(_TAIL, self.mode.shape)
        z = self.mode + (self.to_latent @ u[..., None])[..., 0]
        constant = gammaln((_TAIL + 1) / 2) - gammaln(_TAIL / 2) - 0.5 * np.log(_TAIL * np.pi)
        log_t = constant - (_TAIL + 1) / 2 * np.log1p(u**2 / _TAIL)
        return z, log_t.sum(axis=1) - self.log_scale

    def log_t(self, z: Floats) -> Floats:
        """Return the log proposal density of `draw` at `z`, shape (sample,)."""
        u = self._whitened(z)
        constant = gammaln((_TAIL + 1) / 2) - gammaln(_TAIL / 2) - 0.5 * np.log(_TAIL * np.pi)
        log_t = constant - (_TAIL + 1) / 2 * np.log1p(u**2 / _TAIL)
        return log_t.sum(axis=1) - self.log_scale

    def log_gaussian(self, z: Floats) -> Floats:
        """Return the log density at `z` of the Gaussian itself, shape (sample,)."""
        u = self._whitened(z)
        return -0.5 * (u**2 + np.log(2 * np.pi)).sum(axis=1) - self.log_scale

    def at(self, index: np.ndarray) -> Proposal:
        """Return the proposals of chosen posterior draws."""
        return Proposal(self.mode[index], self.to_latent[index], self.log_scale[index])

    def _whitened(self, z: Floats) -> Floats:
        return np.linalg.solve(self.to_latent, (z - self.mode)[..., None])[..., 0]


def target_of(problem: LocalProblem, cells: np.ndarray) -> Target:
    """Return log prior + log likelihood of some cells, as a function of z; shape (..., sample)."""

    def target(z: Floats) -> Floats:
        likelihood = problem.log_likelihood(problem.eta(z))[..., cells].sum(axis=-1)
        return np.asarray(problem.log_prior(z).sum(axis=-1) + likelihood, dtype=float)

    return target


def at_each(function: Target, candidates: Sequence[Floats], cells: int) -> list[Floats]:
    """Evaluate a function of latents at several candidates, in as few calls as memory allows.

    Parameters
    ----------
    function
        Function of latents (candidate, sample, latent).
    candidates
        Each of shape (sample, latent).
    cells
        Number of cells that it uses.
    """
    if not candidates:
        return []
    together = max(1, int(_BATCH / max(1, len(candidates[0]) * max(1, cells))))
    values: list[Floats] = []
    for first in range(0, len(candidates), together):
        values += list(function(np.stack(candidates[first : first + together])))
    return values


def laplace_proposal(problem: LocalProblem, cells: np.ndarray) -> Proposal:
    """Return the Laplace approximation to prior times likelihood of some cells, on every draw.

    The mode is found by Newton's method with likelihood curvatures clipped at 0 and step halving;
    importance weights and Metropolis steps correct for the error of the approximation.

    Parameters
    ----------
    problem
        Latents and likelihood of one group.
    cells
        Mask of the cells to include.
    """
    target = target_of(problem, cells)
    z = problem.start.copy()
    value = target(z)
    climbing = np.ones(len(z), bool)
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = _derivatives(problem, cells, z)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        moved, value = _climb(target, z, value, step, climbing, cells=len(cells))
        gap = np.abs(moved - z).max(axis=1, initial=0.0)
        z = moved
        # A draw that did not move would only repeat the same step.
        climbing &= gap > 0
        if np.mean(gap > _CLOSE) < _STRAGGLERS:
            break
    _, hessian = _derivatives(problem, cells, z)
    factor = np.linalg.cholesky(hessian)
    to_latent = np.linalg.inv(factor).swapaxes(1, 2)
    diagonal = np.einsum("sdd->sd", factor)
    return Proposal(z, to_latent, -np.log(diagonal).sum(axis=1))


def independence_chain(
    target: Target,
    proposal: Proposal,
    start: Floats,
    steps: int,
    rng: np.random.Generator,
    *,
    cells: int,
) -> list[Floats]:
    """Return states of an independence Metropolis chain on every draw, without the initial state.

    Parameters
    ----------
    target
        Log density, up to a constant.
    proposal
        Distribution of the proposals.
    start
        First state, shape (sample, latent).
    steps
        Number of steps.
    rng
        Source of random numbers.
    cells
        Number of cells that the target uses.
    """
    states, z = [], start
    # Proposals do not depend on the state, so all densities are evaluated at once.
    drawn = [(*proposal.draw(rng), np.log(rng.random(len(z)))) for _ in range(steps)]
    height, *heights = at_each(target, [start, *(one for one, _, _ in drawn)], cells)
    weight = height - proposal.log_t(z)
    for (candidate, log_q, level), value in zip(drawn, heights, strict=True):
        offered = value - log_q
        taken = level < offered - weight
        z = np.where(taken[:, None], candidate, z)
        weight = np.where(taken, offered, weight)
        states.append(z)
    return states


def log_mean_exp(values: Floats) -> Floats:
    """Return the log of the mean of exp over the last axis (candidates)."""
    return np.asarray(logsumexp(values, axis=-1) - np.log(values.shape[-1]), dtype=float)


def _derivatives(problem: LocalProblem, cells: np.ndarray, z: Floats) -> tuple[Floats, Floats]:
    """Return the gradient and a positive definite negative Hessian of the log target."""
    slope, curvature = slope_and_curvature(problem, problem.eta(z))
    slope, curvature = slope * cells, np.maximum(curvature, 0.0) * cells
    middle = problem.log_prior(z)
    up, down = problem.log_prior(z + _DIFFERENCE), problem.log_prior(z - _DIFFERENCE)
    prior_slope = (up - down) / (2 * _DIFFERENCE)
    prior_curvature = np.maximum(-(up - 2 * middle + down) / _DIFFERENCE**2, _LEAST_CURVATURE)
    transposed = problem.matrix.swapaxes(1, 2)
    gradient = (transposed @ slope[..., None])[..., 0] + prior_slope
    hessian = transposed @ (problem.matrix * curvature[..., None])
    corner = np.arange(z.shape[1])
    hessian[:, corner, corner] += prior_curvature
    return gradient, hessian


def _climb(
    target: Target, z: Floats, value: Floats, step: Floats, climbing: np.ndarray, *, cells: int
) -> tuple[Floats, Floats]:
    """Take each active draw's step, halved until the target does not decrease; else stay.

    Steps too short to affect a proposal are not halved: there rounding dominates.
    """
    best, best_value = z.copy(), value.copy()

    def take(tried: Floats, reached: Floats, waiting: np.ndarray) -> np.ndarray:
        good = waiting & (reached >= value)
        best[good], best_value[good] = tried[good], reached[good]
        return waiting & ~good

    whole = z + step
    waiting = take(whole, target(whole), climbing)
    waiting &= np.abs(step).max(axis=1, initial=0.0) > _CLOSE
    if waiting.any():
        halved = [z + step / 2**power for power in range(1, _HALVINGS)]
        for tried, reached in zip(halved, at_each(target, halved, cells), strict=True):
            waiting = take(tried, reached, waiting)
    return best, best_value
