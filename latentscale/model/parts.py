"""Parts: what `latentscale.model.build` made the equations of a PyMC model of.

Coordinates of samplers write parts of the equations once more. From the same values and rows they
are the same computations, which a graph then holds once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import pymc as pm

from latentscale.model.terms.base import Rows


@dataclass(frozen=True, eq=False)
class Parts:
    """What equations take: the terms' values by name, and the models, in the graph."""

    values: dict[str, Any]
    rows: Rows


_of_model: WeakKeyDictionary[pm.Model, Parts] = WeakKeyDictionary()


def keep_parts(model: pm.Model, parts: Parts) -> None:
    """Note what a model was made of, for as long as it lives."""
    _of_model[model] = parts


def parts_of(model: pm.Model) -> Parts:
    """Return what a model from `build_design` was made of; values by the names of variables too."""
    parts = _of_model[model]
    return Parts({**model.named_vars, **parts.values}, parts.rows)
