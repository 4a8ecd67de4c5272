"""Specs in and out: TOML files, shipped names, JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_origin

from latentscale.errors import SpecError, listed, nearest
from latentscale.spec.kinds import Choice, kind_of
from latentscale.spec.record import Record, placed
from latentscale.spec.spec import ModelSpec, prior_of


def _spec_folder() -> Path:
    """Folder of the shipped specs: inside an installed package, beside it in a checkout."""
    package = Path(str(files("latentscale")))
    inside = package / "model_specs"
    return inside if inside.is_dir() else package.parent / "model_specs"


def shipped_specs() -> tuple[str, ...]:
    """Return the names of the specs that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _spec_folder().glob("*.toml")))


def load_spec(source: str | Path) -> ModelSpec:
    """Read a model spec.

    Parameters
    ----------
    source
        The name of a shipped spec, such as ``"latentscale"``, or the path of a TOML file.

    Raises
    ------
    SpecError
        If there is no such spec, the file is not TOML, or a key or value is not allowed.
    """
    if not isinstance(source, str | Path):
        raise SpecError(f"A spec is loaded by name or path; got {source!r}.")
    path = Path(source)
    if str(source) in shipped_specs():
        path = _spec_folder() / f"{source}.toml"
    elif not path.is_file():
        known = shipped_specs()
        raise SpecError(
            f'"{source}" is neither a shipped spec nor a file. Shipped are {listed(known, 20)}.'
            + nearest(str(source), known)
        )
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} is not a readable TOML file: {error}") from None
    document.setdefault("name", path.stem)
    return spec_from_dict(document)


def spec_from_dict(document: Mapping[str, Any]) -> ModelSpec:
    """Build a spec from plain types, as TOML or JSON give them.

    Raises
    ------
    SpecError
        If a key is unknown (the nearest valid key is suggested) or a value is not allowed.
    """
    if not isinstance(document, Mapping):
        raise SpecError(f"A spec must be a table of keys and values; got {document!r}.")
    content = dict(document)
    priors = content.pop("priors", {})
    if not isinstance(priors, Mapping):
        raise SpecError(
            "priors must be a table, such as priors.slope = "
            f'{{dist = "Normal", mu = 0, sigma = 1}}; got {priors!r}.'
        )
    _refuse_unknown_keys(ModelSpec, content, "")
    content["priors"] = {name: prior_of(name, value) for name, value in priors.items()}
    return ModelSpec(**content)


def spec_from_json(text: str) -> ModelSpec:
    """Read a spec back from `ModelSpec.to_json`.

    Raises
    ------
    SpecError
        If the text is not JSON, or not that of a spec.
    """
    try:
        return spec_from_dict(json.loads(text))
    except json.JSONDecodeError as error:
        raise SpecError(f"A spec's JSON cannot be read: {error}") from None


def _refuse_unknown_keys(record: type[Record], section: Mapping[str, Any], where: str) -> None:
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
            if taken is not None and not isinstance(item, Record | tuple):
                _refuse_in_record(taken, item, f"{place}[{number}]" if several else place)


def _refuse_in_record(taken: Choice | type[Record], value: Any, where: str) -> None:
    if isinstance(taken, Choice):
        try:
            record = taken.record_of(value)
        except SpecError as error:
            raise SpecError(placed(where, str(error))) from None
        return _refuse_unknown_keys(record, value, where)
    if not isinstance(value, Mapping):
        raise SpecError(f"{where} must be a table, such as [{where}]; got {value!r}.")
    return _refuse_unknown_keys(taken, value, where)


def _records_of(record: type[Record], key: str) -> Choice | type[Record] | None:
    """Return the record that a field takes, or the kinds that it chooses from."""
    field = record.model_fields[key]
    for mark in field.metadata:
        if isinstance(mark, Choice):
            return mark
    held = get_args(field.annotation) or (field.annotation,)
    records = [kind for kind in held if isinstance(kind, type) and issubclass(kind, Record)]
    if len(records) > 1:
        return Choice({kind_of(kind): kind for kind in records}, registered=False)
    return records[0] if records else None
