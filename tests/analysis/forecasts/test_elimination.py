"""Elimination of shared effects compared with the full matrix."""

from __future__ import annotations

import numpy as np
import pytest

from latentscale.analysis.forecasts.elimination import (
    OldScores,
    division_of,
    solved,
)
from latentscale.analysis.forecasts.shared_effects import SharedEffects

DRAWS, WIDTH, SKILLS = 3, 4, 2
FAMILY_OF = np.array([0, 0, 1, 2, 2, 3, 4, 5])
LINEAGE_OF = np.array([0, 0, 0, 1, 1, 2])  # of each family


def effects_of(rng: np.random.Generator, *, moving: bool, nested: bool) -> SharedEffects:
    """Two slopes, levels of lineages and of families within them; or the slopes alone."""
    models = len(FAMILY_OF)
    factors, variables = rng.normal(size=(models, 2)), {"slope": slice(0, 2)}
    ties = []
    if nested:
        families = np.eye(6)[FAMILY_OF]
        factors = np.concatenate([factors, np.zeros((models, 3)), families], axis=1)
        variables |= {"lineage_skill": slice(2, 5), "family_skill": slice(5, 11)}
        for family, lineage in enumerate(LINEAGE_OF):
            ties.append((2 + int(lineage), 5 + family, -rng.random((DRAWS, SKILLS))))
    levels = factors.shape[1]
    root = rng.normal(size=(DRAWS, WIDTH, WIDTH))
    return SharedEffects(
        variables=variables,
        factors=factors,
        of_rows=np.zeros((0, levels)),
        value=np.zeros((DRAWS, levels, SKILLS)),
        precision=4 + rng.random((DRAWS, levels, SKILLS)),
        loading=rng.normal(size=(DRAWS, WIDTH, SKILLS)),
        ties=ties,
        intercept=np.zeros((DRAWS, WIDTH)) if moving else None,
        intercept_precision=root @ root.swapaxes(1, 2) + np.eye(WIDTH) if moving else None,
    )


def old_scores(rng: np.random.Generator) -> OldScores:
    """Each model has a score on every benchmark, with different precisions."""
    models = len(FAMILY_OF)
    load = rng.normal(size=(DRAWS, WIDTH, SKILLS))
    weight = rng.random((DRAWS, models, WIDTH))
    seen = np.einsum("smb,sbk->skmb", weight, load)
    return OldScores(
        skills=np.einsum("sjmb,sbk->sjkm", seen, load),
        cross=seen,
        intercepts=np.einsum("smb,bc->sbc", weight, np.eye(WIDTH)),
    )


def whole(effects: SharedEffects, old: OldScores) -> np.ndarray:
    """The precision entry by entry: intercepts, then levels, skill by skill."""
    factors, levels = effects.factors, effects.factors.shape[1]
    matrix = np.zeros((DRAWS, WIDTH + SKILLS * levels, WIDTH + SKILLS * levels))
    matrix[:, :WIDTH, :WIDTH] = old.intercepts
    if effects.intercept_precision is not None:
        matrix[:, :WIDTH, :WIDTH] += effects.intercept_precision
    for k in range(SKILLS):
        mine = slice(WIDTH + k * levels, WIDTH + (k + 1) * levels)
        matrix[:, mine, :WIDTH] = factors.T @ old.cross[:, k]
        matrix[:, :WIDTH, mine] = matrix[:, mine, :WIDTH].swapaxes(1, 2)
        for j in range(SKILLS):
            theirs = slice(WIDTH + j * levels, WIDTH + (j + 1) * levels)
            matrix[:, mine, theirs] = (factors.T * old.skills[:, k, j, None]) @ factors
        for level in range(levels):
            matrix[:, mine.start + level, mine.start + level] += effects.precision[:, level, k]
        for row, column, value in effects.ties:
            matrix[:, mine.start + row, mine.start + column] += value[:, k]
            matrix[:, mine.start + column, mine.start + row] += value[:, k]
    return matrix if effects.intercept is not None else matrix[:, WIDTH:, WIDTH:]


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_solutions_are_those_of_the_whole_matrix(moving: bool, nested: bool) -> None:
    rng = np.random.default_rng(1)
    effects, old = effects_of(rng, moving=moving, nested=nested), old_scores(rng)
    matrix = whole(effects, old)
    wanted = rng.normal(size=(DRAWS, matrix.shape[1], 3))
    found = solved(effects, division_of(effects), old, wanted)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, wanted), rtol=1e-9, atol=1e-11)


def test_families_are_eliminated_with_their_lineage() -> None:
    effects = effects_of(np.random.default_rng(1), moving=True, nested=True)
    division = division_of(effects)
    assert [part.tolist() for part in division.parts] == [[2, 5, 6, 7], [3, 8, 9], [4, 10]]
    assert division.rest.tolist() == [0, 1]


def test_effects_of_all_models_are_left_together() -> None:
    effects = effects_of(np.random.default_rng(1), moving=True, nested=False)
    division = division_of(effects)
    assert division.rest.tolist() == [0, 1] and not division.parts
