"""Scatter: the variance of scores around their expected values, from simulated scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from latentscale.declare.likelihood import Noise
from latentscale.model.scaled import without_bounds

_REPLICATES: Final = 4
"""Simulated scores per draw; averaging over hundreds of draws reduces the error further."""


def noise_variance(
    noise: Noise,
    mean: xr.DataArray,
    phi: xr.DataArray,
    code: xr.DataArray | None,
    rng: np.random.Generator,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return expected scores and the noise variance around them, with the dims of `mean`.

    For scores that are not fractions, both are on the scale that is standardised.

    Parameters
    ----------
    noise
        The likelihood.
    mean, phi
        Expected scores and precision, on draws.
    code
        As for `latentscale.model.scaled.without_bounds`.
    rng
        Source of random numbers.
    """
    expected = without_bounds(code, mean)
    spread = xr.zeros_like(expected)
    for _ in range(_REPLICATES):
        drawn = without_bounds(code, noise.draw(mean, phi, rng))
        spread = spread + (drawn - expected) ** 2 / _REPLICATES
    return expected, spread
