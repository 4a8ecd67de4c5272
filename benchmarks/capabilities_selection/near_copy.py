"""A near copy of `capabilities` that samples in seconds, for comparing many structures.

Written in numpy, apart from the package. Scores are on the logit scale (others standardised), the
noise is Student-t with the variance of a Beta there, and effects are drawn by Gibbs sampling. So it
shows which structures are worth fitting with the package; it does not replace such a fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]
DEGREES = 4.0
"""Degrees of freedom of the noise, and of heavy-tailed effects if requested."""
EDGE = 0.004
"""Shares closer than this to 0 or 1 are moved to this distance: half an item of 125."""
KNOTS = 12
"""Knots of the trend over the fitted dates and two standard deviations beyond, as in `trend`."""
MOST_ETA = 5.5
"""Linear predictors are clamped to this for the variance of the noise: mu is then 0.4% or 99.6%."""
PRIOR = {"intercept": 1.5, "loading": 0.7, "drift": 0.2, "group": 0.4, "effect": 0.25, "skill": 0.3}
"""Scales of the half-Cauchy priors of standard deviations, near those of the package's priors."""
PRECISION = 60.0
"""Initial precision of the noise, as a Beta's."""


@dataclass(frozen=True)
class Structure:
    """What a candidate has in addition to skills and pooled benchmarks.

    Attributes
    ----------
    skills
        How many.
    groups, series
        Whether models have effects on groups of benchmarks, and on series of them.
    drift
        Whether benchmarks have separate slopes in the release date, pooled around 0.
    age
        Whether intercepts and loadings are pooled around a line in the mean date of a
        benchmark's fitted models.
    tails
        Whether effects on groups and series, residuals of skills and benchmarks' parameters have
        Student-t populations.
    """

    skills: int = 3
    groups: bool = True
    series: bool = False
    drift: bool = False
    age: bool = False
    tails: bool = False


@dataclass(frozen=True)
class Matrix:
    """A table in the sampler's form: scores (model, benchmark) and features of both."""

    scores: Floats
    scale: Sequence[str]
    floor: Floats
    group: Sequence[str]
    series: Sequence[str]
    days: Floats
    reasoning: Floats
    family: Sequence[str]
    lineage: Sequence[str]


class Scale:
    """Standard deviations with half-Cauchy priors, by the auxiliary variables of Makalic and
    Schmidt 2016."""

    def __init__(self, shape: tuple[int, ...], prior: float) -> None:
        self.variance = np.full(shape, (0.5 * prior) ** 2)
        self._prior, self._other = prior, np.ones(shape)

    def update(self, squares: Floats, count: float, rng: np.random.Generator) -> None:
        """Draw the variances given sums of squares and numbers of effects."""
        drawn = 1 / rng.gamma((count + 1) / 2, 1 / (squares / 2 + 1 / self._other))
        self.variance = np.clip(drawn, 1e-4, 1e3)  # 0.01 is practically no effect
        self._other = 1 / rng.gamma(1.0, 1 / (1 / self._prior**2 + 1 / self.variance))


