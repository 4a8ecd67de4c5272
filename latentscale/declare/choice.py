"""Choosing a record by its kind, and refusing keys that a record does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from latentscale.errors import SpecError, listed, nearest
from latentscale.registry import PLUGINS

_ELSEWHERE = (
    " A kind from another package is known once the module that registers it is imported, or "
    f"named in the environment variable {PLUGINS}."
)


def kind_of(record: type[BaseModel]) -> str:
    """Return the name of a record's kind: the default of its field ``kind``."""
    field = record.model_fields.get("kind")
    if field is None or not isinstance(field.default, str):
        raise SpecError(
            f"{record.__name__} needs a field that names its kind, such as "
            '`kind: Literal["gompertz"] = "gompertz"`.'
        )
    return field.default


@dataclass(frozen=True)
class Choice:
    """Marks a field of a record that takes one of several kinds, each a separate record class.

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
        """Return a record from a record, or from a table such as TOML gives.

        Raises
        ------
        SpecError
            If the kind is missing or unknown, or a key or value is not allowed.
        """
        if isinstance(value, BaseModel):
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


def placed(where: str, message: str) -> str:
    """Return a message on a field, preceded by the field's place."""
    joint = "" if message.startswith(("[", ":")) else " " if message.startswith("must ") else "."
    return f"{where}{joint}{message}"


def refuse_unknown_keys(
    record: type[BaseModel], section: Mapping[str, Any], where: str = ""
) -> None:
    """Refuse keys that a record, or a part given as a mapping, does not have.

    Parameters
    ----------
    record
        The type of the record.
    section
        Its fields, parts as records or as plain mappings.
    where
        Path of the section in the spec, such as ``"benchmarks.link"``.

    Raises
    ------
    SpecError
        Naming the key, what is allowed, and the nearest allowed name.
    """
    allowed = tuple(record.model_fields)
    for key, value in section.items():
        if key not in allowed:
            raise SpecError(
                f'{where + ": " if where else ""}unknown key "{key}"; allowed are '
                f"{listed(allowed, 20)}." + nearest(str(key), allowed)
            )
        taken = _records_of(record, key)
        place = f"{where}.{key}" if where else key
        several = get_origin(record.model_fields[key].annotation) is tuple
        for number, item in enumerate(value if several and isinstance(value, list) else [value]):
            if taken is not None and not isinstance(item, BaseModel | tuple):
                _refuse_in_record(taken, item, f"{place}[{number}]" if several else place)


def _refuse_in_record(taken: Choice | type[BaseModel], value: Any, where: str) -> None:
    if isinstance(taken, Choice):
        try:
            record = taken.record_of(value)
        except SpecError as error:
            raise SpecError(placed(where, str(error))) from None
        return refuse_unknown_keys(record, value, where)
    if not isinstance(value, Mapping):
        raise SpecError(f"{where} must be a table, such as [{where}]; got {value!r}.")
    return refuse_unknown_keys(taken, value, where)


def _records_of(record: type[BaseModel], key: str) -> Choice | type[BaseModel] | None:
    """Return the record that a field takes, or the kinds that it chooses from."""
    field = record.model_fields[key]
    for mark in field.metadata:
        if isinstance(mark, Choice):
            return mark
    held = get_args(field.annotation) or (field.annotation,)
    records = [kind for kind in held if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if len(records) > 1:
        return Choice({kind_of(kind): kind for kind in records}, registered=False)
    return records[0] if records else None
