"""Starting points of the maximisation, from simple regressions on the logits of the scores."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from latentscale.inference.marginal.likelihood import MarginalLikelihood
from latentscale.inference.marginal.parameters import (
    CORRELATION,
    FREE_LOADING,
    partials_of_cholesky,
)

_INSIDE = 0.02
_RIDGE = 0.1
_JITTER = 0.4
_PRECISION_RANGE = (5.0, 500.0)


def first_start(likelihood: MarginalLikelihood) -> np.ndarray:
    """Return a start from regressions.

    Each benchmark's logit above its floor is regressed on the covariates; the families' mean
    residuals at the anchors stand for their latents, and give the scales, the correlation and,
    by regression of the other benchmarks' residuals on them, the loadings.
    """
    table, covered = _logit_table(likelihood)
    design = np.hstack([likelihood.regression[:, :1], likelihood.x])
    coefficients, residual = _regress(table, covered, design)
    layout = likelihood.layout
    anchor = np.argmax(layout.loading_mask == 2, axis=0)
    means = _family_means(likelihood, residual, covered)
    spread = np.clip(np.nanstd(means[:, anchor], axis=0), 0.2, 2.0)
    latent = np.nan_to_num((means[:, anchor] - np.nanmean(means[:, anchor], axis=0)) / spread)
    unit = "anchor_loading" in layout.places
    loading = _loadings(means, latent * (1.0 if unit else spread))
    loading[anchor] = 0.0
    own = spread if unit else np.ones_like(spread)
    loading[anchor, np.arange(len(anchor))] = own
    natural = {
        "intercept": coefficients[0],
        "loading": loading,
        "anchor_loading": spread,
        "family_scale": spread,
        "slope": coefficients[1:, anchor] / own,
        CORRELATION: _partials(latent),
        "precision": _precision(likelihood, table, covered, design @ coefficients, means),
        "link_power": np.ones(len(coefficients[0])),
        "ceiling_share": np.full(len(coefficients[0]), 0.95),
    }
    for block in layout.blocks:
        if block.name != FREE_LOADING and block.name not in natural:
            natural[block.name] = np.zeros(block.shape)
    return layout.vector(natural)


def other_starts(first: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return further starts, scattered round the first."""
    return [first + _JITTER * rng.standard_normal(first.size) for _ in range(count)]


def _logit_table(likelihood: MarginalLikelihood) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of scores above their floors (model, benchmark), and which are measured."""
    floor = likelihood.layout.floor
    table = np.zeros((likelihood.x.shape[0], floor.size))
    covered = np.zeros(table.shape, bool)
    below = floor[likelihood.bench]
    share = (np.exp(likelihood.log_score) - below) / (1 - below)
    at = likelihood.model, likelihood.bench
    table[at] = logit(np.clip(share, _INSIDE, 1 - _INSIDE))
    covered[at] = True
    return table, covered


def _regress(
    table: np.ndarray, covered: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    coefficients = np.zeros((design.shape[1], table.shape[1]))
    ridge = _RIDGE * np.eye(design.shape[1])
    for j in range(table.shape[1]):
        rows = design[covered[:, j]]
        coefficients[:, j] = np.linalg.solve(
            rows.T @ rows + ridge, rows.T @ table[covered[:, j], j]
        )
    return coefficients, table - design @ coefficients


def _family_means(
    likelihood: MarginalLikelihood, residual: np.ndarray, covered: np.ndarray
) -> np.ndarray:
    """Return mean residuals (family, benchmark), NaN where a family was not measured."""
    means = np.full((likelihood.families, residual.shape[1]), np.nan)
    family_of_model = np.zeros(residual.shape[0], dtype="int64")
    family_of_model[likelihood.model] = likelihood.family
    for j in range(residual.shape[1]):
        rows = covered[:, j]
        counts = np.bincount(family_of_model[rows], minlength=likelihood.families)
        sums = np.bincount(family_of_model[rows], residual[rows, j], minlength=likelihood.families)
        seen = counts > 0
        means[seen, j] = sums[seen] / counts[seen]
    return means


def _loadings(means: np.ndarray, latent: np.ndarray) -> np.ndarray:
    """Regress each benchmark's family means on the latents, lightly shrunk."""
    count = latent.shape[1]
    found = np.zeros((means.shape[1], count))
    for j in range(means.shape[1]):
        rows = ~np.isnan(means[:, j])
        x = latent[rows]
        found[j] = np.linalg.solve(x.T @ x + np.eye(count), x.T @ means[rows, j])
    return found


def _partials(latent: np.ndarray) -> np.ndarray:
    """Return canonical partial correlations of the latents, shrunk by half."""
    count = latent.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(np.atleast_2d(np.corrcoef(latent.T)))
    correlation = 0.5 * correlation + 0.5 * np.eye(count)
    np.fill_diagonal(correlation, 1.0)
    return partials_of_cholesky(np.linalg.cholesky(correlation))


def _precision(
    likelihood: MarginalLikelihood,
    table: np.ndarray,
    covered: np.ndarray,
    fitted: np.ndarray,
    means: np.ndarray,
) -> np.ndarray:
    """Return precisions by the Beta's variance: phi + 1 = mu (1 - mu) / variance."""
    floor = likelihood.layout.floor
    family_of_model = np.zeros(table.shape[0], dtype="int64")
    family_of_model[likelihood.model] = likelihood.family
    level = fitted + np.nan_to_num(means)[family_of_model]
    mean = floor + (1 - floor) * expit(level)
    score = floor + (1 - floor) * expit(table)
    found = np.empty(floor.size)
    for j in range(floor.size):
        rows = covered[:, j]
        error = np.mean(np.square(score[rows, j] - mean[rows, j])) + 1e-6
        found[j] = np.mean(mean[rows, j] * (1 - mean[rows, j])) / error
    return np.clip(found, *_PRECISION_RANGE)
