"""The logit-normal likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from scipy.special import expit as expit_of
from scipy.special import logit as logit_of

from latentscale.dims import CELL
from latentscale.maths import Named, as_data, maths_of
from latentscale.spec.kinds import LIKELIHOODS
from latentscale.spec.likelihood import Likelihood, Noise, aligned


@LIKELIHOODS.add
class LogitNormalLikelihood(Likelihood):
    """logit of the score ~ Normal(logit mu, 2 / sqrt(phi)); mu is the median score.

    At mu = 1/2 a phi gives about the spread of a Beta of the same phi.
    """

    kind: Literal["logit-normal"] = "logit-normal"
    equation: ClassVar[str] = (
        r"\mathrm{logit}\, Y_{ij} \sim "
        r"\mathrm{Normal}(\mathrm{logit}\, \mu_{ij}, 4 / \phi_{ij})"
    )

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return logit-normal noise."""
        return LogitNormalNoise()


@dataclass(frozen=True)
class LogitNormalNoise(Noise):
    """logit of the score ~ Normal(logit mu, 2 / sqrt(phi)): mu is the median, not the mean.

    The spread at mu = 1/2 is about that of a Beta of the same phi; towards 0 and 1 it stays
    the same on the logit scale.
    """

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the logit-normal likelihood."""
        from latentscale.model.distributions import LogitNormal

        mu, sigma = logit_scale(mean, phi)
        LogitNormal("score", mu=mu, sigma=sigma, observed=as_data(score, (CELL,)))

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the logit-normal log density."""
        z2 = (logit(score) - logit(mean)) ** 2 * phi / 4
        scale = 0.5 * np.log(phi / (8 * np.pi))
        return scale - z2 / 2 - np.log(score) - np.log1p(-score)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the logit-normal."""
        mu, spread = aligned(mean, phi)
        noise = rng.standard_normal(mu.shape)
        return mean.copy(data=expit_of(logit_of(mu) + 2 * noise / np.sqrt(spread)))


def logit_scale(mean: Named, phi: Named) -> tuple[Named, Named]:
    """Return location and scale on the logit scale, in a PyTensor graph."""
    maths = maths_of(mean)
    return maths.log(mean) - maths.log(1 - mean), 2 / maths.sqrt(phi)


def logit(x: xr.DataArray) -> xr.DataArray:
    """Return the logit of an array with named dims."""
    return xr.apply_ufunc(logit_of, x)
