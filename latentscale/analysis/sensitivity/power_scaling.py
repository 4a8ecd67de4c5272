"""Power-scaling: how far a marginal posterior moves with a component, and how much is noise.

The draws are weighted by a component (the prior or the likelihood) to a power near 1. The index is
the cumulative Jensen-Shannon distance that this makes, per doubling (Kallioinen et al. 2024, eq.
9 to 12). It is a distance, so it is above 0 with finite draws even where nothing moves.
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
"""Standard deviation below which a quantity is constant within rounding."""
NOISE_QUANTILE = 0.99
"""An index above this quantile for unrelated draws counts as real: 1 in 100 is not."""
_ALPHAS = (0.99, 1.01)
"""Powers on either side of 1, as in ArviZ's power-scaling (Kallioinen et al. 2024)."""
_SHIFTS = 200
"""Draws of an index under no relation: their 99% quantile rests on the two largest."""
_NEAREST = 0.1
"""Shifts by less than a tenth of the chain are not used: neighbouring draws are alike."""


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
    The index of each quantity; to first order in the power where the tail of the weights is
    constant, so that it cannot be smoothed.
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
    except ValueError:  # the largest densities are one: a chain stayed where it was, draw by draw
        values = group[LOG_LIKELIHOOD]["component"].values.reshape(1, -1)
        draws = bare.transpose(QUANTITY, CHAIN, DRAW).values
        return np.array([linear_index(quantity.ravel(), values)[0] for quantity in draws])
    return np.asarray(indices["q"].values, dtype=float)


def index_noise(quantities: xr.DataArray, logs: xr.DataArray, rng: np.random.Generator) -> Floats:
    """Return the 99% quantile of the index under Monte Carlo error alone.

    The component is paired with the wrong draws: chains are permuted and each is rotated by a
    random number of draws. That breaks any dependence on the quantity and keeps the
    autocorrelation of both. The index is a norm of the estimated movement, which is the true
    movement plus error; so, by the triangle inequality, index minus noise bounds the true index
    from below where the error is no larger than this noise: in 99% of cases for a quantity that
    the component does not move, and in some 90% where it moves it most, for dependence makes
    the error larger.

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

    No chain is rotated by less than a tenth of its length, so that none stays near its draws.
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
