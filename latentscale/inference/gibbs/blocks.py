"""The parts of a problem: scores, blocks of coefficients, standard deviations, populations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentscale.declare.prior import Prior
from latentscale.declare.spec import ModelSpec
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.pooling import Pooling


@dataclass(frozen=True)
class Cells:
    """Scores on the link's scale, benchmark by benchmark.

    Attributes
    ----------
    y
        Logits of fractions, standardised values of other scores; higher is better.
    model, bench
        Model and benchmark of each score.
    start
        Where each benchmark's cells begin, shape (benchmark + 1,).
    models, benchmarks
        Their numbers.
    """

    y: np.ndarray
    model: np.ndarray
    bench: np.ndarray
    start: np.ndarray
    models: int
    benchmarks: int


@dataclass(frozen=True)
class Scales:
    """Standard deviations of an effect's coefficients.

    Attributes
    ----------
    name, dims, shape
        Their variable with its dims and sizes.
    prior
        Their prior, as a code from `slices.prior_code`.
    index
        The standard deviation of each coefficient, by index, shape of the coefficients.
    times
        A constant by which they are multiplied.
    on
        Whether they are used, by their own index; others depend only on their prior and are kept as
        0.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    prior: np.ndarray
    index: np.ndarray
    times: float
    on: np.ndarray


@dataclass(frozen=True)
class EffectBlock:
    """An effect with its coefficients: (level, skill), (benchmark, level) or (model x level,).

    Attributes
    ----------
    effect
        The term's description of it.
    levels
        Sizes of its dims other than skill or benchmark, in order.
    prior
        Fixed normal prior, or None.
    scales
        Standard deviations, which are estimated, or None.
    mean_of
        The group of levels on whose mean each level is centred, -1 for none, shape (level,).
    """

    effect: NormalEffect
    levels: dict[str, int]
    prior: Prior | None
    scales: Scales | None
    mean_of: np.ndarray


@dataclass(frozen=True)
class SkillBlock(EffectBlock):
    """An effect on skills.

    Attributes
    ----------
    design
        Factors of the levels, before means are subtracted, shape (model, level).
    single
        Whether it is a separate deviation for each model.
    """

    design: np.ndarray
    single: bool


@dataclass(frozen=True)
class ColumnBlock(EffectBlock):
    """An effect with coefficients of every benchmark: columns `first` up to `last`."""

    first: int
    last: int


@dataclass(frozen=True)
class SingleBlock(EffectBlock):
    """An effect with at most one coefficient per cell.

    Attributes
    ----------
    entry
        The coefficient of each cell, 0 where it has none, shape (cell,).
    factor
        Its factor, shape (cell,).
    size
        Number of coefficients.
    """

    entry: np.ndarray
    factor: np.ndarray
    size: int


@dataclass(frozen=True)
class PooledPrior:
    """Priors of a population of benchmarks' parameters, with their groups.

    Attributes
    ----------
    pooling
        The names.
    mean
        Normal prior of the mean.
    spread, group_spread
        Priors of the standard deviations, as codes.
    member
        Membership of groups, shape (benchmark, group).
    count
        Number of populations: skills for loadings, otherwise 1.
    """

    pooling: Pooling
    mean: Prior
    spread: np.ndarray
    group_spread: np.ndarray
    member: np.ndarray
    count: int


@dataclass(frozen=True)
class LoadingPlan:
    """How loadings are drawn.

    Attributes
    ----------
    normal, positive
        Masks of free normal and of free positive loadings, shape (benchmark, skill).
    fixed
        Values of the others: 0, or 1 for anchors.
    prior
        Normal prior of unpooled loadings, or None.
    codes
        Priors of positive loadings, shape (benchmark, skill, 4); for pooled ones they are updated.
    pooled
        Their population, or None.
    anchors
        Anchor benchmark of each skill if anchors have their own loadings; otherwise empty.
    """

    normal: np.ndarray
    positive: np.ndarray
    fixed: np.ndarray
    prior: Prior | None
    codes: np.ndarray
    pooled: PooledPrior | None
    anchors: np.ndarray


@dataclass(frozen=True)
class GibbsProblem:
    """Everything that a chain needs but does not change.

    Attributes
    ----------
    spec, labels
        The spec, and coordinates of all dims.
    cells
        The scores.
    skills
        Number of skills.
    skill_blocks, column_blocks, single_blocks
        The normal effects.
    column, value
        Columns that each cell uses and their factors, shape (cell, used).
    mean_of
        As for `EffectBlock`, over all columns.
    loading
        How loadings are drawn.
    precision
        Prior of precisions, as a code, or their population.
    tail
        Prior of the degrees of freedom, as a code; None for normal noise.
    tail_shared
        Whether all benchmarks share them.
    model_noise
        Prior of the spread of models' log precisions, as a code; None if there are none.
    pooled
        Populations of effects by benchmark, by variable.
    """

    spec: ModelSpec
    labels: dict[str, Any]
    cells: Cells
    skills: int
    skill_blocks: tuple[SkillBlock, ...]
    column_blocks: tuple[ColumnBlock, ...]
    single_blocks: tuple[SingleBlock, ...]
    column: np.ndarray
    value: np.ndarray
    mean_of: np.ndarray
    loading: LoadingPlan
    precision: np.ndarray | PooledPrior
    tail: np.ndarray | None
    tail_shared: bool
    model_noise: np.ndarray | None
    pooled: dict[str, PooledPrior]
