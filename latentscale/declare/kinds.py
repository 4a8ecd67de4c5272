"""Registries of links, likelihoods and terms.

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
    """The terms that a spec switches on with ``[[terms]]`` tables, not with other fields."""

    def __getitem__(self, name: str) -> type[Any]:
        return self._kinds()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds())

    def __len__(self) -> int:
        return len(self._kinds())

    def _kinds(self) -> dict[str, type[Any]]:
        return {name: kind for name, kind in TERMS.items() if kind.is_set_by_table()}


def default_of(kinds: Mapping[str, type[Any]], name: str) -> Callable[[], Any]:
    """Return a function that makes a kind with its defaults, looked up when first called."""
    return lambda: kinds[name]()
