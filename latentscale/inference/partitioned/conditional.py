"""Conditional: each lineage's latents given the shared parameters, by importance sampling.

A lineage's latents are proposed from the normal at their mode. The mean importance weight is an
unbiased estimate of the lineage's marginal likelihood, and a candidate chosen by weight is a draw
of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from latentscale.errors import FitError
from latentscale.inference.partitioned.shard import Floats, Shard

# Smallest curvature of a latent: a standard deviation of 10, where the prior's is 1, or 5 if
# families are not pooled. Smaller curvature means that the point is not a mode.
_LEAST_CURVATURE = 1e-2
_LONGEST = 1.0  # step, in standard deviations of the latents' priors
_FLATTEST = 1e-9  # of the largest curvature of a lineage: smaller values are rounding
# Newton's steps to the mode: about five from 0, one from the mode for nearby parameters.
_MOST_STEPS = 30
_ARRIVED = 1e-3  # of a latent's unit scale: the normal need not be exactly at the mode
_HALVINGS = 12  # to 1/4000 of a step: below that, rounding dominates
# Newton's steps with fixed curvature, from the linear prediction of the mode: each leaves about a
# fifth of the distance.
_POLISH = 2
# The two Gauss-Legendre points on (0, 1): exact for a log density of degree 4 along the path; a
# lineage's differs from a quadratic by a few tenths over a standard deviation.
_NODES = (0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3))
_LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Centre:
    """Latents' normal approximation around one value of the shared parameters.

    Attributes
    ----------
    shared
        This value, shape (d,).
    mode
        Mode of the latents, shape (unit, latent).
    curvature
        Minus the Hessian there, shape (unit, latent, latent).
    drift
        Derivative of the mode with respect to the shared parameters, shape (unit, latent, d).
    information
        Minus the Hessian of the log marginal likelihood by the Laplace approximation, without the
        change of the determinant, shape (d, d).
    """

    shared: Floats
    mode: Floats
    curvature: Floats
    drift: Floats
    information: Floats

    def reduced(self, shared_slope: Floats, latents_slope: Floats) -> Floats:
        """Return the score of the shared parameters as latents move along, shape (d,).

        The mean over the latents' posterior is the score of the marginal likelihood (Fisher's
        identity; the latents' part has mean 0), with far less variance than the first part.
        """
        return np.asarray(shared_slope + np.einsum("uwd,uw->d", self.drift, latents_slope))


def climb_latents(shard: Shard, shared: Floats, begin: Floats) -> tuple[Floats, Floats]:
    """Return the mode of the latents given shared parameters, and minus the Hessian there."""
    latents = begin
    here = shard.gradient(shared, latents)
    curvature = lifted(shard.curvature(shared, latents))
    for _ in range(_MOST_STEPS):
        step = _newton_step(curvature, here.latents)
        if np.abs(step).max(initial=0.0) < _ARRIVED:
            break
        share = 1.0
        for _ in range(_HALVINGS):
            there = shard.gradient(shared, latents + share * step)
            if there.value > here.value:
                break
            share /= 2
        else:
            break
        latents, here = latents + share * step, there
        curvature = lifted(shard.curvature(shared, latents))
    return latents, curvature


def centre(shard: Shard, shared: Floats, begin: Floats) -> Centre:
    """Return the latents' normal approximation at shared parameters, from a first guess."""
    mode, curvature = climb_latents(shard, shared, begin)
    own, others = shard.cross(shared, mode)
    drift = np.linalg.solve(curvature, others)
    information = -own - np.einsum("uwd,uwe->de", others, drift)
    return Centre(shared, mode, curvature, drift, information)


def moved_to_mode(shard: Shard, centre: Centre, shared: Floats) -> Floats:
    """Return the approximate mode of the latents at shared parameters (d,) near a centre's."""
    latents = centre.mode + centre.drift @ (shared - centre.shared)
    for _ in range(_POLISH):
        _, slope = shard.along_latents(shared, latents)
        latents = latents + _newton_step(centre.curvature, slope)
    return np.asarray(latents)


@dataclass(frozen=True)
class Candidates:
    """Importance sampling of the latents at one value of the shared parameters.

    Attributes
    ----------
    level
        Log of the estimated marginal likelihood of the shard.
    halves
        The same from each half of the candidates, shape (2,).
    latents
        A draw of the latents, shape (unit, latent).
    score
        Score of the shared parameters (see `Centre.reduced`), shape (d,): the mean over the
        requested number of draws of the latents.
    ess
        Effective number of candidates of each unit, shape (unit,).
    """

    level: float
    halves: Floats
    latents: Floats
    score: Floats
    ess: Floats


