"""The logit-normal likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from scipy.special import expit as expit_of
from scipy.special import logit as logit_of

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood, Noise, aligned
from latentscale.dims import CELL
from latentscale.maths import Named, as_data, maths_of


@LIKELIHOODS.add
class LogitNormalLikelihood(Likelihood):
    """logit of the score ~ Normal(logit mu, 4 / phi), 4 / phi the variance; mu is the median score.

    At mu = 1/2 the spread is about that of a Beta with the same phi.
    """

    kind: Literal["logit-normal"] = "logit-normal"
    equation: ClassVar[str] = (
        r"\mathrm{logit}\, Y_{ij} \sim "
        r"\mathrm{Normal}(\mathrm{logit}\, \mu_{ij}, 4 / \phi_{ij})"
    )

    normal_on_logit: ClassVar[bool] = True

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return logit-normal noise."""
        return LogitNormalNoise()


@dataclass(frozen=True)
class LogitNormalNoise(Noise):
    """logit of the score ~ Normal(logit mu, 4 / phi): mu is the median, not the mean.

    The spread at mu = 1/2 is about that of a Beta with the same phi; on the logit scale it is the
    same for every mu.
    """

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the logit-normal likelihood."""
        from latentscale.model.distributions import LogitNormal

        mu, sigma = logit_scale(mean, phi)
        LogitNormal("score", mu=mu, sigma=sigma, observed=as_data(score, (CELL,)))

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the logit-normal log density."""
        maths = maths_of(mean)
        z2 = (maths.logit(score) - maths.logit(mean)) ** 2 * phi / 4
        scale = 0.5 * maths.log(phi / (8 * np.pi))
        return scale - z2 / 2 - maths.log(score) - maths.log1p(-score)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the logit-normal."""
        mu, spread = aligned(mean, phi)
        noise = rng.standard_normal(mu.shape)
        return mean.copy(data=expit_of(logit_of(mu) + 2 * noise / np.sqrt(spread)))

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision with sampling of items, on the logit scale."""
        return sampled_on_logit(phi, mean, sampling)


def sampled_on_logit(phi: Named, mean: Named, sampling: Named) -> Named:
    """Return the precision where sampling of items adds 1 / (n mu (1 - mu)) to 4 / phi.

    This is the delta method; within half an item of 0 and 1, the derivative at half an item is
    used.

    Parameters
    ----------
    phi, mean
        Precision of the noise itself, and median scores mu.
    sampling
        1 / n, 0 for none.
    """
    half = sampling / 2
    rise = maths_of(mean).maximum(mean * (1 - mean), half * (1 - half))
    return phi / (1 + phi * sampling / (4 * rise))


def logit_scale(mean: Named, phi: Named) -> tuple[Named, Named]:
    """Return location and scale on the logit scale, in a PyTensor graph."""
    maths = maths_of(mean)
    return maths.log(mean) - maths.log(1 - mean), 2 / maths.sqrt(phi)
