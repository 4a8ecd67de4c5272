"""Effects of families in the recommended law, with derivatives, for numba.

`p` holds parameters, `g` the gradient with respect to them, `table` the data; a function with
`back` in its name propagates derivatives from a term back to its inputs.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit


@njit(error_model="numpy")
def levels(p, table):
    """Return spread by lineage, levels along, deviations within, and levels by family."""
    along, raw, lineage = p.lineage_skill_raw, p.family_skill_raw, table.lineage
    share = p.lineage_share[0]
    spread = np.sqrt(share + (1 - share) / table.members)
    along = along - _column_means(along)
    within = raw - _lineage_means(raw, table)[lineage]
    rest = sqrt(1 - share)
    level = np.empty_like(raw)
    for f in range(raw.shape[0]):
        for k in range(raw.shape[1]):
            level[f, k] = spread[lineage[f]] * along[lineage[f], k] + rest * within[f, k]
    return spread, along, within, level


@njit(error_model="numpy")
def levels_back(p, g, table, spread, along, within, adjoint):
    """Propagate derivatives from the families' levels to their raw parts and the share."""
    lineage, share = table.lineage, p.lineage_share[0]
    rest = sqrt(1 - share)
    of_along, of_share = np.zeros_like(along), 0.0
    for f in range(within.shape[0]):
        of = lineage[f]
        slope = 0.5 * (1 - 1 / table.members[of]) / spread[of]
        for k in range(within.shape[1]):
            of_along[of, k] += spread[of] * adjoint[f, k]
            of_share += adjoint[f, k] * (slope * along[of, k] - 0.5 * within[f, k] / rest)
    g.lineage_skill_raw[:] = of_along - _column_means(of_along)
    g.family_skill_raw[:] = rest * (adjoint - _lineage_means(adjoint, table)[lineage])
    g.lineage_share[0] = of_share


@njit(error_model="numpy")
def family_skill(p, level):
    """Return the families' skills: levels correlated and scaled, two skills."""
    rho = 2 * p.skill_partial_correlation_raw[0] - 1
    left = sqrt(1 - rho * rho)
    skill = np.empty_like(level)
    for f in range(level.shape[0]):
        skill[f, 0] = p.family_scale[0] * level[f, 0]
        skill[f, 1] = p.family_scale[1] * (rho * level[f, 0] + left * level[f, 1])
    return skill


@njit(error_model="numpy")
def family_skill_back(p, g, level, adjoint):
    """Propagate derivatives from families' skills to scales and correlation; return the levels'."""
    rho = 2 * p.skill_partial_correlation_raw[0] - 1
    left = sqrt(1 - rho * rho)
    first, second = p.family_scale
    of_level, of_rho = np.empty_like(level), 0.0
    for f in range(level.shape[0]):
        g.family_scale[0] += adjoint[f, 0] * level[f, 0]
        g.family_scale[1] += adjoint[f, 1] * (rho * level[f, 0] + left * level[f, 1])
        of_rho += second * adjoint[f, 1] * (level[f, 0] - rho / left * level[f, 1])
        of_level[f, 0] = first * adjoint[f, 0] + second * rho * adjoint[f, 1]
        of_level[f, 1] = second * left * adjoint[f, 1]
    g.skill_partial_correlation_raw[0] = 2 * of_rho
    return of_level


@njit(error_model="numpy")
def skill_slopes(p):
    """Return the families' own slopes on the skills, (family, covariate, skill)."""
    raw = p.family_slope_raw
    mean, own = _first_means(raw), np.empty_like(raw)
    for f in range(raw.shape[0]):
        for s in range(raw.shape[1]):
            for k in range(raw.shape[2]):
                own[f, s, k] = p.family_slope_scale[s, k] * (raw[f, s, k] - mean[s, k])
    return own


@njit(error_model="numpy")
def skill_slopes_back(p, g):
    """Propagate derivatives from those slopes, held in `g` as raw parts', to raw and scales."""
    raw, of_raw = p.family_slope_raw, g.family_slope_raw
    mean, of_mean = _first_means(raw), _first_means(of_raw)
    for f in range(raw.shape[0]):
        for s in range(raw.shape[1]):
            for k in range(raw.shape[2]):
                g.family_slope_scale[s, k] += of_raw[f, s, k] * (raw[f, s, k] - mean[s, k])
                of_raw[f, s, k] = p.family_slope_scale[s, k] * (of_raw[f, s, k] - of_mean[s, k])


@njit(error_model="numpy")
def benchmark_effects(p, table):
    """Return the families' levels (family, benchmark) and slopes (.., covariate) by benchmark."""
    raw, slopes = p.family_benchmark_raw, p.family_benchmark_slope_raw
    scale = p.family_benchmark_scale_raw * table.apart
    effect, own = np.empty_like(raw), np.empty_like(slopes)
    mean, mean_slope = _column_means(raw), _first_means(slopes)
    for f in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            effect[f, j] = scale[j] * (raw[f, j] - mean[j])
            for s in range(slopes.shape[2]):
                own[f, j, s] = p.family_benchmark_slope_scale[j] * (
                    slopes[f, j, s] - mean_slope[j, s]
                )
    return effect, own


@njit(error_model="numpy")
def benchmark_effects_back(p, g, table):
    """Propagate derivatives from families' levels and slopes by benchmark to raw and scales.

    `g` holds derivatives in levels and slopes in the places of their raw parts.
    """
    raw, slopes = p.family_benchmark_raw, p.family_benchmark_slope_raw
    of_raw, of_slopes = g.family_benchmark_raw, g.family_benchmark_slope_raw
    mean, mean_slope = _column_means(raw), _first_means(slopes)
    of_mean, of_mean_slope = _column_means(of_raw), _first_means(of_slopes)
    for f in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            scale = p.family_benchmark_scale_raw[j] * table.apart[j]
            given = of_raw[f, j] * table.apart[j]
            g.family_benchmark_scale_raw[j] += given * (raw[f, j] - mean[j])
            of_raw[f, j] = scale * (of_raw[f, j] - of_mean[j])
            scale = p.family_benchmark_slope_scale[j]
            for s in range(slopes.shape[2]):
                deviation = slopes[f, j, s] - mean_slope[j, s]
                g.family_benchmark_slope_scale[j] += of_slopes[f, j, s] * deviation
                of_slopes[f, j, s] = scale * (of_slopes[f, j, s] - of_mean_slope[j, s])


@njit(error_model="numpy")
def _lineage_means(values, table):
    means = np.zeros((len(table.members), values.shape[1]))
    for f in range(values.shape[0]):
        of = table.lineage[f]
        for k in range(values.shape[1]):
            means[of, k] += values[f, k] / table.members[of]
    return means


@njit(error_model="numpy")
def _column_means(values):
    means = np.zeros(values.shape[1])
    for row in range(values.shape[0]):
        for k in range(values.shape[1]):
            means[k] += values[row, k] / values.shape[0]
    return means


@njit(error_model="numpy")
def _first_means(values):
    means = np.zeros(values.shape[1:])
    for row in range(values.shape[0]):
        for j in range(values.shape[1]):
            for k in range(values.shape[2]):
                means[j, k] += values[row, j, k] / values.shape[0]
    return means
