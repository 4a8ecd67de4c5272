"""Pathfinder: normal approximations along the optimiser's path to the mode."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr
from scipy import linalg

from latentscale.errors import FitError
from latentscale.inference.importance import importance_weights, weight_stats
from latentscale.inference.method import Method
from latentscale.inference.mode import Trajectory, ascend
from latentscale.inference.posterior_density import PosteriorDensity, posterior_density
from latentscale.inference.progress import WorkProgress
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.numerics.psis import k_limit
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import Status, status_of_approximation
from latentscale.spec.spec import ModelSpec

_LOG_2PI = float(np.log(2 * np.pi))
_CURVATURE = 1e-12
_UNFINISHED = "The best path's optimiser did not reach the mode: raise max_iterations."


@dataclass(frozen=True)
class Pathfinder(Method):
    """Multi-path Pathfinder (Zhang, Carpenter, Gelman and Vehtari 2022).

    L-BFGS climbs the log density from scattered starts. At each iterate its estimate of the
    inverse Hessian gives a normal approximation; a path keeps the one with the highest
    evidence lower bound. Draws of all paths are resampled by Pareto-smoothed importance
    weights where these can be trusted (Pareto k of at most 0.7); otherwise the draws of the
    best path are given as they are.

    Attributes
    ----------
    draws
        Draws to return.
    paths
        Starts of L-BFGS, scattered uniformly by up to `jitter` round the initial point.
    history
        Pairs of differences that the inverse Hessian is built from.
    elbo_draws
        Draws that estimate the evidence lower bound at each iterate.
    max_iterations
        Most iterations of L-BFGS a path.
    jitter
        Half-width of the starts' scatter on the unconstrained scale.

    Raises
    ------
    FitError
        If a field is out of range, or no path gives an approximation.
    """

    good_for: ClassVar[str] = (
        "a first look in seconds and starting points; intervals are rough, most of all those of "
        "scales and of families with few members"
    )

    draws: int = 1000
    paths: int = 4
    history: int = 6
    elbo_draws: int = 10
    max_iterations: int = 1000
    jitter: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "paths", "history", "elbo_draws", "max_iterations")
        self._check_between("jitter", 0, 100)

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Run the paths, check them against the posterior and draw."""
        start = time.perf_counter()
        density = posterior_density(build_design(spec, design))
        compiled = time.perf_counter()
        found = []
        with WorkProgress(self.paths, "Pathfinder", "paths", enabled=progress) as shown:
            for path, stream in enumerate(np.random.default_rng(seed).spawn(self.paths)):
                found.append(self._path(density, stream))
                shown.update(path + 1)
        paths = [path for path in found if path is not None]
        if not paths:
            raise FitError(
                "No path of Pathfinder gave an approximation: the optimiser met no curvature. "
                "Lower jitter, raise paths, or use NUTS()."
            )
        drawn = self._combine(density, paths, np.random.default_rng(seed))
        approximated = time.perf_counter()
        seconds = {"compile": compiled - start, "approximate": approximated - compiled}
        return Draws(density.to_posterior(drawn.points), drawn.stats, drawn.status, seconds)

    def _path(self, density: PosteriorDensity, rng: np.random.Generator) -> _Path | None:
        scatter = rng.uniform(-self.jitter, self.jitter, density.size)
        trajectory = ascend(
            density,
            density.start + scatter,
            history=self.history,
            max_iterations=self.max_iterations,
        )
        best, highest = None, -np.inf
        for normal in normals_along(trajectory, self.history):
            points, log_q = normal.draw(self.elbo_draws, rng)
            elbo = float((density.values(points) - log_q).mean())
            if elbo > highest:
                best, highest = normal, elbo
        if best is None:
            return None
        points, log_q = best.draw(self.draws, rng)
        return _Path(points, density.values(points), log_q, highest, trajectory.converged)

    def _combine(
        self, density: PosteriorDensity, paths: list[_Path], rng: np.random.Generator
    ) -> _Drawn:
        log_p = np.concatenate([path.log_p for path in paths])
        log_q = np.concatenate([path.log_q for path in paths])
        points = np.concatenate([path.points for path in paths])
        weights = importance_weights(log_p, log_q)
        best = max(paths, key=lambda path: path.elbo)
        limit = k_limit(len(points))
        elbo = f"ELBO {best.elbo:.1f} on the best of {len(paths)} paths"
        if weights.pareto_k <= limit:
            shares = np.exp(weights.log_weights - weights.log_weights.max())
            chosen = rng.choice(len(points), self.draws, p=shares / shares.sum())
            even = importance_weights(np.zeros(self.draws), np.zeros(self.draws))
            stats = weight_stats(log_p[chosen], log_q[chosen], even)
            figures, shape, points = f"{elbo}, resampled", weights.pareto_k, points[chosen]
        else:
            own = importance_weights(best.log_p, best.log_q)
            limit = k_limit(len(best.points))
            stats = weight_stats(best.log_p, best.log_q, own)
            figures, shape, points = f"{elbo}, not resampled", own.pareto_k, best.points
        faults = () if best.converged else (_UNFINISHED,)
        status = status_of_approximation(
            shape, faults, figures=figures, good_for=self.good_for, limit=limit
        )
        return _Drawn(points, stats, status)


