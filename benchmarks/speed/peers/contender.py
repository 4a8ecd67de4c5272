"""A contender: a law coded for one engine, timed in a separate process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pymc as pm
import xarray as xr

import latentscale as ls
from benchmarks.speed.peers.law_data import LawData, law_data
from benchmarks.speed.peers.natural import natural_parameters, random_points
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density

SHARED = (
    "intercept",
    "loading",
    "anchor_loading",
    "slope",
    "family_scale",
    "lineage_share",
    "family_slope_scale",
    "skill_cholesky",
    "residual_scale",
    "family_benchmark_scale",
    "family_benchmark_slope_scale",
    "instruct_shift",
    "instruct_slope",
    "link_power",
    "ceiling_share",
    "precision",
    "family_skill",
)
"""Parameters that every coding of a law has: those at the top, and the families' skills."""


@dataclass(frozen=True)
class PeerDraws:
    """Results of a run of NUTS.

    Attributes
    ----------
    posterior
        Draws of the shared parameters, dims (chain, draw, ...).
    steps
        Gradient evaluations of each kept draw, shape (chain, draw).
    divergences
        Divergent transitions after warm-up.
    seconds
        Wall time of warm-up and draws of all chains, without compilation.
    """

    posterior: xr.Dataset
    steps: np.ndarray
    divergences: int
    seconds: float


class Contender(ABC):
    """A law on one engine; every engine keeps its own defaults for starts and adaptation."""

    libraries: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: ls.ModelSpec, scores: ls.Scores, seed: int, chains: int) -> None:
        self.spec, self.scores, self.seed, self.chains = spec, scores, seed, chains

    @abstractmethod
    def first_draw(self, seed: int) -> None:
        """Compile, and take one warm-up draw and one draw of one chain."""

    @abstractmethod
    def sample(self, draws: int, tune: int, cores: int) -> PeerDraws:
        """Run all chains."""

    @abstractmethod
    def gradient_seconds(self, repeats: int) -> float:
        """Return the time of one log density with its gradient, on one thread."""

    @abstractmethod
    def log_density_of(self, law: Law) -> Callable[[np.ndarray], float]:
        """Return the log density, with the Jacobians, at points of `law`'s target."""

    def disagreement(self, count: int = 6) -> float:
        """Return how far the log density is from the package's, up to a constant.

        This is the largest minus the smallest difference over random points, in nats.
        """
        law = Law.of(self.spec, self.scores)
        points = random_points(law.model, law.data, law.target.start, count, self.seed)
        ours = law.target.values(points)
        log_density = self.log_density_of(law)
        theirs = np.array([log_density(point) for point in points])
        return float(np.ptp(ours - theirs))

    def points(self, model: pm.Model, count: int = 4) -> np.ndarray:
        """Return points near the priors' support points, shape (count, n), for timing."""
        initial = model.initial_point(random_seed=0)
        start = np.concatenate([np.ravel(initial[value.name]) for value in model.value_vars])
        rng = np.random.default_rng(self.seed)
        return start + 0.1 * rng.standard_normal((count, len(start)))


@dataclass(frozen=True)
class Law:
    """The package's own model of a law, its density, and the law's data."""

    model: pm.Model
    target: PosteriorDensity
    data: LawData

    @classmethod
    def of(cls, spec: ls.ModelSpec, scores: ls.Scores) -> Law:
        """Build and compile the package's model."""
        model = ls.build(spec, scores)
        return cls(model, posterior_density(model), law_data(spec, scores))

    def natural(self, point: np.ndarray) -> dict[str, np.ndarray]:
        """Return a point as the parameters of the hand-written models."""
        return natural_parameters(self.model, self.data, point)


def shared_draws(posterior: xr.Dataset) -> xr.Dataset:
    """Return the draws of the parameters that all codings share."""
    return posterior[[name for name in SHARED if name in posterior]]
