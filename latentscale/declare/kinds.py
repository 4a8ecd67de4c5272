"""Registries of links, likelihoods and terms, and the field of a record that takes one of a kind.

The classes are in ``latentscale/model/links``, ``likelihoods`` and ``terms``, one per file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from latentscale.declare.choice import kind_of
from latentscale.registry import Registry

if TYPE_CHECKING:
    from latentscale.declare.likelihood import Likelihood
    from latentscale.declare.link import Link


LINKS: Registry[Link] = Registry("link", "latentscale.model.links", kind_of)
LIKELIHOODS: Registry[Likelihood] = Registry("likelihood", "latentscale.model.likelihoods", kind_of)
TERMS: Registry[Any] = Registry("term", "latentscale.model.terms", kind_of)


class SetByTables(Mapping[str, type[Any]]):
    """The terms that a spec switches on by tables ``[[terms]]``, not by separate fields."""

    def __getitem__(self, name: str) -> type[Any]:
        return self._kinds()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds())

    def __len__(self) -> int:
        return len(self._kinds())

    def _kinds(self) -> dict[str, type[Any]]:
        return {name: kind for name, kind in TERMS.items() if kind.is_set_by_table()}


def default_of(kinds: Mapping[str, type[Any]], name: str) -> Callable[[], Any]:
    """Return a maker of a kind with its default settings, looked up when it is first needed."""
    return lambda: kinds[name]()
