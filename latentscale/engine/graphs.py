"""Graphs of a PyMC model that both engines compile: what is sampled, and where it may start.

This module also determines whether functions compiled for one model serve another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm

from latentscale.engine.coordinate import Coordinate

_initial_points: WeakKeyDictionary[pm.Model, dict[str, np.ndarray]] = WeakKeyDictionary()


def initial_point(model: pm.Model) -> dict[str, np.ndarray]:
    """Return PyMC's unconstrained initial point, by value variable.

    It is cached, since PyMC compiles a function each time and whitening needs the point a dozen
    times.
    """
    if model not in _initial_points:
        _initial_points[model] = model.initial_point(random_seed=0)
    return _initial_points[model]


def moved_by(model: pm.Model, coordinates: Sequence[Coordinate]) -> tuple[dict[Any, Any], Any]:
    """Return value variables as functions of what is sampled, and the log Jacobian.

    A coordinate may depend on variables that earlier coordinates replace.
    """
    from pytensor.graph import clone_replace

    if not coordinates:
        return {}, 0.0
    wanted = [graph for c in coordinates for graph in (c.value, c.log_jacobian)]
    replaced = model.replace_rvs_by_values(wanted)
    values = [model.rvs_to_values[model[c.variable]] for c in coordinates]
    moved: dict[Any, Any] = {}
    volume: Any = 0.0
    for value, function, own in zip(values, replaced[::2], replaced[1::2], strict=True):
        both = [function, own]
        if moved:
            both = clone_replace(both, moved, rebuild_strict=False)
        moved[value] = both[0]
        volume = volume + both[1]
    return moved, volume


def flat_graph(variables: Sequence[Any]) -> Any:
    """Return variables concatenated in one vector."""
    import pytensor.tensor as pt

    flat = [pt.as_tensor(v, allow_xtensor_conversion=True).ravel() for v in variables]
    return pt.concatenate(flat)


@dataclass(frozen=True)
class Graph:
    """What determines whether two models can share compiled functions.

    Attributes
    ----------
    signature
        The whole computation, from data to random variables to derived variables.
    inputs
        The graph's data, in order of first use; lengths of dims at the end.
    excess
        For each free variable and axis, the length of its unconstrained value minus that of its dim
        (-1 for a simplex).
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

    def same_as(self, other: Graph) -> bool:
        """Return whether functions compiled for one model serve the other."""
        names = ("signature", "excess", "transforms", "kept")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def graph_of(
    model: pm.Model,
    kept: tuple[str, ...],
    value_shapes: Sequence[tuple[int, ...]],
    coordinates: Sequence[Coordinate],
) -> Graph:
    """Return what determines whether functions compiled for one model serve another.

    Parameters
    ----------
    model
        A model from `latentscale.build`.
    kept
        Names of the variables that draws should hold.
    value_shapes
        Shape of every free variable's unconstrained value.
    coordinates
        What is sampled in place of some of the model's variables.
    """
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
    return Graph(_signature(outputs, inputs), inputs, tuple(excess), transforms, kept)


def _signature(outputs: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return a computation as a tuple; computations with the same steps have equal tuples.

    PyTensor's own comparison never finds two reductions over named dims equal.
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
