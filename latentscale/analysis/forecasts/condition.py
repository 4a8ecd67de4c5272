"""Condition: what new scores say of a fitted posterior, without a refit.

The target is p(parameters, latents | fitted scores, new scores). Posterior draws are weighted by
the likelihood of the new scores with the latents they bear on integrated out, and those latents
are drawn anew on every draw. What all families share is only weighted, never moved: where the
weights are degenerate nothing here can help, and the rows have to be fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.latents import (
    Floats,
    Group,
    LocalProblem,
    groups_of,
    local_problem,
)
from latentscale.analysis.forecasts.proposal import (
    Proposal,
    independence_chain,
    laplace_proposal,
    log_mean_exp,
    target_of,
)
from latentscale.data.known import features_of, kinds_among
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL, SAMPLE
from latentscale.errors import DataError, FitError, FitWarning
from latentscale.inference.method import Method
from latentscale.numerics.psis import k_limit, pareto_smoothed
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN
from latentscale.result import Result
from latentscale.validate import plain_fields, real_number, whole_number

IMPORTANCE = "importance resampling"
SAMPLER = "conditional sampler"
REFIT = "refit"
# The mean of a forecast from n effective draws is off by 1 / sqrt(n) posterior standard deviations.
# Measured against refits (1 and 2 skills, 7 to 23 scores of new families, 50 to 1,400 draws):
# 0.06 to 0.14 at an ESS of 65 to 135, 0.12 to 0.28 at 17 to 44, where single cells are off by half
# a standard deviation and intervals up to a quarter too narrow; 1 to 6 with Pareto k above 2.
_ROUGH_ESS = 100  # 0.1 standard deviations: below it, a warning
_LEAST_ESS = 50  # 0.14 standard deviations: below it, no answer
# A fit of few draws has a large Monte Carlo error of its own: below so many of its draws the loss
# is judged by its share, which at worst doubles (a quarter) or trebles (an eighth) that error.
_ROUGH_SHARE = 1 / 4
_LEAST_SHARE = 1 / 8
# Numbers in the largest matrix, a quarter of a gigabyte of doubles.
_MOST_NUMBERS = 3e7
# Fewest posterior draws kept where matrices are large.
_FEWEST_DRAWS = 100
# Scores are given with six decimals at most, so a smaller difference is rounding.
_SAME = 1e-6


@dataclass(frozen=True)
class FewShot:
    """How new scores condition a forecast.

    Attributes
    ----------
    draws
        At most so many posterior draws are used, evenly spread; the forecast has as many.
    latents
        Candidate latents on every posterior draw.
    steps
        Steps of the conditional sampler after resampling, so that repeated draws part.
    min_ess
        Effective sample size below which importance resampling gives way to the conditional
        sampler (or below a quarter of the draws, where that is less).
    sampler_only
        Go to the conditional sampler at once.
    refit
        Method of a fit with the given scores added to the table, which is exact, where the
        weights of the posterior draws are degenerate: Pareto k above min(1 - 1 / log10(draws),
        0.7), or an effective sample size below 50 (or below an eighth of the draws, where that
        is less). None leaves them to `degenerate`.
    degenerate
        What becomes of degenerate weights without a refit: ``"refuse"``, or ``"warn"`` for a
        forecast that is known to be wrong by up to several standard deviations.

    Raises
    ------
    FitError
        If a field is out of range.
    """

    draws: int = 2000
    latents: int = 8
    steps: int = 5
    min_ess: float = 400.0
    sampler_only: bool = False
    refit: Method | None = None
    degenerate: Literal["refuse", "warn"] = "refuse"

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("draws", "latents", "steps"):
            whole_number(getattr(self, name), f"FewShot.{name}", least=1, error=FitError)
        real_number(self.min_ess, "FewShot.min_ess", above=0, error=FitError)
        if self.degenerate not in ("refuse", "warn"):
            raise FitError(
                f'FewShot.degenerate must be "refuse" or "warn"; got {self.degenerate!r}. To have '
                "the scores fitted, give FewShot.refit a method such as latentscale.NUTS()."
            )
        if self.refit is not None and not isinstance(self.refit, Method):
            raise FitError(
                f"FewShot.refit must be a method such as latentscale.NUTS(); got {self.refit!r}."
            )


@dataclass(frozen=True, repr=False)
class Conditioning(Result):
    """How a forecast was conditioned on scores, and what its draws are worth.

    Attributes
    ----------
    method
        ``"importance resampling"``, ``"conditional sampler"`` or ``"refit"``.
    n_scores
        Number of new scores.
    ess
        Effective number of draws behind the forecast: the least over the posterior draws'
        weights and over each family's candidates; of a refit, the least over its parameters.
    pareto_k
        Shape of the tail of the posterior draws' weights (PSIS). NaN where there are too few
        draws to tell, or no tail. Of a refit: what it was without one.
    index
        Posterior draw that each sample of the forecast rests on, as its coordinate ``sample``.
    fit
        The refit, whose draws these are; None where they are draws of the fit that was given.
    """

    method: str
    n_scores: int
    ess: float
    pareto_k: float
    index: npt.NDArray[np.int64] = field(repr=False)
    fit: Fit | None = field(default=None, repr=False)

    @property
    def headline(self) -> str:
        """How many scores were used how, and how many draws are left."""
        return f"Given {self.n_scores} scores ({self.method}, ESS {self.ess:.0f})"

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row: method, n_scores, ess, pareto_k.

        Parameters
        ----------
        prob
            Checked, as in every result; the table holds no interval.
        """
        names = ("method", "n_scores", "ess", "pareto_k")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


