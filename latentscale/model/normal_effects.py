"""Normal effects: how terms describe effects that are linear in the equations and normal a priori.

If scores are normal around the linear predictor, such effects are also normal given everything
else; `latentscale.inference.gibbs` draws them from that normal. What an effect adds to skills or to
the linear predictor is not repeated here, but obtained from the term's equation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latentscale.model.pooling import Pooling


@dataclass(frozen=True)
class EffectScale:
    """Standard deviations of an effect.

    Attributes
    ----------
    name
        Their variable, which is also the slot of their prior.
    dims
        Their dims: a subset of the effect's, without those of `owners`.
    owners
        For dims of the standard deviations that the effect does not have: the effect's
        corresponding dim, and for each position along it the index of its standard deviation.
    times
        A constant by which they are multiplied.
    switched_on
        Whether benchmarks have the effect, 0 or 1, shape (benchmark,); None if all have it.
        Otherwise effect and standard deviation are 0.
    """

    name: str
    dims: tuple[str, ...]
    owners: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    times: float = 1.0
    switched_on: np.ndarray | None = None


@dataclass(frozen=True)
class Nesting:
    """Levels nested in groups: a share of the variance is between the groups.

    Attributes
    ----------
    share
        Variable and prior slot of the share.
    variable, dim
        Variable of the groups' levels, and their dim.
    index
        The group of each level, shape (level,).
    """

    share: str
    variable: str
    dim: str
    index: np.ndarray


@dataclass(frozen=True)
class EqualCorrelation:
    """Effects that are equally correlated within groups.

    Attributes
    ----------
    share
        Variable and prior slot of the correlation.
    index
        The group of each effect, shape (effect,).
    """

    share: str
    index: np.ndarray


@dataclass(frozen=True)
class NormalEffect:
    """Effects that enter the equations linearly and are normal a priori.

    Exactly one of `prior`, `scale` and `pooling` is set, except for effects by family with unit
    variance, which have none. Effects by model act only on that model, effects by benchmark only on
    that benchmark.

    Attributes
    ----------
    variable
        Their variable among the term's values.
    dims
        Its dims.
    prior
        Slot of a normal prior with fixed hyperparameters.
    scale
        Standard deviations, which are estimated; the mean is 0.
    pooling
        How they are pooled over benchmarks, with an estimated mean and standard deviation.
    centred
        Dim over which effects are deviations from their mean, or None.
    correlated
        Whether levels are correlated over skills, with an LKJ prior.
    nesting
        Groups in which levels are nested.
    equal_correlation
        Groups in which effects are correlated.
    scores
        Number of scores to whose predictors each is added, by its dims; None if it has other
        effects.
    labels
        Coordinates of dims that are determined by the table.
    other_names
        Further variables of the posterior with the same values.
    """

    variable: str
    dims: tuple[str, ...]
    prior: str | None = None
    scale: EffectScale | None = None
    pooling: Pooling | None = None
    centred: str | None = None
    correlated: bool = False
    nesting: Nesting | None = None
    equal_correlation: EqualCorrelation | None = None
    scores: np.ndarray | None = None
    labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    other_names: tuple[str, ...] = ()
