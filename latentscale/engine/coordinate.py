"""Coordinate: what is sampled in place of a model's variable."""

from __future__ import annotations

from dataclasses import dataclass

from latentscale.maths import Named


@dataclass(frozen=True)
class Coordinate:
    """A free variable of the model as a function of what is sampled in its place.

    Attributes
    ----------
    variable
        Name of the free variable.
    point
        What is sampled, of the same type.
    value
        The variable, computed from `point` and from other variables of the model.
    log_jacobian
        Log of |det d value / d point|.
    """

    variable: str
    point: Named
    value: Named
    log_jacobian: Named
