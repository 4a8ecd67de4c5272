"""The priors that a spec gives: read from tables, and immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any

from latentscale.declare.prior import Prior
from latentscale.errors import SpecError, listed, nearest


class Priors(dict[str, Prior]):
    """Priors by parameter name, in a dict that cannot be changed."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("A spec's priors cannot be changed; use spec.with_priors({...}).")

    __setitem__ = __delitem__ = __ior__ = __setattr__ = __delattr__ = _refuse
    update = pop = popitem = setdefault = clear = _refuse

    def __reduce__(self) -> tuple[type[Priors], tuple[dict[str, Prior]]]:
        return Priors, (dict(self),)


def prior_of(name: str, value: Any) -> Prior:
    """Read the prior of a parameter, given as a `Prior` or as a table from TOML.

    Raises
    ------
    SpecError
        Naming the parameter, if the distribution or a hyperparameter is not allowed.
    """
    if isinstance(value, Prior):
        return value
    if not isinstance(value, Mapping) or "dist" not in value:
        raise SpecError(
            f'priors.{name} must be like {{dist = "Normal", mu = 0, sigma = 1}}; got {value!r}.'
        )
    allowed = tuple(field.name for field in dataclass_fields(Prior))
    for key in value:
        if key not in allowed:
            raise SpecError(
                f'priors.{name}: unknown key "{key}"; allowed are {listed(allowed, 20)}.'
                + nearest(str(key), allowed)
            )
    try:
        return Prior(**value)
    except SpecError as error:
        raise SpecError(f"priors.{name}: {error}") from None
