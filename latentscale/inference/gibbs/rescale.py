"""Skills against loadings: a move that multiplies a skill and divides its loadings.

It does not change the fit of any score. Draws of skills given loadings, and of loadings given
skills, take only small steps along that direction (Liu and Sabatti 2000, generalised Gibbs
sampling).
"""

from __future__ import annotations

import numpy as np

from latentscale.dims import SKILL
from latentscale.inference.gibbs.blocks import LoadingPlan
from latentscale.inference.gibbs.populations import PopulationState
from latentscale.inference.gibbs.skills import SkillState
from latentscale.inference.gibbs.slices import log_prior, slice_number

_WIDTH = 0.2  # of the log factor: about the width of the posterior of a skill's spread


def can_rescale(plan: LoadingPlan) -> bool:
    """Return whether no loading is fixed at 1, which would determine the skills' units."""
    return plan.fixed.size > 0 and (not plan.fixed.any() or len(plan.anchors) > 0)


def rescale(
    states: list[SkillState],
    plan: LoadingPlan,
    loading: np.ndarray,
    population: PopulationState | None,
    theta: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Draw the factor of every skill from its conditional, and apply it in place."""
    for k in range(theta.shape[1]):

        def density(x: float, k: int = k) -> float:
            factor = float(np.exp(x))
            up = sum(_of_effect(state, k, factor) + _moved(state, k) * x for state in states)
            return up + _of_loadings(plan, loading[:, k], population, k, x)

        factor = float(np.exp(slice_number(density, 0.0, rng, _WIDTH)))
        theta[:, k] *= factor
        loading[:, k] /= factor
        for state in states:
            state.latent[:, k] *= factor
            if _scales_move(state):
                state.scale[_own_scales(state, k)] *= factor
        if population is not None:
            population.mean[k] /= factor
            population.spread[k] /= factor
            population.group_spread[k] /= factor
            population.group[k] /= factor


def _scales_move(state: SkillState) -> bool:
    """Return whether an effect's standard deviations are rescaled too, so that its units stay."""
    return state.block.scales is not None and SKILL in state.block.scales.dims


def _own_scales(state: SkillState, k: int) -> np.ndarray:
    """Return the indices of a skill's standard deviations."""
    scales = state.block.scales
    assert scales is not None
    grid = np.indices(scales.shape)[scales.dims.index(SKILL)].ravel()
    return np.flatnonzero(grid == k)


def _moved(state: SkillState, k: int) -> int:
    """Return how many values of an effect are multiplied."""
    return len(_own_scales(state, k)) if _scales_move(state) else len(state.latent)


def _of_effect(state: SkillState, k: int, factor: float) -> float:
    """Return the log prior of an effect with skill k multiplied, up to a constant."""
    if _scales_move(state):
        assert state.block.scales is not None
        prior = state.block.scales.prior
        return float(sum(log_prior(prior, factor * s) for s in state.scale[_own_scales(state, k)]))
    prior_of = state.block.prior
    if prior_of is not None:
        away = (factor * state.latent[:, k] - float(prior_of.mu or 0)) / float(prior_of.sigma or 1)
        return float(-0.5 * np.sum(away**2))
    if state.block.effect.correlated:
        moved = state.latent.copy()
        moved[:, k] *= factor
        return float(-0.5 * np.einsum("qa,ab,qb->", moved, state.unit_precision(), moved))
    away = factor * state.latent[:, k] / state.deviations()[:, k]
    return float(-0.5 * np.sum(away**2))


def _of_loadings(
    plan: LoadingPlan,
    loading: np.ndarray,
    population: PopulationState | None,
    k: int,
    x: float,
) -> float:
    """Return the log prior of a skill's loadings divided by exp(x), with the Jacobian."""
    factor = float(np.exp(x))
    if population is not None and plan.normal.any():
        prior = population.prior
        mu, sigma = float(prior.mean.mu or 0.0), float(prior.mean.sigma or 1.0)
        density = -0.5 * ((population.mean[k] / factor - mu) / sigma) ** 2
        density += float(log_prior(prior.spread, population.spread[k] / factor))
        moved = 2
        if prior.member.shape[1]:
            density += float(log_prior(prior.group_spread, population.group_spread[k] / factor))
            moved = 3
        return float(density - moved * x)
    density, moved = 0.0, 0
    if plan.prior is not None:
        own = plan.normal[:, k]
        away = (loading[own] / factor - float(plan.prior.mu or 0)) / float(plan.prior.sigma or 1)
        density, moved = float(-0.5 * np.sum(away**2)), int(own.sum())
    for j in np.flatnonzero(plan.positive[:, k]):
        density += float(log_prior(plan.codes[j, k], loading[j] / factor))
        moved += 1
    return density - moved * x
