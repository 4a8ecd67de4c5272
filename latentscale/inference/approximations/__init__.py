"""Approximations of the posterior by normal distributions: ADVI, Pathfinder and Laplace."""

from latentscale.inference.approximations.advi import ADVI
from latentscale.inference.approximations.laplace import Laplace
from latentscale.inference.approximations.pathfinder import Pathfinder

__all__ = ["ADVI", "Laplace", "Pathfinder"]
