"""What a problem is made of: scores, blocks of coefficients, standard deviations, populations."""

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
        Logits of fractions, standardised values of other scores; higher is more able.
    model, bench
        Their models and benchmarks.
    start
        Where each benchmark's cells begin, shape (benchmark + 1,).
    models, benchmarks
        How many there are.
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
        Their prior, as `slices.prior_code` gives it.
    index
        Which of them each coefficient has, shape of the coefficients.
    times
        A constant by which they are multiplied.
    on
        Whether they act, by their own index; others have their prior alone and are kept as 0.
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
        What its term says of it.
    levels
        Sizes of its dims beside skill or benchmark, in order.
    prior
        Fixed normal prior, or None.
    scales
        Standard deviations to be estimated, or None.
    mean_of
        The group of levels from whose mean each level is taken, -1 for none, shape (level,).
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
        Factors of the levels, means not yet taken off, shape (model, level).
    single
        Whether it is a deviation of every single model.
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
    """An effect of which a cell has one coefficient or none.

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
        Priors of standard deviations, as codes.
    member
        Membership of groups, shape (benchmark, group).
    count
        Number of populations: skills for loadings, else 1.
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
        Which are free and normal, and which free and positive, shape (benchmark, skill).
    fixed
        Values of the others: 0, or 1 for anchors.
    prior
        Normal prior of unpooled ones, or None.
    codes
        Priors of positive ones, shape (benchmark, skill, 4); those of pooled ones are renewed.
    pooled
        Their population, or None.
    anchors
        Benchmark of each skill whose anchor has a loading of its own; empty without.
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
    """Everything that a chain needs and does not change.

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
        Prior of the spread of models' log precisions, as a code; None without these.
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
