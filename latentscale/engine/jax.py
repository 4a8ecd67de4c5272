"""Models compiled with JAX for nutpie's sampler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm

from latentscale.engine.density import Begin, ChainModel


def register_for_jax() -> None:
    """Register the package's own operations with JAX."""
    from latentscale.engine.ops import beta_density

    beta_density.register_for_jax()


def jax_model(model: pm.Model, names: Sequence[str]) -> ChainModel:
    """Compile a model with JAX, for nutpie's chains."""
    import nutpie
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.traversal import graph_inputs

    register_for_jax()
    observed = [model.rvs_to_values[variable] for variable in model.observed_RVs]
    met = graph_inputs([*model.basic_RVs, *observed, *model.deterministics])
    for number, variable in enumerate(met):  # nutpie distinguishes the table's arrays by name
        if isinstance(variable, SharedVariable) and variable.name is None:
            variable.name = f"table_{number}"
    compiled: Any = nutpie.compile_pymc_model(model, backend="jax", var_names=list(names))
    density, data = compiled._make_logp_func(), compiled._shared_data

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = density(point, **data)
        return float(value), np.asarray(gradient)

    def make(begin: Begin) -> Any:
        return replace(compiled, _make_initial_points=begin)

    return ChainModel(evaluate, compiled._make_initial_points, make)
