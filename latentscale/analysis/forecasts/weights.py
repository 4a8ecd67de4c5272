"""Weights: posterior draws weighted by the marginal likelihood of all groups' new scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.groups_in_blocks import GroupCandidates
from latentscale.analysis.forecasts.latents import (
    Floats,
)
from latentscale.errors import FitError, FitWarning
from latentscale.markup import counted
from latentscale.numerics.psis import k_limit, pareto_smoothed

# The mean of n effective draws has a standard error of 1 / sqrt(n) posterior standard deviations.
# Against refits (benchmarks/few_shot/FEW_SHOT.md: two skills, 1 to 8 scores of a new family): 0.1
# at an ESS of 50 to 100, 0.2 below, where single cells are off by a third of a standard deviation;
# 0.4 to 2.5 with a Pareto k above 1, and intervals that can be less than half as wide.
_ROUGH_ESS = 100  # 0.1 standard deviations; a warning below it
_LEAST_ESS = 50  # 1 / sqrt(n) is 0.14 there; an error below it
# A fit with few draws has a large Monte Carlo error of its own. There the limit is a share of its
# draws, which at worst doubles (a quarter) or trebles (an eighth) that error.
_ROUGH_SHARE = 1 / 4
_LEAST_SHARE = 1 / 8
# Bisections for the power of tempered weights, which find it to 1 / 1,024.
_HALVINGS = 10


class Degenerate(FitError):
    """The weights of new scores leave too few effective posterior draws for an answer.

    Attributes
    ----------
    n_scores
        Number of new scores.
    pareto_k
        Pareto shape of the tail of the weights.
    """

    def __init__(
        self, n_scores: int, ess: float, pareto_k: float, count: int, *, several: bool = False
    ) -> None:
        self.n_scores, self.pareto_k = n_scores, pareto_k
        verb = "leaves" if n_scores == 1 else "leave"
        size = f"effective sample size {ess:.0f} of {count}"
        shape = f"Pareto k {pareto_k:.2f} (at most {k_limit(count):.2f})"
        fault = (
            f"the weight on too few posterior draws: {size} (at least "
            f"{np.ceil(_least_ess(count)):.0f}){'' if np.isnan(pareto_k) else f', {shape}'}"
            if ess < _least_ess(count)
            else f"weights with too heavy a tail: {shape}, so their {size} is not reliable"
        )
        super().__init__(
            f"The {counted(n_scores, 'score')} given {verb} {fault}. The fit did not expect these "
            "scores, or there are many of them, and a forecast from these weights would be wrong. "
            "Check the scores and their columns. If they are right, fit them as well: add the "
            "rows to the table and fit again, or give predict, or another function that takes it, "
            "few_shot=latentscale.FewShot(refit=latentscale.NUTS()), which does that. "
            'FewShot(degenerate="temper") answers at once with tempered weights: intervals have '
            "about the right width, but medians can be off."
            + (
                " Or forecast each model by its own scores alone: latentscale.studies.predict_each."
                if several
                else ""
            )
        )


@dataclass(frozen=True)
class DrawWeights:
    """Normalised weights of posterior draws, shape (sample,), and their diagnostics.

    Attributes
    ----------
    groups
        Candidates of every group of families.
    method
        How they were drawn.
    weight
        By sample; they sum to 1.
    ess
        Effective sample size of the posterior draws, not of pairs of draw and candidate.
    pareto_k
        Pareto shape of the tail of the weights (PSIS).
    power
        Power to which the weights were raised; below 1 if tempered.
    """

    groups: Sequence[GroupCandidates]
    method: str
    weight: Floats
    ess: float
    pareto_k: float
    power: float = 1.0


def weigh(groups: Sequence[GroupCandidates], method: str) -> DrawWeights:
    """Weight the posterior draws by all groups together, with diagnostics."""
    return _weighed(groups, method, 1.0)


def tempered(weights: DrawWeights, count: int) -> DrawWeights:
    """Return weights raised to the largest power at which they are not rough.

    The power applies to the marginal likelihood of the new scores (latents that they inform
    integrated out) in the posterior of the effects that all models share. At 0 the new scores do
    not inform these effects, as in a cut posterior (Plummer 2015, "Cuts in Bayesian graphical
    models"); at 1 they inform them fully. Weights raised to a power below 1 have smaller variance
    and some bias (Koblents and Miguez 2015, "A population Monte Carlo scheme with transformed
    weights").
    """
    low, high = 0.0, 1.0
    best = _weighed(weights.groups, weights.method, 0.0)
    for _ in range(_HALVINGS):
        power = (low + high) / 2
        tried = _weighed(weights.groups, weights.method, power)
        if is_rough(tried, count):
            high = power
        else:
            low, best = power, tried
    return best


def _weighed(groups: Sequence[GroupCandidates], method: str, power: float) -> DrawWeights:
    level = np.sum([candidates.level for candidates in groups], axis=0)
    finite = np.isfinite(level)  # a draw that cannot explain the scores has weight 0 at any power
    raised = np.full(level.shape, -np.inf)
    raised[finite] = power * level[finite]
    weight, pareto_k = smoothed(raised)
    return DrawWeights(groups, method, weight, 1 / float(np.sum(weight**2)), pareto_k, power)


def smoothed(level: Floats) -> tuple[Floats, float]:
    """Return normalised, Pareto-smoothed weights of posterior draws, and Pareto k."""
    level = np.where(np.isfinite(level), level, -np.inf)
    if not np.isfinite(level).any():
        raise FitError(
            "No posterior draw can explain the scores given: under each their likelihood is 0. "
            "Check the scores and their columns, or add the rows to the table and fit again."
        )
    smooth = pareto_smoothed(level)
    weight = np.exp(smooth.log_weights)
    return weight / weight.sum(), float(smooth.pareto_k)


def is_degenerate(weights: DrawWeights, count: int) -> bool:
    """Return whether weights of `count` posterior draws are too uneven for an answer."""
    return weights.ess < _least_ess(count) or bool(weights.pareto_k > k_limit(count))


def is_rough(weights: DrawWeights, count: int) -> bool:
    """Return whether an answer from weights of `count` posterior draws needs a warning."""
    few = min(_ROUGH_ESS, count * _ROUGH_SHARE)
    return is_degenerate(weights, count) or weights.ess < few


def goodness(weights: DrawWeights, count: int) -> tuple[bool, float]:
    """Return the sort key of weights: whether they allow an answer, then effective sample size."""
    return not is_degenerate(weights, count), weights.ess


def refuse_degenerate(weights: DrawWeights, n_scores: int, count: int, few_shot: FewShot) -> None:
    """Refuse degenerate weights, and warn where the answer is rough."""
    if count == 1:  # a point estimate has a single draw
        return
    degenerate = is_degenerate(weights, count)
    if degenerate and (few_shot.refit is not None or few_shot.degenerate == "refuse"):
        several = len(weights.groups) > 1
        raise Degenerate(n_scores, weights.ess, weights.pareto_k, count, several=several)
    if weights.power < 1:
        warnings.warn(
            "The scores given leave the weight on too few posterior draws, so weights are raised "
            f"to the power {weights.power:.2f} (effective sample size {weights.ess:.0f} of "
            f"{count}): the effects that all models share learn less from these scores than they "
            "should. Add these rows to the table and fit again for an exact answer.",
            FitWarning,
            stacklevel=6,
        )
    elif is_rough(weights, count):
        shape = "" if np.isnan(weights.pareto_k) else f", Pareto k {weights.pareto_k:.2f}"
        warnings.warn(
            f"The scores given leave the weight on few posterior draws (effective sample size "
            f"{weights.ess:.0f} of {count}{shape}), so the forecast "
            f"{'is not reliable' if degenerate else 'and its intervals are rough'}. Add "
            "these rows to the table and fit again for an exact answer.",
            FitWarning,
            stacklevel=6,
        )


def _least_ess(count: int) -> float:
    return min(_LEAST_ESS, count * _LEAST_SHARE)
