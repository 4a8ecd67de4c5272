"""Gibbs sampling of specs that are normal on the link's scale, given scales and precisions."""
