"""Regressions: rough values of the parameters, from least squares on the logits of the scores.

Climbs of a likelihood or a posterior density may begin at them; they are not estimates to report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from latentscale.data.scaling import is_bounded, standard_scores
from latentscale.declare.skills import Anchored
from latentscale.declare.spec import ModelSpec
from latentscale.model.design import Design
from latentscale.model.identify import loading_masks
from latentscale.model.scaled import CEILING

Arrays = dict[str, np.ndarray]

PARTIAL_CORRELATION = "skill_partial_correlation"
"""Canonical partial correlations of skills, in the order of the lower triangle's rows."""

# Shares nearer to 0 or 1 are moved to this one, so that a single extreme score does not dominate.
_INSIDE = 0.02
# Ridge on the coefficients of standardised covariates: a tenth of one score's weight.
_RIDGE = 0.1
# Bounds of families' standard deviations on the logit scale, which few families estimate badly.
_SPREADS = (0.2, 2.0)
# Bounds of precisions phi: a nearly flat Beta, and the sampling noise of 500 items.
_PRECISIONS = (5.0, 500.0)
# A ceiling near 1, but inside its range, as a fraction of the distance from the floor to 1.
_CEILING_SHARE = 0.95
# Correlations of noisy means are halved, so that their Cholesky factor exists.
_CORRELATION_KEPT = 0.5


@dataclass(frozen=True)
class _Table:
    """Logits of scores above their floors (model, benchmark), which are measured, and the rest.

    Attributes
    ----------
    logits, measured
        Shape (model, benchmark); standardised scores in place of logits where unbounded.
    floor, top, unbounded
        Floors and ceilings of the curves, and which scores are not fractions; shape (benchmark,).
    family
        Family of each model, shape (model,).
    families
        Number of families.
    """

    logits: np.ndarray
    measured: np.ndarray
    floor: np.ndarray
    top: np.ndarray
    unbounded: np.ndarray
    family: np.ndarray
    families: int


def regressed(spec: ModelSpec, design: Design) -> Arrays:
    """Return rough values of parameters by name, on their natural scale.

    Each benchmark's logit above its floor is regressed on the covariates. Families' mean residuals
    at the anchors serve as their latents. They give the scales, the correlation and, by regression
    of the other benchmarks' residuals on them, the loadings.

    Parameters
    ----------
    spec
        A spec with anchored skills.
    design
        Its table.
    """
    table = _logit_table(design)
    x = np.asarray(design.x.values, dtype=float)
    regressors = np.hstack([np.ones((len(x), 1)), x])
    coefficients, residual = _regress(table, regressors)
    mask = loading_masks(design.anchors, list(design.scores.benchmarks), len(design.anchors))
    anchor = np.argmax(mask == 2, axis=0)
    means = _family_means(table, residual)
    spread = np.clip(np.nanstd(means[:, anchor], axis=0), *_SPREADS)
    latent = np.nan_to_num((means[:, anchor] - np.nanmean(means[:, anchor], axis=0)) / spread)
    identify = spec.skills.identify
    unit = isinstance(identify, Anchored) and identify.unit == "family"
    loading = _loadings(means, latent * (1.0 if unit else spread))
    loading[anchor] = 0.0
    own = spread if unit else np.ones_like(spread)
    loading[anchor, np.arange(len(anchor))] = own
    return {
        "intercept": coefficients[0],
        "loading": loading,
        "loading_raw": np.where(mask == 1, loading, 0.0),
        "anchor_loading": spread,
        "family_scale": spread,
        "slope": coefficients[1:, anchor] / own,
        PARTIAL_CORRELATION: (partial := _partials(latent)),
        f"{PARTIAL_CORRELATION}_raw": (partial + 1) / 2,
        "precision": _precision(table, regressors @ coefficients, means),
        "link_power": np.ones(len(coefficients[0])),
        "ceiling_share": np.full(len(coefficients[0]), _CEILING_SHARE),
    }


