"""Path normals: normal approximations from the curvature along the path of an L-BFGS climb."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from latentscale.numerics.climb import Trajectory

_LOG_2PI = float(np.log(2 * np.pi))
"""Constant of the normal density."""
# Smallest curvature along a step, relative to the change of the gradient: pairs below it would make
# the inverse Hessian indefinite (Zhang et al. 2022, algorithm 3, and Stan's Pathfinder).
_CURVATURE = 1e-12


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
        return self.mean + np.sqrt(self.alpha) * moved, self._log_density_of(normal)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Return the log density at points of shape (count, n): shape (count,)."""
        moved = (points - self.mean) / np.sqrt(self.alpha)
        along = moved @ self.orthogonal
        back = linalg.solve_triangular(self.factor, along.T, lower=True).T
        return self._log_density_of(moved + (back - along) @ self.orthogonal.T)

    def _log_density_of(self, normal: np.ndarray) -> np.ndarray:
        """Return the log density of the draws from standard normal values, shape (count, n)."""
        half_determinant = 0.5 * np.log(self.alpha).sum() + np.log(np.diag(self.factor)).sum()
        squares = (normal**2).sum(axis=1)
        return np.asarray(-0.5 * (squares + len(self.mean) * _LOG_2PI) - half_determinant)


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
