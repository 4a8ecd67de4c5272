"""Elimination: linear systems in the posterior precision of the shared effects given old scores.

That matrix is sparse: a family is coupled to its lineage and to the effects that enter its own
models (intercepts, trends, slopes), but not to other families. Levels that form small disconnected
components once the others are set aside are eliminated block by block, on all draws at once; the
Schur complement that remains is small and dense. The solution agrees with that of a dense Cholesky
factorisation up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from latentscale.analysis.forecasts.shared_effects import SharedEffects

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class OldScores:
    """Information of the old scores on the shared effects, single models' effects integrated out.

    Attributes
    ----------
    skills
        On each model's skills, (sample, skill, skill, model).
    cross
        Between skills and intercepts, (sample, skill, model, benchmark).
    intercepts
        On the intercepts, (sample, benchmark, benchmark).
    """

    skills: Floats
    cross: Floats
    intercepts: Floats


@dataclass(frozen=True)
class Division:
    """Levels of shared effects, in the order of elimination.

    Attributes
    ----------
    parts
        Components that are not coupled to one another, eliminated first.
    rest
        All other levels.
    """

    parts: list[Places]
    rest: Places

    def numbers(self, effects: SharedEffects) -> int:
        """Return the number of array elements that the elimination holds on one draw."""
        _, width, skills = effects.loading.shape
        left = width + skills * len(self.rest)
        return left * (left + skills * sum(map(len, self.parts)))


def division_of(effects: SharedEffects) -> Division:
    """Return the components that are eliminated first.

    Greedy: variables are tried from the largest to the smallest and added if that saves operations.
    """
    taken = (effects.factors != 0).astype(np.int64)
    coupled = taken.T @ taken > 0
    for row, column, _ in effects.ties:
        coupled[row, column] = coupled[column, row] = True
    count = len(coupled)
    border = 0 if effects.intercept is None else effects.loading.shape[1]
    skills = effects.loading.shape[2]

    def divided(apart: Places) -> tuple[list[Places], int]:
        """Return the components, and three times the operations of the Cholesky factorisation."""
        number, of = connected_components(coupled[np.ix_(apart, apart)], directed=False)
        parts = [apart[of == place] for place in range(number)]
        rest = border + skills * (count - len(apart))
        return parts, rest**3 + sum((skills * len(part) + rest) ** 3 - rest**3 for part in parts)

    apart = np.zeros(0, dtype=np.intp)
    parts, least = divided(apart)
    places = sorted(effects.variables.values(), key=lambda place: place.start - place.stop)
    for place in places:
        more = np.sort(np.concatenate([apart, np.arange(place.start, place.stop)]))
        smaller, operations = divided(more)
        if operations < least:
            apart, parts, least = more, smaller, operations
    return Division(parts, np.setdiff1d(np.arange(count), apart))


def solved(effects: SharedEffects, division: Division, old: OldScores, wanted: Floats) -> Floats:
    """Solve precision x = wanted on every draw.

    Parameters
    ----------
    effects
        Shared effects and their prior precision.
    division
        Their levels in the order of elimination.
    old
        Information of the old scores, added to the prior precision.
    wanted
        Right-hand sides, (sample, effect, column). Effects are the intercepts, if they move, then
        the levels, skill by skill.
    """
    parts, rest = division.parts, division.rest
    equations = _Equations(effects, old)
    left = equations.places(rest, intercepts=True)
    apart = [equations.places(part) for part in parts]
    border, right = equations.of_rest(rest), wanted[:, left]
    # L^-1 (coupling to the rest, right-hand sides) of each component, L its Cholesky factor.
    roots = [_inverse_root(equations.of_part(part)) for part in parts]
    halves = [np.zeros((len(wanted), 0, len(left) + wanted.shape[2]))]
    halves += [
        root @ np.concatenate([equations.with_rest(part, rest), wanted[:, own]], axis=2)
        for root, part, own in zip(roots, parts, apart, strict=True)
    ]
    half = np.concatenate(halves, axis=1)
    beside, sides = half[..., : len(left)], half[..., len(left) :]
    change = beside.swapaxes(1, 2) @ half
    known = np.linalg.solve(border - change[..., : len(left)], right - change[..., len(left) :])
    solution = np.empty_like(wanted)
    solution[:, left] = known
    sides = sides - beside @ known
    first = 0
    for root, own in zip(roots, apart, strict=True):
        solution[:, own] = root.swapaxes(1, 2) @ sides[:, first : first + len(own)]
        first += len(own)
    return solution


def _inverse_root(precision: Floats) -> Floats:
    """Return the inverse of the Cholesky factor."""
    return np.linalg.inv(np.linalg.cholesky(precision))


class _Equations:
    """Blocks of the posterior precision, (sample, effect, effect)."""

    def __init__(self, effects: SharedEffects, old: OldScores) -> None:
        self._effects, self._old = effects, old
        self._draws, self._width, self._skills = effects.loading.shape
        self._first = 0 if effects.intercept is None else self._width
        self._count = effects.factors.shape[1]
        self._tie = np.full((self._count, self._count), -1)
        for place, (row, column, _) in enumerate(effects.ties):
            self._tie[row, column] = self._tie[column, row] = place

    def places(self, levels: Places, *, intercepts: bool = False) -> Places:
        """Return the indices of levels, and of the intercepts before them, among the effects."""
        own = self._first + self._count * np.arange(self._skills)[:, None] + levels
        return np.concatenate([np.arange(self._first if intercepts else 0), own.ravel()])

    def of_part(self, part: Places) -> Floats:
        """Return the precision of some levels."""
        block = self._between(part, part)
        corner = np.arange(block.shape[1])
        prior = self._effects.precision[:, part].swapaxes(1, 2)
        block[:, corner, corner] += prior.reshape(len(block), -1)
        return block

    def of_rest(self, rest: Places) -> Floats:
        """Return the precision of the intercepts and some levels."""
        levels = self.of_part(rest)
        prior = self._effects.intercept_precision
        if prior is None:
            return levels
        cross = self._with_intercepts(rest)
        corner = self._old.intercepts + prior
        return np.block([[corner, cross.swapaxes(1, 2)], [cross, levels]])

    def with_rest(self, part: Places, rest: Places) -> Floats:
        """Return the blocks that couple some levels to the intercepts and to other levels."""
        levels = self._between(part, rest)
        if not self._first:
            return levels
        return np.concatenate([self._with_intercepts(part), levels], axis=2)

    def _between(self, part: Places, other: Places) -> Floats:
        """Return the block between levels, without the diagonal of the prior precision."""
        models, taken = self._taken(part)
        theirs = self._effects.factors[np.ix_(models, other)]
        pairs = (taken[:, :, None] * theirs[:, None]).reshape(len(models), len(part) * len(other))
        seen = self._old.skills[..., models] @ pairs
        size = (self._skills, len(part), self._skills, len(other))
        block = seen.reshape(self._draws, size[0], size[2], size[1], size[3]).swapaxes(2, 3)
        block = np.ascontiguousarray(block)
        tied = self._tie[np.ix_(part, other)]
        each = np.arange(self._skills)
        for row, column in np.argwhere(tied >= 0):
            block[:, each, row, each, column] += self._effects.ties[tied[row, column]][2]
        return block.reshape(self._draws, size[0] * size[1], size[2] * size[3])

    def _with_intercepts(self, part: Places) -> Floats:
        models, taken = self._taken(part)
        seen = taken.T @ self._old.cross[:, :, models]
        return seen.reshape(self._draws, self._skills * len(part), self._width)

    def _taken(self, part: Places) -> tuple[Places, Floats]:
        """Return the models whose skills depend on some levels, and their coefficients."""
        factors = self._effects.factors[:, part]
        models = np.flatnonzero((factors != 0).any(axis=1))
        return models, factors[models]
