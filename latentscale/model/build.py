"""Build: the one place where a spec and a table become a PyMC model."""

from __future__ import annotations

from dataclasses import replace

import pymc as pm
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    BENCHMARK,
    CELL,
    MODEL,
)
from latentscale.errors import LatentscaleError, SpecError
from latentscale.expect import expect
from latentscale.maths import Named, as_data
from latentscale.model.design import Design, design
from latentscale.model.distributions import observe_scores
from latentscale.model.double import double_precision
from latentscale.model.equations import (
    expected_score,
    latent_skill,
    linear_predictor,
    precision,
)
from latentscale.model.feasible import feasible
from latentscale.model.noise import noise_of
from latentscale.model.parts import Parts, keep_parts
from latentscale.model.rows import coordinates_of, known_in_graph
from latentscale.model.terms.base import Term, terms_of
from latentscale.model.undisclosed import rows_in_graph


def build(spec: ModelSpec, scores: Scores) -> pm.Model:
    """Turn a spec and a table into a plain PyMC model with named dims.

    The model can be inspected (`pymc.model_to_graphviz`), sampled with PyMC itself, or
    extended in a ``with`` block. Only observed cells enter the likelihood, in the variable
    ``score`` with dim ``cell``. Its prior draws are inside (0, 1), as the likelihood requires, so
    that a model can be fitted to them; under a beta-binomial likelihood they are counts over items,
    and can be 0 and 1. Scores that are not fractions are in their own units.

    Parameters
    ----------
    spec
        The model.
    scores
        The table; rows that the spec cannot use are left out with a warning, as are optional
        covariates and terms without data in the table.

    Returns
    -------
    pymc.Model
        A model with dims model, benchmark, skill, family and any others of the spec.

    Raises
    ------
    DataError
        If no row can be used.
    SpecError
        If the spec does not fit the table.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), section 2, and the design's optional terms.

    Examples
    --------
    >>> model = ls.build(ls.load_spec("pooled_flops"), fit.scores)
    >>> sorted(v.name for v in model.free_RVs)
    ['benchmark_slope', 'intercept', 'precision']
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    spec = feasible(spec, scores)
    return build_design(spec, design(spec, scores))


@double_precision()
def build_design(spec: ModelSpec, design: Design) -> pm.Model:
    """Turn a spec and a prepared design into a PyMC model (see `build`).

    Parameters
    ----------
    spec
        The model.
    design
        Its constants on a table, such as ``fit.design``.

    Returns
    -------
    pymc.Model
        The model, with the observed cells.

    Raises
    ------
    SpecError
        If a term cannot be declared: a variable or dim has the name of another.

    Examples
    --------
    >>> model = build_design(pooled.spec, pooled.design)
    >>> sorted(v.name for v in model.free_RVs)
    ['benchmark_slope', 'intercept', 'precision']
    """
    with pm.Model(coords=coordinates_of(spec, design), check_bounds=False) as model:
        values = known_in_graph(spec, design)
        for term in terms_of(spec):
            values |= _declared(term, spec, design)
        family = as_data(design.family_of_model, dims=(MODEL,))
        rows = replace(rows_in_graph(spec, design, values), family=family)
        skill = latent_skill(spec, values, rows)
        eta = linear_predictor(spec, values, rows, skill)
        _observe(spec, design, values, eta, precision(spec, values, rows))
    keep_parts(model, Parts(values, rows))
    return model


def _declared(term: Term, spec: ModelSpec, design: Design) -> dict[str, Named]:
    """Return the values of a term, declared in the open PyMC model.

    Raises
    ------
    SpecError
        If PyMC refuses it because a variable has the name of another variable or of a dim.
    """
    try:
        return term.declare(spec, design)
    except LatentscaleError:
        raise
    except ValueError as failure:
        raise SpecError(
            f'The term "{term.kind}" cannot be declared: {failure} Give each variable and dim of a '
            "term a name of its own."
        ) from failure


def _observe(
    spec: ModelSpec, design: Design, values: dict[str, Named], eta: Named, phi: Named
) -> None:
    cells = {
        MODEL: as_data(design.model_of_cell, dims=(CELL,)),
        BENCHMARK: as_data(design.benchmark_of_cell, dims=(CELL,)),
    }

    def at_cells(variable: Named) -> Named:
        return variable.isel({dim: cells[dim] for dim in cells if dim in variable.dims})

    ready = values | spec.benchmarks.link.constants(values)
    by_cell = {name: at_cells(value) for name, value in ready.items()}
    # Terms store a model's numbers contiguously, so that sums over them are loops along benchmarks.
    mean = expected_score(spec, by_cell, at_cells(eta.transpose(MODEL, BENCHMARK)))
    at = {
        MODEL: xr.DataArray(design.model_of_cell, dims=(CELL,)),
        BENCHMARK: xr.DataArray(design.benchmark_of_cell, dims=(CELL,)),
    }
    items = design.scores.item_counts.isel(at)
    sampling = None if design.sampling is None else design.sampling.isel(at)
    noise = noise_of(spec.benchmarks.likelihood, by_cell, items, sampling)
    observe_scores(noise, design.score_of_cell, mean, at_cells(phi))
