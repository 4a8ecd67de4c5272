"""Weights: draws of the shared parameters, weighted by all shards together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latentscale.engine.density import LogDensity
from latentscale.inference.partitioned.search import FARTHEST_POINT, Profile
from latentscale.inference.partitioned.shard import Floats
from latentscale.inference.partitioned.tasks import Result
from latentscale.numerics.psis import pareto_smoothed

# Grid of an axis, in standard deviations: beyond 9 is less than 1e-18 of a normal, and a density
# hardly changes over a hundredth.
_REACH, _CELLS = 9.0, 1800
_DEGREES = 15.0
"""Degrees of freedom of refitted proposals: tails heavier than those of a normal."""
# Curvature of an axis beyond its points, as a share of the curvature at them, and its minimum:
# tails heavier than the density's own keep weights bounded.
_TAIL, _LEAST_TAIL = 0.8, 0.3


@dataclass(frozen=True)
class Proposals:
    """Draws of the shared parameters from a distribution shaped along its axes.

    Attributes
    ----------
    draws
        Shape (draw, d).
    standard
        The draws on the axes, in standard deviations from the mean, shape (draw, d).
    log_q
        Log density, up to a constant, shape (draw,).
    """

    draws: Floats
    standard: Floats
    log_q: Floats


def along_axes(profile: Profile, count: int, rng: np.random.Generator) -> Proposals:
    """Draw along each axis from a density with the posterior's slopes at three points.

    This refines the split normal and split Student-t proposals of Geweke 1989.
    """
    size = profile.mean.size
    edges = np.linspace(-_REACH, _REACH, _CELLS + 1)
    standard, log_q = np.empty((count, size)), np.zeros(count)
    for axis in range(size):
        mass = np.exp(_log_density(profile.slopes[:, axis], (edges[1:] + edges[:-1]) / 2))
        mass = mass / mass.sum()
        cell = np.minimum(np.searchsorted(np.cumsum(mass), rng.random(count)), _CELLS - 1)
        standard[:, axis] = edges[cell] + rng.random(count) * (edges[1] - edges[0])
        log_q += np.log(mass[cell])
    return Proposals(profile.mean + standard @ profile.root, standard, log_q)


def refitted(weighted_draws: Weighted, root: Floats, rng: np.random.Generator) -> Proposals:
    """Draw the same number from a Student-t distribution with the moments of weighted draws.

    This is adaptive importance sampling (Cappe et al. 2004). The covariance is shrunk towards the
    previous one, root root', the more so the fewer effective draws there are per parameter.
    """
    count, size = weighted_draws.draws.shape
    mean = weighted_draws.weight @ weighted_draws.draws
    away = weighted_draws.draws - mean
    share = weighted_draws.ess / (weighted_draws.ess + size)
    covariance = (
        share * (away * weighted_draws.weight[:, None]).T @ away + (1 - share) * root @ root
    )
    values, vectors = np.linalg.eigh(covariance)
    normal = rng.standard_normal((count, size))
    standard = normal / np.sqrt(rng.chisquare(_DEGREES, count) / _DEGREES)[:, None]
    log_q = -0.5 * (_DEGREES + size) * np.log1p((standard**2).sum(axis=1) / _DEGREES)
    return Proposals(mean + standard @ ((vectors * np.sqrt(values)) @ vectors.T), standard, log_q)


def _log_density(slopes: Floats, at: Floats) -> Floats:
    """Return a log density with given slopes at -c, 0 and c: cubic between, quadratic beyond."""
    c = FARTHEST_POINT
    behind, middle, ahead = slopes
    linear = (ahead - behind) / (2 * c)
    square = (ahead + behind - 2 * middle) / (2 * c**2)
    inner = np.clip(at, -c, c)
    level = middle * inner + linear * inner**2 / 2 + square * inner**3 / 3
    beyond = at - inner
    edge = middle + linear * inner + square * inner**2
    curved = np.minimum(_TAIL * (linear + 2 * square * inner), -_LEAST_TAIL)
    level = level + edge * beyond + curved * beyond**2 / 2
    return np.asarray(level - level.max())


@dataclass(frozen=True)
class Weighted:
    """Weighted draws.

    Attributes
    ----------
    draws
        The proposed draws, shape (draw, d).
    log_p
        Estimated log marginal posterior, up to a constant, shape (draw,).
    weight
        Pareto-smoothed weights that sum to 1, shape (draw,).
    log_q
        Log density of the proposal, shape (draw,).
    pareto_k, ess
        Pareto k and effective sample size of the weights.
    error
        Root mean square, over parameters, of the shift in a posterior mean from the Monte Carlo
        error of the latents' integrals, in posterior standard deviations: half the distance between
        the means from the two halves of the candidates.
    unit_share
        Median over lineages of the effective share of a lineage's candidates.
    """

    draws: Floats
    log_p: Floats
    weight: Floats
    log_q: Floats
    pareto_k: float
    ess: float
    error: float
    unit_share: float


def weighted(
    proposals: Proposals,
    results: Sequence[Result],
    prior: LogDensity,
) -> Weighted:
    """Weight draws by their prior and by the marginal likelihood of every shard."""
    before = np.array([prior(point)[0] for point in proposals.draws])
    log_p = before + sum(result["level"] for result in results)
    log_p = np.where(np.isfinite(log_p), log_p, -np.inf)
    smooth = pareto_smoothed(log_p - proposals.log_q)
    weight = np.exp(smooth.log_weights)
    halves = before[:, None] + sum(result["halves"] for result in results)
    shares = [result["ess"].mean(axis=0) / result["candidates"] for result in results]
    return Weighted(
        draws=proposals.draws,
        log_p=log_p,
        weight=weight,
        log_q=proposals.log_q,
        pareto_k=float(smooth.pareto_k),
        ess=1 / float((weight**2).sum()),
        error=_error(proposals, halves),
        unit_share=float(np.median(np.concatenate(shares))),
    )


def _error(proposals: Proposals, halves: Floats) -> float:
    """Return the Monte Carlo error of posterior means (see `Weighted`)."""
    means = []
    for log_p in halves.T:
        weight = np.exp(pareto_smoothed(log_p - proposals.log_q).log_weights)
        means.append(weight @ proposals.standard)
    return float(np.sqrt(np.mean((means[0] - means[1]) ** 2)) / 2)
