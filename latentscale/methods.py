"""How `latentscale.fit` draws: every method, where chains start, and the estimate without draws."""

from __future__ import annotations

from latentscale.inference.laplace import Laplace
from latentscale.inference.marginal.method import MarginalML, marginal_estimate
from latentscale.inference.marginal.stochastic import StochasticMarginalML
from latentscale.inference.nuts import NUTS
from latentscale.inference.pathfinder import Pathfinder
from latentscale.inference.start import ModeStart, PriorStart
from latentscale.inference.variational import ADVI

__all__ = [
    "ADVI",
    "NUTS",
    "Laplace",
    "MarginalML",
    "ModeStart",
    "Pathfinder",
    "PriorStart",
    "StochasticMarginalML",
    "marginal_estimate",
]
