"""Inference: methods as objects, and the call that runs them."""

from latentscale.inference.laplace import Laplace
from latentscale.inference.method import Method
from latentscale.inference.nuts import NUTS
from latentscale.inference.pathfinder import Pathfinder
from latentscale.inference.resume import resume
from latentscale.inference.run import fit
from latentscale.inference.variational import ADVI

__all__ = ["ADVI", "NUTS", "Laplace", "Method", "Pathfinder", "fit", "resume"]
