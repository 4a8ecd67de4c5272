"""Candidates: weighted draws of the latents of one group of families, given its new scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.latents import (
    Floats,
    LocalProblem,
)
from latentscale.analysis.forecasts.proposal import (
    Proposal,
    at_each,
    independence_chain,
    laplace_proposal,
    log_mean_exp,
    target_of,
)


@dataclass(frozen=True)
class Candidates:
    """Weighted candidates of one group: z (sample, candidate, latent) and log importance weights.

    `level` is the log of the estimated marginal likelihood of the group's new scores, by sample.
    """

    problem: LocalProblem
    z: Floats
    log_weight: Floats
    level: Floats
    proposal: Proposal | None = None


def from_fit(problem: LocalProblem, few_shot: FewShot, rng: np.random.Generator) -> Candidates:
    """Return candidates that keep the fit's latents and draw all others from the prior."""
    drawn = [
        np.where(problem.known, problem.start, problem.draw_prior(rng))
        for _ in range(few_shot.latents)
    ]

    def likelihood(z: Floats) -> Floats:
        density = problem.log_likelihood(problem.eta(z))[..., problem.group.is_new]
        return np.asarray(density.sum(axis=-1), dtype=float)

    weights = at_each(likelihood, drawn, len(problem.group.score))
    log_weight = np.stack(weights, axis=1)
    return Candidates(problem, np.stack(drawn, axis=1), log_weight, log_mean_exp(log_weight))


def from_mode(problem: LocalProblem, few_shot: FewShot, rng: np.random.Generator) -> Candidates:
    """Return candidates from the Laplace approximation given old and new scores.

    The level is the log ratio of the marginal likelihood of old and new scores to that of the old
    scores. The reciprocal of the latter is estimated on a Markov chain that starts at the fit's own
    latents, hence in equilibrium.
    """
    everything = np.ones(len(problem.group.score), bool)
    target = target_of(problem, everything)
    proposal = laplace_proposal(problem, everything)
    proposed = [proposal.draw(rng) for _ in range(few_shot.latents)]
    drawn = [z for z, _ in proposed]
    heights = at_each(target, drawn, len(problem.group.score))
    weights = [height - log_q for height, (_, log_q) in zip(heights, proposed, strict=True)]
    log_weight = np.stack(weights, axis=1)
    level = log_mean_exp(log_weight) + _reciprocal(problem, few_shot, rng)
    return Candidates(problem, np.stack(drawn, axis=1), log_weight, level, proposal)


def _reciprocal(problem: LocalProblem, few_shot: FewShot, rng: np.random.Generator) -> Floats:
    """Return the log reciprocal marginal likelihood of the group's old scores, by sample."""
    old = ~problem.group.is_new
    if not old.any():
        return np.zeros(len(problem.start))
    target = target_of(problem, old)
    proposal = laplace_proposal(problem, old)
    start = np.where(problem.known, problem.start, problem.draw_prior(rng))
    cells = len(problem.group.score)
    chain = independence_chain(target, proposal, start, few_shot.latents, rng, cells=cells)
    states = [start, *chain]
    heights = at_each(target, states, cells)
    ratios = [proposal.log_gaussian(z) - height for z, height in zip(states, heights, strict=True)]
    return log_mean_exp(np.stack(ratios, axis=1))


def latents_of(
    candidates: Candidates, chosen: npt.NDArray[np.int64], steps: int, rng: np.random.Generator
) -> Floats:
    """Draw one latent vector for each chosen posterior draw, shape (chosen, latent)."""
    log_weight = candidates.log_weight[chosen]
    # Gumbel-max trick: picks a candidate with probability proportional to its weight.
    picked = np.argmax(log_weight + rng.gumbel(size=log_weight.shape), axis=1)
    z = candidates.z[chosen, picked]
    if candidates.proposal is None or not z.shape[1]:
        return z
    sub = candidates.problem.at(chosen)
    cells = len(sub.group.score)
    target = target_of(sub, np.ones(cells, bool))
    proposal = candidates.proposal.at(chosen)
    return independence_chain(target, proposal, z, steps, rng, cells=cells)[-1]
