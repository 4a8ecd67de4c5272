"""The stock engine: densities through only public functions of PyMC, PyTensor and nutpie.

Compiled functions serve models of one structure with the same sizes, and chains call Python at
every step; nothing here depends on those libraries' internals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from latentscale.engine.coordinate import Coordinate
from latentscale.engine.density import Begin, Density, LogDensity
from latentscale.engine.graphs import Graph, flat_graph, graph_of, initial_point, moved_by
from latentscale.errors import FitError

# PyTensor's mode that runs a graph in Python: about 30 times slower, but without numba or C.
_INTERPRETED = "FAST_COMPILE"


# Programs that a process keeps: a model in model and whitened coordinates, and one more.
_MOST_PROGRAMS = 3


@dataclass(frozen=True)
class _Program:
    """Functions of a point and of the graph's data, compiled for one structure and its sizes."""

    graph: Graph
    sizes: tuple[tuple[int, ...], ...]
    log_density: _Function
    expand: _Function


@dataclass(frozen=True)
class _Function:
    """A compiled function of a point and of some of the graph's data, by their places in it."""

    call: Callable[..., list[Any]]
    data: tuple[int, ...]

    def bound(self, inputs: Sequence[Any]) -> Callable[[np.ndarray], list[Any]]:
        """Return the function of only a point, with the current values of a model's data."""
        values = [np.asarray(inputs[place].get_value()) for place in self.data]
        return lambda point: self.call(np.asarray(point, dtype=float), *values)


_programs: list[_Program] = []


def compile_density(
    model: pm.Model, kept: Sequence[str], coordinates: Sequence[Coordinate] = ()
) -> Density:
    """Compile a model's log density (see `latentscale.engine.compile.compile_density`)."""
    initial = initial_point(model)
    starts = [np.asarray(initial[str(model.rvs_to_values[v].name)]) for v in model.free_RVs]
    sizes = tuple(start.shape for start in starts)
    graph = graph_of(model, tuple(kept), sizes, coordinates)
    program = next((p for p in _programs if p.sizes == sizes and p.graph.same_as(graph)), None)
    reused = program is not None
    if program is None:
        program = _compile(model, graph, starts, coordinates)
        _programs.append(program)
        del _programs[:-_MOST_PROGRAMS]
    dims = {name: tuple(map(str, model.named_vars_to_dims.get(name, ()))) for name in kept}
    coords = {dim: pd.Index(model.coords[dim]) for own in dims.values() for dim in own}
    shapes = {name: tuple(len(coords[dim]) for dim in own) for name, own in dims.items()}
    return Density(
        start=np.concatenate([np.ravel(start) for start in starts]).astype(float),
        shapes=shapes,
        dims=dims,
        coords=coords,
        log_density=partial(_value_and_gradient, program.log_density.bound(graph.inputs)),
        expand=partial(_by_name, program.expand.bound(graph.inputs), shapes),
        reused=reused,
        engine="stock",
        public=None if coordinates else partial(_public_model, model, list(kept)),
    )


def _compile(
    model: pm.Model,
    graph: Graph,
    starts: Sequence[np.ndarray],
    coordinates: Sequence[Coordinate],
) -> _Program:
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace, rewrite_graph

    density: Any = model.logp()
    by_name = {variable.name: variable for variable in model.unobserved_value_vars}
    expanded: Any = flat_graph([by_name[name] for name in graph.kept])
    moved, log_jacobian = moved_by(model, coordinates)
    if moved:
        density, expanded = clone_replace([density, expanded], moved)
        # PyTensor differentiates arrays with named dims only after they are lowered to plain ones.
        density = rewrite_graph(density + log_jacobian, include=["lower_xtensor"])
    at = {c.variable: c.point for c in coordinates}
    points = [at.get(v.name, model.rvs_to_values[v]) for v in model.free_RVs]
    gradients: Any = pt.grad(density, points)
    return _Program(
        graph,
        tuple(start.shape for start in starts),
        _function(model, points, starts, [density, flat_graph(gradients)], graph.inputs),
        _function(model, points, starts, [expanded], graph.inputs),
    )


def compile_prior(model: pm.Model, names: Sequence[str]) -> LogDensity:
    """Compile a log prior density (see `latentscale.engine.compile.compile_prior`)."""
    import pytensor.tensor as pt

    variables = [v for v in model.free_RVs if v.name in names]
    initial = initial_point(model)
    values = [model.rvs_to_values[v] for v in variables]
    density: Any = model.logp(vars=variables)
    gradients: Any = pt.grad(density, values)
    starts = [np.asarray(initial[str(value.name)]) for value in values]
    function = _function(model, values, starts, [density, flat_graph(gradients)], [])
    return partial(_value_and_gradient, function.bound([]))


