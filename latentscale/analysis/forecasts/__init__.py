"""Scores of models that were not measured, and what new scores say about a fit."""
