"""Simulate: a table with known truth, from any spec."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.data.recording import underflow_as_recorded
from latentscale.data.scaling import is_bounded, with_errors_of
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.expect import expect
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.model.double import double_precision
from latentscale.model.feasible import feasible


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated table and the truth behind it.

    Attributes
    ----------
    scores
        The table: same models, families, covariates and empty cells as the template. Standard
        errors imply the same sampling error at the new scores.
    truth
        True value of every parameter on its natural scale, with the dims of a fit's posterior
        except chain and draw.

    Examples
    --------
    >>> table = ls.simulate(pooled.spec, pooled.scores, seed=1)
    >>> table.scores.benchmarks == pooled.scores.benchmarks
    True
    """

    scores: Scores
    truth: xr.Dataset


def simulate(spec: ModelSpec, template: Scores, *, seed: int = 0) -> Simulation:
    """Draw parameters from the spec's prior, and scores from them.

    Parameters
    ----------
    spec
        The model to draw from.
    template
        Gives models, families, covariates, benchmarks and measured cells; its scores are replaced.
        Rows that the spec cannot use are left out.
    seed
        Seed of the random numbers.

    Returns
    -------
    Simulation
        The simulated table with the parameters that made it.

    Raises
    ------
    DataError, SpecError
        If the spec cannot be built on the template.

    Examples
    --------
    >>> simulation = ls.simulate(ls.load_spec("pooled_flops"), fit.scores, seed=1)
    >>> simulation.scores.n_observed == fit.scores.n_observed
    True
    """
    expect(spec, ModelSpec, "spec")
    expect(template, Scores, "template")
    seed = checked_seed(seed)
    spec = feasible(spec, template)
    prepared = design(spec, template)
    model = build_design(spec, prepared)
    names = [
        variable.name
        for variable in [*model.free_RVs, *model.deterministics]
        if not variable.name.endswith("_raw")
    ]
    variables = [model[name] for name in [*names, "score"]]
    with double_precision():
        values = pm.draw(variables, random_seed=seed, mode="FAST_COMPILE")
    truth = xr.Dataset(
        {
            name: (variable.dims, np.asarray(value))
            for name, variable, value in zip(names, variables, values, strict=False)
        },
        coords={dim: list(labels) for dim, labels in model.coords.items() if labels is not None},
    )
    table = np.full((len(prepared.scores.models), len(prepared.scores.benchmarks)), np.nan)
    table[prepared.model_of_cell, prepared.benchmark_of_cell] = values[-1]
    fractions = is_bounded(prepared.scores.dataset).values
    table[:, fractions] = underflow_as_recorded(table[:, fractions])
    dataset = prepared.scores.dataset.assign(score=((MODEL, BENCHMARK), table))
    if prepared.sampling is not None:
        dataset = with_errors_of(dataset, prepared.sampling)
    used = [dim for dim in truth.coords if dim in truth.dims]
    return Simulation(
        Scores(dataset), truth[names].drop_vars([dim for dim in truth.coords if dim not in used])
    )
