"""The cells of the recommended law, from skills to log likelihood, with derivatives, for numba.

`p` holds parameters, `g` the gradient with respect to them, `table` the data; a function with
`back` in its name propagates derivatives from a term back to its inputs.
"""

from __future__ import annotations

from math import exp, expm1, log, log1p

import numpy as np
from numba import njit

from latentscale.engine.ops.gammas import log_gamma_and_digamma

_LOG_2 = log(2.0)
_EDGE = 1e-6


@njit(error_model="numpy")
def cells(p, g, table, skill, own, effect, slopes, of_skill):
    """Return the log likelihood; add its derivatives to `g` and to those of the family skills.

    Derivatives in the families' slopes are stored in the places of their raw parts.
    """
    loading = np.empty_like(p.loading_raw)
    for j in range(loading.shape[0]):
        for k in range(loading.shape[1]):
            loading[j, k] = p.loading_raw[j, k] * table.apart[j]
    for k in range(loading.shape[1]):
        loading[table.anchors[k], k] = 1.0
    theta = _skills(p, table, skill, own)
    eta = _predictors(p, table, theta, loading, effect, slopes)
    of_eta = np.empty_like(eta)
    value = _likelihood(p, g, table, _curves(p, table), eta, of_eta)
    of_theta = np.zeros_like(theta)
    _predictors_back(g, table, theta, loading, of_theta, of_eta)
    for j in range(loading.shape[0]):
        g.ceiling_share[j] *= 1 - table.floor[j]
        for k in range(loading.shape[1]):
            g.loading_raw[j, k] *= table.apart[j]
    _skills_back(p, g, table, of_theta, of_skill)
    return value


@njit(error_model="numpy")
def _skills(p, table, skill, own):
    theta = np.empty_like(p.residual_raw)
    for i in range(theta.shape[0]):
        for k in range(theta.shape[1]):
            level = skill[table.family[i], k] + p.residual_scale[k] * p.residual_raw[i, k]
            for s in range(own.shape[1]):
                level += table.x_family[i, s] * own[table.family[i], s, k]
            for c in range(table.x.shape[1]):
                level += table.x[i, c] * p.slope[c, k]
            theta[i, k] = level
    return theta


@njit(error_model="numpy")
def _curves(p, table):
    """Return by benchmark: range, shift, stretch, their slopes in the power, gammas of phi."""
    curve = np.empty((len(table.floor), 7))
    for j in range(len(table.floor)):
        power, phi = p.link_power[j], p.precision[j]
        ratio = _LOG_2 / power
        falling = expm1(-ratio)
        curve[j, 0] = (1 - table.floor[j]) * p.ceiling_share[j]
        curve[j, 1] = -log(expm1(ratio))
        curve[j, 2] = -0.5 / (power * falling)
        curve[j, 3] = -ratio / (power * falling)
        slope = falling + ratio * exp(-ratio)
        curve[j, 4] = 0.5 * slope / (power * falling) ** 2
        curve[j, 5], curve[j, 6] = log_gamma_and_digamma(phi)
    return curve


@njit(error_model="numpy")
def _predictors(p, table, theta, loading, effect, slopes):
    eta = np.empty(len(table.model))
    for n in range(len(eta)):
        i, j = table.model[n], table.benchmark[n]
        f = table.family[i]
        total = p.intercept[j] + effect[f, j]
        for k in range(theta.shape[1]):
            total += theta[i, k] * loading[j, k]
        for s in range(slopes.shape[2]):
            total += table.x_family_benchmark[i, s] * slopes[f, j, s]
        if table.instruct[i] != 0:
            change = p.instruct_shift[j]
            for t in range(p.instruct_slope.shape[1]):
                change += table.x_instruct[i, t] * p.instruct_slope[j, t]
            total += table.instruct[i] * change
        eta[n] = total
    return eta


@njit(error_model="numpy")
def _predictors_back(g, table, theta, loading, of_theta, of_eta):
    for n in range(len(of_eta)):
        i, j, given = table.model[n], table.benchmark[n], of_eta[n]
        f = table.family[i]
        g.intercept[j] += given
        g.family_benchmark_raw[f, j] += given
        for k in range(theta.shape[1]):
            of_theta[i, k] += given * loading[j, k]
            g.loading_raw[j, k] += given * theta[i, k]
        for s in range(table.x_family_benchmark.shape[1]):
            g.family_benchmark_slope_raw[f, j, s] += given * table.x_family_benchmark[i, s]
        if table.instruct[i] != 0:
            change = given * table.instruct[i]
            g.instruct_shift[j] += change
            for t in range(table.x_instruct.shape[1]):
                g.instruct_slope[j, t] += change * table.x_instruct[i, t]


@njit(error_model="numpy")
def _likelihood(p, g, table, curve, eta, of_eta):
    value = 0.0
    for n in range(len(eta)):
        j = table.benchmark[n]
        power, phi = p.link_power[j], p.precision[j]
        logit = curve[j, 1] + curve[j, 2] * eta[n]
        small = exp(-abs(logit))
        soft = log1p(small) + max(-logit, 0.0)
        bend = power * (small if logit > 0 else 1.0) / (1 + small)
        share = exp(-power * soft)
        mean = table.floor[j] + curve[j, 0] * share
        inside = _EDGE < mean < 1 - _EDGE
        mean = min(max(mean, _EDGE), 1 - _EDGE)
        alpha, beta = mean * phi, (1 - mean) * phi
        gamma_alpha, digamma_alpha = log_gamma_and_digamma(alpha)
        gamma_beta, digamma_beta = log_gamma_and_digamma(beta)
        y, rest = table.log_score[n], table.log_rest[n]
        value += (alpha - 1) * y + (beta - 1) * rest + curve[j, 5] - gamma_alpha - gamma_beta
        up, down = y - digamma_alpha, rest - digamma_beta
        g.precision[j] += mean * up + (1 - mean) * down + curve[j, 6]
        of_mean = phi * (up - down) if inside else 0.0
        of_share = of_mean * curve[j, 0] * share
        g.ceiling_share[j] += of_mean * share
        g.link_power[j] += of_share * (bend * (curve[j, 3] + curve[j, 4] * eta[n]) - soft)
        of_eta[n] = of_share * bend * curve[j, 2]
    return value


@njit(error_model="numpy")
def _skills_back(p, g, table, of_theta, of_skill):
    for i in range(of_theta.shape[0]):
        for k in range(of_theta.shape[1]):
            given = of_theta[i, k]
            of_skill[table.family[i], k] += given
            g.residual_scale[k] += given * p.residual_raw[i, k]
            g.residual_raw[i, k] = given * p.residual_scale[k]
            for s in range(table.x_family.shape[1]):
                g.family_slope_raw[table.family[i], s, k] += given * table.x_family[i, s]
            for c in range(table.x.shape[1]):
                g.slope[c, k] += given * table.x[i, c]