class Degenerate(FitError):
    """The weights of new scores leave too few posterior draws for an answer.

    Attributes
    ----------
    n_scores
        Number of new scores.
    pareto_k
        Shape of the tail of the weights.
    """

    def __init__(self, n_scores: int, ess: float, pareto_k: float, count: int) -> None:
        self.n_scores, self.pareto_k = n_scores, pareto_k
        shape = f", Pareto k {pareto_k:.2f} (at most {k_limit(count):.2f})"
        super().__init__(
            f"The {n_scores} scores given leave the weight on too few posterior draws: effective "
            f"sample size {ess:.0f} of {count} (at least {np.ceil(_least_ess(count)):.0f})"
            f"{'' if np.isnan(pareto_k) else shape}. The fit did not expect such scores, "
            "or there are many of them, and a forecast from these weights would be wrong. Check "
            "the scores and their columns. If they are right, fit them as well: add the rows to "
            "the table and fit again, or give predict "
            "few_shot=latentscale.FewShot(refit=latentscale.NUTS()), which does that."
        )


@dataclass(frozen=True)
class Conditioned:
    """Latents drawn given new scores, dims (sample, ...), sample as in ``report.index``.

    Attributes
    ----------
    report
        How they were drawn.
    terms
        Terms of the families that the scores bear on, one dataset a group of families.
    residuals
        Effects by model of the models that the scores bear on, likewise.
    """

    report: Conditioning
    terms: tuple[xr.Dataset, ...]
    residuals: tuple[xr.Dataset, ...]


@dataclass(frozen=True)
class _Candidates:
    """Weighted candidates of one group: z (sample, candidate, latent), weights and the sum.

    `level` is the log of the estimated likelihood of the group's new scores, by sample.
    """

    problem: LocalProblem
    z: Floats
    log_weight: Floats
    level: Floats
    proposal: Proposal | None = None


def new_scores(fit: Fit, planned: xr.Dataset) -> xr.DataArray:
    """Return which scores of planned rows the fit has not seen, dims (model, benchmark).

    Raises
    ------
    DataError
        If a score of a fitted model differs from the one that was fitted.
    """
    score = planned["score"].transpose(MODEL, BENCHMARK)
    fitted = fit.scores.dataset["score"].reindex_like(score).transpose(MODEL, BENCHMARK)
    apart = fitted.notnull() & score.notnull() & (abs(score - fitted) > _SAME)
    if bool(apart.any()):
        i, j = (int(at[0]) for at in np.nonzero(apart.values))
        raise DataError(
            f'Model "{score[MODEL].values[i]}", column "{score[BENCHMARK].values[j]}": the fit '
            f"has {float(fitted[i, j]):g}, this row {float(score[i, j]):g}. Give the fitted "
            "score or leave the cell empty; to correct a fitted score, fit again."
        )
    return score.notnull() & fitted.isnull()


