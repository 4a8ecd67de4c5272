"""Lineages of a subsample: random, but with every benchmark and level represented."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latentscale.dims import COVARIATE
from latentscale.model.design import Design

# Models that each benchmark, level and end of a covariate has in the subsample, if the table has
# that many, so that its own parameters depend on more than their prior and one lineage.
_LEAST_MODELS = 20
# A covariate's ends are the tenths of models with the least and the most of it.
_END = 0.1
Places = npt.NDArray[np.int64]


def lineage_of_models(design: Design) -> Places:
    """Return each model's lineage (or family, without a lineage level), shape (model,)."""
    by_family = design.lineage_of_family if design.use_lineage else np.arange(len(design.families))
    return np.asarray(by_family[design.family_of_model], dtype=np.int64)


def subsample(design: Design, size: int, rng: np.random.Generator) -> Places:
    """Return the indices of the models in whole lineages drawn at random.

    Lineages are taken in random order. The first ones are those without which a benchmark, a level
    of a category or an end of a covariate would have fewer than 20 models (or all that it has).

    Parameters
    ----------
    design
        The whole table.
    size
        Number of models wanted; the last lineage and needed ones can add some.
    rng
        Generator that draws the order.

    Returns
    -------
    Ascending indices, shape (n,).
    """
    lineage = lineage_of_models(design)
    names, of_model = np.unique(lineage, return_inverse=True)
    order = rng.permutation(len(names))
    models_of = np.bincount(of_model)
    counts = np.stack([np.bincount(of_model, have, len(names)) for have in needed(design)])
    chosen = np.zeros(len(names), dtype=bool)
    for of_lineage in counts:
        least = min(_LEAST_MODELS, int(of_lineage.sum()))
        for place in order:
            if of_lineage[chosen].sum() >= least:
                break
            chosen[place] |= of_lineage[place] > 0
    for place in order:
        if models_of[chosen].sum() >= size:
            break
        chosen[place] = True
    return np.nonzero(chosen[of_model])[0]


def needed(design: Design) -> npt.NDArray[np.bool_]:
    """Return which models a subsample can use for each of its needs, shape (need, model).

    The needs are measured models of each benchmark, and models at both ends of each covariate; the
    two values of a flag or a level's indicator are its ends.
    """
    models = len(design.scores.models)
    rows = []
    for benchmark in range(len(design.scores.benchmarks)):
        row = np.zeros(models, dtype=bool)
        row[design.model_of_cell[design.benchmark_of_cell == benchmark]] = True
        rows.append(row)
    for column in design.x.transpose(COVARIATE, ...).values:
        low, high = np.nanquantile(column, [_END, 1 - _END])
        if low == high:  # an indicator that few models have, or all but a few
            low, high = np.nanmin(column), np.nanmax(column)
        rows += [column <= low, column >= high]
    return np.array([row for row in rows if row.any()])
