"""Numerical helpers that know nothing of specs, tables or fits."""
