"""Inference: methods as objects, and the call that runs them."""

import arviz_stats  # noqa: F401  # here: it inspects the call stack, still short

from latentscale.inference.approximations.advi import ADVI
from latentscale.inference.approximations.laplace import Laplace
from latentscale.inference.approximations.pathfinder import Pathfinder
from latentscale.inference.method import Method
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.nuts.resume import resume
from latentscale.inference.run import fit

__all__ = ["ADVI", "NUTS", "Laplace", "Method", "Pathfinder", "fit", "resume"]
