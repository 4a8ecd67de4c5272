"""Compiled loops over cells: sums for normal conditionals, and draws benchmark by benchmark.

They release the interpreter's lock, so that chains run in threads. Cells are sorted by benchmark. A
cell's score on the link's scale is y = eta + noise, with variance 1 / weight.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def by_skills(
    loading: np.ndarray, theta: np.ndarray, bench: np.ndarray, model: np.ndarray
) -> np.ndarray:
    """Return lambda_j . theta_i of each cell, shape (cell,)."""
    total = np.zeros(bench.size)
    for c in range(bench.size):
        for k in range(loading.shape[1]):
            total[c] += loading[bench[c], k] * theta[model[c], k]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def by_columns(
    coefficient: np.ndarray, bench: np.ndarray, column: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """Return the contribution of benchmarks' own coefficients to each cell, shape (cell,).

    Parameters
    ----------
    coefficient
        Shape (benchmark, column).
    bench
        Benchmark of each cell.
    column, value
        Columns that each cell uses, and the factors of their coefficients, shape (cell, used).
    """
    total = np.zeros(bench.size)
    for c in range(bench.size):
        for u in range(column.shape[1]):
            total[c] += coefficient[bench[c], column[c, u]] * value[c, u]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def model_sums(
    target: np.ndarray,
    weight: np.ndarray,
    loading: np.ndarray,
    bench: np.ndarray,
    model: np.ndarray,
    models: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and precision times mean of each model's skills given its scores.

    The shapes are (model, skill, skill) and (model, skill).
    """
    skills = loading.shape[1]
    precision = np.zeros((models, skills, skills))
    shift = np.zeros((models, skills))
    for c in range(bench.size):
        i, j = model[c], bench[c]
        for k in range(skills):
            own = weight[c] * loading[j, k]
            shift[i, k] += own * target[c]
            for m in range(skills):
                precision[i, k, m] += own * loading[j, m]
    return precision, shift


