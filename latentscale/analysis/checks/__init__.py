"""Checks of convergence, and of whether the model describes the scores."""
