"""Normal approximations of ADVI: a draw, its log density, and the ELBO's gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

_LOG_2PI = float(np.log(2 * np.pi))
"""Constant of the normal density."""
_FIRST_LOG_SD = -2.0  # narrow, so that the first steps find the mean (as in Stan and PyMC)


@dataclass(frozen=True)
class _Normal(ABC):
    """A normal whose draws are smooth functions of `parameters` and of standard normal noise."""

    parameters: np.ndarray

    @property
    @abstractmethod
    def size(self) -> int:
        """Dimension of a draw."""

    @property
    @abstractmethod
    def entropy(self) -> float:
        """Entropy in nats."""

    @abstractmethod
    def point(self, noise: np.ndarray) -> np.ndarray:
        """Return the draw that standard normal noise of shape (..., n) gives."""

    def with_parameters(self, parameters: np.ndarray) -> Self:
        """Return the same kind of approximation elsewhere."""
        return replace(self, parameters=parameters)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return draws, shape (count, n), and their log density, shape (count,)."""
        noise = rng.standard_normal((count, self.size))
        log_q = -0.5 * (noise**2).sum(axis=1) - self.entropy + 0.5 * self.size
        return self.point(noise), log_q


@dataclass(frozen=True)
class MeanField(_Normal):
    """Independent normals.

    Attributes
    ----------
    parameters
        Means, then logs of standard deviations, shape (2n,).
    """

    @classmethod
    def at(cls, mean: np.ndarray) -> MeanField:
        """Return narrow normals around a point of shape (n,)."""
        return cls(np.concatenate([mean, np.full(len(mean), _FIRST_LOG_SD)]))

    @property
    def size(self) -> int:
        """Dimension of a draw."""
        return len(self.parameters) // 2

    @property
    def entropy(self) -> float:
        """Entropy in nats."""
        return float(self.parameters[self.size :].sum()) + 0.5 * self.size * (1 + _LOG_2PI)

    def point(self, noise: np.ndarray) -> np.ndarray:
        """Return the draw that standard normal noise of shape (..., n) gives."""
        return self.parameters[: self.size] + noise * np.exp(self.parameters[self.size :])

    def gradient(self, noise: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return the ELBO's gradient, from the log density's slope at `point(noise)`.

        Kucukelbir et al. 2017, eqs. (7) and (8), with standard deviations on the log scale.
        """
        deviation = np.exp(self.parameters[self.size :])
        return np.concatenate([slope, slope * noise * deviation + 1.0])


@dataclass(frozen=True)
class FullRank(_Normal):
    """A normal with covariance L L', L lower triangular with logs on its diagonal.

    Attributes
    ----------
    parameters
        Means, then the matrix row by row (entries above the diagonal stay 0), shape (n + n^2,).
    """

    @classmethod
    def from_mean_field(cls, normal: MeanField) -> FullRank:
        """Return the same distribution as a full-rank one."""
        size = normal.size
        matrix = np.diag(normal.parameters[size:])
        return cls(np.concatenate([normal.parameters[:size], matrix.ravel()]))

    @property
    def size(self) -> int:
        """Dimension of a draw."""
        return int((np.sqrt(1 + 4 * len(self.parameters)) - 1) / 2 + 0.5)

    @property
    def factor(self) -> np.ndarray:
        """L, shape (n, n)."""
        matrix = self.parameters[self.size :].reshape(self.size, self.size).copy()
        np.fill_diagonal(matrix, np.exp(np.diag(matrix)))
        return matrix

    @property
    def entropy(self) -> float:
        """Entropy in nats."""
        matrix = self.parameters[self.size :].reshape(self.size, self.size)
        return float(np.diag(matrix).sum()) + 0.5 * self.size * (1 + _LOG_2PI)

    def point(self, noise: np.ndarray) -> np.ndarray:
        """Return the draw that standard normal noise of shape (..., n) gives."""
        return self.parameters[: self.size] + noise @ self.factor.T

    def gradient(self, noise: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return the ELBO's gradient, from the log density's slope at `point(noise)`."""
        size = self.size
        matrix = np.tril(np.outer(slope, noise))
        logs = np.diag(self.parameters[size:].reshape(size, size))
        np.fill_diagonal(matrix, np.diag(matrix) * np.exp(logs) + 1.0)
        return np.concatenate([slope, matrix.ravel()])
