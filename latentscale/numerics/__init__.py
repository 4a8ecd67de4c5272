"""Numerics that know nothing of specs, tables or fits: climbs, curvature, PSIS, threads."""
