"""A likelihood from outside the package: Laplace noise on the logit scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from latentscale.extend import LIKELIHOODS, Likelihood, Named, Noise, aligned, maths_of


@LIKELIHOODS.add
class LaplaceLikelihood(Likelihood):
    """logit of the score ~ Laplace(logit mu, b), with standard deviation 2 / sqrt(phi)."""

    kind: Literal["laplace"] = "laplace"

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        return LaplaceNoise()


@dataclass(frozen=True)
class LaplaceNoise(Noise):
    """The distribution itself: the same lines serve the PyMC model and draws."""

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        maths = maths_of(mean)
        scale = maths.sqrt(2 / phi)
        away = maths.abs(maths.logit(score) - maths.logit(mean)) / scale
        return -away - maths.log(2 * scale) - maths.log(score) - maths.log1p(-score)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        mu, spread = aligned(mean, phi)
        away = rng.laplace(0.0, np.sqrt(2 / spread))
        return mean.copy(data=1 / (1 + (1 - mu) / mu * np.exp(-away)))