def condition(
    fit: Fit,
    draws: xr.Dataset,
    planned: xr.Dataset,
    few_shot: FewShot,
    rng: np.random.Generator,
) -> Conditioned | None:
    """Draw from the posterior given the fit's scores and the planned rows' own.

    First candidate latents are drawn from what the fit knows of them, and pairs of draw and
    latents are weighted by the likelihood of the new scores and resampled. Where the effective
    sample size of that is too low, latents are proposed from a Gaussian at their mode given
    old and new scores, the posterior draws are weighted by the estimated likelihood of the new
    scores given the old ones, and Metropolis steps follow. In both the weights of the
    posterior draws are Pareto-smoothed.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws with floors, dims (sample, ...).
    planned
        Checked rows; with no new score among them the result is None.
    few_shot
        Numbers of draws and steps.
    rng
        Source of random numbers.

    Raises
    ------
    DataError
        If a score of a fitted model differs from the one that was fitted.
    FitError
        If the fit was aligned after it was made, or the weights of the posterior draws are
        degenerate (`Degenerate`): then the scores say much that the fit did not expect.

    Warns
    -----
    FitWarning
        If few draws carry the weight.

    References
    ----------
    Vehtari et al. 2024 (arXiv:1507.02646), Pareto-smoothed importance sampling; Andrieu and
    Roberts 2009, weights that are themselves unbiased estimates.
    """
    if "score" not in planned:
        return None
    fresh = new_scores(fit, planned)
    if not bool(fresh.any()):
        return None
    rotated = [str(name) for name in draws.data_vars if str(name).endswith("_factor")]
    if rotated:
        raise FitError(
            "Scores given to predict cannot condition an aligned fit, whose skills were rotated. "
            "Give predict the fit before ls.align: its forecasts are the same."
        )
    groups = groups_of(fit, planned, fresh)
    kept = _kept(fit, draws, groups, few_shot)
    # Within a problem draws are counted by place; `kept` leads back to the posterior's.
    part = draws.isel({SAMPLE: kept}).drop_vars(list(ORIGIN), errors="ignore")
    problems = [local_problem(fit, part, group, rng) for group in groups]
    found = None
    if not few_shot.sampler_only:
        found = _judged([_from_fit(p, few_shot, rng) for p in problems], IMPORTANCE)
    enough = min(few_shot.min_ess, len(kept) / 4)
    good = found is not None and found.ess >= enough and not found.pareto_k > k_limit(len(kept))
    if found is None or not good:
        found = _judged([_from_mode(p, few_shot, rng) for p in problems], SAMPLER)
    count = int(fresh.sum())
    _judge(found, count, len(kept), few_shot)
    chosen = _systematic(found.weight, rng)
    terms: list[xr.Dataset] = []
    residuals: list[xr.Dataset] = []
    for one in found.groups:
        z = _latents(one, chosen, few_shot.steps, rng)
        mine, own = one.problem.terms(chosen, z)
        terms.append(mine)
        if own.data_vars:
            residuals.append(own)
    report = Conditioning(found.method, count, found.ess, found.pareto_k, kept[chosen])
    return Conditioned(report, tuple(terms), tuple(residuals))


@dataclass(frozen=True)
class _Judged:
    groups: Sequence[_Candidates]
    method: str
    weight: Floats
    ess: float
    pareto_k: float


def _judged(groups: Sequence[_Candidates], method: str) -> _Judged:
    """Weigh the posterior draws by all groups together, and count what that leaves."""
    level = np.sum([one.level for one in groups], axis=0)
    weight, pareto_k = _smoothed(level)
    ess = [1 / float(np.sum(weight**2))]
    for one in groups:
        within = np.exp(one.log_weight - one.log_weight.max(axis=1, keepdims=True))
        within /= within.sum(axis=1, keepdims=True)
        ess.append(1 / float(np.sum((weight[:, None] * within) ** 2)))
    return _Judged(groups, method, weight, min(ess), pareto_k)


