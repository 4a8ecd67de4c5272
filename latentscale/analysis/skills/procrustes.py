"""Procrustes: rotate many loading matrices, or permute their columns, until they agree."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

_MAX_ROUNDS = 200
"""Most iterations, not reached in practice: each lowers the distance, and about ten suffice."""
_STILL = 1e-9
"""Relative change of the mean below which it has converged, within rounding."""


def match_by_rotation(loading: np.ndarray) -> np.ndarray:
    """Return the orthogonal matrices that rotate loadings closest to their common mean.

    Generalised orthogonal Procrustes (Gower 1975): each matrix is rotated to the mean by the polar
    factor of A' R, and the mean is updated, until it converges. The start, the principal axes of
    the mean of A A', is invariant to rotations of the draws.

    Parameters
    ----------
    loading
        Shape (chain, draw, benchmark, skill).

    Returns
    -------
    Shape (chain, draw, skill, skill).
    """
    count = loading.shape[-1]
    gram = np.einsum("cdjk,cdik->ji", loading, loading) / (loading.shape[0] * loading.shape[1])
    values, vectors = np.linalg.eigh(gram)
    common = vectors[:, ::-1][:, :count] * np.sqrt(np.clip(values[::-1][:count], 0, None))
    turned = np.broadcast_to(np.eye(count), (*loading.shape[:2], count, count))
    for _ in range(_MAX_ROUNDS):
        left, _, right = np.linalg.svd(np.swapaxes(loading, -1, -2) @ common)
        turned = left @ right
        mean = mean_matrix(loading @ turned)
        moved = np.linalg.norm(mean - common)
        common = mean
        if moved <= _STILL * max(1.0, float(np.linalg.norm(mean))):
            break
    return turned


def match_by_permutation(loading: np.ndarray) -> np.ndarray:
    """Return the signed permutations that bring loadings closest to their common mean.

    Each draw's columns are assigned to those of the mean by the Hungarian method on the absolute
    inner products, as in Papastamoulis and Ntzoufras 2022. The start is the draw nearest to the
    others, by a distance invariant to the order and signs of skills.

    Parameters
    ----------
    loading
        Shape (chain, draw, benchmark, skill).

    Returns
    -------
    Shape (chain, draw, skill, skill).
    """
    flat = loading.reshape(-1, *loading.shape[-2:])
    gram = flat @ np.swapaxes(flat, -1, -2)
    central = np.square(gram - gram.mean(axis=0)).sum(axis=(1, 2)).argmin()
    common = flat[central]
    turned = np.zeros((len(flat), flat.shape[-1], flat.shape[-1]))
    for _ in range(_MAX_ROUNDS):
        before = turned.copy()
        for index, loadings in enumerate(flat):
            turned[index] = _signed_permutation(loadings.T @ common)
        common = (flat @ turned).mean(axis=0)
        if (turned == before).all():
            break
    return turned.reshape(*loading.shape[:2], *turned.shape[-2:])


def cholesky_of(factor: np.ndarray) -> np.ndarray:
    """Return the lower Cholesky factor of F F', by QR, for factors F of shape (..., k, n)."""
    upper = np.linalg.qr(np.swapaxes(factor, -1, -2), mode="r")
    sign = np.where(np.diagonal(upper, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    return np.swapaxes(upper * sign[..., :, None], -1, -2)


def order_and_sign(common: np.ndarray) -> np.ndarray:
    """Return the signed permutation to columns of decreasing sums of squares and positive sums."""
    order = np.argsort(-(common**2).sum(axis=0), kind="stable")
    sign = np.where(common.sum(axis=0) < 0, -1.0, 1.0)
    return (np.eye(common.shape[1]) * sign)[:, order]


def mean_matrix(matrices: np.ndarray) -> np.ndarray:
    """Return the mean over chains and draws of matrices of shape (chain, draw, ...)."""
    return np.asarray(matrices.mean(axis=(0, 1)))


def _signed_permutation(products: np.ndarray) -> np.ndarray:
    rows, columns = linear_sum_assignment(-np.abs(products))
    matrix = np.zeros_like(products)
    matrix[rows, columns] = np.where(products[rows, columns] < 0, -1.0, 1.0)
    return matrix
