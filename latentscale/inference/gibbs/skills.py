"""Draws of everything that acts on skills: all normal effects at once, then their spreads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from latentscale.declare.spec import ModelSpec
from latentscale.inference.gibbs.blocks import Scales, SkillBlock
from latentscale.inference.gibbs.slices import log_prior, prior_code, slice_number, slice_scales
from latentscale.model.normal_effects import Nesting
from latentscale.model.terms.family_level import LKJ_CONCENTRATION

_HALF = 0.5  # of a log density that is quadratic
_SURE = 1e-12  # of a share: closer to 0 or 1, its logit has no prior mass under any Beta in use


@dataclass
class SkillState:
    """Values of an effect on skills.

    Attributes
    ----------
    block
        What it is.
    latent
        Independent normal coefficients, before means are subtracted, shape (latent, skill).
    design
        Factors of the latents, shape (model, latent); not used for single models' deviations.
    scale
        Standard deviations, flattened from the shape of the block's scales; empty if there are
        none.
    partial
        Canonical partial correlations of skills, in the order of the lower triangle's rows.
    share
        Share of the variance between groups; NaN without groups.
    """

    block: SkillBlock
    latent: np.ndarray
    design: np.ndarray
    scale: np.ndarray
    partial: np.ndarray = field(default_factory=lambda: np.zeros(0))
    share: float = float("nan")

    def deviations(self) -> np.ndarray:
        """Return the standard deviation of each coefficient, shape of `latent`."""
        scales = self.block.scales
        if scales is None:
            return np.ones_like(self.latent)
        if self.block.effect.nesting is not None or self.block.effect.correlated:
            return np.broadcast_to(self.scale, self.latent.shape)  # one per skill, for all latents
        return self.scale[scales.index] * scales.times

    def unit_precision(self) -> np.ndarray:
        """Return the precision of one level's skills over skills, (skill, skill), if correlated."""
        factor = self.factor()
        inverse = solve_triangular(factor, np.eye(len(factor)), lower=True)
        return inverse.T @ inverse

    def factor(self) -> np.ndarray:
        """Return the Cholesky factor of one level's covariance over skills."""
        spread = self.scale if self.scale.size else np.ones(self.latent.shape[1])
        return spread[:, None] * skill_cholesky(self.partial, self.latent.shape[1])


