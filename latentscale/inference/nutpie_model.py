"""Models as nutpie's sampler takes them: where chains begin, and the density they move on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from latentscale.inference.native import NativeCalls

Begin = Callable[[Any], np.ndarray]

_NATIVE = "initial_point_func"


def nutpie_model(
    calls: NativeCalls,
    log_density: Callable[[np.ndarray], tuple[float, np.ndarray]],
    begin: Begin,
    *,
    size: int,
    shapes: Mapping[str, tuple[int, ...]],
    dims: Mapping[str, tuple[str, ...]],
    coords: Mapping[str, Any],
) -> Any:
    """Return a model for nutpie, whose chains need no Python to move.

    Parameters
    ----------
    calls
        The density, and what a point stands for, as C functions.
    log_density
        The same density for Python.
    begin
        From a seed to a point where a chain begins, shape (size,).
    size
        Number of unconstrained parameters.
    shapes, dims, coords
        Of the variables that draws hold, in the order in which ``calls.expand`` writes them.
    """
    from nutpie.compile_pymc import CompiledPyMCModel

    lengths = [int(np.prod(shape)) for shape in shapes.values()]
    ends = np.cumsum(lengths)
    slices = [slice(int(b) - n, int(b)) for n, b in zip(lengths, ends, strict=True)]
    return CompiledPyMCModel(
        dims=dict(dims),
        reparameterized_names=frozenset(),
        compiled_logp_func=calls.log_density,
        compiled_expand_func=calls.expand,
        initial_point_func=begin,
        shared_data={"kept": calls.kept},
        shared_var_keys={},
        user_data=calls.memory,
        n_expanded=sum(lengths),
        shape_info=(list(shapes), slices, list(shapes.values())),
        logp_func=log_density,
        expand_func=None,
        _n_dim=size,
        _shapes=dict(shapes),
        _coords=dict(coords),
    )


def begins_of(compiled: Any) -> Begin:
    """Return where chains of a model for nutpie begin, by seed."""
    begin: Begin = getattr(compiled, _begins_in(compiled))
    return begin


def beginning(compiled: Any, begin: Begin) -> Any:
    """Return the model with chains that begin elsewhere."""
    return replace(compiled, **{_begins_in(compiled): begin})


def density_of(compiled: Any) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return the log density and gradient on which chains move, for Python."""
    if _begins_in(compiled) == _NATIVE:
        found: Callable[[np.ndarray], tuple[float, np.ndarray]] = compiled.logp_func
        return found
    density, data = compiled._make_logp_func(), compiled._shared_data

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = density(point, **data)
        return float(value), np.asarray(gradient)

    return evaluate


def _begins_in(compiled: Any) -> str:
    """Return the field of nutpie's model for starts: models made for JAX have another one."""
    return _NATIVE if hasattr(compiled, _NATIVE) else "_make_initial_points"
