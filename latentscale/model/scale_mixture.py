"""Noise whose precision differs from score to score: a scale mixture."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from latentscale.declare.likelihood import Noise, Step, aligned
from latentscale.maths import Named


@dataclass(frozen=True)
class ScaleMixture(Noise):
    """A noise at the precision phi times a factor that is drawn for each score.

    Attributes
    ----------
    usual
        The noise at one precision.
    """

    usual: Noise
    heavy_tailed: ClassVar[bool] = True

    @abstractmethod
    def factors(self, mean: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw the factor of each score's precision, dims of `mean`."""

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw every factor, then the scores."""
        return self._scores(self.factors(mean, rng), mean, phi, rng)

    def steps(self) -> tuple[Step, ...]:
        """Return two passes: all factors are drawn before all scores."""
        return (lambda _, mean, phi, rng: self.factors(mean, rng), self._scores)

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision of the usual scores with sampling error."""
        return self.usual.sampled(phi, mean, sampling)

    def _scores(
        self, factor: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator
    ) -> xr.DataArray:
        spread = aligned(mean, phi)[1]
        return self.usual.draw(mean, mean.copy(data=spread * factor.values), rng)
