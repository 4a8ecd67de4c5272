"""Search: where the shared parameters' marginal posterior is, and its profile along axes.

Newton's method climbs the log marginal posterior, whose gradient and information are sums over
shards. Then a normal is fitted whose mean gradient is 0 and whose precision is the mean information
over itself, as those of the normal of least Kullback-Leibler divergence are (Opper and Archambeau
2009), by points on its axes.
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
"""From the number of shards (the first ones), the centre (d,), draws (draw, d), guesses of each
shard's latents and whether curvature is renewed, to the shards' results."""

# Largest change of a parameter in one step: scales change by two thirds, loadings and intercepts
# by half a unit of the link. Far from the mode a quadratic is no guide beyond that.
_FARTHEST = 0.5
# Least information of a direction: a standard deviation of 10, wider than any prior here.
_LEAST_INFORMATION = 1e-2
# Root mean square of a step, in posterior standard deviations, at which climbs end: of the first
# shard alone, and of all. What is left is made up for by the mean gradient and by weights.
_NEAR, _NEARER = 0.5, 0.25
# Of the mean, in standard deviations: with a hundred parameters twice this would cost half the
# weights.
_CENTRED = 0.05
_SWEEPS = 3  # of the axes: each leaves a small part of the distance
FARTHEST_POINT = float(np.sqrt(3))
"""Distance of the points on an axis: with the centre, Gauss and Hermite's rule of three points."""
# Effective share of candidates below which curvature is computed anew at each draw.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Profile:
    """The log marginal posterior on the axes of a normal.

    Attributes
    ----------
    mean, root
        The normal's mean (d,) and its covariance's symmetric root (d, d).
    level
        Log density at the mean, and at both points of each axis, shape (1 + 2 d,).
    slope
        Its gradient there in standard deviations of the axes, shape (1 + 2 d, d).
    """

    mean: Floats
    root: Floats
    level: Floats
    slope: Floats


@dataclass
class Search:
    """A search for the normal.

    Attributes
    ----------
    run
        Does the shards' work.
    prior
        Log prior of the shared parameters.
    shared
        Where it is, shape (d,).
    shards
        How many there are.
    information
        Inverse covariance of the normal, shape (d, d).
    guesses
        Latents' modes by shard, the last known.
    step
        Root mean square of the last step, in posterior standard deviations.
    renew
        Whether curvature has to be computed anew at each draw.
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

    @property
    def root(self) -> Floats:
        """The covariance's symmetric root, shape (d, d), whose axes are nearest to parameters."""
        values, vectors = np.linalg.eigh(self.information)
        return np.asarray((vectors / np.sqrt(values)) @ vectors.T)

    def climb(self, rounds: int) -> None:
        """Climb on the first shard, then on all; at most so many steps on each."""
        for count, near in ((1, _NEAR), (self.shards, _NEARER)):
            for _ in range(rounds):
                if self._newton(count) < near:
                    break

    def _newton(self, count: int) -> float:
        none = np.zeros((0, self.shared.size))
        results = self.run(count, self.shared, none, self.guesses, False)
        self._keep_modes(results)
        score = self._with_prior(results, self.shared)
        prior = -hessian(lambda there: self.prior(there)[1], self.shared)
        self.information = raised(prior + sum(result["information"] for result in results))
        step = linalg.solve(self.information, score, assume_a="pos")
        self.step = float(np.sqrt(score @ step / score.size))
        self.shared = self.shared + step * min(1.0, _FARTHEST / float(np.abs(step).max()))
        return self.step

    def centre(self) -> Profile:
        """Fit the normal; return the log marginal posterior along its axes."""
        for sweep in range(_SWEEPS):
            root = self.root
            points = self.shared + _on_axes(self.shared.size) @ root
            results = self.run(self.shards, self.shared, points, self.guesses, self.renew)
            self._keep_modes(results)
            share = min(float(np.median(r["ess"].mean(axis=0))) / r["candidates"] for r in results)
            if share < _LEAST_SHARE and not self.renew:
                self.renew = True
                continue
            found = [self.prior(point) for point in points]
            level = np.array([one[0] for one in found]) + sum(r["level"] for r in results)
            score = np.array([one[1] for one in found]) + sum(r["score"] for r in results)
            mean, information = _moments(level, score @ root)
            self.step = float(np.sqrt(mean @ linalg.solve(information, mean) / mean.size))
            if self.step < _CENTRED or sweep == _SWEEPS - 1:
                break
            move = root @ linalg.solve(information, mean)
            self.shared = self.shared + move * min(1.0, _FARTHEST / float(np.abs(move).max()))
            back = linalg.inv(root)
            self.information = raised(back @ information @ back)
        return Profile(self.shared, root, level, score @ root)

    def _keep_modes(self, results: Sequence[Result]) -> None:
        self.guesses[: len(results)] = [result["mode"] for result in results]

    def _with_prior(self, results: Sequence[Result], point: Floats) -> Floats:
        slope = self.prior(point)[1]
        return np.asarray(slope + sum(result["score"][0] for result in results))


def raised(information: Floats) -> Floats:
    """Return a symmetric matrix whose eigenvalues are raised where they are too small."""
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return np.asarray((vectors * np.maximum(values, _LEAST_INFORMATION)) @ vectors.T)


def _on_axes(size: int) -> Floats:
    """Return 0, and both points of each axis, shape (1 + 2 size, size)."""
    axes = FARTHEST_POINT * np.eye(size)
    return np.concatenate([np.zeros((1, size)), axes, -axes])


def _moments(level: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """Return the mean gradient (d,) and information (d, d) over a standard normal.

    What an axis's own levels give is taken from them, as they have no noise of single draws; the
    rest from gradients.
    """
    size = slope.shape[1]
    up, down = level[1 : 1 + size], level[1 + size :]
    ahead, behind = slope[1 : 1 + size], slope[1 + size :]
    second = (ahead + behind - 2 * slope[0]) / (2 * FARTHEST_POINT**2)
    mean = (up - down) / (2 * FARTHEST_POINT) + second.sum(axis=0) - np.diag(second)
    information = (behind - ahead) / (2 * FARTHEST_POINT)
    information = (information + information.T) / 2
    np.fill_diagonal(information, (2 * level[0] - up - down) / FARTHEST_POINT**2)
    return mean, raised(information)
