"""A chain: the values of all parameters, and a sweep that draws each given all others."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from latentscale.inference.gibbs.blocks import (
    ColumnBlock,
    EffectBlock,
    GibbsProblem,
    PooledPrior,
    Scales,
)
from latentscale.inference.gibbs.kernels import (
    by_columns,
    by_skills,
    draw_benchmarks,
    loading_sums,
    model_sums,
)
from latentscale.inference.gibbs.model_noise import ModelNoise
from latentscale.inference.gibbs.populations import PopulationState
from latentscale.inference.gibbs.rescale import can_rescale, rescale
from latentscale.inference.gibbs.skills import (
    draw_effects,
    draw_spreads,
    less_means,
    started,
)
from latentscale.inference.gibbs.slices import (
    slice_number,
    slice_precisions,
    slice_scales,
    tail_density,
)

_LOG_NORMAL = 5.0  # the code of the distribution in `slices`
_FIRST_PRECISION = 20.0  # noise of 0.45 on the link's scale: chains begin with a loose fit
_FIRST_TAIL = 5.0  # degrees of freedom: tails heavy enough for scores far from the first skills


class Chain:
    """One Markov chain.

    Attributes
    ----------
    problem
        The constant inputs.
    rng
        Source of random numbers.
    states
        Effects on skills.
    coefficient
        Benchmarks' own effects, before means are subtracted, shape (benchmark, column).
    single
        Effects of single models on groups of benchmarks, by block.
    scale
        Standard deviations of effects on the linear predictor, by variable.
    loading, theta
        Shapes (benchmark, skill) and (model, skill).
    phi, tail
        Precisions and degrees of freedom (0 for normal noise), shape (benchmark,).
    noise
        Models' own log precisions, or None.
    weight
        Precision of each cell's noise on the link's scale.
    population
        Populations of benchmarks' parameters, by the name of the parameter.
    """

    def __init__(self, problem: GibbsProblem, rng: np.random.Generator) -> None:
        self.problem, self.rng = problem, rng
        cells = problem.cells
        self.states = [started(block, problem.skills, rng) for block in problem.skill_blocks]
        columns = problem.mean_of.size
        self.coefficient = np.zeros((cells.benchmarks, columns))
        self.single = [np.zeros(block.size) for block in problem.single_blocks]
        blocks: list[EffectBlock] = [*problem.column_blocks, *problem.single_blocks]
        self.scale = {
            block.scales.name: rng.uniform(0.1, 0.5, len(block.scales.on))
            for block in blocks
            if block.scales is not None
        }
        plan = problem.loading
        self.loading = plan.fixed.copy()
        self.loading[plan.normal] = rng.standard_normal(int(plan.normal.sum()))
        self.loading[plan.positive] = rng.uniform(0.5, 1.5, int(plan.positive.sum()))
        self.phi = np.full(cells.benchmarks, _FIRST_PRECISION)
        first = 0.0 if problem.tail is None else _FIRST_TAIL
        self.tail = np.full(cells.benchmarks, first)
        prior = problem.model_noise
        self.noise = None if prior is None else ModelNoise(prior, cells.model, cells.models)
        self.weight = self.phi[cells.bench] / 4
        priors = dict(problem.pooled)
        if plan.pooled is not None:
            priors["loading"] = plan.pooled
        if isinstance(problem.precision, PooledPrior):
            priors["precision"] = problem.precision
        self.population = {n: PopulationState.started(p, rng) for n, p in priors.items()}
        self.theta = self._skills()

    def sweep(self) -> None:
        """Draw every parameter once, each given all others."""
        self._draw_noise()
        self._draw_benchmarks()
        self._draw_singles()
        self._draw_skills()
        self._draw_scales()
        self._draw_populations()
        self._rescale_skills()

    def log_likelihood(self) -> float:
        """Return the log density of all scores on the link's scale, without mixing weights."""
        phi, tail = self.precision(), self.tail[self.problem.cells.bench]
        scaled = self._left() ** 2 * phi / 4
        if self.problem.tail is None:
            return float(np.sum(0.5 * np.log(phi / (8 * np.pi)) - scaled / 2))
        constant = (
            gammaln((tail + 1) / 2) - gammaln(tail / 2) + 0.5 * np.log(phi / (4 * np.pi * tail))
        )
        return float(np.sum(constant - (tail + 1) / 2 * np.log1p(scaled / tail)))

    def precision(self) -> np.ndarray:
        """Return the precision of each cell, shape (cell,)."""
        phi = self.phi[self.problem.cells.bench]
        return phi if self.noise is None else phi * self.noise.factor

    def centred(self, block: ColumnBlock) -> np.ndarray:
        """Return a block's effects, centred on their groups' means, shape (benchmark, level)."""
        return less_means(self.coefficient[:, block.first : block.last], block.mean_of)

    def _skills(self) -> np.ndarray:
        theta = np.zeros((self.problem.cells.models, self.problem.skills))
        for state in self.states:
            theta += state.latent if state.block.single else state.design @ state.latent
        return theta

    def _by_skills(self) -> np.ndarray:
        cells = self.problem.cells
        return by_skills(self.loading, self.theta, cells.bench, cells.model)

    def _by_benchmarks(self) -> np.ndarray:
        problem = self.problem
        coefficient = less_means(self.coefficient, problem.mean_of)
        return by_columns(coefficient, problem.cells.bench, problem.column, problem.value)

    def _by_singles(self) -> np.ndarray:
        total = np.zeros(len(self.problem.cells.y))
        for block, effect in zip(self.problem.single_blocks, self.single, strict=True):
            total += effect[block.entry] * block.factor
        return total

    def _left(self) -> np.ndarray:
        """Return scores on the link's scale minus the linear predictor."""
        fitted = self._by_skills() + self._by_benchmarks() + self._by_singles()
        return self.problem.cells.y - fitted

    def _draw_noise(self) -> None:
        """Draw tails and precisions with mixing weights integrated out; then draw the weights."""
        problem, cells, rng = self.problem, self.problem.cells, self.rng
        square = self._left() ** 2
        if problem.tail is not None:
            self._draw_tail(square * self.precision() / 4)
        tail = self.tail[cells.bench]
        priors = self._precision_priors()
        if self.noise is not None:
            self.noise.draw(square * self.phi[cells.bench] / 4, tail, rng)
        own = square if self.noise is None else square * self.noise.factor
        self.phi = slice_precisions(self.phi, priors, cells.start, own, self.tail, rng)
        phi = self.precision()
        self.weight = phi / 4
        if problem.tail is not None:
            rate = 0.5 * (tail + square * phi / 4)
            self.weight = phi / 4 * rng.standard_gamma(0.5 * (tail + 1)) / rate

    def _draw_tail(self, scaled: np.ndarray) -> None:
        prior = self.problem.tail
        assert prior is not None
        start = self.problem.cells.start
        if self.problem.tail_shared:
            parts = [(slice(None), scaled)]
        else:
            parts = [
                (slice(j, j + 1), scaled[start[j] : start[j + 1]]) for j in range(len(self.tail))
            ]
        for place, own in parts:

            def density(x: float, own: np.ndarray = own) -> float:
                return float(tail_density(x, prior, own))

            at = float(np.log(self.tail[place][0]))
            self.tail[place] = np.exp(slice_number(density, at, self.rng))

    def _precision_priors(self) -> np.ndarray:
        count = self.problem.cells.benchmarks
        if not isinstance(self.problem.precision, PooledPrior):
            return np.tile(self.problem.precision, (count, 1))
        return _log_normal(self.population["precision"], 0, count)

    def _draw_benchmarks(self) -> None:
        """Draw each benchmark's own effects with its loadings; then positive loadings."""
        problem, cells, plan = self.problem, self.problem.cells, self.problem.loading
        mean, precision = self._benchmark_priors()
        target = cells.y - self._by_singles()
        draw_benchmarks(
            cells.start,
            cells.model,
            target,
            self.weight,
            problem.column,
            problem.value,
            problem.mean_of,
            self.theta,
            plan.normal,
            self.coefficient,
            self.loading,
            mean,
            precision,
            self.rng.standard_normal(mean.shape),
        )
        if not plan.positive.any():
            return
        shift, sums = loading_sums(
            target - self._by_benchmarks(), self.weight, self.theta, cells.start, cells.model
        )
        codes = plan.codes.copy()
        for k in range(problem.skills):
            own = plan.positive[:, k]
            if plan.pooled is not None:
                pooled = own.copy()
                if len(plan.anchors):
                    pooled[plan.anchors[k]] = False
                population = self.population["loading"]
                codes[pooled, k] = _log_normal(population, k, cells.benchmarks)[pooled]
            slope = (shift[:, k] - np.einsum("jm,jm->j", sums[:, k], self.loading))[own]
            none = np.zeros(int(own.sum()))
            self.loading[own, k] = slice_scales(
                self.loading[own, k], codes[own, k], none, none, slope, sums[own, k, k], self.rng
            )

    def _benchmark_priors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return means and precisions of benchmarks' coefficients and loadings."""
        problem, plan = self.problem, self.problem.loading
        count, columns = self.coefficient.shape
        mean = np.zeros((count, columns + problem.skills))
        precision = np.ones_like(mean)
        for block in problem.column_blocks:
            own = slice(block.first, block.last)
            mean[:, own], precision[:, own] = self._prior_of(block)
        for k in range(problem.skills):
            if plan.prior is not None:
                mean[:, columns + k] = plan.prior.mu
                precision[:, columns + k] = 1 / float(plan.prior.sigma or 1.0) ** 2
            elif plan.pooled is not None and plan.normal.any():
                population = self.population["loading"]
                mean[:, columns + k] = population.middle(k)
                precision[:, columns + k] = 1 / population.spread[k] ** 2
        return mean, precision

    def _prior_of(self, block: EffectBlock) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Return mean and precision of an effect's coefficients on the linear predictor."""
        if block.prior is not None:
            return float(block.prior.mu or 0.0), 1 / float(block.prior.sigma or 1.0) ** 2
        if block.scales is not None:
            spread = self.scale[block.scales.name][block.scales.index] * block.scales.times
            return 0.0, 1 / spread**2
        population = self.population[block.effect.variable]
        return population.middle(0)[:, None], 1 / population.spread[0] ** 2

    def _draw_singles(self) -> None:
        left = self._left()
        for place, block in enumerate(self.problem.single_blocks):
            left = left + self.single[place][block.entry] * block.factor
            mean, prior = self._prior_of(block)
            own = self.weight * block.factor
            precision = prior + np.bincount(block.entry, own * block.factor, block.size)
            shift = prior * mean + np.bincount(block.entry, own * left, block.size)
            noise = self.rng.standard_normal(block.size)
            self.single[place] = shift / precision + noise / np.sqrt(precision)
            left = left - self.single[place][block.entry] * block.factor

    def _draw_skills(self) -> None:
        if not self.states:
            return
        cells = self.problem.cells
        target = cells.y - self._by_benchmarks() - self._by_singles()
        precision, shift = model_sums(
            target, self.weight, self.loading, cells.bench, cells.model, cells.models
        )
        draw_effects(self.states, precision, shift, self.rng)
        theta = self._skills()
        self.theta = draw_spreads(self.problem.spec, self.states, precision, shift, theta, self.rng)

    def _draw_scales(self) -> None:
        """Draw standard deviations of effects on the linear predictor, each twice.

        As `latentscale.inference.gibbs.skills.draw_spreads` does.
        """
        problem, bench = self.problem, self.problem.cells.bench
        for block in problem.column_blocks:
            if block.scales is not None:
                coefficient = self.coefficient[:, block.first : block.last]
                self._draw_scale_given_effects(block.scales, coefficient)
                # A score has an effect for each column; columns that share a standard deviation
                # change together.
                kinds, kind = np.unique(block.scales.index, axis=1, return_inverse=True)
                for number, owner in enumerate(kinds.T):
                    zeros = np.zeros_like(self.coefficient)
                    own = np.where(kind.reshape(-1) == number, self.centred(block), 0.0)
                    zeros[:, block.first : block.last] = own
                    change = by_columns(zeros, bench, problem.column, problem.value)
                    ratio = self._draw_scale_given_units(block.scales, change, owner[bench])
                    coefficient *= ratio[block.scales.index]
        for place, single in enumerate(problem.single_blocks):
            if single.scales is not None:
                effect = self.single[place]
                self._draw_scale_given_effects(single.scales, effect)
                change = effect[single.entry] * single.factor
                owner = single.scales.index[single.entry]
                ratio = self._draw_scale_given_units(single.scales, change, owner)
                self.single[place] = effect * ratio[single.scales.index]

    def _draw_scale_given_effects(self, scales: Scales, effect: np.ndarray) -> None:
        index, count = scales.index.ravel(), len(scales.on)
        power = np.bincount(index, minlength=count).astype(float)
        square = np.bincount(index, (effect.ravel() / scales.times) ** 2, minlength=count)
        priors = np.tile(scales.prior, (count, 1))
        none = np.zeros(count)
        self.scale[scales.name] = slice_scales(
            self.scale[scales.name], priors, power, square, none, none, self.rng
        )

    def _draw_scale_given_units(
        self, scales: Scales, change: np.ndarray, owner: np.ndarray
    ) -> np.ndarray:
        """Draw standard deviations given effects in their units; return the ratio of new to old.

        Standard deviations without a cell's effect do not change.

        Parameters
        ----------
        scales
            The standard deviations to draw.
        change
            Contribution of the effect to each cell.
        owner
            Index of the standard deviation of each cell's effect.
        """
        before, count = self.scale[scales.name], len(scales.on)
        each = change / before[owner]
        slope = np.bincount(owner, self.weight * each * self._left(), count)
        bend = np.bincount(owner, self.weight * each**2, count)
        none, priors = np.zeros(count), np.tile(scales.prior, (count, 1))
        drawn = slice_scales(before, priors, none, none, slope, bend, self.rng)
        owned = np.isin(np.arange(count), owner)
        after = np.where(owned, drawn, before)
        self.scale[scales.name] = after
        return after / before

    def _draw_populations(self) -> None:
        everyone = np.ones(self.problem.cells.benchmarks, bool)
        plan = self.problem.loading
        for name, population in self.population.items():
            if name == "precision":
                population.draw(0, np.log(self.phi), everyone, self.rng)
            elif name == "loading":
                for k in range(self.problem.skills):
                    own = plan.normal[:, k] | plan.positive[:, k]
                    if len(plan.anchors):
                        own[plan.anchors[k]] = False
                    x = self.loading[:, k]
                    if not plan.normal.any():
                        x = np.log(np.where(own, x, 1.0))
                    population.draw(k, x, own, self.rng)
            else:
                block = next(b for b in self.problem.column_blocks if b.effect.variable == name)
                population.draw(0, self.coefficient[:, block.first], everyone, self.rng)

    def _rescale_skills(self) -> None:
        plan = self.problem.loading
        pooled_positive = plan.pooled is not None and not plan.normal.any()
        if can_rescale(plan) and not pooled_positive:
            population = self.population.get("loading")
            rescale(self.states, plan, self.loading, population, self.theta, self.rng)


def _log_normal(population: PopulationState, place: int, count: int) -> np.ndarray:
    """Return the log-normal prior of each member's parameter, as codes."""
    codes = np.zeros((count, 4))
    codes[:, 0] = _LOG_NORMAL
    codes[:, 1] = population.middle(place)
    codes[:, 2] = population.spread[place]
    return codes
