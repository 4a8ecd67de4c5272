"""Search: locate the shared parameters' marginal posterior, and its profile along axes.

Newton's method climbs the log marginal posterior, whose gradient and information are sums over
shards. The normal at the mode gives the axes along which the density is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg

from latentscale.engine.density import LogDensity
from latentscale.inference.partitioned.shard import Floats
from latentscale.inference.partitioned.tasks import Result
from latentscale.numerics.curvature import hessian

Run = Callable[[int, Floats, Floats, Sequence[Floats | None], bool], list[Result]]
"""From the number of (first) shards, the centre (d,), draws (draw, d), guesses of each shard's
latents, and whether curvature is recomputed, to the shards' results."""

# Largest change of a parameter in one step: scales change by two thirds, loadings and intercepts
# by half a unit of the link. Far from the mode a quadratic cannot be trusted beyond that.
_FARTHEST = 0.5
# Smallest information of a direction: a standard deviation of 10, wider than any prior here.
_LEAST_INFORMATION = 1e-2
# By how much a step may appear to lower a log density: the error of its estimate near the mode.
_NOISE = 1.0
# Root mean square of a step, in posterior standard deviations, at which climbs end: on the first
# shard, and on all. The mean gradient and the weights correct for the rest.
_NEAR, _NEARER = 0.5, 0.25
FARTHEST_POINT = float(np.sqrt(3))
"""Distance of the points on an axis: with the centre, the three-point Gauss-Hermite rule."""
# Effective share of candidates below which curvature is recomputed at each draw.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Profile:
    """The log marginal posterior on the axes of a normal.

    Attributes
    ----------
    mean, root
        The normal's mean (d,) and the symmetric root of its covariance (d, d).
    slopes
        Slope of the log density along each axis, in standard deviations, at -c, 0 and c, with c
        `FARTHEST_POINT`; shape (3, d).
    """

    mean: Floats
    root: Floats
    slopes: Floats


@dataclass
class Search:
    """A search for the normal.

    Attributes
    ----------
    run
        Runs the shards' work.
    prior
        Log prior of the shared parameters.
    shared
        Current position, shape (d,).
    shards
        Number of shards.
    information
        Inverse covariance of the normal, shape (d, d).
    guesses
        Last known modes of the latents, by shard.
    step
        Root mean square of the last step, in posterior standard deviations.
    renew
        Whether curvature has to be recomputed at each draw.
    """

    run: Run
    prior: LogDensity
    shared: Floats
    shards: int
    information: Floats = field(init=False)
    guesses: list[Floats | None] = field(init=False)
    step: float = np.inf
    renew: bool = False

    def __post_init__(self) -> None:
        self.information = np.eye(self.shared.size)
        self.guesses = [None] * self.shards
        self._best, self._highest = self.shared, -np.inf

    @property
    def root(self) -> Floats:
        """The covariance's symmetric root, shape (d, d), with axes closest to the parameters'."""
        values, vectors = np.linalg.eigh(self.information)
        return np.asarray((vectors / np.sqrt(values)) @ vectors.T)

    def climb(self, rounds: int) -> None:
        """Climb on the first shard, then on all; at most `rounds` steps on each."""
        for count, near in ((1, _NEAR), (self.shards, _NEARER)):
            self._highest = -np.inf
            for _ in range(rounds):
                if self._newton(count) < near:
                    break

    def _newton(self, count: int) -> float:
        """Take a step, or go halfway back to the highest point if the current one is lower."""
        none = np.zeros((0, self.shared.size))
        results = self.run(count, self.shared, none, self.guesses, False)
        level = self.prior(self.shared)[0] + sum(float(result["level"][0]) for result in results)
        if not level > self._highest - _NOISE:
            self.shared = (self._best + self.shared) / 2
            return np.inf
        self._best, self._highest = self.shared, level
        self._keep_modes(results)
        score = self._with_prior(results, self.shared)
        prior = -hessian(lambda there: self.prior(there)[1], self.shared)
        self.information = raised(prior + sum(result["information"] for result in results))
        step = linalg.solve(self.information, score, assume_a="pos")
        self.step = float(np.sqrt(score @ step / score.size))
        self.shared = self.shared + step * min(1.0, _FARTHEST / float(np.abs(step).max()))
        return self.step

    def profile(self) -> Profile:
        """Return the slopes of the log marginal posterior along the axes of the normal."""
        root = self.root
        size = self.shared.size
        axes = FARTHEST_POINT * np.eye(size)
        standard = np.concatenate([np.zeros((1, size)), axes, -axes])
        points = self.shared + standard @ root
        results = self.run(self.shards, self.shared, points, self.guesses, False)
        share = min(float(np.median(r["ess"].mean(axis=0))) / r["candidates"] for r in results)
        self.renew = bool(share < _LEAST_SHARE)
        score = np.array([self.prior(point)[1] for point in points])
        slope = (score + sum(r["score"] for r in results)) @ root
        own = np.stack([np.diag(slope[1 + size :]), slope[0], np.diag(slope[1 : 1 + size])])
        return Profile(self.shared, root, own)

    def _keep_modes(self, results: Sequence[Result]) -> None:
        self.guesses[: len(results)] = [result["mode"] for result in results]

    def _with_prior(self, results: Sequence[Result], point: Floats) -> Floats:
        slope = self.prior(point)[1]
        return np.asarray(slope + sum(result["score"][0] for result in results))


def raised(information: Floats) -> Floats:
    """Return a symmetric matrix with absolute eigenvalues, raised if too small.

    Where the density curves upward, steps are as long as its curvature allows (Dauphin et al. 2014,
    "saddle-free Newton").
    """
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return np.asarray((vectors * np.maximum(np.abs(values), _LEAST_INFORMATION)) @ vectors.T)
