"""A Gibbs chain at a draw from the prior, and scores drawn given a chain's values."""

from __future__ import annotations

import numpy as np

from latentscale.declare.prior import Prior
from latentscale.inference.gibbs.blocks import EffectBlock, GibbsProblem, PooledPrior
from latentscale.inference.gibbs.chain import Chain
from latentscale.inference.gibbs.populations import PopulationState
from latentscale.inference.gibbs.skills import SkillState, nested_design
from latentscale.model.terms.family_level import LKJ_CONCENTRATION


def chain_from_prior(problem: GibbsProblem, rng: np.random.Generator) -> Chain:
    """Return a chain at a draw from the prior."""
    chain, spec = Chain(problem, rng), problem.spec
    for name, population in chain.population.items():
        _population_from_prior(problem, name, population, rng)
    for state in chain.states:
        _effect_from_prior(problem, state, rng)
    blocks: list[EffectBlock] = [*problem.column_blocks, *problem.single_blocks]
    for block in blocks:
        if block.scales is not None:
            size = (len(block.scales.on),)
            chain.scale[block.scales.name] = spec.prior(block.scales.name).draw(size, rng)
    for block in problem.column_blocks:
        mean, precision = chain._prior_of(block)
        shape = chain.coefficient[:, block.first : block.last].shape
        noise = rng.standard_normal(shape)
        chain.coefficient[:, block.first : block.last] = mean + noise / np.sqrt(precision)
    for place, single in enumerate(problem.single_blocks):
        _, precision = chain._prior_of(single)
        chain.single[place] = rng.standard_normal(single.size) / np.sqrt(precision)
    _loadings_from_prior(chain, rng)
    _noise_from_prior(chain, rng)
    chain.theta = chain._skills()
    return chain


def draw_scores(chain: Chain, rng: np.random.Generator) -> None:
    """Replace the problem's scores by a draw given the chain's values."""
    cells = chain.problem.cells
    bench = cells.bench
    noise = rng.standard_normal(len(bench))
    if chain.problem.tail is not None:
        tail = chain.tail[bench]
        noise /= np.sqrt(rng.chisquare(tail) / tail)
    cells.y[:] = cells.y - chain._left() + 2 * noise / np.sqrt(chain.precision())


def _population_from_prior(
    problem: GibbsProblem, name: str, population: PopulationState, rng: np.random.Generator
) -> None:
    prior: PooledPrior = population.prior
    own, count = prior.pooling.name, prior.count
    spec = problem.spec
    population.mean = spec.prior(f"{own}_mean").draw((count,), rng)
    population.spread = spec.prior(f"{own}_spread").draw((count,), rng)
    population.group_spread = spec.prior(f"{own}_group_spread").draw((count,), rng)
    noise = rng.standard_normal(population.group.shape)
    population.group = noise * population.group_spread[:, None]


def _effect_from_prior(problem: GibbsProblem, state: SkillState, rng: np.random.Generator) -> None:
    spec, block = problem.spec, state.block
    skills = state.latent.shape[1]
    if block.scales is not None:
        state.scale = spec.prior(block.scales.name).draw((len(block.scales.on),), rng)
    if block.effect.correlated:
        column = np.tril_indices(skills, -1)[1]
        own = LKJ_CONCENTRATION + (skills - 2 - column) / 2
        state.partial = 2 * rng.beta(own, own) - 1
    if block.effect.nesting is not None:
        state.share = float(spec.prior(block.effect.nesting.share).draw((), rng))
        state.design = nested_design(block, state.share)
    noise = rng.standard_normal(state.latent.shape)
    prior = block.prior
    if prior is not None:
        state.latent = _normal(prior, noise)
    elif block.effect.correlated:
        state.latent = noise @ state.factor().T
    else:
        state.latent = noise * state.deviations()


def _loadings_from_prior(chain: Chain, rng: np.random.Generator) -> None:
    plan, spec = chain.problem.loading, chain.problem.spec
    shape = chain.loading.shape
    if plan.pooled is not None:
        population = chain.population["loading"]
        drawn = np.column_stack([population.middle(k) for k in range(shape[1])])
        drawn = drawn + population.spread * rng.standard_normal(shape)
        if not plan.normal.any():
            drawn = np.exp(drawn)
    else:
        drawn = spec.prior("loading").draw(shape, rng)
    free = plan.normal | plan.positive
    chain.loading[free] = drawn[free]
    if len(plan.anchors):
        own = spec.prior("anchor_loading").draw((shape[1],), rng)
        chain.loading[plan.anchors, np.arange(shape[1])] = own


def _noise_from_prior(chain: Chain, rng: np.random.Generator) -> None:
    problem, spec = chain.problem, chain.problem.spec
    count = problem.cells.benchmarks
    if isinstance(problem.precision, PooledPrior):
        population = chain.population["precision"]
        noise = rng.standard_normal(count)
        chain.phi = np.exp(population.middle(0) + population.spread[0] * noise)
    else:
        chain.phi = spec.prior("precision").draw((count,), rng)
    if chain.noise is not None:
        chain.noise.spread = float(spec.prior("model_precision_scale").draw((), rng))
        standard = rng.standard_normal(problem.cells.models)
        chain.noise.effect = chain.noise.spread * standard
    if problem.tail is not None:
        size = (1,) if problem.tail_shared else (count,)
        chain.tail = np.broadcast_to(spec.prior("tail").draw(size, rng), (count,)).copy()


def _normal(prior: Prior, noise: np.ndarray) -> np.ndarray:
    return float(prior.mu or 0.0) + float(prior.sigma or 1.0) * noise
