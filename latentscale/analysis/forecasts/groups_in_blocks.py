"""Groups in blocks: candidates of each group of families, one block of posterior draws at a time.

A block's matrices are held only while its candidates are computed. Only the log likelihoods that
the candidates give the posterior draws are kept. When latents are drawn, the candidates are
recomputed with the same random numbers, unless all blocks together are small. Blocks depend only on
the sizes of the problem, so a forecast does not depend on the machine's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.candidates import Candidates, latents_of
from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.groups import Group
from latentscale.analysis.forecasts.latents import (
    Floats,
    LocalProblem,
    draw_noise_of_models,
    latent_count,
    local_problem,
)
from latentscale.analysis.tools.blocks import parts
from latentscale.dims import MODEL, SAMPLE
from latentscale.posterior.fit import Fit

Maker = Callable[[LocalProblem, FewShot, np.random.Generator], Candidates]

_BLOCK = 2**23
"""Array elements in a block: 64 MB, and about three times that during computation."""
_HELD = 2**25
"""Array elements in all blocks of all groups, 256 MB, up to which they are kept, not recomputed."""
_OF_A_CELL = 16
"""Array elements per cell in addition to its row of the matrix: predictor and density at three
points."""
_OF_A_SCORE = 6
"""Array elements per row and benchmark while the equations are evaluated: the linear predictor, its
parts, the mean and the precision."""
_OF_A_PAIR = 3
"""Array elements per pair of latents: the Hessian, its factor and the factor's inverse."""


def numbers_of_a_draw(fit: Fit, draws: xr.Dataset, group: Group) -> int:
    """Return the most array elements that a group's problem holds on one posterior draw."""
    latents = latent_count(fit, draws, group)
    evaluated = group.rows.sizes[MODEL] * len(fit.scores.benchmarks)
    matrix = len(group.score) * (latents + _OF_A_CELL)
    return matrix + _OF_A_SCORE * evaluated + _OF_A_PAIR * latents**2


@dataclass(frozen=True)
class GroupInBlocks:
    """One group's problem on blocks of posterior draws.

    Attributes
    ----------
    noise_of_models
        Effects on the precision of the group's models, dims (sample, model).
    blocks
        Consecutive slices of the posterior draws.
    hold
        Whether latents in the fit are fixed at its values.
    keep
        Whether problems and candidates are kept once computed.
    moves
        Changes of the effects that all models share, dims (sample, shift, ...); each shift is one
        more latent.
    """

    fit: Fit
    draws: xr.Dataset
    group: Group
    noise_of_models: xr.Dataset
    blocks: Sequence[slice]
    hold: bool
    keep: bool
    moves: xr.Dataset = field(default_factory=xr.Dataset)
    _kept: dict[int, LocalProblem] = field(default_factory=dict, repr=False)

    def problem(self, number: int) -> LocalProblem:
        """Return the problem on one block of draws."""
        if number in self._kept:
            return self._kept[number]
        here = {SAMPLE: self.blocks[number]}
        noise = self.noise_of_models.isel(here, missing_dims="ignore")
        draws = self.draws.isel(here)
        moves = self.moves.isel(here, missing_dims="ignore")
        problem_here = local_problem(
            self.fit, draws, self.group, noise, hold=self.hold, moves=moves
        )
        if self.keep:
            self._kept[number] = problem_here
        return problem_here

    def candidates(
        self, make: Maker, few_shot: FewShot, rng: np.random.Generator
    ) -> GroupCandidates:
        """Return candidates on all draws, and the weights that they give the draws."""
        states: list[np.random.Generator] = []
        made: list[Candidates | None] = []
        levels = []
        for number in range(len(self.blocks)):
            states.append(deepcopy(rng))
            drawn = make(self.problem(number), few_shot, rng)
            levels.append(drawn.level)
            made.append(drawn if self.keep else None)

        def again(number: int) -> Candidates:
            kept = made[number]
            return kept or make(self.problem(number), few_shot, deepcopy(states[number]))

        return GroupCandidates(self.blocks, np.concatenate(levels), again)


@dataclass(frozen=True)
class GroupCandidates:
    """The weights that one group's candidates give the posterior draws, and the candidates.

    Attributes
    ----------
    level
        Log of the estimated marginal likelihood of the group's new scores, by sample.
    candidates
        Returns the candidates of a block.
    """

    blocks: Sequence[slice]
    level: Floats
    candidates: Callable[[int], Candidates] = field(repr=False)

    def draw(
        self, chosen: npt.NDArray[np.int64], steps: int, rng: np.random.Generator
    ) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
        """Draw family terms, effects by model and shifted shared effects, on chosen draws.

        Parameters
        ----------
        chosen
            Indices of posterior draws, ascending.
        steps
            Steps of the conditional sampler.
        rng
            Source of random numbers.
        """
        drawn: list[tuple[xr.Dataset, xr.Dataset, xr.Dataset]] = []
        for number, block in enumerate(self.blocks):
            here = chosen[(chosen >= block.start) & (chosen < block.stop)] - block.start
            if not len(here):
                continue
            candidates = self.candidates(number)
            # A draw with a large weight has many copies: take no more at once than a block holds.
            for some in parts(len(here), 1, block.stop - block.start):
                z = latents_of(candidates, here[some], steps, rng)
                drawn.append(candidates.problem.terms(here[some], z))
        terms, residuals, shared = (_joined(blocks) for blocks in zip(*drawn, strict=True))
        return terms, residuals, shared


def groups_in_blocks(
    fit: Fit,
    draws: xr.Dataset,
    groups: Sequence[Group],
    rng: np.random.Generator,
    *,
    hold: bool = False,
    moves: xr.Dataset | None = None,
) -> list[GroupInBlocks]:
    """Return the groups' problems, in blocks of draws.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws with floors, dims (sample, ...).
    groups
        From `family_groups`.
    rng
        Source of random numbers, for the noise of new models.
    hold
        Whether latents in the fit are fixed; the others are then informed by new scores only.
    moves
        Changes of the effects that all models share, dims (sample, shift, ...); only with a single
        group.
    """
    if hold:
        groups = [group.of_new_scores() for group in groups]
    count = draws.sizes[SAMPLE]
    widths = [numbers_of_a_draw(fit, draws, group) for group in groups]
    keep = count * sum(widths) <= _HELD
    return [
        GroupInBlocks(
            fit=fit,
            draws=draws,
            group=group,
            noise_of_models=draw_noise_of_models(fit, draws, group, rng),
            blocks=tuple(parts(count, width, _BLOCK)),
            hold=hold,
            keep=keep,
            moves=xr.Dataset() if moves is None else moves,
        )
        for group, width in zip(groups, widths, strict=True)
    ]


def _joined(blocks: Sequence[xr.Dataset]) -> xr.Dataset:
    """Concatenate blocks of consecutive samples; variables without samples are the same in all."""
    if len(blocks) == 1 or not blocks[0].data_vars:
        return blocks[0]
    return xr.concat(
        blocks,
        dim=SAMPLE,
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="override",
    )
