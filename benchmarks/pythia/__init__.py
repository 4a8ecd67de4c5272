"""Pythia: later checkpoints and the largest model, from the scores of other checkpoints."""
