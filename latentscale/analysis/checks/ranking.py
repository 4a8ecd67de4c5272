"""Models ranked by log density: differences with standard errors, and stacking weights.

`compare` computes the log densities of scores, for fits and for backtests.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latentscale.analysis.checks.calibrate import bootstrap_errors

RESAMPLES = 2000
"""Number of bootstrap resamples: standard errors are then accurate to 2%."""


def stacking_weights(elpd: pd.DataFrame) -> np.ndarray:
    """Return the weights of the mixture with the highest summed log predictive density.

    Yao et al. 2018 (doi:10.1214/17-BA1091), eq. 5: the log of a mixture is concave in its
    weights, so the optimum is unique up to ties.

    Parameters
    ----------
    elpd
        Log predictive densities, one row per score, one column per model.
    """
    values = elpd.to_numpy()
    values = values[np.isfinite(values.max(1))]  # scores that all rule out are uninformative
    density = np.exp(values - values.max(1, keepdims=True))
    count = density.shape[1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = density @ weights
        return -float(np.log(mixed).mean()), -(density / mixed[:, None]).mean(0)

    optimum = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(1e-12, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    weights = np.clip(optimum.x, 0, None)
    weights[weights < 1e-9] = 0.0
    return weights / weights.sum()


def ranking(values: pd.DataFrame, families: pd.Series, seed: int) -> pd.DataFrame:
    """Return models from best to worst with differences from the best and stacking weights.

    Parameters
    ----------
    values
        Log predictive densities, one row per score, one column per model.
    families
        The family of each row.
    seed
        Seed of the bootstrap over families.
    """
    total = values.sum()
    gaps = values.sub(values[total.idxmax()], axis=0)
    if total.max() == -np.inf:  # -inf minus -inf is undefined
        gaps[:] = np.nan
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "name": list(values),
            "elpd": total.to_numpy(),
            "difference": gaps.sum(skipna=False).to_numpy(),
            "difference_se": len(values) * bootstrap_errors(gaps, families, RESAMPLES, rng),
            "weight": stacking_weights(values),
            "cells": len(values),
        }
    )
    return table.sort_values("elpd", ascending=False, ignore_index=True)


def joint_families(own: pd.DataFrame) -> pd.Series:
    """Return the families by which scores are resampled, if tables state different ones.

    Scores that share a family in any of the tables are in one family.

    Parameters
    ----------
    own
        Families as each table states them, one row per score, one column per table.
    """
    nodes, count = [], 0
    for name in own:
        codes, known = pd.factorize(own[name])
        nodes.append(codes + count)
        count += len(known)
    first = np.tile(nodes[0], len(nodes))
    edges = coo_array((np.ones(first.size), (first, np.concatenate(nodes))), shape=(count, count))
    _, joined = connected_components(edges, directed=False)
    stated = own.iloc[:, 0].reset_index(drop=True)
    return stated.groupby(joined[nodes[0]]).transform("min").rename("family")
