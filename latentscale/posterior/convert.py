"""Convert: any method's draws become one DataTree with ArviZ's groups and named dims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import xarray as xr

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
    POSTERIOR,
    SAMPLE_STATS,
    SKILL,
)
from latentscale.model.benchmarks import (
    expected_score,
    linear_predictor,
    precision,
)
from latentscale.model.design import Design
from latentscale.model.family import FAMILY_VARIABLES, FamilyEffects, effects_of_models
from latentscale.model.noise import noise_of
from latentscale.model.regressors import Regressors
from latentscale.model.skills import latent_skill
from latentscale.model.undisclosed import regressors_of_rows
from latentscale.posterior.draws import Draws
from latentscale.spec.prior import PRIOR_SLOTS
from latentscale.spec.spec import ModelSpec

_VARIABLES_OF_SLOT = {
    "ceiling": ("ceiling_share",),
    "fixed_family": ("family_skill_fixed", "family_benchmark"),
}


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
    and constant_data, and ``estimate`` from an estimator. The posterior also holds
    ``model_skill`` (chain, draw, model, skill).
    """
    posterior = with_floor(draws.posterior, design.floor)
    table = design.scores.dataset
    parts = regressors_of_rows(spec, design.transform, table, draws.posterior)
    effects = fitted_effects(posterior, design)
    skill = latent_skill(parameters_of(posterior), effects, parts)
    if skill is not None:
        posterior = posterior.assign(model_skill=skill.transpose(CHAIN, DRAW, MODEL, SKILL))
    tree = {
        POSTERIOR: posterior if "floor" in draws.posterior else posterior.drop_vars("floor"),
        LOG_LIKELIHOOD: xr.Dataset(
            {"score": _log_likelihood(spec, design, posterior, effects, parts)}
        ),
        LOG_PRIOR: _log_prior(spec, design, posterior),
        OBSERVED_DATA: design.scores.dataset[["score"]].drop_vars(_loose_coords(design)),
        CONSTANT_DATA: _constants(design),
    }
    if draws.sample_stats is not None:
        tree[SAMPLE_STATS] = draws.sample_stats
    if draws.estimate is not None:
        tree[ESTIMATE] = draws.estimate
    return xr.DataTree.from_dict(tree)


def with_floor(posterior: xr.Dataset, floor: xr.DataArray) -> xr.Dataset:
    """Return draws that also hold the floors: the known ones, unless they were estimated.

    Known floors have dims (benchmark,).
    """
    if "floor" in posterior:
        return posterior
    constant = xr.DataArray(
        floor.values, dims=(BENCHMARK,), coords={BENCHMARK: floor[BENCHMARK].values}
    )
    return posterior.assign(floor=constant)


def parameters_of(draws: xr.Dataset) -> Mapping[str, xr.DataArray]:
    """Return a dataset's variables by name, as the model's equations take them."""
    return {str(name): draws[name] for name in draws.data_vars}


def fitted_effects(posterior: xr.Dataset, design: Design) -> FamilyEffects:
    """Return what each fitted model inherits from its family, dims with model."""
    index = xr.DataArray(
        design.family_of_model, dims=(MODEL,), coords={MODEL: list(design.scores.models)}
    )
    terms = {name: posterior[name] for name in FAMILY_VARIABLES if name in posterior}
    found = effects_of_models(terms, index)

    parts = {field.name: getattr(found, field.name) for field in fields(found)}
    return FamilyEffects(
        **{
            name: None if part is None else part.drop_vars(FAMILY, errors="ignore")
            for name, part in parts.items()
        }
    )


def _log_likelihood(
    spec: ModelSpec,
    design: Design,
    posterior: xr.Dataset,
    effects: FamilyEffects,
    parts: Regressors,
) -> xr.DataArray:
    parameters = parameters_of(posterior)
    eta = linear_predictor(parameters, effects, parts, posterior.get("model_skill"))
    mean = expected_score(spec, parameters, eta)
    model = xr.DataArray(design.model_of_cell, dims=(CELL,))
    benchmark = xr.DataArray(design.benchmark_of_cell, dims=(CELL,))
    phi = precision(parameters, parts)
    at_cells = {MODEL: model, BENCHMARK: benchmark}
    noise = noise_of(spec, parameters, design.scores.item_counts)
    density = noise.at(at_cells).log_density(
        xr.DataArray(design.score_of_cell, dims=(CELL,)),
        mean.isel(at_cells),
        phi.isel({dim: at_cells[dim] for dim in phi.dims if dim in at_cells}),
    )
    named = density.assign_coords(
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
    """Return log prior densities of the top-level parameters, by variable."""
    densities: dict[str, xr.DataArray] = {}
    for slot in PRIOR_SLOTS:
        for name in _VARIABLES_OF_SLOT.get(slot, (slot,)):
            hierarchical = name == "family_benchmark" and spec.family.level != "fixed"
            if name not in posterior or hierarchical:
                continue
            prior = spec.prior(slot)
            density = xr.apply_ufunc(prior.log_density, posterior[name])
            if name == "loading" and design.anchors:
                anchored = posterior[BENCHMARK].isin(list(design.anchors))
                density = density.where(~anchored, 0.0)
            densities[name] = density
    return xr.Dataset(densities)


def _constants(design: Design) -> xr.Dataset:
    data = design.scores.dataset
    keep = [name for name in ("params", "tokens", "instruct", "floor", "n_items") if name in data]
    constants = data[keep].drop_vars(_loose_coords(design))
    lineage = np.asarray(design.lineages)[design.lineage_of_family]
    return constants.assign(
        x=design.x,
        model_family=(MODEL, np.asarray(design.families)[design.family_of_model]),
        family_lineage=((FAMILY,), lineage),
    ).assign_coords({FAMILY: list(design.families), LINEAGE: list(design.lineages)})


def _loose_coords(design: Design) -> list[str]:
    return [str(name) for name in design.scores.dataset.coords if name not in (MODEL, BENCHMARK)]
