"""Specs in and out: TOML files, shipped names, JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from latentscale.errors import SpecError, listed, nearest
from latentscale.spec.kinds import Choice
from latentscale.spec.record import Record
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
        choices = _records_of(record, key)
        if choices and not isinstance(value, Record):
            _refuse_in_record(choices, value, f"{where}.{key}" if where else key)


def _refuse_in_record(choices: Sequence[type[Record]], value: Any, where: str) -> None:
    kinds = {str(c.model_fields["kind"].default): c for c in choices if "kind" in c.model_fields}
    if not isinstance(value, Mapping):
        example = f'{{ kind = "{next(iter(kinds))}" }}' if kinds else f"[{where}]"
        raise SpecError(f"{where} must be a table, such as {example}; got {value!r}.")
    if not kinds:
        return _refuse_unknown_keys(choices[0], value, where)
    if "kind" not in value:
        every = sorted({name for choice in choices for name in choice.model_fields})
        odd = [str(key) for key in value if key not in every]
        named = f'unknown key "{odd[0]}"' + nearest(odd[0], every) + " " if odd else ""
        raise SpecError(f'{where}: {named}missing key "kind"; it is one of {listed(kinds)}.')
    kind = value["kind"]
    if kind not in kinds:
        raise SpecError(
            f'{where}.kind must be one of {listed(kinds)}; got "{kind}".'
            + nearest(str(kind), kinds)
        )
    return _refuse_unknown_keys(kinds[str(kind)], value, where)


def _records_of(record: type[Record], key: str) -> list[type[Record]]:
    """Return the record types that a field takes: none, one, or the kinds that it chooses from."""
    field = record.model_fields[key]
    for mark in field.metadata:
        if isinstance(mark, Choice):
            return list(mark.kinds.values())
    found = get_args(field.annotation) or (field.annotation,)
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, Record)]
