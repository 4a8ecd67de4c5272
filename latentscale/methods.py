"""How `latentscale.fit` draws: every method, where chains start, and the estimate without draws."""

from __future__ import annotations

from latentscale.inference.approximations.advi import ADVI
from latentscale.inference.approximations.laplace import Laplace
from latentscale.inference.approximations.pathfinder import Pathfinder
from latentscale.inference.gibbs.method import Gibbs
from latentscale.inference.marginal.method import MarginalML, marginal_estimate
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.nuts.start import ModeStart, PriorStart
from latentscale.inference.partitioned.method import Partitioned
from latentscale.inference.partitioned.subsampled import Subsampled
from latentscale.inference.stochastic.method import StochasticMarginalML

__all__ = [
    "ADVI",
    "NUTS",
    "Gibbs",
    "Laplace",
    "MarginalML",
    "ModeStart",
    "Partitioned",
    "Pathfinder",
    "PriorStart",
    "StochasticMarginalML",
    "Subsampled",
    "marginal_estimate",
]


def __dir__() -> list[str]:
    return sorted(__all__)
