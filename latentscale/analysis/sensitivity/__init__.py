"""How much priors, scores and single families matter."""
