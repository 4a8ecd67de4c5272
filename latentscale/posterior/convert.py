"""Convert any method's draws to one DataTree with ArviZ's groups and named dims."""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    BENCHMARK,
    CELL,
    CHAIN,
    CONSTANT_DATA,
    DRAW,
    ESTIMATE,
    FAMILY,
    LINEAGE,
    LOG_LIKELIHOOD,
    LOG_PRIOR,
    MODEL,
    OBSERVED_DATA,
    OPENED,
    POSTERIOR,
    SAMPLE_STATS,
    SKILL,
)
from latentscale.maths import on_draws
from latentscale.model.design import Design
from latentscale.model.evaluate import FITTED_RESIDUALS, Evaluation, Evaluator
from latentscale.model.open_ceilings import open_curves
from latentscale.model.terms.base import Term, terms_of
from latentscale.posterior.draws import Draws


def to_tree(spec: ModelSpec, design: Design, draws: Draws) -> xr.DataTree:
    """Gather draws and data in a DataTree.

    Parameters
    ----------
    spec, design
        What was fitted.
    draws
        Parameters on their natural scale, dims (chain, draw, ...).

    Returns
    -------
    A tree with groups posterior, sample_stats, log_likelihood (dim cell, with the model and
    benchmark of each cell as coordinates), log_prior (top-level parameters), observed_data
    and constant_data; ``estimate`` if the method is an estimator; and ``opened`` if ceilings are
    opened in a share of the draws. The posterior also holds ``model_skill`` (chain, draw, model,
    skill).
    """
    posterior = skills_last(draws.posterior)
    evaluation = Evaluator.of(spec, design.transform, design.scores.dataset).at(
        posterior, design.scores.dataset, residuals=FITTED_RESIDUALS
    )
    if evaluation.skill is not None:
        posterior = posterior.assign(
            model_skill=evaluation.skill.transpose(CHAIN, DRAW, MODEL, SKILL)
        )
    tree = {
        POSTERIOR: posterior,
        LOG_LIKELIHOOD: xr.Dataset({"score": _log_likelihood(design, evaluation)}),
        LOG_PRIOR: _log_prior(spec, design, posterior),
        OBSERVED_DATA: _without_loose_coords(design.scores.dataset[["score"]]),
        CONSTANT_DATA: _constants(design),
    }
    opened = open_curves(spec, design, posterior) if draws.status.is_posterior else None
    if opened is not None:
        tree[OPENED] = opened
    if draws.sample_stats is not None:
        tree[SAMPLE_STATS] = draws.sample_stats
    if draws.estimate is not None:
        tree[ESTIMATE] = draws.estimate
    return xr.DataTree.from_dict(tree)


def skills_last(posterior: xr.Dataset) -> xr.Dataset:
    """Return draws with the skill dim last in variables that also have a group dim.

    Applied to new draws and to fits read from disk: earlier versions saved each method's own order.
    """
    turned = {
        name: draws.transpose(CHAIN, DRAW, ..., SKILL)
        for name, draws in posterior.items()
        if SKILL in draws.dims and {BENCHMARK, FAMILY, LINEAGE} & set(draws.dims)
    }
    return posterior.assign(turned)


def _log_likelihood(design: Design, evaluation: Evaluation) -> xr.DataArray:
    model = xr.DataArray(design.model_of_cell, dims=(CELL,))
    benchmark = xr.DataArray(design.benchmark_of_cell, dims=(CELL,))
    at_cells = {MODEL: model, BENCHMARK: benchmark}
    phi = evaluation.precision
    noise = evaluation.noise(design.scores.item_counts, design.sampling)
    density = noise.at(at_cells).log_density(
        xr.DataArray(design.score_of_cell, dims=(CELL,)),
        evaluation.mean.isel(at_cells),
        phi.isel({dim: at_cells[dim] for dim in phi.dims if dim in at_cells}),
    )
    named = on_draws(density).assign_coords(
        {
            "cell_model": (CELL, np.asarray(design.scores.models)[design.model_of_cell]),
            "cell_benchmark": (
                CELL,
                np.asarray(design.scores.benchmarks)[design.benchmark_of_cell],
            ),
        }
    )
    return named.drop_vars([MODEL, BENCHMARK], errors="ignore").transpose(CHAIN, DRAW, CELL)


def _log_prior(spec: ModelSpec, design: Design, posterior: xr.Dataset) -> xr.Dataset:
    """Return log prior densities of the top-level parameters, by variable; 0 if fixed."""
    densities: dict[str, xr.DataArray] = {}
    for term in terms_of(spec):
        fixed = _fixed_at_zero(term, spec, design)
        for name, parameter in term.parameters(spec, design).items():
            if name not in posterior:
                continue
            prior = spec.prior(parameter.slot)
            density = xr.apply_ufunc(prior.log_density, posterior[name])
            if name == "loading" and design.anchors:
                anchored = posterior[BENCHMARK].isin(list(design.anchors))
                density = density.where(~anchored, 0.0)
            if name in fixed:
                density = density.where(~fixed[name], 0.0)
            densities[name] = density
        densities |= term.further_priors(posterior)
    return xr.Dataset(densities)


def _fixed_at_zero(term: Term, spec: ModelSpec, design: Design) -> dict[str, xr.DataArray]:
    """Return where each standard deviation of effects is fixed at 0, dims (benchmark,)."""
    scales = [effect.scale for effect in term.normal_effects(spec, design) or ()]
    names = {BENCHMARK: list(design.scores.benchmarks)}
    return {
        scale.name: xr.DataArray(scale.switched_on == 0, names, (BENCHMARK,))
        for scale in scales
        if scale is not None and scale.switched_on is not None
    }


def _constants(design: Design) -> xr.Dataset:
    data = design.scores.dataset
    known = ("params", "tokens", "instruct", "floor", "n_items", "ceiling", "centre", "step")
    keep = [name for name in known if name in data]
    constants = _without_loose_coords(data[keep])
    lineage = np.asarray(design.lineages)[design.lineage_of_family]
    return constants.assign(
        x=design.x,
        model_family=(MODEL, np.asarray(design.families)[design.family_of_model]),
        family_lineage=((FAMILY,), lineage),
    ).assign_coords({FAMILY: list(design.families), LINEAGE: list(design.lineages)})


def _without_loose_coords(data: xr.Dataset) -> xr.Dataset:
    return data.drop_vars([name for name in data.coords if name not in (MODEL, BENCHMARK)])
