"""Pareto-smoothed importance sampling: one smoothing and one limit of Pareto k for all uses.

It takes only log importance ratios of draws; which densities they compare is up to the caller.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from arviz_stats.base import array_stats
from scipy.special import logsumexp

Floats = npt.NDArray[np.float64]

MIN_DRAWS = 25
"""Fewest draws with a tail to fit: the tail is a fifth of them, and ArviZ needs 5 values."""

MOST_K = 0.7
"""Largest Pareto k allowed with any number of draws (Vehtari et al. 2024, section 3.2.4)."""

CLOSE_K = 0.5
"""Largest Pareto k of draws that are used without their weights: above it, the variance of the
weights is infinite, and unweighted draws may be far off even if weighted ones are right (Yao et al.
2018, "Yes, but did it work?", section 3.1)."""

# Ratios that differ by less than this, relative to their size, differ only by rounding.
_SAME = 1e-10
# Log ratio of draws of weight 0 below the smallest other one: exp(-700) is still above 0.
_FAR_BELOW = 700.0


@dataclass(frozen=True)
class SmoothWeights:
    """Pareto-smoothed importance weights.

    Attributes
    ----------
    log_weights
        Logs of weights that sum to 1 over the last axis, shape (..., draw).
    pareto_k
        Shape of the tail of the raw weights, shape (...,); 0 if all weights are equal, NaN if no
        tail can be fitted (fewer than 25 draws, or equal largest weights), infinite if a ratio is
        infinite or NaN, or if one draw outweighs all others by far. In these cases the weights are
        not smoothed.
    """

    log_weights: Floats
    pareto_k: Floats


def k_limit(draws: int, *, weighted: bool = True) -> float:
    """Return the largest Pareto k with which this many draws give reliable weights.

    If not `weighted`, return the largest k with which draws are usable without their weights.

    min(1 - 1 / log10(S), 0.7): Vehtari et al. 2024 (arXiv:1507.02646), section 3.2.4. NaN is not
    reliable either: compare with ``k <= k_limit(draws)``.
    """
    if draws <= 10:  # log10(S) of at most 1 leaves no k above 0
        return 0.0
    return float(min(1 - 1 / np.log10(draws), MOST_K if weighted else CLOSE_K))


def pareto_smoothed(log_ratio: Floats, *, efficiency: float = 1.0) -> SmoothWeights:
    """Return Pareto-smoothed weights of log importance ratios.

    Vehtari et al. 2024 (arXiv:1507.02646), section 3, as implemented in ArviZ.

    Parameters
    ----------
    log_ratio
        Log of the target's density over the draws' own, up to a constant, shape (..., draw);
        -inf is a weight of 0.
    efficiency
        Effective over actual number of draws, which sets the length of the tail; 1 for
        independent draws.
    """
    rows = np.asarray(log_ratio, dtype=float)
    flat = rows.reshape(-1, rows.shape[-1])
    smoothed = [_smoothed_row(row, efficiency) for row in flat]
    weights = np.array([row for row, _ in smoothed]).reshape(rows.shape)
    return SmoothWeights(weights, np.array([k for _, k in smoothed]).reshape(rows.shape[:-1]))


def _smoothed_row(ratio: Floats, efficiency: float) -> tuple[Floats, float]:
    plain, broken = _plain(ratio)
    if broken:
        return plain, np.inf
    if len(ratio) < MIN_DRAWS:
        return plain, np.nan
    finite = ratio[np.isfinite(ratio)]
    if np.ptp(finite) < _SAME * max(1.0, float(np.abs(finite).max())):
        return plain, 0.0
    filled = np.where(np.isfinite(ratio), ratio, finite.min() - _FAR_BELOW)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # a tail that cannot be fitted shows in k
            smooth, shape = array_stats.psislw(-filled, r_eff=efficiency)
    except ValueError:  # the largest weights are equal
        return plain, np.nan
    # No tail fits if the largest ratios are so far apart that all but one underflow.
    if np.isnan(smooth).any() or np.isnan(shape):
        return plain, np.inf
    return np.asarray(smooth, dtype=float), float(shape)


def _plain(ratio: Floats) -> tuple[Floats, bool]:
    """Return normalised weights without smoothing, and whether the ratios cannot be trusted."""
    infinite = np.isposinf(ratio)
    if infinite.any():
        return np.where(infinite, -np.log(infinite.sum()), -np.inf), True
    finite = np.isfinite(ratio)
    if not finite.any():
        return np.full(len(ratio), -np.log(len(ratio))), True
    level = np.where(finite, ratio, -np.inf)
    return np.asarray(level - logsumexp(level), dtype=float), bool(np.isnan(ratio).any())
