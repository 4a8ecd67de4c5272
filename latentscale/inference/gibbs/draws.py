"""Kept draws of a chain: parameters on their natural scale, with the names of a posterior."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL, SKILL, SKILL_FACTOR
from latentscale.inference.gibbs.blocks import ColumnBlock, GibbsProblem, Scales
from latentscale.inference.gibbs.chain import Chain
from latentscale.inference.gibbs.skills import SkillState, group_matrices, skill_cholesky

Kept = tuple[str, tuple[str, ...], np.ndarray]
"""A variable, its dims and its values."""


LIKELIHOOD = "log_likelihood"
"""Statistic of a sweep: the log density of all scores on the link's scale."""


def posterior_of(
    problem: GibbsProblem, chains: Sequence[Sequence[dict[str, Kept]]]
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return draws of several chains, dims (chain, draw, ...).

    Parameters
    ----------
    problem
        The problem, which has the labels of dims.
    chains
        The same number of draws from each chain, each as returned by `draw_of`.

    Returns
    -------
    Parameters, and statistics of the sweeps.
    """
    variables = {}
    for name, (_, dims, _) in chains[0][0].items():
        values = np.array([[draw[name][2] for draw in chain] for chain in chains])
        variables[name] = ((CHAIN, DRAW, *dims), values)
    used = {dim for _, dims, _ in chains[0][0].values() for dim in dims}
    coords = {dim: problem.labels[dim] for dim in used}
    coords |= {CHAIN: np.arange(len(chains)), DRAW: np.arange(len(chains[0]))}
    drawn = xr.Dataset(variables, coords)
    return drawn.drop_vars(LIKELIHOOD), drawn[[LIKELIHOOD]]


def draw_of(chain: Chain) -> dict[str, Kept]:
    """Return a chain's current values by variable."""
    problem = chain.problem
    variables: list[Kept] = [(LIKELIHOOD, (), np.array(chain.log_likelihood()))]
    for state in chain.states:
        variables += _of_skills(state)
    for block in problem.column_blocks:
        variables += _of_columns(chain, block)
    for single, values in zip(problem.single_blocks, chain.single, strict=True):
        shape = tuple(single.levels.values())
        variables.append((single.effect.variable, tuple(single.levels), values.reshape(shape)))
        variables += _of_scales(single.scales, chain)
    for population in chain.population.values():
        prior = population.prior
        rest = prior.pooling.rest
        values_of = {"mean": population.mean, "spread": population.spread}
        if prior.member.shape[1]:
            values_of["group_spread"] = population.group_spread
        for name, values in values_of.items():
            own = values.copy() if rest else values[0]
            variables.append((f"{prior.pooling.name}_{name}", rest, own))
    variables += _of_noise(chain)
    return {kept[0]: kept for kept in variables}


def _of_noise(chain: Chain) -> Iterator[Kept]:
    problem = chain.problem
    if problem.skills:
        yield "loading", (BENCHMARK, SKILL), chain.loading.copy()
        anchors = problem.loading.anchors
        if len(anchors):
            own = chain.loading[anchors, np.arange(problem.skills)]
            yield "anchor_loading", (SKILL,), own
    yield "precision", (BENCHMARK,), chain.phi.copy()
    if chain.noise is not None:
        yield "model_precision", (MODEL,), chain.noise.effect.copy()
        yield "model_precision_scale", (), np.array(chain.noise.spread)
    if problem.tail is not None and problem.tail_shared:
        yield "tail", (), np.array(chain.tail[0])
    elif problem.tail is not None:
        yield "tail", (BENCHMARK,), chain.tail.copy()


def _of_skills(state: SkillState) -> Iterator[Kept]:
    effect = state.block.effect
    dims = (*state.block.levels, SKILL)
    values = state.latent
    if effect.nesting is not None:
        nesting, centred = effect.nesting, effect.centred is not None
        of_groups, of_levels = group_matrices(nesting, state.share, centred)
        yield nesting.variable, (nesting.dim, SKILL), of_groups @ values
        yield nesting.share, (), np.array(state.share)
        values = of_levels @ values
    else:
        values = _less_group_means(values, state.block.mean_of)
    shaped = values.reshape(*state.block.levels.values(), values.shape[1])
    place = [dims.index(dim) for dim in effect.dims]
    for name in (effect.variable, *effect.other_names):
        yield name, effect.dims, shaped.transpose(place).copy()
    if state.block.scales is not None:
        scales = state.block.scales
        yield scales.name, scales.dims, state.scale.reshape(scales.shape).copy()
    if effect.correlated:
        factor = skill_cholesky(state.partial, values.shape[1])
        yield "skill_cholesky", (SKILL, SKILL_FACTOR), factor


def _less_group_means(values: np.ndarray, mean_of: np.ndarray) -> np.ndarray:
    centred = values.copy()
    for group in range(int(mean_of.max(initial=-1)) + 1):
        own = mean_of == group
        centred[own] -= centred[own].mean(axis=0)
    return centred


def _of_columns(chain: Chain, block: ColumnBlock) -> Iterator[Kept]:
    effect = block.effect
    dims = (BENCHMARK, *block.levels)
    values = chain.centred(block)
    if block.scales is not None:
        values = values * block.scales.on[block.scales.index]
    shaped = values.reshape(len(values), *block.levels.values())
    place = [dims.index(dim) for dim in effect.dims]
    for name in (effect.variable, *effect.other_names):
        yield name, effect.dims, shaped.transpose(place).copy()
    yield from _of_scales(block.scales, chain)


def _of_scales(scales: Scales | None, chain: Chain) -> Iterator[Kept]:
    if scales is not None:
        values = np.where(scales.on, chain.scale[scales.name], 0.0)
        yield scales.name, scales.dims, values.reshape(scales.shape)
