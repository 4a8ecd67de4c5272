"""Pathfinder: normal approximations along the optimiser's path to the mode."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError
from latentscale.inference.approximations.importance import importance_weights, weight_stats
from latentscale.inference.method import METHODS, Method
from latentscale.inference.progress import COMPILING, Waiting, WorkProgress
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.numerics.climb import climb
from latentscale.numerics.path_normals import PathNormal, normals_along
from latentscale.numerics.psis import k_limit
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import Status, status_of_approximation

# Tolerances of the climbs, for relative gain and gradient: the best normal occurs half way up, and
# a climb to 1e-12 takes three times as many steps.
_TOLERANCE = 1e-6
_FLAT = 1e-3
_UNFINISHED = "The best path's optimiser did not reach the mode: raise max_iterations."


@METHODS.add
@dataclass(frozen=True)
class Pathfinder(Method):
    """Multi-path Pathfinder (Zhang, Carpenter, Gelman and Vehtari 2022).

    L-BFGS climbs the log density from scattered starts. At each iterate, its estimate of the
    inverse Hessian gives a normal approximation; each path keeps the one with the highest evidence
    lower bound. The draws of all paths are resampled by Pareto-smoothed importance weights with
    respect to the mixture of paths (Veach and Guibas 1995). Resampling is with replacement if the
    weights can be trusted (Pareto k of at most 0.7, less for fewer than 2155 draws over all paths).
    Otherwise it is without replacement, which gives draws between the mixture and the posterior
    (Gelman et al., "Bayesian Data Analysis", section 10.4).

    Attributes
    ----------
    draws
        Draws to return.
    paths
        Number of L-BFGS starts, scattered uniformly by up to `jitter` around the initial point.
    history
        Pairs of differences from which the inverse Hessian is built.
    elbo_draws
        Draws to estimate the evidence lower bound at each iterate.
    max_iterations
        Maximum number of L-BFGS iterations per path.
    jitter
        Half-width of the starts' scatter on the unconstrained scale.

    Raises
    ------
    FitError
        If a field is out of range, or no path gives an approximation.

    Examples
    --------
    >>> method = ls.Pathfinder(draws=200)
    >>> quick = ls.fit(pooled.spec, pooled.scores, method=method, seed=1, progress=False)
    >>> quick.samples.sizes["sample"]
    200
    """

    good_for: ClassVar[str] = (
        "a first look in seconds and initial points; intervals are rough, especially for scales "
        "and for families with few members"
    )

    draws: int = 1000
    paths: int = 8
    history: int = 15
    elbo_draws: int = 10
    max_iterations: int = 1000
    jitter: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "paths", "history", "elbo_draws", "max_iterations")
        self._check_between("jitter", 0, 100)

    @classmethod
    def weighed(cls, settings: Mapping[str, Any], kept: int) -> int:
        """Return the draws of all paths, as `Method.weighed` describes.

        Parameters
        ----------
        settings, kept
            As for `Method.weighed`.

        Returns
        -------
        int
            Paths times draws.

        Examples
        --------
        >>> ls.Pathfinder.weighed(ls.Pathfinder(draws=200).settings, 200)
        1600
        """
        return int(settings["paths"]) * int(settings["draws"])

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Run the paths, check them against the posterior and draw.

        Parameters
        ----------
        spec, design, seed, progress
            As for `Method.draw`.

        Returns
        -------
        Draws
            As `Method.draw` returns.

        Raises
        ------
        FitError
            If no path gives an approximation.

        Examples
        --------
        >>> method = ls.Pathfinder(paths=2, draws=50)
        >>> drawn = method.draw(pooled.spec, pooled.design, seed=1, progress=False)
        >>> drawn.posterior["intercept"].sizes["draw"]
        50
        """
        start = time.perf_counter()
        with Waiting(f"Pathfinder: {COMPILING}", enabled=progress):
            density = posterior_density(build_design(spec, design))
        compiled = time.perf_counter()
        attempts = []
        with WorkProgress(self.paths, "Pathfinder", "paths", enabled=progress) as shown:
            for path, stream in enumerate(np.random.default_rng(seed).spawn(self.paths)):
                attempts.append(self._path(density, stream))
                shown.update(path + 1)
        paths = [path for path in attempts if path is not None]
        if not paths:
            raise FitError(
                "No Pathfinder path gave an approximation: the optimiser found no curvature. "
                "Lower jitter, raise paths, or use NUTS()."
            )
        drawn = self._combine(paths, np.random.default_rng(seed))
        approximated = time.perf_counter()
        seconds = {"compile": compiled - start, "approximate": approximated - compiled}
        return Draws(density.to_posterior(drawn.points), drawn.stats, drawn.status, seconds)

    @one_blas_thread()
    def _path(self, density: PosteriorDensity, rng: np.random.Generator) -> _Path | None:
        scatter = rng.uniform(-self.jitter, self.jitter, density.size)
        trajectory = climb(
            density.value_and_gradient,
            density.start + scatter,
            steps=self.max_iterations,
            history=self.history,
            tolerance=_TOLERANCE,
            flat=_FLAT,
        )
        best, highest = None, -np.inf
        for normal in normals_along(trajectory, self.history):
            points, log_q = normal.draw(self.elbo_draws, rng)
            elbo = float((density.values(points) - log_q).mean())
            if elbo > highest:
                best, highest = normal, elbo
        if best is None:
            return None
        points, _ = best.draw(self.draws, rng)
        return _Path(best, points, density.values(points), highest, trajectory.converged)

    def _combine(self, paths: list[_Path], rng: np.random.Generator) -> _Combination:
        points = np.concatenate([path.points for path in paths])
        log_p = np.concatenate([path.log_p for path in paths])
        each = [path.normal.log_density(points) for path in paths]
        log_q = logsumexp(each, axis=0) - np.log(len(paths))
        weights = importance_weights(log_p, log_q)
        limit = k_limit(len(points))
        if weights.pareto_k <= limit:
            way = "resampled"
            shares = np.exp(weights.log_weights - weights.log_weights.max())
            chosen = rng.choice(len(points), self.draws, p=shares / shares.sum())
        else:
            way = "resampled without replacement"
            chosen = _without_replacement(weights.log_weights, self.draws, rng)
        even = importance_weights(np.zeros(self.draws), np.zeros(self.draws))
        best = max(paths, key=lambda path: path.elbo)
        status = status_of_approximation(
            weights.pareto_k,
            () if best.converged else (_UNFINISHED,),
            figures=f"ELBO {best.elbo:.1f} on the best of {len(paths)} paths, {way}",
            good_for=self.good_for,
            limit=limit,
        )
        stats = weight_stats(log_p[chosen], log_q[chosen], even)
        return _Combination(points[chosen], stats, status)


def _without_replacement(
    log_weights: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return indices drawn one after the other by their weights, in random order.

    Taking the largest log weights after adding Gumbel noise gives these draws (Efraimidis and
    Spirakis 2006).
    """
    keys = log_weights + rng.gumbel(size=len(log_weights))
    return rng.permutation(np.argsort(-keys)[:count])


@dataclass(frozen=True)
class _Path:
    normal: PathNormal
    points: np.ndarray
    log_p: np.ndarray
    elbo: float
    converged: bool


@dataclass(frozen=True)
class _Combination:
    points: np.ndarray
    stats: xr.Dataset
    status: Status
