"""Likelihoods of scores, one kind per file: density, random draw, and what a cell must state.

Not for the expected score mu nor for how precision depends on covariates, which all kinds share
(`latentscale.model.equations`).
"""