def _kept(
    fit: Fit, draws: xr.Dataset, groups: Sequence[Group], few_shot: FewShot
) -> npt.NDArray[np.int64]:
    """Return evenly spread posterior draws, fewer where the matrices would not fit in memory."""
    most = 1.0
    for group in groups:
        families = len(group.fitted) + len(group.new)
        skills, benchmarks = fit.spec.skills.count, len(fit.scores.benchmarks)
        slopes = len(fit.spec.benchmarks.family_slopes)
        own = (1 + len(fit.spec.family.slopes)) * skills + (1 + slopes) * benchmarks
        latents = families * own + skills * group.rows.sizes[MODEL]
        most = max(most, len(group.score) * latents)
    total = draws.sizes[SAMPLE]
    count = min(total, few_shot.draws, max(int(_MOST_NUMBERS / most), _FEWEST_DRAWS))
    return np.linspace(0, total - 1, count).round().astype(np.int64)


def _from_fit(problem: LocalProblem, few_shot: FewShot, rng: np.random.Generator) -> _Candidates:
    """Return candidates from what the fit knows: its own latents, the prior for the rest."""
    drawn, weights = [], []
    for _ in range(few_shot.latents):
        z = np.where(problem.known, problem.start, problem.draw_prior(rng))
        likelihood = problem.log_likelihood(problem.eta(z))[:, problem.group.is_new]
        drawn.append(z)
        weights.append(likelihood.sum(axis=1))
    log_weight = np.stack(weights, axis=1)
    return _Candidates(problem, np.stack(drawn, axis=1), log_weight, log_mean_exp(log_weight))


def _from_mode(problem: LocalProblem, few_shot: FewShot, rng: np.random.Generator) -> _Candidates:
    """Return candidates from the mode given old and new scores.

    The level is that of old and new scores over that of the old ones. The latter is estimated
    by its reciprocal, on a chain that starts at the fit's own latents and so is in
    equilibrium from the start.
    """
    everything = np.ones(len(problem.group.score), bool)
    target = target_of(problem, everything)
    proposal = laplace_proposal(problem, everything)
    drawn, weights = [], []
    for _ in range(few_shot.latents):
        z, log_q = proposal.draw(rng)
        drawn.append(z)
        weights.append(target(z) - log_q)
    log_weight = np.stack(weights, axis=1)
    level = log_mean_exp(log_weight) + _reciprocal(problem, few_shot, rng)
    return _Candidates(problem, np.stack(drawn, axis=1), log_weight, level, proposal)


def _reciprocal(problem: LocalProblem, few_shot: FewShot, rng: np.random.Generator) -> Floats:
    """Return the log of one over the likelihood of the group's old scores, by sample."""
    old = ~problem.group.is_new
    if not old.any():
        return np.zeros(len(problem.start))
    target = target_of(problem, old)
    proposal = laplace_proposal(problem, old)
    start = np.where(problem.known, problem.start, problem.draw_prior(rng))
    states = [start, *independence_chain(target, proposal, start, few_shot.latents, rng)]
    ratios = [proposal.log_gaussian(z) - target(z) for z in states]
    return log_mean_exp(np.stack(ratios, axis=1))


def _latents(
    one: _Candidates, chosen: npt.NDArray[np.int64], steps: int, rng: np.random.Generator
) -> Floats:
    """Return one latent vector for each chosen posterior draw, shape (chosen, latent)."""
    log_weight = one.log_weight[chosen]
    # Adding Gumbel noise and taking the largest draws a candidate in proportion to its weight.
    picked = np.argmax(log_weight + rng.gumbel(size=log_weight.shape), axis=1)
    z = one.z[chosen, picked]
    if one.proposal is None or not z.shape[1]:
        return z
    problem = one.problem
    sub = replace(
        problem,
        offset=problem.offset[chosen],
        matrix=problem.matrix[chosen],
        start=problem.start[chosen],
        at_cells=_rows(problem.at_cells, chosen),
        phi=_rows({"phi": problem.phi}, chosen)["phi"],
    )
    target = target_of(sub, np.ones(len(problem.group.score), bool))
    return independence_chain(target, one.proposal.at(chosen), z, steps, rng)[-1]