def _logit_table(design: Design) -> _Table:
    floor = design.floor.values.astype(float)
    known = design.known_curve
    top = known[CEILING].values if CEILING in known else np.ones_like(floor)
    unbounded = ~is_bounded(design.scores.dataset).values
    logits = np.zeros((len(design.family_of_model), floor.size))
    measured = np.zeros(logits.shape, bool)
    # Scores that are not fractions have neither floor nor ceiling; their shares are replaced below.
    ends = np.where(unbounded, 0.0, floor), np.where(unbounded, 1.0, top)
    below, above = (end[design.benchmark_of_cell] for end in ends)
    share = (design.score_of_cell - below) / (above - below)
    at = design.model_of_cell, design.benchmark_of_cell
    logits[at] = logit(np.clip(share, _INSIDE, 1 - _INSIDE))
    measured[at] = True
    if unbounded.any():
        standard = standard_scores(design.scores.dataset).values
        logits = np.where(unbounded & measured, np.nan_to_num(standard), logits)
    family, families = design.family_of_model, len(design.families)
    return _Table(logits, measured, floor, top, unbounded, family, families)


def _regress(table: _Table, regressors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each benchmark's coefficients (regressor, benchmark), and residuals of all models."""
    coefficients = np.zeros((regressors.shape[1], table.floor.size))
    ridge = _RIDGE * np.eye(regressors.shape[1])
    for j, rows in enumerate(table.measured.T):
        x = regressors[rows]
        coefficients[:, j] = np.linalg.solve(x.T @ x + ridge, x.T @ table.logits[rows, j])
    return coefficients, table.logits - regressors @ coefficients


def _family_means(table: _Table, residual: np.ndarray) -> np.ndarray:
    """Return mean residuals (family, benchmark), NaN if a family was not measured."""
    means = np.full((table.families, residual.shape[1]), np.nan)
    for j, rows in enumerate(table.measured.T):
        family = table.family[rows]
        counts = np.bincount(family, minlength=table.families)
        sums = np.bincount(family, residual[rows, j], minlength=table.families)
        seen = counts > 0
        means[seen, j] = sums[seen] / counts[seen]
    return means


def _loadings(means: np.ndarray, latent: np.ndarray) -> np.ndarray:
    """Regress each benchmark's family means on the latents, with a standard normal prior."""
    count = latent.shape[1]
    loading = np.zeros((means.shape[1], count))
    for j in range(means.shape[1]):
        rows = ~np.isnan(means[:, j])
        x = latent[rows]
        loading[j] = np.linalg.solve(x.T @ x + np.eye(count), x.T @ means[rows, j])
    return loading


def _partials(latent: np.ndarray) -> np.ndarray:
    """Return canonical partial correlations of the latents, shrunk."""
    count = latent.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(np.atleast_2d(np.corrcoef(latent.T)))
    correlation = _CORRELATION_KEPT * correlation + (1 - _CORRELATION_KEPT) * np.eye(count)
    np.fill_diagonal(correlation, 1.0)
    return partials_of_cholesky(np.linalg.cholesky(correlation))


def partials_of_cholesky(factor: np.ndarray) -> np.ndarray:
    """Return canonical partial correlations (pairs,) of a correlation's Cholesky factor (K, K).

    Lewandowski, Kurowicka and Joe (2009), with pairs in the order of the lower triangle's rows.
    """
    rows, columns = np.tril_indices(factor.shape[0], -1)
    before = np.cumsum(np.square(factor), axis=1)[rows, columns] - factor[rows, columns] ** 2
    # The remainder of a row's unit length, bounded to avoid division by a rounded 0.
    return np.asarray(factor[rows, columns] / np.sqrt(np.maximum(1 - before, 1e-30)))


def _precision(table: _Table, fitted: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return precisions from the Beta's variance: phi + 1 = mu (1 - mu) / variance.

    For standardised scores, use their standard deviation, 2 / sqrt(phi).
    """
    level = fitted + np.nan_to_num(means)[table.family]
    mean = table.floor + (table.top - table.floor) * expit(level)
    score = table.floor + (table.top - table.floor) * expit(table.logits)
    precision = np.empty(table.floor.size)
    for j, rows in enumerate(table.measured.T):
        error = np.mean(np.square(score[rows, j] - mean[rows, j])) + 1e-6  # no division by 0
        precision[j] = np.mean(mean[rows, j] * (1 - mean[rows, j])) / error
        if table.unbounded[j]:
            off = table.logits[rows, j] - level[rows, j]
            precision[j] = 4 / (np.mean(np.square(off)) + 1e-6)
    return np.clip(precision, *_PRECISIONS)
