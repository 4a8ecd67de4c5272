"""A Beta likelihood with outliers: a small share of scores scatters more widely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood, Noise, NormalNoise, aligned
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.scale_mixture import ScaleMixture

_SHARE = "outlier_share"
_RATIO = "outlier_precision_ratio"


@LIKELIHOODS.add
class ContaminatedBetaLikelihood(Likelihood):
    """Scores are Beta(mu, phi), except for a share of outliers, which are Beta(mu, ratio phi).

    Tails are heavier than a Beta's, while near floors and ceilings the variance shrinks as a
    Beta's does. The share and the ratio, both inside (0, 1), are learned: `shared` by all
    benchmarks, or one pair per benchmark.

    References
    ----------
    Tukey 1960, "A survey of sampling from contaminated distributions", for the normal.
    """

    kind: Literal["contaminated-beta"] = "contaminated-beta"
    equation: ClassVar[str] = (
        r"Y_{ij} \sim (1 - w) \, \mathrm{Beta}(\mu_{ij}, \phi_{ij}) "
        r"+ w \, \mathrm{Beta}(\mu_{ij}, \rho \phi_{ij})"
    )
    shared: bool = True
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        _SHARE: PriorSlot(Prior("Beta", alpha=2, beta=18), "share of scores that are outliers"),
        _RATIO: PriorSlot(
            Prior("Beta", alpha=2, beta=10), "precision of outliers, as a share of phi"
        ),
    }

    def parameters(self) -> dict[str, Parameter]:
        """Return the share of outliers and the ratio of precisions."""
        dims = () if self.shared else (BENCHMARK,)
        return {name: Parameter(name, dims) for name in (_SHARE, _RATIO)}

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return Beta noise with outliers."""
        return ContaminatedNoise(BetaNoise(), parameters[_SHARE], parameters[_RATIO])

    def unbounded(self, parameters: Mapping[str, Named]) -> Noise:
        """Return normal noise with the same share of outliers, on an unbounded scale."""
        return ContaminatedNoise(NormalNoise(), parameters[_SHARE], parameters[_RATIO])


@dataclass(frozen=True)
class ContaminatedNoise(ScaleMixture):
    """(1 - share) times a noise at phi, plus share times the same noise at ratio phi.

    Attributes
    ----------
    share, ratio
        Dims () or (benchmark,) or (cell,), and sample on draws.
    """

    share: Named
    ratio: Named

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the log density of the mixture."""
        maths = maths_of(mean)
        narrow = maths.log1p(-self.share) + self.usual.log_density(score, mean, phi)
        wide = maths.log(self.share) + self.usual.log_density(score, mean, phi * self.ratio)
        return narrow + maths.softplus(wide - narrow)

    def factors(self, mean: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw which scores are outliers: 1, or the ratio for an outlier."""
        mu, share = aligned(mean, self.share)
        outlier = rng.random(mu.shape) < share
        return mean.copy(data=np.where(outlier, aligned(mean, self.ratio)[1], 1.0))
