"""Read and write specs: TOML files, shipped names, JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from latentscale.declare.spec import ModelSpec
from latentscale.errors import SpecError, listed, nearest
from latentscale.files import expanded, is_stream
from latentscale.validate import without_repeats


def _spec_folder() -> Path:
    """Folder of the shipped specs: inside an installed package, or next to it in a checkout."""
    package = Path(str(files("latentscale")))
    inside = package / "model_specs"
    return inside if inside.is_dir() else package.parent / "model_specs"


def shipped_specs() -> tuple[str, ...]:
    """Return the names of the specs that come with the package, sorted.

    Returns
    -------
    tuple of str
        Names that `latentscale.load_spec` takes.

    Examples
    --------
    >>> from latentscale.declare import shipped_specs
    >>> "latentscale" in shipped_specs()
    True
    """
    return tuple(sorted(path.stem for path in _spec_folder().glob("*.toml")))


def load_spec(source: str | Path) -> ModelSpec:
    """Read a model spec.

    Parameters
    ----------
    source
        The name of a shipped spec, such as ``"latentscale"``, or the path of a TOML file.

    Returns
    -------
    ModelSpec
        The spec.

    Raises
    ------
    SpecError
        If there is no such spec, the file is not TOML, or a key or value is not allowed.

    Examples
    --------
    >>> spec = ls.load_spec("latentscale")
    >>> spec.skills.count, spec.family.level
    (2, 'partial')
    """
    if not isinstance(source, str | Path):
        raise SpecError(f"A spec is loaded by name or path; got {source!r}.")
    path = _path(source)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}.") from None
    except RecursionError:
        raise SpecError(f"{path} is not a spec: its lists are nested too deeply.") from None
    except ValueError as error:  # not TOML, not UTF-8, or an integer of thousands of digits
        raise SpecError(f"{path} is not a readable TOML file: {error}") from None
    document.setdefault("name", path.stem)
    return spec_from_dict(document)


def spec_text(source: str | Path) -> str:
    """Return the TOML file of a spec that `load_spec` reads, with its comments."""
    return _path(source).read_text(encoding="utf-8-sig")


def _path(source: str | Path) -> Path:
    """Return the file of a shipped spec or of a path."""
    if str(source) in shipped_specs():
        return _spec_folder() / f"{source}.toml"
    path = expanded(source, SpecError)
    if not (path.is_file() or is_stream(path)):
        known = shipped_specs()
        raise SpecError(
            f'"{source}" is neither a shipped spec nor a file. Shipped are {listed(known, 20)}.'
            + nearest(str(source), known)
        )
    return path


def spec_from_dict(document: Mapping[str, Any]) -> ModelSpec:
    """Build a spec from plain types, as TOML or JSON give them.

    Parameters
    ----------
    document
        Fields of a spec by name; parts are mappings themselves.

    Returns
    -------
    ModelSpec
        The spec, with defaults for fields that the document does not give.

    Raises
    ------
    SpecError
        If a key is unknown (the nearest valid key is suggested) or a value is not allowed.

    Examples
    --------
    >>> spec_from_dict({"name": "mine", "covariates": ["log_flops"]}).covariates
    ('log_flops',)
    """
    if not isinstance(document, Mapping):
        raise SpecError(f"A spec must be a table of keys and values; got {document!r}.")
    content = dict(document)
    if not all(isinstance(key, str) for key in content):
        raise SpecError(f"The keys of a spec must be text; got {listed(content)}.")
    return ModelSpec(**content)


def spec_from_json(text: str) -> ModelSpec:
    """Read a spec back from `ModelSpec.to_json`.

    Parameters
    ----------
    text
        JSON text.

    Returns
    -------
    ModelSpec
        The spec.

    Raises
    ------
    SpecError
        If the text is not JSON, or is not a spec.

    Examples
    --------
    >>> spec_from_json(ls.load_spec("latentscale").to_json()) == ls.load_spec("latentscale")
    True
    """
    try:
        document = json.loads(text, object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"A spec's JSON cannot be read: {error}") from None
    return spec_from_dict(document)
