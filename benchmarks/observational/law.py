"""The observational scaling law of Ruan et al. 2024 (arXiv:2405.10938), refitted.

A sigmoid of the standard benchmarks' principal components, fitted by least squares to a task's
scores; for comparison, the same sigmoid of training compute.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

COMPONENTS = 3
"""Principal components, as published."""
ROUNDS = 50
"""Imputations by the first component, starting at column means; they have converged by then."""


def forecast(
    known: np.ndarray, score: np.ndarray, train: np.ndarray, floor: float, best: float
) -> np.ndarray:
    """Return forecasts of a task's scores for all models.

    Parameters
    ----------
    known
        Standard benchmarks, shape (model, benchmark); NaN where missing.
    score
        The task's scores, shape (model,).
    train
        Which models are fitted, shape (model,).
    floor, best
        Score of guessing, and the best possible score.
    """
    centre = np.nanmean(known[train], axis=0)
    filled = np.where(np.isnan(known), centre, known)
    for _ in range(ROUNDS):
        u, s, v = np.linalg.svd(filled - filled.mean(axis=0), full_matrices=False)
        first = filled.mean(axis=0) + s[0] * np.outer(u[:, 0], v[0])
        filled = np.where(np.isnan(known), first, known)
    _, _, axes = np.linalg.svd(filled[train] - filled[train].mean(axis=0), full_matrices=False)
    x = (filled - filled[train].mean(axis=0)) @ axes[:COMPONENTS].T
    return sigmoid(x, score, train, floor, best)


def sigmoid(
    x: np.ndarray, score: np.ndarray, train: np.ndarray, floor: float, best: float
) -> np.ndarray:
    """Return floor + (best - floor) sigmoid(a + b x), fitted to the training models."""
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)

    def curve(c: np.ndarray) -> np.ndarray:
        return floor + (best - floor) / (1 + np.exp(-np.clip(c[0] + x @ c[1:], -50, 50)))

    start = np.zeros(1 + x.shape[1])
    return curve(least_squares(lambda c: (curve(c) - score)[train], start).x)
