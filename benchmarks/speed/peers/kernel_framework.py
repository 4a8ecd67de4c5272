"""The law of Cai et al. 2025 by hand, log density and gradient in one numba function."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from typing import NamedTuple

import numpy as np
import pymc as pm
from numba import njit

from benchmarks.speed.peers.kernel_priors import (
    LOG_NORMAL,
    REAL,
    SCALE,
    SHARE,
    log_priors,
    to_natural,
)
from benchmarks.speed.peers.law_data import LawData
from benchmarks.speed.peers.natural import places
from latentscale.engine.ops.gammas import log_gamma_and_digamma

_EDGE = 1e-6
_CONCENTRATION = 2.0  # of the LKJ prior
_KINDS = {"precision": LOG_NORMAL, "anchor_loading": SCALE, "skill_partial_correlation_raw": SHARE}
_SLOTS = {"loading_raw": "loading"}


class Cells(NamedTuple):
    """Arrays of the table."""

    x: np.ndarray
    family: np.ndarray
    model: np.ndarray
    benchmark: np.ndarray
    log_score: np.ndarray
    log_rest: np.ndarray
    floor: np.ndarray
    anchors: np.ndarray
    others: np.ndarray


class Parameters(NamedTuple):
    """The parameters on their natural scale, or the gradient with respect to them."""

    intercept: np.ndarray
    precision: np.ndarray
    loading_raw: np.ndarray
    anchor_loading: np.ndarray
    slope: np.ndarray
    skill_partial_correlation_raw: np.ndarray
    family_skill_raw: np.ndarray


def framework_kernel(
    model: pm.Model, data: LawData
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return the hand-written log density and gradient for two skills or more."""
    where = places(model)
    ranges, kinds, numbers = _priors(data, where)
    cells = Cells(
        x=data.x,
        family=data.family_of_model.astype("uint64"),
        model=data.model_of_cell.astype("uint64"),
        benchmark=data.benchmark_of_cell.astype("uint64"),
        log_score=np.log(data.score_of_cell),
        log_rest=np.log1p(-data.score_of_cell),
        floor=data.floor,
        anchors=data.anchors.astype("uint64"),
        others=data.others.astype("uint64"),
    )

    def views(flat: np.ndarray) -> Parameters:
        return Parameters(*(flat[where[n][0]].reshape(where[n][1]) for n in Parameters._fields))

    natural, gradient = np.empty(ranges.max()), np.empty(ranges.max())
    p, g = views(natural), views(gradient)

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        value = _evaluate(point, natural, gradient, ranges, kinds, numbers, p, g, cells)
        return value, gradient

    return evaluate


