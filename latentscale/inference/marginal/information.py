"""Information: the covariance of maximum likelihood estimates, estimated in three ways.

With J the observed information (negative Hessian) and S = sum over families of the outer
products of their scores: J^-1, S^-1, and the sandwich J^-1 S J^-1 (White 1982), which is valid in
large samples under misspecification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from latentscale.errors import FitError
from latentscale.inference.marginal.likelihood import MarginalLikelihood, Placement
from latentscale.inference.marginal.quadrature import Nodes
from latentscale.numerics.curvature import hessian

CovarianceKind = Literal["observed", "outer-product", "sandwich"]
COVARIANCES: tuple[CovarianceKind, ...] = get_args(CovarianceKind)

# Curvature below which a direction is flat: a step of 10 on the unconstrained scale, from one end
# of a scale or a correlation to the other, then changes the log likelihood by less than 1/2.
_FLAT = 1e-2
# Smallest curvature used for a step uphill, so that none is longer than a few units.
_LEAST_OF_ASCENT = 10 * _FLAT


@dataclass(frozen=True)
class Information:
    """Curvature of the log likelihood at its maximum, on the unconstrained scale.

    Attributes
    ----------
    observed
        Negative Hessian J, shape (P, P).
    scores
        Gradients of each family's log likelihood, shape (family, P).
    """

    observed: np.ndarray
    scores: np.ndarray

    @property
    def outer_product(self) -> np.ndarray:
        """Sum of the outer products of families' scores S, shape (P, P)."""
        return np.asarray(self.scores.T @ self.scores)

    @property
    def flat(self) -> np.ndarray:
        """Directions (P, n) that the likelihood does not identify: curvature below 1/100."""
        values, vectors = np.linalg.eigh(self.observed)
        return np.asarray(vectors[:, values < _FLAT])

    @property
    def ascent(self) -> np.ndarray:
        """Inverse (P, P) of J with positive eigenvalues, so that steps with it go uphill."""
        values, vectors = np.linalg.eigh(self.observed)
        return np.asarray((vectors / np.maximum(np.abs(values), _LEAST_OF_ASCENT)) @ vectors.T)

    def covariance(self, kind: CovarianceKind) -> np.ndarray:
        """Return the covariance (P, P) of the estimates; zero along flat directions.

        Raises
        ------
        FitError
            If the outer product is requested and there are not more families than parameters, so
            that it has no inverse.
        """
        if kind == "outer-product":
            families, size = self.scores.shape
            if families <= size:
                raise FitError(
                    f"The outer product of {families} families' scores cannot be inverted for "
                    f'{size} parameters; use covariance = "observed", or more families.'
                )
            return _inverse(self.outer_product)
        bread = _inverse(self.observed)
        if kind == "observed":
            return bread
        return np.asarray(bread @ self.outer_product @ bread)


def information(
    likelihood: MarginalLikelihood,
    vector: np.ndarray,
    placement: Placement,
    nodes: Nodes,
    cores: int | None,
) -> Information:
    """Return the information at a maximum, by central differences of the gradient.

    The nodes are placed again at each step: with fixed nodes, several more would be needed for the
    same accuracy of the curvature.
    """

    def gradient(there: np.ndarray) -> np.ndarray:
        moved = likelihood.place(there, placement.modes)
        return np.asarray(likelihood.with_scores(there, moved, nodes)[1].sum(axis=0))

    observed = -hessian(gradient, vector, cores=cores)
    return Information(observed, likelihood.with_scores(vector, placement, nodes)[1])


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Invert a symmetric matrix, with 0 along directions whose curvature is too small."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values >= _FLAT
    return np.asarray((vectors[:, kept] / values[kept]) @ vectors[:, kept].T)
