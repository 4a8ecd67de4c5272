"""Approximations of the posterior by normal distributions: ADVI, Pathfinder and Laplace."""
