"""Build: the one place where a spec and a table become a PyMC model."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, CELL, FAMILY, LINEAGE, MODEL, SKILL, UNDISCLOSED
from latentscale.model.benchmarks import (
    declare_benchmarks,
    expected_score,
    linear_predictor,
    precision,
)
from latentscale.model.design import Design, design
from latentscale.model.double import double_precision
from latentscale.model.family import SKILL_FACTOR, SKILL_PAIR, declare_family, effects_of_models
from latentscale.model.links import link_coords, with_link_constants
from latentscale.model.maths import Named, as_data
from latentscale.model.noise import noise_of
from latentscale.model.regressors import Regressors, regressor_coords
from latentscale.model.skills import declare_skills, latent_skill
from latentscale.model.undisclosed import regressors_in_graph
from latentscale.spec.spec import ModelSpec


def build(spec: ModelSpec, scores: Scores) -> pm.Model:
    """Turn a spec and a table into a plain PyMC model with named dims.

    The model can be inspected (`pymc.model_to_graphviz`), sampled with PyMC itself, or
    extended in a ``with`` block. Only observed cells enter the likelihood, in the variable
    ``score`` with dim ``cell``.

    Parameters
    ----------
    spec
        The model.
    scores
        The table; rows that the spec cannot use are left out with a warning.

    Raises
    ------
    DataError
        If no row can be used.
    SpecError
        If the spec does not fit the table.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), section 2, and the design's optional terms.
    """
    return build_design(spec, design(spec, scores))


@double_precision()
def build_design(spec: ModelSpec, design: Design) -> pm.Model:
    """Turn a spec and a prepared design into a PyMC model (see `build`)."""
    with pm.Model(coords=_coords(spec, design), check_bounds=False) as model:
        parameters = declare_benchmarks(spec, design) | declare_skills(spec, design)
        family_terms = declare_family(spec, design)
        family_of_model = as_data(design.family_of_model, dims=(MODEL,))
        effects = effects_of_models(family_terms, family_of_model)
        covariates = regressors_in_graph(spec, design, in_graph)
        skill = latent_skill(parameters, effects, covariates)
        eta = linear_predictor(parameters, effects, covariates, skill)
        _observe(spec, design, parameters, eta, precision(parameters, covariates))
    return model


def _observe(
    spec: ModelSpec, design: Design, parameters: dict[str, Named], eta: Named, phi: Named
) -> None:
    cells = {
        MODEL: as_data(design.model_of_cell, dims=(CELL,)),
        BENCHMARK: as_data(design.benchmark_of_cell, dims=(CELL,)),
    }

    def at_cells(variable: Named) -> Named:
        return variable.isel({dim: cells[dim] for dim in cells if dim in variable.dims})

    ready = with_link_constants(parameters)
    by_cell = {name: at_cells(value) for name, value in ready.items()}
    mean = expected_score(spec, by_cell, at_cells(eta))
    benchmark = xr.DataArray(design.benchmark_of_cell, dims=(CELL,))
    items = design.scores.dataset["n_items"].isel({BENCHMARK: benchmark})
    noise_of(spec, by_cell, items).observe(design.score_of_cell, mean, at_cells(phi))


def in_graph(named: Regressors) -> Regressors:
    """Return covariates as parts of a PyTensor graph."""

    def convert(array: xr.DataArray) -> Named:
        values = np.asarray(array.values, dtype="float64")
        return as_data(values, tuple(str(dim) for dim in array.dims))

    return Regressors(
        **{field.name: convert(getattr(named, field.name)) for field in fields(named)}
    )


def _coords(spec: ModelSpec, design: Design) -> dict[str, object]:
    count = spec.skills.count
    skills = list(design.anchors) or [f"skill {k + 1}" for k in range(count)]
    coords: dict[str, object] = {
        MODEL: list(design.scores.models),
        BENCHMARK: list(design.scores.benchmarks),
        FAMILY: list(design.families),
        LINEAGE: list(design.lineages),
        CELL: np.arange(len(design.score_of_cell)),
        **{dim: names for dim, names in regressor_coords(spec).items() if names},
        **link_coords(spec),
    }
    if design.undisclosed:
        coords[UNDISCLOSED] = list(design.undisclosed)
    if count:
        coords[SKILL] = skills
        coords[SKILL_FACTOR] = np.arange(count)
        coords[SKILL_PAIR] = np.arange(count * (count - 1) // 2)
    return coords
