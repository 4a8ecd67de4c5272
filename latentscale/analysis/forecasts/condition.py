"""Condition: what new scores say of a fitted posterior, without a refit.

The target is p(parameters, latents | fitted scores, new scores). Posterior draws are weighted by
the likelihood of the new scores with the latents they bear on integrated out, and those latents
are drawn anew on every draw. What all families share is only weighted, never moved: where the
weights are degenerate nothing here can help, and the rows have to be fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.candidates import from_fit, from_mode
from latentscale.analysis.forecasts.few_shot import IMPORTANCE, SAMPLER, Conditioning, FewShot
from latentscale.analysis.forecasts.groups import Group, family_groups
from latentscale.analysis.forecasts.groups_in_blocks import (
    GroupInBlocks,
    Maker,
    groups_in_blocks,
    numbers_of_a_draw,
)
from latentscale.analysis.forecasts.latents import latent_count
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.weights import DrawWeights, refuse_degenerate, weigh
from latentscale.analysis.tools.memory import refuse_too_many_given
from latentscale.dims import SAMPLE
from latentscale.errors import FitError
from latentscale.numerics.psis import k_limit
from latentscale.numerics.resampling import resampled
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN

# Numbers in the largest matrix on all draws: beyond it fewer draws are used, for the time it takes.
_MOST_NUMBERS = 3e7
# Fewest posterior draws kept where matrices are large.
_FEWEST_DRAWS = 100


@dataclass(frozen=True)
class LatentsGivenScores:
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


def condition(
    fit: Fit,
    draws: xr.Dataset,
    planned: xr.Dataset,
    few_shot: FewShot,
    rng: np.random.Generator,
) -> LatentsGivenScores | None:
    """Draw from the posterior given the fit's scores and the planned rows' own.

    First candidate latents are drawn from what the fit knows of them, and pairs of draw and
    latents are weighted by the likelihood of the new scores and resampled. Where the effective
    sample size of that is too low, latents are proposed from a Gaussian at their mode, the
    posterior draws are weighted by the estimated likelihood of the new scores, and Metropolis
    steps follow: at first for those latents alone that the fit does not have, given the new
    scores; where that does not do, for all latents of the families, given old and new scores.
    The weights of the posterior draws are Pareto-smoothed.

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
    groups = family_groups(fit, planned, fresh)
    kept = _draws_within_memory(fit, draws, groups, few_shot)
    # Within a problem draws are counted by place; `kept` leads back to the posterior's.
    spread = draws.isel({SAMPLE: kept}).drop_vars(list(ORIGIN), errors="ignore")
    weights = _weights(fit, spread, groups, few_shot, rng)
    count = int(fresh.sum())
    refuse_degenerate(weights, count, len(kept), few_shot)
    chosen = resampled(weights.weight, rng)
    drawn = [candidates.draw(chosen, few_shot.steps, rng) for candidates in weights.groups]
    terms = tuple(mine for mine, _ in drawn)
    residuals = tuple(own for _, own in drawn if own.data_vars)
    report = Conditioning(weights.method, count, weights.ess, weights.pareto_k, kept[chosen])
    return LatentsGivenScores(report, terms, residuals)


def _weights(
    fit: Fit,
    draws: xr.Dataset,
    groups: Sequence[Group],
    few_shot: FewShot,
    rng: np.random.Generator,
) -> DrawWeights:
    """Return the weights of the first way that leaves enough draws, or of the last.

    Latents that the fit has are part of its draws. Holding them there spares a problem of all
    scores of their families, and is exact as far as the weights are good. Where they are not, all
    latents of the families move; the larger effective sample size of the two is then taken, for
    with many latents the estimated likelihoods are rough themselves.
    """
    count = draws.sizes[SAMPLE]
    enough = min(few_shot.min_ess, count / 4)

    def weighed(problems: Sequence[GroupInBlocks], make: Maker, method: str) -> DrawWeights:
        return weigh([one.candidates(make, few_shot, rng) for one in problems], method)

    if few_shot.sampler_only:
        return weighed(groups_in_blocks(fit, draws, groups, rng), from_mode, SAMPLER)
    held = groups_in_blocks(fit, draws, groups, rng, hold=True)
    for make, method in ((from_fit, IMPORTANCE), (from_mode, SAMPLER)):
        weights = weighed(held, make, method)
        if weights.ess >= enough and not weights.pareto_k > k_limit(count):
            return weights
    if not any(group.has_fitted_latents(fit) for group in groups):
        return weights
    moved = weighed(groups_in_blocks(fit, draws, groups, rng), from_mode, SAMPLER)
    return max(weights, moved, key=lambda way: way.ess)


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