def started(block: SkillBlock, skills: int, rng: np.random.Generator) -> SkillState:
    """Return an effect at the start of a chain: small values, scattered."""
    nesting = block.effect.nesting
    share = float("nan") if nesting is None else float(rng.uniform(0.3, 0.7))
    scale = np.zeros(0)
    if block.scales is not None:
        scale = rng.uniform(0.3, 1.0, len(block.scales.on))
    partial = np.zeros(skills * (skills - 1) // 2 if block.effect.correlated else 0)
    design = block.design if nesting is not None else less_means(block.design, block.mean_of)
    state = SkillState(block, np.zeros((0, skills)), design, scale, partial, share)
    if nesting is not None:
        state.design = nested_design(block, share)
    size = len(design) if block.single else state.design.shape[1]
    state.latent = 0.3 * rng.standard_normal((size, skills))  # narrower than any prior
    return state


def less_means(design: np.ndarray, mean_of: np.ndarray) -> np.ndarray:
    """Return a design of effects that are centred on groups' means, shape (model, level)."""
    centred = design.copy()
    for group in range(int(mean_of.max(initial=-1)) + 1):
        own = mean_of == group
        centred[:, own] -= centred[:, own].mean(axis=1, keepdims=True)
    return centred


def group_matrices(nesting: Nesting, share: float, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps from latents of groups and levels to groups' levels and to levels.

    As in `latentscale.model.terms.family_level`, each group has one latent along the mean of its
    levels, then one latent per level; shapes (group, latent) and (level, latent).
    """
    index = nesting.index
    count = np.bincount(index).astype(float)
    groups, levels = len(count), len(index)
    along = np.eye(groups) - (1.0 / groups if centred else 0.0)
    mean = np.zeros((groups, levels))
    mean[index, np.arange(levels)] = 1 / count[index]
    spread = np.sqrt(share + (1 - share) / count)[:, None]
    across = np.sqrt(count)[:, None] * mean
    tilt = np.sqrt(share * (1 - share) / count)[:, None]
    of_groups = np.hstack([share * along, -tilt * across]) / spread
    within = np.sqrt(1 - share) * (np.eye(levels) - mean[index])
    return of_groups, np.hstack([(spread * along)[index], within])


def nested_design(block: SkillBlock, share: float) -> np.ndarray:
    """Return the factors of latents of levels in groups, shape (model, latent)."""
    nesting = block.effect.nesting
    assert nesting is not None
    _, to_levels = group_matrices(nesting, share, block.effect.centred is not None)
    return block.design @ to_levels


def skill_cholesky(partial: np.ndarray, skills: int) -> np.ndarray:
    """Return the Cholesky factor of a correlation from canonical partial correlations."""
    factor = np.eye(skills)
    if not partial.size:
        return factor
    rows, columns = np.tril_indices(skills, -1)
    own = np.zeros((skills, skills))
    own[rows, columns] = partial
    left = np.ones(skills)
    for k in range(skills):
        factor[k + 1 :, k] = left[k + 1 :] * own[k + 1 :, k]
        factor[k, k] = left[k]
        left[k + 1 :] *= np.sqrt(1 - own[k + 1 :, k] ** 2)
    return factor


def draw_effects(
    states: list[SkillState],
    precision: np.ndarray,
    shift: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Draw all effects on skills jointly, in place.

    Deviations of single models are integrated out while the rest is drawn, and are then drawn.

    Parameters
    ----------
    states
        The effects.
    precision, shift
        For models' skills given their scores, shapes (model, skill, skill) and (model, skill).
    rng
        Source of random numbers.
    """
    single = next((s for s in states if s.block.single), None)
    shared = [s for s in states if not s.block.single]
    skills = shift.shape[1]
    seen_precision, seen_shift = precision, shift
    if single is not None:
        # With scores' precision H and deviations' variance D, the rest has (I + H D)^-1 H.
        variance = single.deviations() ** 2
        system = np.eye(skills) + precision * variance[:, None, :]
        both = np.linalg.solve(system, np.concatenate([precision, shift[:, :, None]], axis=2))
        seen_precision, seen_shift = both[:, :, :skills], both[:, :, skills]
    mean = np.zeros(shift.shape)
    if shared:
        x = np.hstack([s.design for s in shared])
        drawn = _regression(shared, x, seen_precision, seen_shift, rng)
        first = 0
        for state in shared:
            last = first + len(state.latent)
            state.latent = drawn[first:last]
            first = last
        mean = x @ drawn
    if single is not None:
        single.latent = _deviations(precision, shift, mean, single.deviations(), rng)


def _regression(
    shared: list[SkillState],
    x: np.ndarray,
    precision: np.ndarray,
    shift: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return coefficients (latent, skill) drawn from their normal conditional."""
    size, skills = x.shape[1], shift.shape[1]
    precisions = np.empty((size, skills, size, skills))
    for k in range(skills):
        for m in range(k + 1):
            block = x.T @ (precision[:, k, m, None] * x)
            precisions[:, k, :, m] = block
            precisions[:, m, :, k] = block.T
    right = x.T @ shift
    first = 0
    for state in shared:
        own = np.arange(first, first + len(state.latent))
        first += len(own)
        if state.block.effect.correlated:
            unit = state.unit_precision()
            for k in range(skills):
                precisions[own, k, own, :] += unit[k]
            continue
        mean, variance = _prior(state)
        for k in range(skills):
            precisions[own, k, own, k] += 1 / variance[:, k]
        right[own] += mean / variance
    factor = cholesky(precisions.reshape(size * skills, -1), lower=True, overwrite_a=True)
    half = solve_triangular(factor, right.ravel(), lower=True)
    half += rng.standard_normal(half.size)
    return solve_triangular(factor, half, lower=True, trans="T").reshape(size, skills)


def _prior(state: SkillState) -> tuple[float, np.ndarray]:
    """Return mean and variances of an effect's coefficients."""
    prior = state.block.prior
    if prior is None:
        return 0.0, state.deviations() ** 2
    assert prior.mu is not None and prior.sigma is not None  # a Normal: `refusals` checks it
    return prior.mu, np.full(state.latent.shape, prior.sigma**2)


def _deviations(
    precision: np.ndarray,
    shift: np.ndarray,
    mean: np.ndarray,
    spread: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return deviations of single models given all else, shape (model, skill)."""
    left = shift - (precision @ mean[:, :, None])[:, :, 0]
    # In units of their standard deviations, so that no digits are lost if one is tiny.
    system = np.eye(shift.shape[1]) + spread[:, :, None] * precision * spread[:, None, :]
    factor = np.linalg.cholesky(system)
    half = np.linalg.solve(factor, (spread * left)[:, :, None])
    half += rng.standard_normal(half.shape)
    return spread * np.linalg.solve(np.swapaxes(factor, 1, 2), half)[:, :, 0]


def draw_spreads(
    spec: ModelSpec,
    states: list[SkillState],
    precision: np.ndarray,
    shift: np.ndarray,
    theta: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw standard deviations, correlations and shares of effects on skills, in place.

    Each standard deviation is drawn twice: given the effects, and given the effects in its units,
    which mixes well if scores hardly inform them (Yu and Meng 2011, interweaving).

    Returns
    -------
    Skills, which the second of these draws changes, shape (model, skill).
    """
    for state in states:
        if state.block.effect.correlated:
            _draw_correlated(state, rng)
            if state.scale.size:
                theta = _draw_given_units(state, precision, shift, theta, rng)
        elif state.block.scales is not None:
            _draw_given_effects(state, state.block.scales, rng)
            theta = _draw_given_units(state, precision, shift, theta, rng)
        if state.block.effect.nesting is not None:
            theta = _draw_share(spec, state, precision, shift, theta, rng)
    return theta


def _scale_of(state: SkillState, scales: Scales) -> np.ndarray:
    """Return which standard deviation each latent has, shape of `latent`."""
    if state.block.effect.nesting is None and not state.block.effect.correlated:
        return scales.index
    return np.broadcast_to(np.arange(state.latent.shape[1]), state.latent.shape)


def _draw_given_effects(state: SkillState, scales: Scales, rng: np.random.Generator) -> None:
    index = _scale_of(state, scales).ravel()
    count = len(state.scale)
    power = np.bincount(index, minlength=count).astype(float)
    square = np.bincount(index, (state.latent.ravel() / scales.times) ** 2, minlength=count)
    none = np.zeros(count)
    priors = np.tile(scales.prior, (count, 1))
    state.scale = slice_scales(state.scale, priors, power, square, none, none, rng)


def _draw_given_units(
    state: SkillState,
    precision: np.ndarray,
    shift: np.ndarray,
    theta: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw standard deviations given the effects in their units; return the new skills."""
    scales = state.block.scales
    assert scales is not None
    index = _scale_of(state, scales)
    for e in range(len(state.scale)):
        own = np.where(index == e, state.latent, 0.0)
        change = (own if state.block.single else state.design @ own) / state.scale[e]
        left = shift - (precision @ theta[:, :, None])[:, :, 0]
        slope = np.array([np.sum(change * left)])
        bend = np.array([np.einsum("ik,ikm,im->", change, precision, change)])
        before, none = state.scale[e : e + 1], np.zeros(1)
        after = slice_scales(before, scales.prior[None], none, none, slope, bend, rng)[0]
        theta = theta + (after - before[0]) * change
        state.latent = np.where(index == e, state.latent * (after / before[0]), state.latent)
        state.scale[e] = after
    return theta


def _draw_correlated(state: SkillState, rng: np.random.Generator) -> None:
    """Draw partial correlations, and standard deviations given the effects."""
    skills, count = state.latent.shape[1], len(state.latent)
    products = state.latent.T @ state.latent

    def fit() -> float:
        factor = state.factor()
        inverse = solve_triangular(factor, np.eye(skills), lower=True)
        misfit = np.einsum("ab,bc,ac->", inverse, products, inverse)
        return -count * float(np.log(np.diag(factor)).sum()) - _HALF * float(misfit)

    columns = np.tril_indices(skills, -1)[1]
    for place, column in enumerate(columns):
        concentration = LKJ_CONCENTRATION + (skills - 2 - column) / 2

        def density(x: float, place: int = place, own: float = concentration) -> float:
            state.partial[place] = np.tanh(x / 2)  # u = logistic(x) of partial = 2 u - 1
            prior = own * (-np.logaddexp(0, -x) - np.logaddexp(0, x))  # Beta and Jacobian
            return float(prior) + fit() if abs(state.partial[place]) < 1 else -np.inf

        at = 2 * np.arctanh(state.partial[place])
        state.partial[place] = np.tanh(slice_number(density, float(at), rng) / 2)
    scales = state.block.scales
    for k in range(len(state.scale)):
        assert scales is not None
        prior = scales.prior

        def density_of(x: float, k: int = k, prior: np.ndarray = prior) -> float:
            state.scale[k] = np.exp(x)
            return float(log_prior(prior, state.scale[k])) + x + fit()

        state.scale[k] = np.exp(slice_number(density_of, float(np.log(state.scale[k])), rng))


def _draw_share(
    spec: ModelSpec,
    state: SkillState,
    precision: np.ndarray,
    shift: np.ndarray,
    theta: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the share of variance between groups given latents; return the new skills."""
    nesting = state.block.effect.nesting
    assert nesting is not None
    prior = prior_code(spec.prior(nesting.share))
    rest = theta - state.design @ state.latent

    def skills_at(share: float) -> tuple[np.ndarray, np.ndarray]:
        design = nested_design(state.block, share)
        return design, rest + design @ state.latent

    def density(x: float) -> float:
        share = 1 / (1 + np.exp(-x))
        if not _SURE < share < 1 - _SURE:
            return -np.inf
        at = skills_at(share)[1]
        fit = np.sum(shift * at) - _HALF * np.einsum("ik,ikm,im->", at, precision, at)
        return float(log_prior(prior, share) + np.log(share) + np.log1p(-share) + fit)

    logit_share = slice_number(density, float(np.log(state.share) - np.log1p(-state.share)), rng)
    state.share = float(1 / (1 + np.exp(-logit_share)))
    state.design, theta = skills_at(state.share)
    return theta