@dataclass(frozen=True)
class Sampler:
    """Candidates of the latents, with the same random numbers at any shared parameters.

    Common random numbers make the error of the log marginal likelihood change slowly with the
    shared parameters, so that it hardly touches their weights.

    Attributes
    ----------
    shard, centre
        The shard that is sampled, and the centre of the normals.
    noise
        Standard normal draws, shape (candidate, unit, latent), in pairs with opposite signs.
    renew
        Whether curvature is recomputed at every value of the shared parameters.
    """

    shard: Shard
    centre: Centre
    noise: Floats
    renew: bool

    @classmethod
    def of(
        cls, shard: Shard, centre: Centre, count: int, rng: np.random.Generator, *, renew: bool
    ) -> Sampler:
        """Draw the random numbers of `count` candidates, a multiple of 4."""
        half = rng.standard_normal((count // 2, 1, *shard.places.shape)) * shard.present
        noise = np.concatenate([half, -half], axis=1).reshape(count, *shard.places.shape)
        return cls(shard, centre, noise, renew)

    def at(self, shared: Floats, rng: np.random.Generator, scores: int = 1) -> Candidates:
        """Sample the latents at shared parameters of shape (d,)."""
        latents = moved_to_mode(self.shard, self.centre, shared)
        curvature = self.centre.curvature
        if self.renew:
            curvature = lifted(self.shard.curvature(shared, latents))
        here = self.shard.gradient(shared, latents)
        root = np.linalg.inv(np.linalg.cholesky(curvature))  # its transpose multiplies the noise
        steps = np.einsum("uvw,muv->muw", root, self.noise, optimize=True)
        gain = np.stack([self._gain(shared, latents, step) for step in steps])
        log_weight = gain + 0.5 * (self.noise**2).sum(axis=2)
        constant = here.value + float(np.log(np.einsum("uvv->uv", root)).sum())
        constant += 0.5 * _LOG_2PI * int(self.shard.present.sum())
        middle = len(steps) // 2
        parts = [log_weight, log_weight[:middle], log_weight[middle:]]
        level, *halves = [constant + _summed(each) for each in parts]
        weight = np.exp(log_weight - logsumexp(log_weight, axis=0))
        drawn = [latents + _picked(steps, weight, rng) for _ in range(scores)]
        slopes = [self.shard.gradient(shared, latent) for latent in drawn]
        score = np.mean([self.centre.reduced(s.shared, s.latents) for s in slopes], axis=0)
        ess = 1 / (weight**2).sum(axis=0)
        return Candidates(level, np.array(halves), drawn[0], score, ess)

    def _gain(self, shared: Floats, begin: Floats, step: Floats) -> Floats:
        """Return the change of each unit's log density along a step, shape (unit,).

        This is the integral of its gradient along the step: the shard's gradient has a part for
        every unit, but the shard's value is only their sum.
        """
        slopes = [self.shard.gradient(shared, begin + node * step).latents for node in _NODES]
        return np.asarray((np.mean(slopes, axis=0) * step).sum(axis=1))


def lifted(curvature: Floats) -> Floats:
    """Return symmetric matrices; at saddles, with absolute eigenvalues, raised if too small."""
    if not np.isfinite(curvature).all():
        raise FitError(
            "The density of a lineage has no finite curvature at a point of the search: a "
            "standard deviation or a precision has left the range of doubles. Use narrower priors "
            "for them, or NUTS()."
        )
    try:
        np.linalg.cholesky(curvature)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(curvature)
        largest = np.abs(values).max(axis=-1, keepdims=True)
        least = np.maximum(_LEAST_CURVATURE, _FLATTEST * largest)
        raised = np.maximum(np.abs(values), least)
        return np.asarray((vectors * raised[..., None, :]) @ vectors.swapaxes(-1, -2))
    return curvature


def _summed(log_weight: Floats) -> float:
    """Return the sum of the logs of units' mean weights, from log weights (candidate, unit)."""
    total = float((logsumexp(log_weight, axis=0) - np.log(len(log_weight))).sum())
    return total if np.isfinite(total) else -np.inf


def _picked(steps: Floats, weight: Floats, rng: np.random.Generator) -> Floats:
    """Return a step for each unit, (unit, latent), chosen by weights (candidate, unit)."""
    edges = np.cumsum(weight, axis=0)
    picks = (rng.random(edges.shape[1]) > edges).sum(axis=0).clip(max=len(steps) - 1)
    return np.asarray(steps[picks, np.arange(edges.shape[1])])


def _newton_step(curvature: Floats, slope: Floats) -> Floats:
    """Return Newton's step for each unit, (unit, latent), at most `_LONGEST` in any latent."""
    step = np.linalg.solve(curvature, slope[..., None])[..., 0]
    size = np.abs(step).max(axis=1, keepdims=True, initial=_LONGEST)
    return np.asarray(step * (_LONGEST / size))


def chosen_noise(seed: int, place: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return a shard's generators for candidates and choices; they do not depend on work order."""
    candidates, choices = np.random.default_rng([seed, place]).spawn(2)
    return candidates, choices