def python_model(density: Density, usual: Begin, begin: Begin) -> Any:
    """Return a density as one of nutpie's models written in Python.

    If nutpie no longer has such models, return its own model of the density.

    Parameters
    ----------
    density
        The density.
    usual
        Where chains begin by default, as in nutpie's own models.
    begin
        Where they should begin.

    Raises
    ------
    FitError
        If nutpie has no models written in Python, and its own cannot begin or move as asked.
    """
    try:
        from nutpie.compiled_pyfunc import from_pyfunc
    except (ImportError, AttributeError):
        if density.public is None or begin is not usual:
            raise FitError(
                "The installed version of nutpie takes no models written in Python, and chains of "
                "its own models cannot begin where this run asks. Use "
                'NUTS(start=latentscale.methods.PriorStart(), coordinates="model") or '
                'NUTS(backend="pymc"), or install the version that latentscale asks for.'
            ) from None
        return density.public()

    def make_log_density() -> Callable[..., tuple[float, np.ndarray]]:
        def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = density.log_density(point)
            return value, np.asarray(gradient, dtype=float)

        return evaluate

    def make_expand(*seeds: int) -> Callable[..., dict[str, np.ndarray]]:
        def expand(point: np.ndarray) -> dict[str, np.ndarray]:
            return {name: np.asarray(v, dtype=float) for name, v in density.expand(point).items()}

        return expand

    return from_pyfunc(
        density.size,
        make_log_density,
        make_expand,
        [np.dtype(float) for _ in density.shapes],
        list(density.shapes.values()),
        list(density.shapes),
        coords=dict(density.coords),
        dims=dict(density.dims),
        make_initial_point_fn=begin,
    )


def _public_model(model: pm.Model, kept: list[str]) -> Any:
    import nutpie

    return nutpie.compile_pymc_model(model, var_names=kept)


def _function(
    model: pm.Model,
    points: Sequence[Any],
    starts: Sequence[np.ndarray],
    outputs: list[Any],
    data: Sequence[Any],
) -> _Function:
    """Compile outputs as functions of one vector, which is split into `points`, and of data."""
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace
    from pytensor.graph.traversal import graph_inputs
    from pytensor.xtensor import as_xtensor

    vector, begin, parts = pt.dvector("unconstrained_point"), 0, {}
    for point, start in zip(points, starts, strict=True):
        end = begin + start.size
        parts[point] = as_xtensor(vector[begin:end].reshape(start.shape), dims=point.type.dims)
        begin = end
    met = set(graph_inputs(outputs))
    places = tuple(place for place, variable in enumerate(data) if variable in met)
    given = {data[place]: data[place].type() for place in places}
    values = [np.asarray(data[place].get_value()) for place in places]
    first = np.concatenate([np.ravel(start) for start in starts]).astype(float)
    with model:
        replaced = clone_replace(outputs, {**parts, **given}, rebuild_strict=False)
        call = _compiled([vector, *given.values()], replaced, [first, *values])
    return _Function(call, places)


def _compiled(
    inputs: list[Any], outputs: list[Any], first: list[np.ndarray]
) -> Callable[..., list[Any]]:
    """Compile in PyTensor's own mode, or run the graph in Python if that mode is broken.

    PyTensor's own mode compiles with numba at the first call, so a call is made here.
    """
    for mode in (None, _INTERPRETED):
        try:
            function: Any = pm.compile(inputs, outputs, mode=mode, on_unused_input="ignore")
            function(*first)
        except Exception:
            if mode == _INTERPRETED:
                raise
            continue
        function.trust_input = True  # checks of a dozen arrays would take longer than small models
        call: Callable[..., list[Any]] = function
        return call
    raise AssertionError("unreachable: the last mode returns or raises")


def _value_and_gradient(
    function: Callable[[np.ndarray], list[Any]], point: np.ndarray
) -> tuple[float, np.ndarray]:
    value, gradient = function(point)
    return float(value), np.asarray(gradient)


def _by_name(
    function: Callable[[np.ndarray], list[Any]],
    shapes: Mapping[str, tuple[int, ...]],
    point: np.ndarray,
) -> dict[str, np.ndarray]:
    (flat,) = function(point)
    values, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + int(np.prod(shape))
        values[name] = np.asarray(flat[begin:end]).reshape(shape)
        begin = end
    return values
