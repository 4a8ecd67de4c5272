"""Registries of links, likelihoods and terms, and the field of a record that takes one of a kind.

The classes are in ``latentscale/model/links``, ``likelihoods`` and ``terms``, one a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from latentscale.errors import SpecError
from latentscale.registry import Registry
from latentscale.spec.record import Record

if TYPE_CHECKING:
    from latentscale.spec.likelihood import Likelihood
    from latentscale.spec.link import Link


def kind_of(record: type[Record]) -> str:
    """Return the name of a record's kind: the default of its field ``kind``."""
    field = record.model_fields.get("kind")
    if field is None or not isinstance(field.default, str):
        raise SpecError(
            f"{record.__name__} needs a field that names its kind, such as "
            '`kind: Literal["gompertz"] = "gompertz"`.'
        )
    return field.default


LINKS: Registry[Link] = Registry("link", "latentscale.model.links", kind_of)
LIKELIHOODS: Registry[Likelihood] = Registry("likelihood", "latentscale.model.likelihoods", kind_of)
TERMS: Registry[Any] = Registry("term", "latentscale.model.terms", lambda term: str(term.name))


def default_of(kinds: Mapping[str, type[Any]], name: str) -> Callable[[], Any]:
    """Return a maker of a kind with its default settings, looked up when it is first needed."""
    return lambda: kinds[name]()
