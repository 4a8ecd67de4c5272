"""Quadrature: Gauss-Hermite nodes in several dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.polynomial.hermite_e import hermegauss


@dataclass(frozen=True)
class Nodes:
    """Points z_q for integrals against a standard normal density.

    Attributes
    ----------
    points
        Shape (node, dimension).
    log_weights
        log w_q + z_q^2 / 2, shape (node,): the weights of an integral of f(z) itself, without the
        constant dimension/2 log 2 pi.
    """

    points: np.ndarray
    log_weights: np.ndarray


def gauss_hermite(dimension: int, order: int, *, drop: float = 0.0) -> Nodes:
    """Return the product rule with `order` nodes per dimension, centre first.

    Parameters
    ----------
    dimension
        Number of dimensions.
    order
        Nodes in each; the rule is exact for polynomials of degree 2 order - 1 in each.
    drop
        Leave out the lightest nodes that together have at most this share of the weight, as in
        Jäckel (2005); the other weights are rescaled to sum to one.
    """
    z, w = hermegauss(order)
    w = w / w.sum()
    points = np.array(list(product(z, repeat=dimension))).reshape(-1, dimension)
    weights = np.prod(np.array(list(product(w, repeat=dimension))).reshape(-1, dimension), axis=1)
    heaviest = np.argsort(-weights, kind="stable")
    points, weights = points[heaviest], weights[heaviest]
    tail = np.cumsum(weights[::-1])[::-1]
    kept = tail > drop
    points, weights = points[kept], weights[kept] / weights[kept].sum()
    return Nodes(points, np.log(weights) + 0.5 * np.square(points).sum(axis=1))
