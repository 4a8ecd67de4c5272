"""The fast engine: log density and gradient, compiled once for tables of any size.

Compiling a model costs far more than evaluating it. Here the table (cells, covariates, groups)
enters the compiled functions as arguments, so that a model with the same structure on another table
reuses them within a process, and later processes find them in PyTensor's cache on disk.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from latentscale.engine.coordinate import Coordinate
from latentscale.engine.density import Affine, Density, LogDensity
from latentscale.engine.graphs import Graph, flat_graph, graph_of, initial_point, moved_by
from latentscale.engine.linker import (
    machine_code,
    numba_function,
    place_of,
    read_machine_code,
)
from latentscale.engine.rewritten import (
    Rewritten,
    function_graph_of,
    keep_rewritten,
    read_rewritten,
)

# Compiled programs that a process keeps: a few specs in model and whitened coordinates; each takes
# about 10 MB.
_MOST_PROGRAMS = 8
_lock = threading.Lock()


@dataclass(frozen=True)
class _Program:
    """Compiled functions, and the graph that they were compiled from."""

    graph: Graph
    log_density: Any
    expand: Any
    log_density_data: tuple[int, ...]
    expand_data: tuple[int, ...]


_programs: list[_Program] = []


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause Python's garbage collector, which takes a quarter of the time of building graphs.

    PyTensor makes millions of small objects, most of which are kept, and the collector visits them
    again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_uncollected()
def compile_density(
    model: pm.Model, kept: Sequence[str], coordinates: Sequence[Coordinate] = ()
) -> Density:
    """Compile a model's log density, or reuse functions compiled for the same structure.

    Parameters
    ----------
    model
        A model from `latentscale.build`, whose table enters as shared variables.
    kept
        Names of the variables that draws should hold.
    coordinates
        What is sampled in place of some of the model's variables.
    """
    initial = initial_point(model)
    values = [model.rvs_to_values[variable] for variable in model.free_RVs]
    shapes_of_values = [np.shape(initial[value.name]) for value in values]
    graph = graph_of(model, tuple(kept), shapes_of_values, coordinates)
    data = [variable.get_value(borrow=True) for variable in graph.inputs]
    start = np.concatenate([np.ravel(initial[value.name]) for value in values]).astype(float)
    begins = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes_of_values)])
    with _lock:
        program = next((p for p in _programs if p.graph.same_as(graph)), None)
        reused = program is not None
        if program is None:
            program = _compile(model, graph, coordinates, [start, begins], data)
            _programs.append(program)
            del _programs[:-_MOST_PROGRAMS]
    dims = {name: tuple(map(str, model.named_vars_to_dims.get(name, ()))) for name in kept}
    used = {dim for of_variable in dims.values() for dim in of_variable}
    coords = {dim: pd.Index(model.coords[dim]) for dim in used}
    shapes = {name: tuple(len(coords[dim]) for dim in dims[name]) for name in kept}
    log_density_data = [begins, *(data[i] for i in program.log_density_data)]
    expand_data = [begins, *(data[i] for i in program.expand_data)]
    program.log_density(start, *log_density_data)  # the first call compiles
    program.expand(start, *expand_data)
    return Density(
        start=start,
        shapes=shapes,
        dims=dims,
        coords=coords,
        log_density=partial(_log_density, program.log_density, log_density_data),
        expand=partial(_expand, program.expand, expand_data, shapes),
        reused=reused,
        engine="fast",
        native=partial(_native, program, log_density_data, expand_data, start),
    )


@_uncollected()
def compile_prior(model: pm.Model, names: Sequence[str]) -> LogDensity:
    """Compile the log prior density of some free variables that depend on no others.

    Parameters
    ----------
    model
        A model from `latentscale.build`.
    names
        The variables; a point is their unconstrained values, concatenated in the model's order.
    """
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace, rewrite_graph
    from pytensor.xtensor import as_xtensor

    variables = [v for v in model.free_RVs if v.name in names]
    initial = initial_point(model)
    values = [model.rvs_to_values[v] for v in variables]
    density: Any = rewrite_graph(model.logp(vars=variables), include=["canonicalize", "stabilize"])
    gradients: Any = pt.grad(density, values)
    gradient = flat_graph(gradients)
    point, begin, parts = pt.dvector("unconstrained_point"), 0, {}
    for value in values:
        shape = np.shape(initial[value.name])
        end = begin + int(np.prod(shape))
        parts[value] = as_xtensor(point[begin:end].reshape(shape), dims=value.type.dims)
        begin = end
    with model:
        outputs = clone_replace([density, gradient], parts, rebuild_strict=False)
        function, program = numba_function((point,), outputs)
    data = [variable.get_value(borrow=True) for variable in function.get_shared()]
    return partial(_log_density, program, data)


def _native(
    program: _Program,
    log_density_data: list[np.ndarray],
    expand_data: list[np.ndarray],
    start: np.ndarray,
    affine: Affine | None,
) -> Any:
    """Return both compiled functions for C (see `latentscale.engine.native`)."""
    from latentscale.engine.native import native_calls

    return native_calls(
        program.log_density, program.expand, log_density_data, expand_data, start, affine
    )


def _log_density(
    function: Any, data: list[np.ndarray], point: np.ndarray
) -> tuple[float, np.ndarray]:
    value, gradient = function(point, *data)
    return float(value), gradient


def _expand(
    function: Any, data: list[np.ndarray], shapes: dict[str, tuple[int, ...]], point: np.ndarray
) -> dict[str, np.ndarray]:
    (flat,) = function(point, *data)
    values, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + int(np.prod(shape))
        values[name] = flat[begin:end].reshape(shape)
        begin = end
    return values


def _compile(
    model: pm.Model,
    graph: Graph,
    coordinates: Sequence[Coordinate],
    where: list[np.ndarray],
    data: list[np.ndarray],
) -> _Program:
    """Return the programs of a model, read from disk if possible.

    Parameters
    ----------
    model, graph, coordinates
        What to compile.
    where, data
        A point and where its parts begin, and values of the graph's inputs; programs on disk are
        looked up by their types.
    """
    settings = (bool(model.check_bounds),)

    def read(kept: Rewritten) -> Any:
        program = read_machine_code(kept.machine_code, [*where, *(data[i] for i in kept.data)])
        return machine_code(function_graph_of(kept)) if program is None else program

    kept = read_rewritten(graph, settings)
    if kept is not None:
        log_density, expand = map(read, kept)
        return _Program(graph, log_density, expand, kept[0].data, kept[1].data)
    with model:
        functions = [
            numba_function(inputs, outputs)
            for inputs, outputs in _functions_of(model, graph, coordinates)
        ]
    place = {variable: position for position, variable in enumerate(graph.inputs)}
    places = [tuple(place[v] for v in function.get_shared()) for function, _ in functions]
    log_density, expand = (program for _, program in functions)
    codes = [place_of(program) for program in (log_density, expand)]
    keep_rewritten(graph, settings, [f.maker.fgraph for f, _ in functions], places, codes)
    return _Program(graph, log_density, expand, places[0], places[1])


def _functions_of(
    model: pm.Model, graph: Graph, coordinates: Sequence[Coordinate]
) -> list[tuple[tuple[Any, ...], list[Any]]]:
    """Return inputs and outputs of the log density with gradient, and of a point's expansion."""
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace, rewrite_graph

    # Merge first, so that a repeated expression has one gradient.
    rewrites = ["merge", "canonicalize", "stabilize"]
    if not model.check_bounds:
        rewrites.append("local_remove_check_parameter")
    log_density: Any = rewrite_graph(model.logp(), include=rewrites)
    by_name = {variable.name: variable for variable in model.unobserved_value_vars}
    expanded: Any = flat_graph([by_name[name] for name in graph.kept])
    moved, log_jacobian = moved_by(model, coordinates)
    if moved:
        log_density, expanded = clone_replace([log_density, expanded], moved)
        log_density = rewrite_graph(
            log_density + log_jacobian, include=["lower_xtensor", *rewrites]
        )
    at = {c.variable: c.point for c in coordinates}
    points = [at.get(v.name, model.rvs_to_values[v]) for v in model.free_RVs]
    gradients: Any = pt.grad(log_density, points)
    gradient = flat_graph(gradients)
    point, begins = pt.dvector("unconstrained_point"), pt.lvector("begins")
    parts = _split(point, begins, model, graph)
    parts |= {at[name]: parts[model.rvs_to_values[model[name]]] for name in at}
    return [
        ((point, begins), clone_replace(outputs, parts, rebuild_strict=False))
        for outputs in ([log_density, gradient], [expanded])
    ]


def _split(point: Any, begins: Any, model: pm.Model, graph: Graph) -> dict[Any, Any]:
    """Return each value variable's part of the point; all lengths stay symbolic."""
    from pytensor.xtensor import as_xtensor

    parts: dict[Any, Any] = {}
    for place, (variable, excess) in enumerate(zip(model.free_RVs, graph.excess, strict=True)):
        value = model.rvs_to_values[variable]
        dims = value.type.dims
        own = point[begins[place] : begins[place + 1]] if dims else point[begins[place]]
        if len(dims) > 1:
            lengths = zip(dims, excess, strict=True)
            own = own.reshape([model.dim_lengths[dim] + more for dim, more in lengths])
        parts[value] = as_xtensor(own, dims=dims)
    return parts
