"""Convergence of the quantities that the scores identify.

Rotating free skills leaves all expected scores unchanged, so chains of one posterior can differ in
loadings and skills, however long they are. Shifting the skills of all models by the same amount
also leaves them unchanged if intercepts shift back: an intercept is the linear predictor at skill
0, and only priors locate that 0. Such chains are judged by linear predictors instead, for pairs of
a model and a benchmark and on average over the models.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL, SKILL
from latentscale.model.design import Design
from latentscale.model.evaluate import FITTED_RESIDUALS, Evaluator
from latentscale.model.terms.intercept import INTERCEPT
from latentscale.posterior.convergence import PREDICTOR, Convergence, convergence

MEAN_PREDICTOR = "mean_linear_predictor"
"""Name of the mean linear predictors over the fitted models, by benchmark, in the table."""

PLACE = "model_benchmark"
"""Dim of pairs of a model and a benchmark, whose labels are ``"model, benchmark"``."""
_MOST_CELLS = 2000
"""Most linear predictors judged: about as many as models and benchmarks have parameters."""
_BLOCK = 20_000_000
"""Array elements in one block of linear predictors: 160 MB."""


def rotates(spec: ModelSpec) -> bool:
    """Return whether the skills of a spec are free to rotate before draws are aligned."""
    return spec.skills.count > 0 and spec.skills.identify.kind == "free"


def not_identified(spec: ModelSpec, posterior: xr.Dataset, *, aligned: bool) -> list[str]:
    """Return the parameters that are not invariant to a rotation or a shift of free skills.

    Parameters
    ----------
    spec, posterior
        What was fitted, and its draws.
    aligned
        Whether the draws of free skills were aligned.
    """
    if aligned or not rotates(spec):
        return []
    return [
        str(name) for name, draws in posterior.items() if SKILL in draws.dims or name == INTERCEPT
    ]


def convergence_of(
    spec: ModelSpec,
    design: Design,
    posterior: xr.Dataset,
    sample_stats: xr.Dataset | None,
    *,
    aligned: bool = False,
) -> Convergence:
    """Compute R-hat and ESS of the quantities that the scores identify (see `convergence`).

    Without free skills, these are all parameters. With free skills, they are the linear predictors
    of up to 2,000 pairs of a model and a benchmark, measured or not, spread evenly over the table;
    each benchmark's mean linear predictor over the models; and every parameter without a skill
    dim, except intercepts.

    Parameters
    ----------
    spec, design
        What was fitted.
    posterior, sample_stats
        As for `convergence`.
    aligned
        Whether the draws of free skills were aligned, so that individual skills can be judged.
    """
    if aligned or not rotates(spec):
        return convergence(posterior, sample_stats)
    moving = not_identified(spec, posterior, aligned=aligned)
    judged = posterior.drop_vars(moving).merge(predictors(spec, design, posterior))
    return replace(convergence(judged, sample_stats), left_out=tuple(moving))


def predictors(spec: ModelSpec, design: Design, posterior: xr.Dataset) -> xr.Dataset:
    """Return linear predictors of fitted models, for pairs with a benchmark and on average.

    Parameters
    ----------
    spec, design, posterior
        As for `convergence_of`.

    Returns
    -------
    `PREDICTOR`, dims (chain, draw, model_benchmark), for pairs spread evenly over the table, or
    for every pair if there are at most 2,000; `MEAN_PREDICTOR`, dims (chain, draw, benchmark), the
    mean over all fitted models.
    """
    models, benchmarks = design.scores.models, design.scores.benchmarks
    total = len(models) * len(benchmarks)
    count = min(total, _MOST_CELLS)
    chosen = np.floor((np.arange(count) + 0.5) * total / count).astype(int)
    row, column = np.divmod(chosen, len(benchmarks))
    table = design.scores.dataset
    evaluator = Evaluator.of(spec, design.transform, table)
    draws = posterior.sizes[CHAIN] * posterior.sizes[DRAW]
    size = max(1, _BLOCK // (draws * len(benchmarks)))
    parts, sums = [], []
    for first in range(0, len(models), size):
        rows = {MODEL: slice(first, first + size)}
        eta = evaluator.at(
            posterior.isel(rows) if MODEL in posterior.dims else posterior,
            table.isel(rows),
            residuals=FITTED_RESIDUALS,
        ).eta
        sums.append(eta.sum(MODEL))
        here = (row >= first) & (row < first + size)
        if not here.any():
            continue
        at = {
            MODEL: xr.DataArray(row[here] - first, dims=(PLACE,)),
            BENCHMARK: xr.DataArray(column[here], dims=(PLACE,)),
        }
        own = eta.isel(at).drop_vars([MODEL, BENCHMARK], errors="ignore")
        parts.append(own.transpose(CHAIN, DRAW, PLACE))
    labels = [f"{models[i]}, {benchmarks[j]}" for i, j in zip(row, column, strict=True)]
    pairs = xr.concat(parts, dim=PLACE).assign_coords({PLACE: labels})
    mean = sum(sums[1:], sums[0]) / len(models)
    return xr.Dataset({PREDICTOR: pairs, MEAN_PREDICTOR: mean.transpose(CHAIN, DRAW, BENCHMARK)})
