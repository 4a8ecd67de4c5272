"""Registries of links, likelihoods and terms, and the field of a record that takes one of a kind.

The classes are in ``latentscale/model/links``, ``likelihoods`` and ``terms``, one a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latentscale.errors import SpecError, listed, nearest
from latentscale.registry import PLUGINS, Registry
from latentscale.spec.record import Record, placed

if TYPE_CHECKING:
    from latentscale.spec.likelihood import Likelihood
    from latentscale.spec.link import Link


_ELSEWHERE = (
    " A kind of another package is known once the module that registers it is imported, or "
    f"named by the environment variable {PLUGINS}."
)


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
TERMS: Registry[Any] = Registry("term", "latentscale.model.terms", kind_of)


class SetByTables(Mapping[str, type[Any]]):
    """The terms that a spec switches on by tables ``[[terms]]``, not by fields of their own."""

    def __getitem__(self, name: str) -> type[Any]:
        return self._kinds()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds())

    def __len__(self) -> int:
        return len(self._kinds())

    def _kinds(self) -> dict[str, type[Any]]:
        return {name: kind for name, kind in TERMS.items() if kind.is_set_by_table()}


@dataclass(frozen=True)
class Choice:
    """Marks a field of a record that takes one of several kinds, each a record of its own.

    Attributes
    ----------
    kinds
        The records by the name of their kind.
    registered
        Whether other packages can add to them.
    """

    kinds: Mapping[str, type[Any]]
    registered: bool = True

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
        return self.record_of(value)(**value)

    def each(self, values: Any) -> Any:
        """Return records from a sequence of them or of tables, each of another kind.

        Raises
        ------
        SpecError
            If one is not allowed, naming its place, or a kind comes twice.
        """
        if not isinstance(values, list | tuple):
            raise SpecError(f"must be a list of tables; got {values!r}.")
        records: list[Any] = []
        for place, value in enumerate(values):
            try:
                record = self(value)
            except SpecError as error:
                raise SpecError(placed(f"[{place}]", str(error))) from None
            if any(record.kind == other.kind for other in records):
                raise SpecError(f'[{place}].kind "{record.kind}" comes twice; give it once.')
            records.append(record)
        return tuple(records)

    def record_of(self, value: Any) -> type[Any]:
        """Return the record that a table names.

        Raises
        ------
        SpecError
            If it is not a table, or its kind is missing or unknown.
        """
        if not isinstance(value, Mapping):
            example = f'{{ kind = "{next(iter(self.kinds), "...")}" }}'
            raise SpecError(f"must be a table, such as {example}; got {value!r}.")
        kind = value.get("kind")
        if kind is None:
            every = sorted({name for record in self.kinds.values() for name in record.model_fields})
            odd = [str(key) for key in value if key not in every]
            unknown = f'unknown key "{odd[0]}"' + nearest(odd[0], every) + " " if odd else ""
            raise SpecError(f': {unknown}missing key "kind"; it is {self._allowed}.')
        if not isinstance(kind, str) or kind not in self.kinds:
            raise SpecError(
                f'kind must be {self._allowed}; got "{kind}".'
                + nearest(str(kind), self.kinds)
                + (_ELSEWHERE if self.registered else "")
            )
        return self.kinds[kind]

    @property
    def _allowed(self) -> str:
        return f"one of {listed(self.kinds, 30)}" if self.kinds else "registered (none is)"


def default_of(kinds: Mapping[str, type[Any]], name: str) -> Callable[[], Any]:
    """Return a maker of a kind with its default settings, looked up when it is first needed."""
    return lambda: kinds[name]()
