"""Exact fits: benchmarks whose scores leave a likelihood without a maximum.

If a benchmark's own coefficients fit its scores exactly, with loadings of 0, the density of these
scores grows without bound with the precision. A prior on the precision bounds it, but maximum
likelihood has no prior. Fits that are exact through shared skills are not covered.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latentscale.data.scaling import best_of, is_bounded
from latentscale.declare.spec import ModelSpec
from latentscale.errors import SpecError, listed
from latentscale.model.design import Design
from latentscale.model.rows import rows_of
from latentscale.model.terms.benchmark_slopes import BENCHMARK_SLOPE
from latentscale.model.terms.instruct import INSTRUCT_SLOPE

Floats = npt.NDArray[np.float64]


def own_regressors(spec: ModelSpec, design: Design) -> Floats:
    """Return the regressors of benchmarks' own coefficients, shape (model, D).

    The intercept's column is first, then those for slopes and for instruction tuning.
    """
    rows = rows_of(spec, design.x, design.scores.dataset)
    instruct = np.asarray(rows.instruct.values, dtype=float)[:, None]
    columns = [np.ones_like(instruct)]
    if spec.benchmarks.slopes:
        columns.append(rows.covariates[BENCHMARK_SLOPE].values)
    if spec.benchmarks.instruct.shift:
        columns.append(instruct)
    if spec.benchmarks.instruct.slopes:
        columns.append(instruct * rows.covariates[INSTRUCT_SLOPE].values)
    return np.concatenate(columns, axis=1).astype(float)


def refuse_exact_fits(spec: ModelSpec, design: Design, method: str) -> None:
    """Refuse benchmarks whose scores their own coefficients fit exactly.

    Raises
    ------
    SpecError
        Naming the benchmarks, and what to do.
    """
    if spec.benchmarks.likelihood.needs_items:  # probabilities of counts are at most 1
        return
    names = fitted_exactly(spec, design)
    if names:
        raise SpecError(
            f"The likelihood has no maximum, which {method} needs: the scores of {listed(names)} "
            "(a single score, or all equal) are fitted exactly by the benchmark's own "
            "coefficients, so its precision can grow without bound. Leave such benchmarks out "
            "(scores.select(benchmarks=[...])), or use NUTS, whose priors bound precisions."
        )


def fitted_exactly(spec: ModelSpec, design: Design) -> list[str]:
    """Return the benchmarks whose scores their own coefficients fit exactly.

    With loadings of 0, models with equal regressors have equal expected scores. So their scores
    must be equal, and all scores must be equal unless there are as many coefficients as distinct
    models. Scores with a sampling error have a bounded density.
    """
    data, regressors = design.scores.dataset, own_regressors(spec, design)
    bounded, floor, best = is_bounded(data).values, design.floor.values, best_of(data).values
    exact = []
    for j, name in enumerate(design.scores.benchmarks):
        own = design.benchmark_of_cell == j
        models, scores = design.model_of_cell[own], design.score_of_cell[own]
        if design.sampling is not None and (design.sampling.values[models, j] > 0).any():
            continue
        ends = sorted((float(floor[j]), float(best[j])))
        reached = not bounded[j] or (ends[0] <= scores.min() and scores.max() <= ends[1])
        if reached and _can_be_equal(scores, regressors[models]):
            exact.append(name)
    return exact


def _can_be_equal(scores: Floats, regressors: Floats) -> bool:
    """Return whether increasing functions of linear predictors can have exactly these scores."""
    rows, first, of = np.unique(regressors, axis=0, return_index=True, return_inverse=True)
    if (scores != scores[first][of.ravel()]).any():
        return False
    return bool((scores == scores[0]).all() or np.linalg.matrix_rank(rows) == len(rows))
