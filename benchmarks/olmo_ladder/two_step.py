"""The two-step task scaling law of Bhagia et al. 2024 (arXiv:2412.04403), refitted.

Step 1: bits per byte of a task's answers from size and tokens, A / N^a + B / D^b + E, on the last
checkpoints of the runs. Step 2: accuracy from bits per byte, a sigmoid, on all checkpoints but the
first tenth of each run. Both steps use moving means over five checkpoints, as published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares, minimize

SMOOTHED = 5
"""Checkpoints of a moving mean, as published."""
SKIPPED = 0.1
"""Share of a run's first checkpoints that step 2 leaves out, as published."""
HUBER = 1e-3
"""Where the loss of step 1 turns linear, in log bits per byte (Hoffmann et al. 2022)."""


@dataclass(frozen=True)
class Run:
    """Checkpoints of one run in order: billions of parameters, tokens, and figures by task."""

    params_b: float
    tokens: np.ndarray
    loss: Mapping[str, np.ndarray]
    score: Mapping[str, np.ndarray]


def smoothed(values: np.ndarray) -> np.ndarray:
    """Return moving means over the last checkpoints."""
    return pd.Series(values).rolling(SMOOTHED, min_periods=1).mean().to_numpy()


@dataclass(frozen=True)
class Law:
    """Coefficients of both steps for one task."""

    step_1: np.ndarray
    step_2: np.ndarray

    def __call__(self, params_b: float, tokens: float) -> float:
        """Return the expected accuracy of a run at its end."""
        loss = _loss(self.step_1, np.array([params_b]), np.array([tokens]))
        return float(_sigmoid(self.step_2, loss)[0])


def fitted(runs: Sequence[Run], task: str, floor: float) -> Law:
    """Fit the law of a task to some runs; `floor` is the accuracy of guessing."""
    last = [(run.params_b, run.tokens[-1], smoothed(run.loss[task])[-1]) for run in runs]
    size, seen, loss = (np.array(column) for column in zip(*last, strict=True))
    parts = [slice(int(np.ceil(SKIPPED * len(run.tokens))), None) for run in runs]
    x, y = (
        np.concatenate([smoothed(f[task])[at] for f, at in zip(figures, parts, strict=True)])
        for figures in ([run.loss for run in runs], [run.score for run in runs])
    )
    return Law(_step_1(size, seen, loss), _step_2(x, y, floor))


def _loss(c: np.ndarray, size: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return np.exp(c[0]) / size ** c[2] + np.exp(c[1]) / (tokens / 1e9) ** c[3] + np.exp(c[4])


def _step_1(size: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> np.ndarray:
    def objective(c: np.ndarray) -> float:
        away = np.log(_loss(c, size, tokens)) - np.log(loss)
        near = np.abs(away) <= HUBER
        loss_of = np.where(near, 0.5 * away**2, HUBER * (np.abs(away) - 0.5 * HUBER))
        return float(loss_of.sum()) / HUBER**2  # the optimiser's tolerances are absolute

    least = np.log(loss.min())
    starts = [[a, b, 0.3, 0.3, least + e] for a in (-2, 0) for b in (-1, 1) for e in (-1, -0.2)]
    bounds = [(-8, 8), (-8, 8), (0.01, 2), (0.01, 2), (-8, least)]
    fits = [minimize(objective, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    return min(fits, key=lambda fit: fit.fun).x


def _sigmoid(c: np.ndarray, loss: np.ndarray) -> np.ndarray:
    return c[0] / (1 + np.exp(-c[2] * (loss - c[1]))) + c[3]


def _step_2(loss: np.ndarray, score: np.ndarray, floor: float) -> np.ndarray:
    fits = [
        least_squares(
            lambda c: _sigmoid(c, loss) - score,
            [floor - 1, at, 3.0, 1.0],
            bounds=([-1, 0.01, 0.01, 0], [0, 5, 30, 1]),
        )
        for at in (np.median(loss), loss.min())
    ]
    return min(fits, key=lambda fit: fit.cost).x
