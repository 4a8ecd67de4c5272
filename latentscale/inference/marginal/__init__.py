"""Maximum marginal likelihood: families' latents integrated out by quadrature."""
