"""Graphs of a PyMC model that both engines compile: what is moved, and where it may start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm

from latentscale.engine.coordinate import Coordinate

_initial_points: WeakKeyDictionary[pm.Model, dict[str, np.ndarray]] = WeakKeyDictionary()


def initial_point(model: pm.Model) -> dict[str, np.ndarray]:
    """Return where PyMC would begin, unconstrained, by value variable.

    PyMC compiles a function for it each time; whitening asks a dozen times for one model.
    """
    if model not in _initial_points:
        _initial_points[model] = model.initial_point(random_seed=0)
    return _initial_points[model]


def moved_by(model: pm.Model, coordinates: Sequence[Coordinate]) -> tuple[dict[Any, Any], Any]:
    """Return value variables as functions of what is moved, and the log Jacobian."""
    if not coordinates:
        return {}, 0.0
    wanted = [graph for c in coordinates for graph in (c.value, c.log_jacobian)]
    replaced = model.replace_rvs_by_values(wanted)
    values = [model.rvs_to_values[model[c.variable]] for c in coordinates]
    return dict(zip(values, replaced[::2], strict=True)), sum(replaced[1::2])


def flat_graph(variables: Sequence[Any]) -> Any:
    """Return variables as one vector, one after the other."""
    import pytensor.tensor as pt

    flat = [pt.as_tensor(v, allow_xtensor_conversion=True).ravel() for v in variables]
    return pt.concatenate(flat)
