"""Importance weights of an approximation, by which every approximate method is checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.numerics.psis import pareto_smoothed


@dataclass(frozen=True)
class Weights:
    """Pareto-smoothed importance weights.

    Attributes
    ----------
    log_weights
        Logs of weights that sum to 1, shape (draws,).
    pareto_k
        Shape of the tail of the raw weights; NaN with fewer than 25 draws.
    """

    log_weights: np.ndarray
    pareto_k: float


def importance_weights(log_p: np.ndarray, log_q: np.ndarray) -> Weights:
    """Return Pareto-smoothed weights p / q of draws from q.

    Vehtari et al. 2024, "Pareto smoothed importance sampling", section 2; used to check
    variational approximations by Yao et al. 2018, "Yes, but did it work?", section 3.

    Parameters
    ----------
    log_p, log_q
        Unnormalised log density of the posterior, and log density of the approximation,
        at draws from the approximation; shape (draws,). -inf in `log_p` has weight 0.
    """
    smooth = pareto_smoothed(np.where(np.isfinite(log_p), log_p - log_q, -np.inf))
    return Weights(smooth.log_weights, float(smooth.pareto_k))


def weight_stats(log_p: np.ndarray, log_q: np.ndarray, weights: Weights) -> xr.Dataset:
    """Return the densities and weights as sample statistics, dims (chain, draw)."""
    named = {"lp": log_p, "log_q": log_q, "log_weight": weights.log_weights}
    return xr.Dataset({name: ((CHAIN, DRAW), values[None]) for name, values in named.items()})
