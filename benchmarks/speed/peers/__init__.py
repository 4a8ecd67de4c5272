"""Peers: the package's posteriors written by hand for other engines, and their floor in numba."""
