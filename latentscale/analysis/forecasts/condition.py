"""Condition: update a fitted posterior with new scores, without a refit.

The target is p(parameters, latents | fitted scores, new scores). Posterior draws are weighted by
the marginal likelihood of the new scores, with the latents that they inform integrated out, and
those latents are redrawn on every draw. If weights alone leave too few effective draws, the effects
that all models share (intercepts, trends, levels of families) move along a few directions
(`shifts`). Loadings, precisions and standard deviations are only reweighted: if the weights are
still degenerate, the rows have to be fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.candidates import from_fit, from_mode
from latentscale.analysis.forecasts.few_shot import IMPORTANCE, SAMPLER, Conditioning, FewShot
from latentscale.analysis.forecasts.fitted_scores import FittedScores, SharedFittedScores
from latentscale.analysis.forecasts.groups import Group, family_groups, joined_group
from latentscale.analysis.forecasts.groups_in_blocks import (
    GroupInBlocks,
    Maker,
    groups_in_blocks,
    numbers_of_a_draw,
)
from latentscale.analysis.forecasts.latents import latent_count
from latentscale.analysis.forecasts.moves import SHIFT
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.shifts import Shifts, shifts_for
from latentscale.analysis.forecasts.weights import (
    DrawWeights,
    goodness,
    is_degenerate,
    is_rough,
    refuse_degenerate,
    smoothed,
    tempered,
    weigh,
)
from latentscale.analysis.tools.memory import refuse_too_many_given
from latentscale.dims import MODEL, SAMPLE
from latentscale.errors import FitError
from latentscale.numerics.psis import k_limit
from latentscale.numerics.resampling import resampled
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN

# Array elements in the largest matrix on all draws: above it fewer draws are used, to save time.
_MOST_NUMBERS = 3e7
# Fewest posterior draws kept where matrices are large.
_FEWEST_DRAWS = 100
# Factor on the number of candidates where all weights are rough: their Monte Carlo contribution to
# the variance of the log weights falls by the same factor.
_MORE_LATENTS = 8
# If scores of several families leave fewer effective draws than this, more candidates or other
# latents seldom help. They are tried only if they are cheap: at most this many elements in the
# Hessians of all latents on all draws.
_HOPELESS_ESS = 5
_MOST_OF_HOPELESS = 1e7


Way = tuple[DrawWeights, Shifts | None]
"""Weights of posterior draws, and shifts of the shared effects, if any."""


@dataclass(frozen=True)
class LatentsGivenScores:
    """Latents drawn given new scores, dims (sample, ...), sample as in ``report.index``.

    Attributes
    ----------
    report
        How they were drawn.
    terms
        Terms of the families that the scores inform, one dataset per group of families.
    residuals
        Effects by model of the models that the scores inform, in the same form.
    shared
        Shared effects that the scores shifted, which replace the fit's draws; empty without shifts.
    """

    report: Conditioning
    terms: tuple[xr.Dataset, ...]
    residuals: tuple[xr.Dataset, ...]
    shared: xr.Dataset = field(default_factory=xr.Dataset)


def condition(
    fit: Fit,
    draws: xr.Dataset,
    planned: xr.Dataset,
    few_shot: FewShot,
    rng: np.random.Generator,
    fitted: SharedFittedScores | None = None,
) -> LatentsGivenScores | None:
    """Draw from the posterior given the fitted scores and the scores of the planned rows.

    First, candidate latents are drawn given the fit, and pairs of posterior draw and candidate are
    weighted by the likelihood of the new scores and resampled. If the effective sample size is too
    low, latents are proposed from a Laplace approximation, posterior draws are weighted by the
    estimated marginal likelihood of the new scores, and Metropolis steps follow. This is tried
    first for the latents that are not in the fit, given the new scores; then also for shifts of the
    effects that all models share, or for all latents of the families, given old and new scores. The
    weights of the posterior draws are Pareto-smoothed.

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
    fitted
        The fitted scores, shared by calls that condition on several tables in turn.

    Raises
    ------
    DataError
        If a score of a fitted model differs from the one that was fitted.
    FitError
        If the fit was aligned after it was made, or the weights of the posterior draws are
        degenerate (`Degenerate`): then the fit did not expect the scores.

    Warns
    -----
    FitWarning
        If few posterior draws carry most of the weight.

    References
    ----------
    Vehtari et al. 2024 (arXiv:1507.02646), Pareto-smoothed importance sampling; Andrieu and
    Roberts 2009, unbiased estimates of the likelihood as weights (pseudo-marginal).
    """
    if "score" not in planned:
        return None
    fresh = new_scores(fit, planned)
    if not bool(fresh.any()):
        return None
    rotated = [str(name) for name in draws.data_vars if str(name).endswith("_factor")]
    if rotated:
        raise FitError(
            "The scores given cannot condition an aligned fit, whose skills were rotated. Give the "
            "fit before latentscale.align: its forecasts are the same."
        )
    groups = family_groups(fit, planned, fresh)
    kept = _draws_within_memory(fit, draws, groups, few_shot)
    places = draws[SAMPLE].values[kept]
    shared = SharedFittedScores(fit) if fitted is None else fitted
    # Inside a problem, draws are indexed by position; `kept` maps positions to posterior draws.
    spread = draws.isel({SAMPLE: kept}).drop_vars(list(ORIGIN), errors="ignore")
    ways = _weights(fit, spread, groups, few_shot, rng, lambda: shared.at(places))
    weights, chosen, drawn = _drawn(ways, len(kept), few_shot, rng)
    count = int(fresh.sum())
    refuse_degenerate(weights, count, len(kept), few_shot)
    terms = tuple(mine for mine, _, _ in drawn)
    residuals = tuple(own for _, own, _ in drawn if own.data_vars)
    moved = drawn[0][2].drop_vars(SHIFT, errors="ignore")
    report = Conditioning(
        weights.method, count, weights.ess, weights.pareto_k, kept[chosen], power=weights.power
    )
    return LatentsGivenScores(report, terms, residuals, moved)


Drawn = tuple[DrawWeights, npt.NDArray[np.int64], list[tuple[xr.Dataset, xr.Dataset, xr.Dataset]]]
"""Weights of posterior draws, the resampled draws, and their latents by group."""


def _drawn(ways: Sequence[Way], count: int, few_shot: FewShot, rng: np.random.Generator) -> Drawn:
    """Return draws and latents from the first method that is still best after its correction.

    If its weights are degenerate and few-shot tempers, the weights of candidates from the Laplace
    approximation are tempered instead: their likelihood estimates are the least noisy. Shifts are
    then not used, since they depend on the fitted scores.
    """
    for number, (weights, shifts) in enumerate(ways):
        chosen = resampled(weights.weight, rng)
        drawn = [candidates.draw(chosen, few_shot.steps, rng) for candidates in weights.groups]
        if shifts is not None:
            weights, again = _corrected(weights, shifts, chosen, drawn[0][2], rng)
            chosen = chosen[again]
            drawn = [tuple(_at(part, again) for part in parts) for parts in drawn]  # type: ignore[misc]
        good = goodness(weights, count)
        if all(good >= goodness(other, count) for other, _ in ways[number + 1 :]):
            break
    if not (few_shot.tempers and count > 1 and is_degenerate(weights, count)):
        return weights, chosen, drawn
    still = [of for of, shifts in ways if shifts is None]
    weights = tempered(next((of for of in still if of.method == SAMPLER), still[0]), count)
    chosen = resampled(weights.weight, rng)
    return weights, chosen, [of.draw(chosen, few_shot.steps, rng) for of in weights.groups]


def _corrected(
    weights: DrawWeights,
    shifts: Shifts,
    chosen: npt.NDArray[np.int64],
    shared: xr.Dataset,
    rng: np.random.Generator,
) -> tuple[DrawWeights, npt.NDArray[np.int64]]:
    """Reweight chosen draws by target over Gaussian density of their shifts, and resample.

    Returns the corrected diagnostics and the positions of the resampled draws, which may repeat.
    """
    log_weight = shifts.log_correction(chosen, shared[SHIFT].transpose(SAMPLE, SHIFT).values)
    weight, pareto_k = smoothed(log_weight)
    left = 1 / float(np.sum(weight**2)) / len(weight)
    both = replace(
        weights,
        ess=max(weights.ess * left, 1.0),
        pareto_k=float(np.fmax(weights.pareto_k, pareto_k)),
    )
    return both, resampled(weight, rng)


def _at(drawn: xr.Dataset, places: npt.NDArray[np.int64]) -> xr.Dataset:
    return drawn.isel({SAMPLE: places}, missing_dims="ignore")


def _weights(
    fit: Fit,
    draws: xr.Dataset,
    groups: Sequence[Group],
    few_shot: FewShot,
    rng: np.random.Generator,
    fitted: Callable[[], FittedScores],
) -> list[Way]:
    """Return the first method with a sufficient effective sample size, or all tried, best first.

    Latents in the fit are part of its draws. Holding them fixed keeps the fitted scores of their
    families out of the problem, and is exact if the weights are good. If they are not, the effects
    that all models share are shifted together with the new models' latents. If shifts are
    impossible, or the scores belong to fitted models, all latents of the families move. Methods are
    ordered by whether they are degenerate and then by effective sample size, since with many
    latents the estimated likelihoods are themselves noisy. If none is sufficient, more candidates
    are drawn, given the fit and at the mode of the shifts: Monte Carlo error of the likelihoods
    alone can make an effective sample size low.
    """
    count = draws.sizes[SAMPLE]
    least = min(few_shot.min_ess, count / 4)

    def weighed(problems: Sequence[GroupInBlocks], make: Maker, method: str) -> DrawWeights:
        return weigh([one.candidates(make, few_shot, rng) for one in problems], method)

    def enough(weights: DrawWeights) -> bool:
        return weights.ess >= least and not weights.pareto_k > k_limit(count)

    if few_shot.sampler_only:
        return [(weighed(groups_in_blocks(fit, draws, groups, rng), from_mode, SAMPLER), None)]
    held = groups_in_blocks(fit, draws, groups, rng, hold=True)
    ways: list[Way] = []
    for make, method in ((from_fit, IMPORTANCE), (from_mode, SAMPLER)):
        weights = weighed(held, make, method)
        if enough(weights):
            return [(weights, None)]
        ways.append((weights, None))
    shifted = _shifted(fit, draws, groups, rng, fitted)
    if shifted is not None:
        problem, shifts = shifted
        ways.append((weighed([problem], from_mode, SAMPLER), shifts))
    rows = [group.of_new_scores().rows for group in groups]
    if shifted is None and _is_hopeless(fit, draws, groups, ways):
        return _best_first(ways, count)
    latents = any(group.has_fitted_latents(fit) for group in groups)
    of_fitted = any(bool(np.isin(of[MODEL].values, fit.scores.models).any()) for of in rows)
    if latents and (shifted is None or (of_fitted and not enough(ways[-1][0]))):
        moved = groups_in_blocks(fit, draws, groups, rng)
        ways.append((weighed(moved, from_mode, SAMPLER), None))
    if all(is_rough(weights, count) for weights, _ in ways):
        few_shot = replace(few_shot, latents=_MORE_LATENTS * few_shot.latents)
        ways.append((weighed(held, from_fit, IMPORTANCE), None))
        if shifted is not None:
            ways.append((weighed([problem], from_mode, SAMPLER), shifts))
    return _best_first(ways, count)


def _best_first(ways: Sequence[Way], count: int) -> list[Way]:
    return sorted(ways, key=lambda way: goodness(way[0], count), reverse=True)


def _is_hopeless(fit: Fit, draws: xr.Dataset, groups: Sequence[Group], ways: Sequence[Way]) -> bool:
    """Return whether further methods would cost too much for the little they can improve."""
    if len(groups) == 1 or max(weights.ess for weights, _ in ways) >= _HOPELESS_ESS:
        return False
    numbers = sum(latent_count(fit, draws, group) ** 2 for group in groups) * draws.sizes[SAMPLE]
    return numbers > _MOST_OF_HOPELESS


def _shifted(
    fit: Fit,
    draws: xr.Dataset,
    groups: Sequence[Group],
    rng: np.random.Generator,
    fitted: Callable[[], FittedScores],
) -> tuple[GroupInBlocks, Shifts] | None:
    """Return the problem of all new scores with shifts among its latents; None without shifts."""
    if draws.sizes[SAMPLE] == 1 or not fit.is_posterior:
        return None
    together = joined_group([group.of_new_scores() for group in groups])
    shifts = shifts_for(fit, draws, together, fitted)
    if shifts is None:
        return None
    (problem,) = groups_in_blocks(
        fit, shifts.centred, [together], rng, hold=True, moves=shifts.moves
    )
    return problem, shifts


def _draws_within_memory(
    fit: Fit, draws: xr.Dataset, groups: Sequence[Group], few_shot: FewShot
) -> npt.NDArray[np.int64]:
    """Return evenly spread posterior draws, fewer where matrices are large.

    Raises
    ------
    FitError
        If a group's matrices would not fit in memory on a single draw.
    """
    for group in groups:
        refuse_too_many_given(numbers_of_a_draw(fit, draws, group), len(group.score))
    most = max(len(group.score) * latent_count(fit, draws, group) for group in groups)
    total = draws.sizes[SAMPLE]
    count = min(total, few_shot.draws, max(int(_MOST_NUMBERS / max(most, 1)), _FEWEST_DRAWS))
    return np.linspace(0, total - 1, count).round().astype(np.int64)
