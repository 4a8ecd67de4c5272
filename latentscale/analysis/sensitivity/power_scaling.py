"""Power-scaling: how far a marginal posterior moves with a component, and its Monte Carlo error.

The draws are weighted as if a component (the prior or the likelihood) were raised to a power near
1. The index is the cumulative Jensen-Shannon distance to the posterior, per doubling (Kallioinen et
al. 2024, eq. 9 to 12). As a distance it is above 0 with finite draws, even if nothing moves.
"""

from __future__ import annotations

import warnings
from typing import Any

import arviz_stats as azs
import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.dims import CHAIN, DRAW, LOG_LIKELIHOOD, POSTERIOR
from latentscale.posterior.pairing import paired

QUANTITY = "quantity"
Floats = npt.NDArray[np.float64]
CONSTANT = 1e-12
"""Standard deviation below which a quantity is constant up to rounding error."""
NOISE_QUANTILE = 0.99
"""Quantile of the index under the null above which an index counts: 1 in 100 does by chance."""
_ALPHAS = (0.99, 1.01)
"""Powers on either side of 1, as in ArviZ's power-scaling (Kallioinen et al. 2024)."""
_SHIFTS = 200
"""Draws of the index under the null: their 99% quantile is determined by the two largest."""
_NEAREST = 0.1
"""Shifts by less than a tenth of the chain are not used: neighbouring draws are correlated."""


def sensitivity_index(quantities: xr.DataArray, logs: xr.DataArray) -> Floats:
    """Return the power-scaling sensitivity of each quantity to one component.

    Parameters
    ----------
    quantities
        Draws, dims (chain, draw, quantity).
    logs
        The component's log density, dims (chain, draw).

    Returns
    -------
    The index of each quantity; to first order in the power if the tail of the weights is constant,
    so that it cannot be smoothed.
    """
    if float(logs.std()) < CONSTANT:
        return np.zeros(quantities.sizes[QUANTITY])
    logs = paired(logs, quantities)
    bare = quantities.drop_vars(["variable", "where"], errors="ignore")
    group: dict[str, Any] = {
        POSTERIOR: xr.Dataset({"q": bare}),
        LOG_LIKELIHOOD: xr.Dataset({"component": logs.transpose(CHAIN, DRAW)}),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            indices = azs.psense(
                xr.DataTree.from_dict(group), group="likelihood", alphas=_ALPHAS, sample_dims=None
            )
    except ValueError:  # the largest densities are equal: a chain did not move for many draws
        values = group[LOG_LIKELIHOOD]["component"].values.reshape(1, -1)
        draws = bare.transpose(QUANTITY, CHAIN, DRAW).values
        return np.array([linear_index(quantity.ravel(), values)[0] for quantity in draws])
    return np.asarray(indices["q"].values, dtype=float)


def index_noise(quantities: xr.DataArray, logs: xr.DataArray, rng: np.random.Generator) -> Floats:
    """Return the 99% quantile of the index under Monte Carlo error alone.

    The component is paired with other draws: chains are permuted and each is rotated by a random
    number of draws. This removes any dependence on the quantity and keeps the autocorrelation of
    both. The index is a norm of the estimated movement, which is the true movement plus error. By
    the triangle inequality, index minus noise is a lower bound on the true index if the error is at
    most this noise. This holds in 99% of cases for a quantity that the component does not move, and
    in about 90% for one that it moves strongly, since dependence makes the error larger.

    Parameters
    ----------
    quantities
        Draws, dims (chain, draw, quantity).
    logs
        The component's log density, dims (chain, draw).
    rng
        Source of random numbers.

    References
    ----------
    Lotwick and Silverman 1982, "Methods for analysing spatial processes of several types of
    points", for random rotations as a null; Kallioinen et al. 2024 for the index.
    """
    logs = paired(logs, quantities)
    values = np.asarray(logs.transpose(CHAIN, DRAW).values, dtype=float)
    if values.std() < CONSTANT:
        return np.zeros(quantities.sizes[QUANTITY])
    apart = shifted_series(values, _SHIFTS, rng)
    draws = quantities.transpose(QUANTITY, CHAIN, DRAW).values
    noises = [
        np.quantile(linear_index(quantity.ravel(), apart), NOISE_QUANTILE) for quantity in draws
    ]
    return np.asarray(noises, dtype=float)


def shifted_series(values: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return series (chain, draw) with chains permuted and rotated, shape (count, chain x draw).

    No chain is rotated by less than a tenth of its length, so that no draw is paired with a near
    neighbour.
    """
    chains, draws = values.shape
    nearest = max(int(_NEAREST * draws), 1)
    rotated = np.empty((count, chains * draws))
    for row in rotated:
        offsets = rng.integers(nearest, draws - nearest + 1, chains)
        order = rng.permutation(chains)
        row[:] = np.concatenate(
            [np.roll(values[c], int(o)) for c, o in zip(order, offsets, strict=True)]
        )
    return rotated


def linear_index(draws: Floats, logs: Floats) -> Floats:
    """Return the index of one quantity for many components, to first order in the power.

    With D(x) the covariance of the log density and the indicator of a draw below x, and F the
    distribution function, the squared distance is the integral of D^2 / F over 8 ln 2 times that
    of F, or the same from the right, whichever is larger.

    Parameters
    ----------
    draws
        Draws of the quantity, shape (draw,).
    logs
        Log densities, shape (component, draw).
    """
    order = np.argsort(draws)
    width = np.diff(draws[order])
    count = len(draws)
    centred = (logs - logs.mean(axis=1, keepdims=True))[:, order]
    squared = (np.cumsum(centred, axis=1)[:, :-1] / count) ** 2
    below = np.arange(1, count) / count
    sides = [squared @ (width / side) / (width @ side) for side in (below, 1 - below)]
    distance = np.sqrt(np.maximum(*sides) / (8 * np.log(2)))
    return np.asarray(np.log(2) * distance, dtype=float)
