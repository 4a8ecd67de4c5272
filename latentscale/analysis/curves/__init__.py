"""Scores along a feature, the compute that a score takes, and the best score by date."""
