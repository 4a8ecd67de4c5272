"""Density: a model's unconstrained log density and gradient, compiled once for tables of any size.

Compiling a model costs far more than evaluating it. Here the table (cells, covariates, groups)
enters the compiled functions as arguments, so a model of the same structure on another table
reuses them within a process, and finds them in PyTensor's cache on disk in the next one.
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
from latentscale.engine.graphs import flat_graph, initial_point, moved_by
from latentscale.engine.linker import numba_function

# Compiled programs that a process keeps: some specs in their own and in whitened coordinates; one
# takes some 10 MB.
_MOST_PROGRAMS = 8
_lock = threading.Lock()


@dataclass(frozen=True)
class _Program:
    """Compiled functions, and the graph that they were compiled from."""

    graph: _Graph
    log_density: Any
    expand: Any
    log_density_data: tuple[int, ...]
    expand_data: tuple[int, ...]


@dataclass(frozen=True)
class _Graph:
    """What decides whether two models can share compiled functions.

    Attributes
    ----------
    signature
        The whole computation from data to random variables and what is computed from them.
    inputs
        The graph's data, in the order in which it meets them; lengths of dims at the end.
    excess
        For each free variable and axis, how much longer its unconstrained value is than its
        dim (a simplex is one shorter).
    transforms
        Names of the transforms to the unconstrained scale.
    kept
        Names of the variables that `expand` returns.
    """

    signature: tuple[Any, ...]
    inputs: list[Any]
    excess: tuple[tuple[int, ...], ...]
    transforms: tuple[str, ...]
    kept: tuple[str, ...]

    def same_as(self, other: _Graph) -> bool:
        """Return whether functions compiled for one model serve the other."""
        names = ("signature", "excess", "transforms", "kept")
        return all(getattr(self, name) == getattr(other, name) for name in names)


_programs: list[_Program] = []


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold Python's garbage collector: it takes a quarter of the time in which graphs are built.

    PyTensor makes millions of small objects, most of which live, and the collector walks them
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
    """Compile a model's log density, or reuse what was compiled for the same structure.

    Parameters
    ----------
    model
        A model from `latentscale.build`, whose table enters as shared variables.
    kept
        Names of the variables that draws should hold.
    coordinates
        What to move in place of some of the model's variables.
    """
    initial = initial_point(model)
    values = [model.rvs_to_values[variable] for variable in model.free_RVs]
    shapes_of_values = [np.shape(initial[value.name]) for value in values]
    graph = _graph_of(model, tuple(kept), shapes_of_values, coordinates)
    with _lock:
        program = next((p for p in _programs if p.graph.same_as(graph)), None)
        reused = program is not None
        if program is None:
            program = _compile(model, graph, coordinates)
            _programs.append(program)
            del _programs[:-_MOST_PROGRAMS]
    data = [variable.get_value(borrow=True) for variable in graph.inputs]
    dims = {name: tuple(map(str, model.named_vars_to_dims.get(name, ()))) for name in kept}
    used = {dim for of_variable in dims.values() for dim in of_variable}
    coords = {dim: pd.Index(model.coords[dim]) for dim in used}
    shapes = {name: tuple(len(coords[dim]) for dim in dims[name]) for name in kept}
    start = np.concatenate([np.ravel(initial[value.name]) for value in values]).astype(float)
    begins = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes_of_values)])
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
        The variables; a point is their unconstrained values, one after the other in the
        model's order.
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


def _graph_of(
    model: pm.Model,
    kept: tuple[str, ...],
    value_shapes: Sequence[tuple[int, ...]],
    coordinates: Sequence[Coordinate],
) -> _Graph:
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.traversal import graph_inputs

    observed = [model.rvs_to_values[variable] for variable in model.observed_RVs]
    outputs = [*model.free_RVs, *model.observed_RVs, *observed, *model.deterministics]
    outputs += [graph for c in coordinates for graph in (c.value, c.log_jacobian)]
    lengths = list(model.dim_lengths.values())
    met = [v for v in graph_inputs(outputs) if isinstance(v, SharedVariable)]
    inputs = [v for v in met if not any(v is length for length in lengths)] + lengths
    excess = []
    for variable, shape in zip(model.free_RVs, value_shapes, strict=True):
        whole = [int(model.dim_lengths[dim].get_value()) for dim in variable.type.dims]
        excess.append(tuple(a - b for a, b in zip(shape, whole, strict=True)))
    transforms = tuple(type(model.rvs_to_transforms[v]).__name__ for v in model.free_RVs)
    return _Graph(_signature(outputs, inputs), inputs, tuple(excess), transforms, kept)


def _signature(outputs: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return a computation as a tuple that equals that of another one with the same steps.

    PyTensor's own comparison takes no two reductions over named dims for equal.
    """
    from pytensor.graph.basic import Constant
    from pytensor.graph.traversal import toposort

    place: dict[Any, Any] = {variable: ("input", i) for i, variable in enumerate(inputs)}
    steps: list[Any] = [variable.type for variable in inputs]

    def of(variable: Any) -> Any:
        if variable in place:
            return place[variable]
        if isinstance(variable, Constant):
            data = np.asarray(variable.data) if hasattr(variable.data, "shape") else None
            value = repr(variable.data) if data is None else (data.shape, data.tobytes())
            return ("constant", variable.type, value)
        return ("free", variable.type)

    for number, node in enumerate(toposort(list(outputs))):
        steps.append((_operation(node.op), tuple(of(variable) for variable in node.inputs)))
        place.update({variable: (number, i) for i, variable in enumerate(node.outputs)})
    return (*steps, tuple(of(variable) for variable in outputs))


def _operation(op: Any) -> Any:
    if any("__eq__" in vars(kind) for kind in type(op).__mro__[:-1]):  # all but object
        return op
    slots = [name for kind in type(op).__mro__ for name in getattr(kind, "__slots__", ())]
    return (type(op), tuple((name, getattr(op, name, None)) for name in slots))


def _compile(model: pm.Model, graph: _Graph, coordinates: Sequence[Coordinate]) -> _Program:
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace, rewrite_graph

    rewrites = ["canonicalize", "stabilize"]
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
    with model:
        functions = [
            numba_function((point, begins), clone_replace(outputs, parts, rebuild_strict=False))
            for outputs in ([log_density, gradient], [expanded])
        ]
    place = {variable: position for position, variable in enumerate(graph.inputs)}
    data = [tuple(place[v] for v in function.get_shared()) for function, _ in functions]
    return _Program(graph, functions[0][1], functions[1][1], data[0], data[1])


def _split(point: Any, begins: Any, model: pm.Model, graph: _Graph) -> dict[Any, Any]:
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