@njit(nogil=True, cache=True, error_model="numpy")
def normal_draw(precision: np.ndarray, shift: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return a draw of Normal(precision^-1 shift, precision^-1) from standard normal `noise`.

    The Cholesky factor overwrites `precision`.
    """
    n = shift.size
    for p in range(n):
        for q in range(p + 1):
            total = precision[p, q]
            for r in range(q):
                total -= precision[p, r] * precision[q, r]
            if p == q:
                precision[p, p] = np.sqrt(total)
            else:
                precision[p, q] = total / precision[q, q]
    draw = np.empty(n)
    for p in range(n):
        total = shift[p]
        for q in range(p):
            total -= precision[p, q] * draw[q]
        draw[p] = total / precision[p, p]
    for p in range(n):
        draw[p] += noise[p]
    for p in range(n - 1, -1, -1):
        total = draw[p]
        for q in range(p + 1, n):
            total -= precision[q, p] * draw[q]
        draw[p] = total / precision[p, p]
    return draw


@njit(nogil=True, cache=True, error_model="numpy")
def _benchmark_sums(
    target: np.ndarray,
    weight: np.ndarray,
    column: np.ndarray,
    value: np.ndarray,
    columns: int,
    skill: np.ndarray,
    drawn: np.ndarray,
    loading: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a benchmark's sums w f f' and w f y over its cells' factors f; see below."""
    skills, used = skill.shape[1], column.shape[1]
    size = columns + skills
    precision, shift = np.zeros((size, size)), np.zeros(size)
    at, factor = np.empty(used + skills, np.int64), np.empty(used + skills)
    for c in range(target.size):
        y = target[c]
        for u in range(used):
            at[u], factor[u] = column[c, u], value[c, u]
        for k in range(skills):
            at[used + k] = columns + k
            factor[used + k] = skill[c, k] if drawn[k] else 0.0
            if not drawn[k]:
                y -= loading[k] * skill[c, k]
        for u in range(used + skills):
            own = weight[c] * factor[u]
            if own != 0:
                shift[at[u]] += own * y
                for v in range(used + skills):
                    precision[at[u], at[v]] += own * factor[v]
    return precision, shift


@njit(nogil=True, cache=True, error_model="numpy")
def draw_benchmarks(
    start: np.ndarray,
    model: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    column: np.ndarray,
    value: np.ndarray,
    mean_of: np.ndarray,
    theta: np.ndarray,
    drawn: np.ndarray,
    coefficient: np.ndarray,
    loading: np.ndarray,
    prior_mean: np.ndarray,
    prior_precision: np.ndarray,
    noise: np.ndarray,
) -> None:
    """Draw each benchmark's own coefficients together with its normal loadings, in place.

    Parameters
    ----------
    start, model
        Where each benchmark's cells begin, and each cell's model.
    target, weight
        Score on the link's scale minus all other effects, and its precision, shape (cell,).
    column, value
        As for `by_columns`.
    mean_of
        The group of columns on whose mean each column is centred, -1 for none, shape (column,).
    theta
        Skills, shape (model, skill).
    drawn
        Whether a loading is normal and free, shape (benchmark, skill); others do not change.
    coefficient, loading
        Shapes (benchmark, column) and (benchmark, skill).
    prior_mean, prior_precision
        For columns, then loadings, shape (benchmark, column + skill).
    noise
        Standard normal draws with that shape.
    """
    columns, skills = mean_of.size, theta.shape[1]
    groups = 0
    for p in range(columns):
        groups = max(groups, mean_of[p] + 1)
    total, count = np.empty(groups), np.empty(groups)
    for j in range(start.size - 1):
        own = slice(start[j], start[j + 1])
        skill = theta[model[own]]
        precision, shift = _benchmark_sums(
            target[own], weight[own], column[own], value[own], columns, skill, drawn[j], loading[j]
        )
        if groups:
            for p in range(columns + skills):  # the mean is subtracted on both sides
                _less_mean(precision[p], mean_of, total, count)
            for p in range(columns + skills):
                _less_mean(precision[:, p], mean_of, total, count)
            _less_mean(shift, mean_of, total, count)
        for p in range(columns + skills):
            precision[p, p] += prior_precision[j, p]
            shift[p] += prior_precision[j, p] * prior_mean[j, p]
        draw = normal_draw(precision, shift, noise[j])
        coefficient[j] = draw[:columns]
        for k in range(skills):
            if drawn[j, k]:
                loading[j, k] = draw[columns + k]


@njit(nogil=True, cache=True, error_model="numpy")
def _less_mean(row: np.ndarray, mean_of: np.ndarray, total: np.ndarray, count: np.ndarray) -> None:
    """Subtract the group's mean from each element of a group of columns, in place."""
    total[:] = 0.0
    count[:] = 0.0
    for p in range(mean_of.size):
        if mean_of[p] >= 0:
            total[mean_of[p]] += row[p]
            count[mean_of[p]] += 1
    for p in range(mean_of.size):
        if mean_of[p] >= 0:
            row[p] -= total[mean_of[p]] / count[mean_of[p]]


@njit(nogil=True, cache=True, error_model="numpy")
def loading_sums(
    target: np.ndarray, weight: np.ndarray, theta: np.ndarray, start: np.ndarray, model: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sum w theta y, shape (benchmark, skill), and sum w theta theta', with one more skill.

    `target` is the score on the link's scale minus everything except the skills.
    """
    skills = theta.shape[1]
    shift = np.zeros((start.size - 1, skills))
    precision = np.zeros((start.size - 1, skills, skills))
    for j in range(start.size - 1):
        for c in range(start[j], start[j + 1]):
            i = model[c]
            for k in range(skills):
                own = weight[c] * theta[i, k]
                shift[j, k] += own * target[c]
                for m in range(skills):
                    precision[j, k, m] += own * theta[i, m]
    return shift, precision
