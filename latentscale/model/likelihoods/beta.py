"""The Beta likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood, Noise, aligned
from latentscale.dims import CELL
from latentscale.maths import Named, as_data, maths_of


@LIKELIHOODS.add
class BetaLikelihood(Likelihood):
    """Scores are Beta with mean mu and precision phi: alpha = mu phi, beta = (1 - mu) phi."""

    kind: Literal["beta"] = "beta"
    equation: ClassVar[str] = (
        r"Y_{ij} \sim "
        r"\mathrm{Beta}(\mu_{ij} \phi_{ij}, (1 - \mu_{ij}) \phi_{ij})"
    )
    linearised: ClassVar[bool] = True
    scalar: ClassVar[bool] = True

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return Beta noise."""
        return BetaNoise()


@dataclass(frozen=True)
class BetaNoise(Noise):
    """Beta(mu phi, (1 - mu) phi): mean mu, variance mu (1 - mu) / (1 + phi)."""

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the Beta likelihood."""
        from latentscale.model.distributions import MeanBeta

        MeanBeta("score", mean=mean, phi=phi, observed=as_data(score, (CELL,)))

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the Beta log density."""
        if not isinstance(mean, xr.DataArray):
            from latentscale.model.distributions import beta_in_graph

            fused = beta_in_graph(score, mean, phi)
            if fused is not None:
                return fused
        alpha, beta = mean * phi, (1 - mean) * phi
        maths = maths_of(mean)
        normaliser = maths.betaln(alpha, beta)
        return (alpha - 1) * maths.log(score) + (beta - 1) * maths.log1p(-score) - normaliser

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the Beta."""
        mu, spread = aligned(mean, phi)
        return mean.copy(data=rng.beta(mu * spread, (1 - mu) * spread))
