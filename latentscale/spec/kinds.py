"""Registries of links, likelihoods and terms, and the field of a record that takes one of a kind.

The classes are in ``latentscale/model/links``, ``likelihoods`` and ``terms``, one a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latentscale.errors import SpecError, listed, nearest
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


@dataclass(frozen=True)
class Choice:
    """Marks a field of a record that takes one of several kinds, each a record of its own.

    Attributes
    ----------
    kinds
        The records by the name of their kind.
    """

    kinds: Mapping[str, type[Any]]

    def __call__(self, value: Any) -> Any:
        """Return a record from one, or from a table such as TOML gives.

        Raises
        ------
        SpecError
            If the kind is missing or unknown, or a key or value is not allowed.
        """
        if isinstance(value, Record):
            if type(value) not in self.kinds.values():
                raise SpecError(
                    f"{type(value).__name__} is not one of {listed(self.kinds)}; register it first."
                )
            return value
        if not isinstance(value, Mapping):
            example = f'{{ kind = "{next(iter(self.kinds))}" }}'
            raise SpecError(f"must be a table, such as {example}; got {value!r}.")
        return self.record_of(value)(**value)

    def record_of(self, value: Mapping[str, Any]) -> type[Any]:
        """Return the record that a table names.

        Raises
        ------
        SpecError
            If the kind is missing or unknown.
        """
        kind = value.get("kind")
        if kind is None:
            every = sorted({name for record in self.kinds.values() for name in record.model_fields})
            odd = [str(key) for key in value if key not in every]
            unknown = f'unknown key "{odd[0]}"' + nearest(odd[0], every) + " " if odd else ""
            raise SpecError(f'{unknown}missing key "kind"; it is one of {listed(self.kinds)}.')
        if not isinstance(kind, str) or kind not in self.kinds:
            raise SpecError(
                f'kind must be one of {listed(self.kinds)}; got "{kind}".'
                + nearest(str(kind), self.kinds)
            )
        return self.kinds[kind]


def default_of(kinds: Mapping[str, type[Any]], name: str) -> Callable[[], Any]:
    """Return a maker of a kind with its default settings, looked up when it is first needed."""
    return lambda: kinds[name]()
