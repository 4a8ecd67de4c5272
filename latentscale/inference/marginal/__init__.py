"""Maximum marginal likelihood: families' latents integrated out by quadrature."""

from latentscale.inference.marginal.method import MarginalML

__all__ = ["MarginalML"]
