"""Maximum marginal likelihood by stochastic gradients: latents integrated out by sampling."""