def _priors(
    data: LawData, where: dict[str, tuple[slice, tuple[int, ...]]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where each prior applies, its kind and its two numbers."""
    ranges, kinds, numbers = [], [], []
    for name in Parameters._fields:
        span = where[name][0]
        if name == "skill_partial_correlation_raw":
            columns = np.tril_indices(data.sizes["skills"], -1)[1]
            for place, column in enumerate(columns):
                beta = _CONCENTRATION + (data.sizes["skills"] - 2 - column) / 2
                ranges.append((span.start + place, span.start + place + 1))
                kinds.append(SHARE)
                numbers.append((beta, beta))
            continue
        given = data.priors.get(_SLOTS.get(name, name), (1.0,))
        ranges.append((span.start, span.stop))
        kinds.append(_KINDS.get(name, REAL))
        numbers.append(given if len(given) == 2 else (0.0, *given))
    return np.array(ranges), np.array(kinds), np.array(numbers)


@njit(error_model="numpy")
def _evaluate(point, natural_flat, gradient_flat, ranges, kinds, numbers, p, g, cells):
    """Fill the gradient and return the log density without the priors' constants."""
    to_natural(point, natural_flat, ranges, kinds)
    gradient_flat[:] = 0.0
    families, skills = p.family_skill_raw.shape
    factor = _factor(p.skill_partial_correlation_raw, skills)
    mean = _means(p.family_skill_raw)
    level = p.family_skill_raw - mean
    skill = np.zeros((families, skills))
    for f in range(families):
        for k in range(skills):
            for m in range(k + 1):
                skill[f, k] += factor[k, m] * level[f, m]
    loading = np.zeros_like(p.loading_raw)
    for j in cells.others:
        loading[j] = p.loading_raw[j]
    for k in range(skills):
        loading[cells.anchors[k], k] = p.anchor_loading[k]
    of_loading, of_skill = np.zeros_like(loading), np.zeros_like(skill)
    value = _of_cells(p, g, cells, skill, loading, of_loading, of_skill)
    for j in cells.others:
        g.loading_raw[j] = of_loading[j]
    for k in range(skills):
        g.anchor_loading[k] = of_loading[cells.anchors[k], k]
    of_factor = np.zeros((skills, skills))
    for f in range(families):
        for k in range(skills):
            for m in range(k + 1):
                of_factor[k, m] += of_skill[f, k] * level[f, m]
                g.family_skill_raw[f, m] += factor[k, m] * of_skill[f, k]
    g.family_skill_raw[:] -= _means(g.family_skill_raw)
    _factor_back(p.skill_partial_correlation_raw, of_factor, g.skill_partial_correlation_raw)
    return value + log_priors(point, natural_flat, gradient_flat, ranges, kinds, numbers)


@njit(error_model="numpy")
def _means(values):
    mean = np.zeros(values.shape[1])
    for f in range(values.shape[0]):
        for k in range(values.shape[1]):
            mean[k] += values[f, k] / values.shape[0]
    return mean


@njit(error_model="numpy")
def _factor(share, skills):
    """Return the Cholesky factor of the skills' correlation from rescaled partial correlations."""
    factor, place = np.zeros((skills, skills)), 0
    for k in range(skills):
        left = 1.0
        for m in range(k):
            partial = 2 * share[place] - 1
            factor[k, m] = left * partial
            left *= sqrt(1 - partial * partial)
            place += 1
        factor[k, k] = left
    return factor


@njit(error_model="numpy")
def _factor_back(share, of_factor, of_share):
    skills, lefts = of_factor.shape[0], np.empty(of_factor.shape[0] + 1)
    for k in range(skills):
        first = k * (k - 1) // 2
        lefts[0] = 1.0
        for m in range(k):
            lefts[m + 1] = lefts[m] * sqrt(1 - (2 * share[first + m] - 1) ** 2)
        of_left = of_factor[k, k]
        for m in range(k - 1, -1, -1):
            partial = 2 * share[first + m] - 1
            rest = sqrt(1 - partial * partial)
            by_partial = of_factor[k, m] - of_left * partial / rest
            of_share[first + m] = 2 * lefts[m] * by_partial
            of_left = of_left * rest + of_factor[k, m] * partial


@njit(error_model="numpy")
def _of_cells(p, g, cells, skill, loading, of_loading, of_skill):
    """Return the log likelihood; add its derivatives."""
    models, skills, covariates = cells.x.shape[0], skill.shape[1], cells.x.shape[1]
    theta, of_theta = np.empty((models, skills)), np.zeros((models, skills))
    for i in range(models):
        for k in range(skills):
            theta[i, k] = skill[cells.family[i], k]
            for c in range(covariates):
                theta[i, k] += cells.x[i, c] * p.slope[c, k]
    gammas = np.empty((len(cells.floor), 2))
    for j in range(len(cells.floor)):
        gammas[j, 0], gammas[j, 1] = log_gamma_and_digamma(p.precision[j])
    value = 0.0
    for n in range(len(cells.model)):
        i, j = cells.model[n], cells.benchmark[n]
        eta, phi = p.intercept[j], p.precision[j]
        for k in range(skills):
            eta += theta[i, k] * loading[j, k]
        share = 1 / (1 + exp(-eta))
        mean = cells.floor[j] + (1 - cells.floor[j]) * share
        inside = _EDGE < mean < 1 - _EDGE
        mean = min(max(mean, _EDGE), 1 - _EDGE)
        alpha, beta = mean * phi, (1 - mean) * phi
        gamma_alpha, digamma_alpha = log_gamma_and_digamma(alpha)
        gamma_beta, digamma_beta = log_gamma_and_digamma(beta)
        y, rest = cells.log_score[n], cells.log_rest[n]
        value += (alpha - 1) * y + (beta - 1) * rest + gammas[j, 0] - gamma_alpha - gamma_beta
        up, down = y - digamma_alpha, rest - digamma_beta
        g.precision[j] += mean * up + (1 - mean) * down + gammas[j, 1]
        slope = (1 - cells.floor[j]) * share * (1 - share)
        of_eta = phi * (up - down) * slope if inside else 0.0
        g.intercept[j] += of_eta
        for k in range(skills):
            of_theta[i, k] += of_eta * loading[j, k]
            of_loading[j, k] += of_eta * theta[i, k]
    for i in range(models):
        for k in range(skills):
            of_skill[cells.family[i], k] += of_theta[i, k]
            for c in range(covariates):
                g.slope[c, k] += of_theta[i, k] * cells.x[i, c]
    return value
