"""Observational scaling laws: tasks of strong models from weaker models and other benchmarks."""
