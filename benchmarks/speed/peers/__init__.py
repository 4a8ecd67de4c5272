"""Peers: the package's posteriors written by hand for other engines, and in numba as a bound."""