@dataclass(frozen=True)
class _Path:
    points: np.ndarray
    log_p: np.ndarray
    log_q: np.ndarray
    elbo: float
    converged: bool


@dataclass(frozen=True)
class _Drawn:
    points: np.ndarray
    stats: xr.Dataset
    status: Status


@dataclass(frozen=True)
class PathNormal:
    """A normal with covariance diag(alpha) + beta gamma beta', from L-BFGS differences.

    Attributes
    ----------
    mean
        Shape (n,).
    alpha
        Diagonal of the initial inverse Hessian, shape (n,).
    orthogonal, factor
        Q of the thin QR of diag(alpha)^-1/2 beta, shape (n, 2m), and the Cholesky factor L of
        I + R gamma R', shape (2m, 2m).
    """

    mean: np.ndarray
    alpha: np.ndarray
    orthogonal: np.ndarray
    factor: np.ndarray

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return draws, shape (count, n), and their log density (Zhang et al. 2022, alg. 4)."""
        normal = rng.standard_normal((count, len(self.mean)))
        along = normal @ self.orthogonal
        moved = normal + (along @ self.factor.T - along) @ self.orthogonal.T
        half_determinant = 0.5 * np.log(self.alpha).sum() + np.log(np.diag(self.factor)).sum()
        log_q = -0.5 * ((normal**2).sum(axis=1) + len(self.mean) * _LOG_2PI) - half_determinant
        return self.mean + np.sqrt(self.alpha) * moved, log_q


def normals_along(trajectory: Trajectory, history: int) -> list[PathNormal]:
    """Return the normal approximation at each iterate (Zhang et al. 2022, alg. 3)."""
    alpha = np.ones(trajectory.points.shape[1])
    steps: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    normals = []
    for index in range(1, len(trajectory.points)):
        step = trajectory.points[index] - trajectory.points[index - 1]
        change = trajectory.gradients[index - 1] - trajectory.gradients[index]
        if step @ change > _CURVATURE * (change @ change):
            alpha = _diagonal(alpha, step, change)
            steps, changes = [*steps, step][-history:], [*changes, change][-history:]
        if not steps:
            continue
        normal = _normal_at(
            trajectory.points[index],
            trajectory.gradients[index],
            alpha,
            np.array(steps),
            np.array(changes),
        )
        if normal is not None:
            normals.append(normal)
    return normals


def _diagonal(alpha: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Update the diagonal inverse Hessian (Gilbert and Lemarechal 1989, eq. 4.9)."""
    curvature = step @ change
    weighted = change @ (alpha * change)
    scaled = step @ (step / alpha)
    inverse = weighted / (curvature * alpha) + change**2 / curvature
    inverse -= weighted * (step / alpha) ** 2 / (curvature * scaled)
    return np.where(inverse > 0, 1 / np.where(inverse > 0, inverse, 1.0), alpha)


def _normal_at(
    point: np.ndarray,
    gradient: np.ndarray,
    alpha: np.ndarray,
    steps: np.ndarray,
    changes: np.ndarray,
) -> PathNormal | None:
    products = steps @ changes.T
    upper = np.triu(products)
    beta = np.concatenate([alpha * changes, steps]).T
    try:
        inverse = linalg.solve_triangular(upper, np.eye(len(upper)))
        middle = np.diag(np.diag(upper)) + changes @ (alpha * changes).T
        gamma = np.block(
            [[np.zeros_like(upper), -inverse], [-inverse.T, inverse.T @ middle @ inverse]]
        )
        orthogonal, triangle = np.linalg.qr(beta / np.sqrt(alpha)[:, None])
        factor = np.linalg.cholesky(np.eye(triangle.shape[0]) + triangle @ gamma @ triangle.T)
    except np.linalg.LinAlgError:
        return None
    mean = point + alpha * gradient + beta @ (gamma @ (beta.T @ gradient))
    if not (np.isfinite(mean).all() and np.isfinite(factor).all()):
        return None
    return PathNormal(mean, alpha, orthogonal, factor)
