"""Numerics that do not depend on specs, tables or fits: climbs, curvature, PSIS, threads."""
