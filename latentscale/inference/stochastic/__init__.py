"""Maximum marginal likelihood by stochastic gradients: latents integrated out by sampling."""

from latentscale.inference.stochastic.method import StochasticMarginalML

__all__ = ["StochasticMarginalML"]
