"""Parts: the ingredients from which `latentscale.model.build` made a model's equations.

Samplers' coordinates write parts of the equations again. From the same values and rows, these are
the same computations, which a graph then has only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import pymc as pm

from latentscale.model.terms.base import Rows


@dataclass(frozen=True, eq=False)
class Parts:
    """The inputs of the equations in the graph: the terms' values by name, and the models."""

    values: dict[str, Any]
    rows: Rows


_of_model: WeakKeyDictionary[pm.Model, Parts] = WeakKeyDictionary()


def keep_parts(model: pm.Model, parts: Parts) -> None:
    """Keep the parts of a model for as long as it exists."""
    _of_model[model] = parts


def parts_of(model: pm.Model) -> Parts:
    """Return the parts of a model from `build_design`, with values also by variables' names."""
    parts = _of_model[model]
    return Parts({**model.named_vars, **parts.values}, parts.rows)