def _rows(
    arrays: Mapping[str, xr.DataArray], chosen: npt.NDArray[np.int64]
) -> dict[str, xr.DataArray]:
    return {
        name: value.isel({SAMPLE: chosen}).drop_vars(SAMPLE, errors="ignore")
        if SAMPLE in value.dims
        else value
        for name, value in arrays.items()
    }


def _smoothed(level: Floats) -> tuple[Floats, float]:
    """Return normalised weights of posterior draws, Pareto-smoothed, and the tail's shape."""
    level = np.where(np.isfinite(level), level, -np.inf)
    if not np.isfinite(level).any():
        raise FitError(
            "No posterior draw can explain the scores given: all have likelihood 0. Check the "
            "scores and their columns, or add the rows to the table and fit again."
        )
    smooth = pareto_smoothed(level)
    weight = np.exp(smooth.log_weights)
    return weight / weight.sum(), float(smooth.pareto_k)


def _systematic(weight: Floats, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Resample by one random offset and evenly spaced points, the least noisy way."""
    points = (np.arange(len(weight)) + rng.random()) / len(weight)
    edges = np.cumsum(weight)
    return np.minimum(np.searchsorted(edges, points), len(weight) - 1).astype(np.int64)


def _least_ess(count: int) -> float:
    return min(_LEAST_ESS, count * _LEAST_SHARE)


def _judge(found: _Judged, n_scores: int, count: int, few_shot: FewShot) -> None:
    """Refuse degenerate weights, and warn of weights that leave a rough answer."""
    if count == 1:  # a point estimate has nothing to weigh
        return
    degenerate = found.ess < _least_ess(count) or found.pareto_k > k_limit(count)
    if degenerate and (few_shot.refit is not None or few_shot.degenerate == "refuse"):
        raise Degenerate(n_scores, found.ess, found.pareto_k, count)
    if degenerate or found.ess < min(_ROUGH_ESS, count * _ROUGH_SHARE):
        shape = "" if np.isnan(found.pareto_k) else f", Pareto k {found.pareto_k:.2f}"
        warnings.warn(
            f"The scores given leave the weight on few posterior draws (effective sample size "
            f"{found.ess:.0f} of {count}{shape}), so the forecast "
            f"{'is not to be trusted' if degenerate else 'and its intervals are rough'}. Add "
            "these rows to the table and fit again for an exact answer.",
            FitWarning,
            stacklevel=5,
        )


def with_rows(fit: Fit, planned: xr.Dataset) -> Scores:
    """Return the fitted table with the new scores of planned rows added.

    Parameters
    ----------
    fit
        A fit.
    planned
        Checked rows with scores, dims (model, benchmark); those without one are left out.
    """
    data = fit.scores.dataset
    scored = planned.isel({MODEL: planned["score"].notnull().any(BENCHMARK).values})
    for kind in kinds_among(features_of(data)).values():
        if kind.variable in data and kind.variable not in scored:
            empty = kind.kept(None, scored.sizes[MODEL])
            scored = scored.assign({kind.variable: (MODEL, empty)})
    names = [str(name) for name in scored[MODEL].values if str(name) not in fit.scores.models]
    of_models = [str(name) for name, v in data.data_vars.items() if MODEL in v.dims]
    shared = [name for name in of_models if name in scored]
    rows = scored[shared].sel({MODEL: names}).reset_coords(drop=True)
    joined = xr.concat([data[of_models].reset_coords(drop=True), rows], dim=MODEL, join="outer")
    both = data.drop_dims(MODEL).merge(joined.reindex({BENCHMARK: data[BENCHMARK]}))
    score = both["score"].transpose(MODEL, BENCHMARK)
    given = scored["score"].reindex_like(score).transpose(MODEL, BENCHMARK)
    return Scores(both.assign(score=score.fillna(given)))
