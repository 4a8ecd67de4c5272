"""A Beta likelihood with heavy tails: a scale mixture whose widths are powers of three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood, Noise, NormalNoise, aligned
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.scale_mixture import ScaleMixture

_WEIGHT = "tail_weight"
_WIDER = 2  # steps of widening: a component with nine standard deviations reaches any score
_RATIO = 1 / 9
"""Ratio of precisions of successive components: three times the standard deviation, beyond which
separate components begin to show in the density."""


@LIKELIHOODS.add
class HeavyTailedBetaLikelihood(Likelihood):
    """Scores are Beta(mu, phi), Beta(mu, phi / 9) or Beta(mu, phi / 81).

    With probability w, the weight of the tails, a score has three times the usual standard
    deviation, and a share w of these scores has nine times. Up to nine standard deviations, tails
    fall off as a power of the distance, like a Student-t with -log(w) / log(3) degrees of freedom;
    near floors and ceilings the variance shrinks as a Beta's does. If phi is below about 80, the
    widest Beta has most of its mass near 0 and 1.

    The weight is learned: ``tail_weight``, inside (0, 1), times `largest_weight`. Above one half
    most scores are wider than usual, and the posterior of a sparse table can have a second mode
    there, in which the tails play the role of the usual scores and phi is many times as high.

    Attributes
    ----------
    shared
        Whether all benchmarks share one weight; otherwise each has its own.
    largest_weight
        Upper bound of the weight w, in (0, 1]. At 1 ``tail_weight`` is w itself.

    References
    ----------
    Andrews and Mallows 1974, "Scale mixtures of normal distributions", for the normal.
    """

    kind: Literal["heavy-tailed-beta"] = "heavy-tailed-beta"
    equation: ClassVar[str] = (
        r"Y_{ij} \sim (1 - w) \, \mathrm{Beta}(\mu_{ij}, \phi_{ij}) "
        r"+ w (1 - w) \, \mathrm{Beta}(\mu_{ij}, \phi_{ij} / 9) "
        r"+ w^2 \, \mathrm{Beta}(\mu_{ij}, \phi_{ij} / 81)"
    )
    shared: bool = True
    largest_weight: float = Field(default=1.0, gt=0, le=1)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        _WEIGHT: PriorSlot(
            Prior("Beta", alpha=2, beta=8),
            "share of scores with three times the standard deviation, and share of these with "
            "nine times it, each divided by largest_weight",
        ),
    }

    def parameters(self) -> dict[str, Parameter]:
        """Return the weight of the tails."""
        return {_WEIGHT: Parameter(_WEIGHT, () if self.shared else (BENCHMARK,))}

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return Beta noise with heavy tails."""
        return HeavyTailedNoise(BetaNoise(), self._weight(parameters))

    def unbounded(self, parameters: Mapping[str, Named]) -> Noise:
        """Return normal noise with tails of the same weight, on an unbounded scale."""
        return HeavyTailedNoise(NormalNoise(), self._weight(parameters))

    def _weight(self, parameters: Mapping[str, Named]) -> Named:
        """Return the weight w of the tails."""
        share = parameters[_WEIGHT]
        return share if self.largest_weight == 1 else self.largest_weight * share


@dataclass(frozen=True)
class HeavyTailedNoise(ScaleMixture):
    """A scale mixture of a noise at phi, phi / 9 and phi / 81.

    Attributes
    ----------
    weight
        Probability that a score is wider than usual, and that a wider one is wider still. Dims ()
        or (benchmark,) or (cell,), and sample on draws.
    """

    weight: Named

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the log density of the mixture."""
        maths = maths_of(mean)
        wider, no_wider = maths.log(self.weight), maths.log1p(-self.weight)
        total = no_wider + self.usual.log_density(score, mean, phi)
        for times in range(1, _WIDER + 1):
            chance = times * wider if times == _WIDER else times * wider + no_wider
            part = chance + self.usual.log_density(score, mean, phi * _RATIO**times)
            total = total + maths.softplus(part - total)
        return total

    def factors(self, mean: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw how wide each score is: 1, 1 / 9 or 1 / 81."""
        mu, weight = aligned(mean, self.weight)
        uniform = rng.random(mu.shape)
        times = sum((uniform < weight**power).astype(int) for power in range(1, _WIDER + 1))
        return mean.copy(data=_RATIO**times)
