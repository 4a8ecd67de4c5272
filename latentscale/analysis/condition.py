"""Condition: what new scores say of a fitted posterior, without a refit.

The target is p(parameters, latents | fitted scores, new scores). Posterior draws are weighted by
the likelihood of the new scores with the latents they bear on integrated out, and those latents
are drawn anew on every draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.latents import Floats, Group, LocalProblem, groups_of, local_problem
from latentscale.analysis.proposal import (
    Proposal,
    independence_chain,
    laplace_proposal,
    log_mean_exp,
    target_of,
)
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.errors import DataError, FitError, FitWarning
from latentscale.posterior.fit import Fit
from latentscale.validate import plain_fields, real_number, whole_number

IMPORTANCE = "importance resampling"
SAMPLER = "conditional sampler"
_PARETO_LIMIT = 0.7
_FEW = 100
_MOST_NUMBERS = 3e7
_FEWEST_TO_SMOOTH = 25
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

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("draws", "latents", "steps"):
            whole_number(getattr(self, name), f"FewShot.{name}", least=1, error=FitError)
        real_number(self.min_ess, "FewShot.min_ess", above=0, error=FitError)


@dataclass(frozen=True)
class Conditioning:
    """How a forecast was conditioned on scores, and what its draws are worth.

    Attributes
    ----------
    method
        ``"importance resampling"`` or ``"conditional sampler"``.
    n_scores
        Number of new scores.
    ess
        Effective number of draws behind the forecast: the least over the posterior draws'
        weights and over each family's candidates.
    pareto_k
        Shape of the tail of the posterior draws' weights (PSIS); above 0.7 they are not to be
        trusted. NaN where there are too few draws to tell, or no tail.
    index
        Posterior draw that each sample of the forecast rests on.
    """

    method: str
    n_scores: int
    ess: float
    pareto_k: float
    index: npt.NDArray[np.int64] = field(repr=False)


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
        Residuals of the models that the scores bear on, likewise.
    """

    report: Conditioning
    terms: tuple[xr.Dataset, ...]
    residuals: tuple[xr.DataArray, ...]


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
        If the fit was aligned after it was made.

    Warns
    -----
    FitWarning
        If few draws carry the weight: then the scores say much that the fit did not expect.

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
    part = draws.isel({SAMPLE: kept}).drop_vars(SAMPLE, errors="ignore")
    problems = [local_problem(fit, part, group) for group in groups]
    found = None
    if not few_shot.sampler_only:
        found = _judged([_from_fit(p, few_shot, rng) for p in problems], IMPORTANCE)
    enough = min(few_shot.min_ess, len(kept) / 4)
    good = found is not None and found.ess >= enough and not found.pareto_k > _PARETO_LIMIT
    if found is None or not good:
        found = _judged([_from_mode(p, few_shot, rng) for p in problems], SAMPLER)
    _warn_of_few(found, len(kept))
    chosen = _systematic(found.weight, rng)
    terms: list[xr.Dataset] = []
    residuals: list[xr.DataArray] = []
    for one in found.groups:
        z = _latents(one, chosen, few_shot.steps, rng)
        mine, own = one.problem.terms(chosen, z)
        terms.append(mine)
        residuals.extend(own.data_vars.values())
    count = int(fresh.sum())
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
    count = min(total, few_shot.draws, max(int(_MOST_NUMBERS / most), _FEW))
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
    level = np.maximum(level - level.max(), -700.0)
    pareto_k = float("nan")
    if len(level) >= _FEWEST_TO_SMOOTH and np.ptp(level) > 0:
        import arviz_stats  # noqa: F401  (registers the accessor)

        # Where the largest weights are all alike there is no tail to smooth: ValueError.
        with suppress(ValueError):
            smoothed, shape = xr.DataArray(-level, dims=(SAMPLE,)).azstats.psislw(dim=SAMPLE)
            level, pareto_k = np.asarray(smoothed.values, dtype=float), float(shape)
    weight = np.exp(level - level.max())
    return weight / weight.sum(), pareto_k


def _systematic(weight: Floats, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Resample by one random offset and evenly spaced points, the least noisy way."""
    points = (np.arange(len(weight)) + rng.random()) / len(weight)
    edges = np.cumsum(weight)
    return np.minimum(np.searchsorted(edges, points), len(weight) - 1).astype(np.int64)


def _warn_of_few(found: _Judged, count: int) -> None:
    few = found.ess < min(_FEW, count / 4)
    if count == 1 or not (few or found.pareto_k > _PARETO_LIMIT):
        return
    warnings.warn(
        f"The scores given leave the weight on few posterior draws (effective sample size "
        f"{found.ess:.0f} of {count}, Pareto k {found.pareto_k:.2f}), so the forecast's "
        "intervals are rough. Add these rows to the table and fit again for an exact answer.",
        FitWarning,
        stacklevel=5,
    )