class NearCopy:
    """The sampler's state; `sweep` draws every parameter once."""

    def __init__(
        self, matrix: Matrix, fitted: npt.NDArray[np.bool_], structure: Structure, seed: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.structure, self.matrix, self.fitted = structure, matrix, fitted
        self.count = fitted.sum(axis=0)
        self.active = self.count > 0
        self._transform()
        self._designs()
        self._begin()

    def _transform(self) -> None:
        m, shape = self.matrix, self.matrix.scores.shape
        self.is_fraction = np.array([scale == "fraction" for scale in m.scale])
        self.is_positive = np.array([scale == "positive" for scale in m.scale])
        self.floor = np.where(self.is_fraction, np.minimum(m.floor, 1 - 2 * EDGE), 0.0)
        self.floor = np.where(self.floor >= 0.9, 0.0, self.floor)  # lower is better: no floor
        raw = np.where(self.is_positive, np.log(np.maximum(m.scores, 1e-9)), m.scores)
        seen = np.where(self.fitted, raw, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # benchmarks without a fitted score
            self.centre = np.nan_to_num(np.nanmean(seen, axis=0))
            step = np.nan_to_num(np.nanstd(seen, axis=0))
        self.step = np.where(step > 1e-3, step, 1.0)
        share = np.clip((m.scores - self.floor) / (1 - self.floor), EDGE, 1 - EDGE)
        values = np.where(self.is_fraction, logit(share), (raw - self.centre) / self.step)
        self.y = np.where(np.isfinite(values), values, 0.0).reshape(shape)

    def _designs(self) -> None:
        m, known = self.matrix, self.fitted.any(axis=1)
        self.known = known
        self.date = standardised(m.days, known)
        low, high = self.date[known].min(), self.date[known].max()
        step = (high - low) / KNOTS
        knots = np.arange(np.floor((low - 2) / step), np.ceil((high + 2) / step) + 1) * step
        side = np.where(knots >= 0, self.date[:, None] - knots, knots - self.date[:, None])
        straight = np.stack([self.date, standardised(m.reasoning, known)], axis=1)
        parts = [straight, one_hot(m.family, 1), one_hot(m.lineage, 1)]
        parts.append(np.maximum(side, 0) * np.sqrt(step))
        self.design = np.concatenate(parts, axis=1)
        self.part = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
        none = np.zeros((m.scores.shape[1], 0))
        self.member = np.concatenate(
            [
                one_hot(m.group, 2) if self.structure.groups else none,
                one_hot(m.series, 2) if self.structure.series else none,
            ],
            axis=1,
        )
        self.of_group = one_hot(m.group, 1)
        mean = (self.date[:, None] * self.fitted).sum(axis=0) / np.maximum(self.count, 1)
        self.age = np.where(self.active, standardised(mean, self.active), 0.0)

    def _begin(self) -> None:
        models, benchmarks = self.y.shape
        skills, drift = self.structure.skills, int(self.structure.drift)
        width = 1 + skills + drift
        priors = [PRIOR["intercept"], *[PRIOR["loading"]] * skills, *[PRIOR["drift"]] * drift]
        self.spread = [Scale((), prior) for prior in priors]
        self.group_spread = [Scale((), PRIOR["group"]) for _ in priors]
        self.mean, self.by_age = np.zeros(width), np.zeros(width)
        self.group_mean = np.zeros((self.of_group.shape[1], width))
        self.beta = np.zeros((benchmarks, width))
        self.beta[:, 0] = (self.y * self.fitted).sum(axis=0) / np.maximum(self.count, 1)
        self.beta[:, 1] = PRIOR["loading"]
        self.beta[:, 2 : 1 + skills] = 0.3 * self.rng.standard_normal((benchmarks, skills - 1))
        self.theta = 0.5 * self.rng.standard_normal((models, skills))
        self.effect = np.zeros((models, self.member.shape[1]))
        self.slopes = np.zeros((self.design.shape[1], skills))
        self.effect_scale = Scale((self.member.shape[1],), PRIOR["effect"])
        self.residual = Scale((skills,), PRIOR["skill"])
        # Of families, lineages and the trend's changes.
        self.level = [Scale((skills,), prior) for prior in (0.5, 0.5, PRIOR["skill"])]
        self.log_precision, self.precision_spread = np.log(PRECISION), Scale((), 0.7)
        self.precision = np.full(benchmarks, PRECISION)
        self.weight = np.ones((models, benchmarks))
        self.smooth = self.y * self.fitted
        self.tail_of_latent = np.ones((models, skills + self.member.shape[1]))
        self.tail_of_beta = np.ones((benchmarks, width))

    @property
    def eta(self) -> Floats:
        """The linear predictors, (model, benchmark)."""
        skills = self.structure.skills
        eta = self.beta[:, 0] + self.theta @ self.beta[:, 1 : 1 + skills].T
        eta = eta + self.effect @ self.member.T
        return eta + np.outer(self.date, self.beta[:, -1]) if self.structure.drift else eta

    def sweep(self, follow: float) -> None:
        """Draw every parameter given the others.

        Parameters
        ----------
        follow
            How far the predictors behind the noise's variance follow this draw's: 1 at the
            start, less later, so that the variance settles.
        """
        weights = self.fitted * self.weight * self.precision * self._slope()
        self._latents(weights)
        self._slopes()
        self._benchmarks(weights)
        self._populations()
        self.smooth = (1 - follow) * self.smooth + follow * self.eta
        self._noise()

    def _slope(self) -> Floats:
        mu = expit(np.clip(self.smooth, -MOST_ETA, MOST_ETA))
        return np.where(self.is_fraction, mu * (1 - mu), 0.25)

    def _latents(self, weights: Floats) -> None:
        """Draw skills and effects of each model."""
        skills = self.structure.skills
        x = np.concatenate([self.beta[:, 1 : 1 + skills], self.member], axis=1)
        centre = self.design @ self.slopes
        offset = self.beta[:, 0] + centre @ self.beta[:, 1 : 1 + skills].T
        if self.structure.drift:
            offset = offset + np.outer(self.date, self.beta[:, -1])
        prior = 1 / np.concatenate([self.residual.variance, self.effect_scale.variance])
        precision = (weights @ outer(x)).reshape(len(weights), x.shape[1], x.shape[1])
        precision[:, np.arange(x.shape[1]), np.arange(x.shape[1])] += prior / self.tail_of_latent
        drawn = normal(precision, (weights * (self.y - offset)) @ x, self.rng)
        if self.structure.tails:
            rate = (DEGREES + drawn**2 * prior) / 2
            self.tail_of_latent = 1 / self.rng.gamma((DEGREES + 1) / 2, 1 / rate)
        self.theta, self.effect = centre + drawn[:, :skills], drawn[:, skills:]

    def _slopes(self) -> None:
        """Draw effects of dates, families, lineages and the trend on skills."""
        design = self.design[self.known]
        for k in range(self.structure.skills):
            by_part = np.array([1.0, *(scale.variance[k] for scale in self.level)])
            weight = 1 / (self.residual.variance[k] * self.tail_of_latent[self.known, k])
            precision = (design.T * weight) @ design + np.diag(1 / by_part[self.part])
            moment = design.T @ (weight * self.theta[self.known, k])
            self.slopes[:, k] = normal(precision[None], moment[None], self.rng)[0]

    def _benchmarks(self, weights: Floats) -> None:
        """Draw intercepts, loadings and drifts of each benchmark."""
        columns = [np.ones((len(self.theta), 1)), self.theta]
        x = np.concatenate([*columns, self.date[:, None]] if self.structure.drift else columns, 1)
        variance = np.array([scale.variance for scale in self.spread]) * self.tail_of_beta
        width = x.shape[1]
        precision = (weights.T @ outer(x)).reshape(-1, width, width)
        precision[:, np.arange(width), np.arange(width)] += 1 / variance
        centre = self.mean + self.of_group @ self.group_mean + np.outer(self.age, self.by_age)
        moment = (weights * (self.y - self.effect @ self.member.T)).T @ x + centre / variance
        self.beta = normal(precision, moment, self.rng)
        if self.structure.tails:
            away = (self.beta - centre) ** 2 / np.array([s.variance for s in self.spread])
            self.tail_of_beta = 1 / self.rng.gamma((DEGREES + 1) / 2, 2 / (DEGREES + away))

    def _populations(self) -> None:
        """Draw means and standard deviations of all effects."""
        scaled = (self.theta - self.design @ self.slopes) ** 2
        skills, models = self.structure.skills, int(self.known.sum())
        of_residual = scaled / self.tail_of_latent[:, :skills]
        self.residual.update(of_residual[self.known].sum(axis=0), models, self.rng)
        of_effect = self.effect**2 / self.tail_of_latent[:, skills:]
        self.effect_scale.update(of_effect[self.known].sum(axis=0), models, self.rng)
        used = (self.design[self.known] != 0).any(axis=0)
        for number, scale in enumerate(self.level, start=1):
            mine = used & (self.part == number)
            scale.update((self.slopes[mine] ** 2).sum(axis=0), int(mine.sum()), self.rng)
        for column in range(self.beta.shape[1]):
            self._population(column)

    def _population(self, column: int) -> None:
        """Draw the population of one parameter of benchmarks; drifts are pooled around 0."""
        here, rng = self.active, self.rng
        value, group = self.beta[here, column], self.of_group[here]
        weight = 1 / (self.spread[column].variance * self.tail_of_beta[here, column])
        if not (self.structure.drift and column == self.beta.shape[1] - 1):
            widest = 2.0 if column == 0 else 0.7  # standard deviations of the mean's prior
            x = np.concatenate([np.ones((len(value), 1)), group], axis=1)
            variance = [widest**2, *[float(self.group_spread[column].variance)] * group.shape[1]]
            if self.structure.age:
                x = np.concatenate([x, self.age[here, None]], axis=1)
                variance.append(0.25)  # half a unit per standard deviation of the mean date
            precision = (x.T * weight) @ x + np.diag(1 / np.array(variance))
            drawn = normal(precision[None], (x.T @ (weight * value))[None], rng)[0]
            self.mean[column], last = drawn[0], 1 + group.shape[1]
            self.group_mean[:, column] = drawn[1:last]
            self.by_age[column] = drawn[last] if self.structure.age else 0.0
            squares = (self.group_mean[:, column] ** 2).sum()
            self.group_spread[column].update(squares, group.shape[1], rng)
            value = value - x @ drawn
        away = value**2 / self.tail_of_beta[here, column]
        self.spread[column].update(away.sum(), len(value), rng)

    def _noise(self) -> None:
        """Draw weights of scores and precisions of benchmarks."""
        squares = (self.y - self.eta) ** 2 * self._slope()
        rate = (DEGREES + self.precision * squares) / 2
        drawn = self.rng.gamma((DEGREES + 1) / 2, 1 / rate)
        self.weight = np.where(self.fitted, drawn, 1.0)
        total = (self.fitted * self.weight * squares).sum(axis=0)
        spread, centre = self.precision_spread, self.log_precision
        for _ in range(2):  # Metropolis steps per sweep: cheap, unlike the rest
            other = self.precision * np.exp(0.6 * self.rng.standard_normal(len(total)))
            gain = 0.0
            for phi, sign in ((other, 1), (self.precision, -1)):
                log = np.log(phi)
                prior = (log - centre) ** 2 / (2 * spread.variance)
                gain = gain + sign * (self.count * log / 2 - phi * total / 2 - prior)
            taken = (np.log(self.rng.random(len(total))) < gain) & (other > 2) & (other < 1e5)
            self.precision = np.where(taken, other, self.precision)
        log = np.log(self.precision[self.active])
        self.precision_spread.update(((log - centre) ** 2).sum(), len(log), self.rng)
        error = np.sqrt(self.precision_spread.variance / len(log))
        self.log_precision = log.mean() + error * self.rng.standard_normal()

    def scores(self, model: npt.NDArray[np.int64], benchmark: npt.NDArray[np.int64]) -> Floats:
        """Return scores of some cells drawn from this draw's predictive distribution."""
        rng, eta = self.rng, self.eta[model, benchmark]
        phi = self.precision[benchmark] * rng.gamma(DEGREES / 2, 2 / DEGREES, len(eta))
        mu, least = expit(np.clip(eta, -12, 12)), 1e-3  # a Beta's parameters are positive
        share = rng.beta(np.maximum(mu * phi, least), np.maximum((1 - mu) * phi, least))
        fraction = self.floor[benchmark] + (1 - self.floor[benchmark]) * share
        raw = (eta + 2 * rng.standard_normal(len(eta)) / np.sqrt(phi)) * self.step[benchmark]
        raw = raw + self.centre[benchmark]
        raw = np.where(self.is_positive[benchmark], np.exp(np.clip(raw, -30, 30)), raw)
        return np.where(self.is_fraction[benchmark], fraction, raw)


def sampled(
    matrix: Matrix,
    fitted: npt.NDArray[np.bool_],
    cells: Sequence[tuple[int, int]],
    structure: Structure,
    *,
    seed: int,
    warm_up: int,
    draws: int,
) -> Floats:
    """Return predictive draws (draw, cell) of cells (model, benchmark) given the fitted ones."""
    chain = NearCopy(matrix, fitted, structure, seed)
    model, benchmark = np.array(cells, dtype=np.int64).T
    kept = []
    for number in range(warm_up + draws):
        # Follow at once, then by a third, then slowly enough to be constant over the draws.
        chain.sweep(1.0 if number < 20 else 0.3 if number < 0.6 * warm_up else 0.03)
        if number >= warm_up:
            kept.append(chain.scores(model, benchmark))
    return np.array(kept)


def standardised(values: Floats, among: npt.NDArray[np.bool_]) -> Floats:
    """Return values standardised by the mean and spread over some of them; 0 where missing."""
    spread = float(np.nanstd(values[among]))
    return np.nan_to_num((values - np.nanmean(values[among])) / (spread if spread > 0 else 1.0))


def one_hot(names: Sequence[str], least: int) -> Floats:
    """Return indicators of the names shared by enough rows, (place, name)."""
    columns = sorted({name for name in names if name and list(names).count(name) >= least})
    return np.array([[float(own == name) for name in columns] for own in names]).reshape(
        len(names), len(columns)
    )


def outer(x: Floats) -> Floats:
    """Return products of each row's columns, (row, column * column)."""
    return (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)


def normal(precision: Floats, moment: Floats, rng: np.random.Generator) -> Floats:
    """Draw from normals by their precisions (place, k, k) and precision times mean (place, k)."""
    factor = np.linalg.cholesky(precision)
    middle = np.linalg.solve(factor, moment[..., None])
    noise = rng.standard_normal(middle.shape)
    return np.linalg.solve(factor.swapaxes(1, 2), middle + noise)[..., 0]
