"""Gibbs sampling of specs that are normal on the link's scale, given scales and precisions."""

from latentscale.inference.gibbs.method import Gibbs

__all__ = ["Gibbs"]
