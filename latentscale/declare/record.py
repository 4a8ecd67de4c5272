"""Record: the frozen, strictly typed base of every part of a spec.

However a record is made (constructor, copy with changes, pydantic's own methods), its fields are
checked. `latentscale.declare.io` reads files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from latentscale.declare.choice import placed, refuse_unknown_keys
from latentscale.errors import SpecError
from latentscale.validate import plain


class Record(BaseModel):
    """A frozen record that refuses unknown fields and values of another type.

    Examples
    --------
    >>> isinstance(ls.load_spec("latentscale"), Record)
    True
    """

    # Fields of terms may begin with model_, which pydantic before 2.10 reserves for itself.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        protected_namespaces=(),
    )

    def __init__(self, **fields: Any) -> None:
        refuse_unknown_keys(type(self), fields)
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(explain(error)) from None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, fields: Any) -> Any:
        """Accept a list (as TOML and JSON give) as a tuple, and NumPy's scalars as Python's."""
        if not isinstance(fields, Mapping):
            return fields
        return {key: _plain(value) for key, value in fields.items()}

    def with_(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with changes, checked like a new record.

        Parameters
        ----------
        changes
            New values by field name. A dot addresses a field of a part, whose other fields stay:
            ``{"skills.count": 3}``; a name without a dot replaces the whole field. All changes
            are made at once, then checked together. A new ``kind`` (``"benchmarks.link.kind"``)
            starts from that kind's defaults.

        Returns
        -------
        Record
            The changed copy; the record itself does not change.

        Raises
        ------
        SpecError
            If a field is unknown (the nearest name is suggested) or its value is not allowed, or
            a field and a part of it are both given.

        Examples
        --------
        >>> from latentscale import load_spec
        >>> spec = load_spec("latentscale")
        >>> free = {"skills.count": 3, "skills.identify": {"kind": "free"}}
        >>> spec.with_(free).skills
        SkillSpec(count=3, identify=Free(kind='free', scales='by-skill'), residual=True,
            release=False)
        """
        _check_changes(changes)
        return type(self)(**_changed(self, changes, ""))

    def __setattr__(self, name: str, value: object) -> None:
        raise SpecError(
            f'A spec cannot be changed: make a changed copy with .with_({{"{name}": ...}}).'
        )

    def __delattr__(self, name: str) -> None:
        raise SpecError(f'A spec cannot be changed, so "{name}" cannot be deleted.')

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with `update` checked, unlike pydantic's own method; see `with_`.

        Parameters
        ----------
        update
            Values of fields by name; None for none.
        deep
            Of no effect, since every part of a record is frozen.

        Returns
        -------
        Record
            The changed copy.

        Raises
        ------
        SpecError
            If a field is unknown, or a value is not allowed.

        Examples
        --------
        >>> ls.load_spec("latentscale").model_copy(update={"name": "mine"}).name
        'mine'
        """
        if update is not None:
            _check_changes(update)
        return type(self)(**{**_fields(self), **(update or {})})

    def copy(
        self,
        *,
        include: Any = None,
        exclude: Any = None,
        update: dict[str, Any] | None = None,
        deep: bool = False,
    ) -> Self:
        """Do what `model_copy` does; pydantic's old name for it, which checked nothing.

        Parameters
        ----------
        include, exclude
            None: a record is copied whole.
        update, deep
            As for `model_copy`.

        Returns
        -------
        Record
            The changed copy.

        Raises
        ------
        SpecError
            As `model_copy`, and if `include` or `exclude` is given.

        Examples
        --------
        >>> ls.load_spec("latentscale").copy(update={"name": "mine"}).name
        'mine'
        """
        if include is not None or exclude is not None:
            raise SpecError("A record is copied whole; change fields by with_({...}).")
        return self.model_copy(update=update, deep=deep)

    @classmethod
    def model_construct(  # type: ignore[override]  # pydantic's plug-in makes fields of **values
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """Make a record as the constructor does, checking its fields, unlike pydantic's own method.

        Parameters
        ----------
        _fields_set
            Of no effect, as fields are checked.
        **values
            Values of the fields, by name.

        Returns
        -------
        Record
            The record.

        Raises
        ------
        SpecError
            If a value is not allowed.

        Examples
        --------
        >>> ls.ModelSpec.model_construct(name="mine").name
        'mine'
        """
        return cls(**values)


def explain(error: ValidationError) -> str:
    """Return what pydantic found wrong, one line per problem: where, what, and the value."""
    lines = []
    for problem in error.errors():
        where = ".".join(str(step) for step in problem["loc"])
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, SpecError):
            named = not where or str(cause).startswith(where)
            lines.append(str(cause) if named else placed(where, str(cause)))
        else:
            before = f"{where}: " if where else ""
            lines.append(f"{before}{problem['msg']}; got {problem['input']!r}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return plain(value)


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).model_fields}


def _check_changes(changes: object) -> None:
    if not isinstance(changes, Mapping) or not all(isinstance(key, str) for key in changes):
        raise SpecError(
            'Changes of a spec must be given by field name, such as {"skills.count": 3}; '
            f"got {changes!r}."
        )
    name = changes.get("name")
    if isinstance(name, str) and not name.strip():
        raise SpecError(
            f"name: {name!r} is empty, but results of several specs are identified by name."
        )


def _changed(record: Record, changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a record's fields with changes; changed parts are mappings, to be checked in place."""
    whole: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        name, dot, rest = key.partition(".")
        if dot:
            parts.setdefault(name, {})[rest] = value
        else:
            whole[name] = value
    for name in parts:
        path = f"{where}.{name}" if where else name
        if name in whole:
            raise SpecError(f'Both "{path}" and a part of it are to change; give one of the two.')
        if name not in type(record).model_fields:
            refuse_unknown_keys(type(record), {name: None}, where)
        whole[name] = _changed_part(getattr(record, name), parts[name], path)
    kept = _fields(record)
    kind = plain(whole.get("kind", kept.get("kind")))
    if not (isinstance(kind, str | None) and kind == kept.get("kind")):
        kept = {}
    return {**kept, **whole}


def _changed_part(value: Any, changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    if isinstance(value, Record):
        return _changed(value, changes, where)
    if isinstance(value, Mapping):
        deep = [key for key in changes if "." in key]
        if deep:
            whole = f"{where}.{deep[0].partition('.')[0]}"
            raise SpecError(f'"{where}.{deep[0]}" is not a field; give the whole of "{whole}".')
        return {**value, **changes}
    raise SpecError(f'"{where}" has no parts, so "{where}.{next(iter(changes))}" is not a field.')
