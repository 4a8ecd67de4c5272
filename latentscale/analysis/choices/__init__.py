"""Choices: what to train and what to measure."""
