"""Declarations of features as short texts and files, for the command line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from latentscale.data.features.base import AS_LEVEL, ESTIMATED, FEATURES, Feature
from latentscale.data.features.category import CODINGS
from latentscale.data.features.numeric import TRANSFORMS
from latentscale.errors import DataError, SpecError, listed
from latentscale.files import expanded
from latentscale.validate import without_repeats

_MISSING: Final = (AS_LEVEL, ESTIMATED)
_FORMS: Final = (
    '"released", "context_k:log", "tier:mini<flash<pro", "provider:reference", "lab:category"'
)


def feature_of_text(text: str) -> Feature:
    """Read a declaration such as ``context_k:log``.

    Parameters
    ----------
    text
        The column, alone or with a colon and settings with commas between them: a kind, a
        transform, a coding, ``level`` (empty cells are a level of their own), ``estimated`` (each
        is a parameter), levels in order with ``<`` between them, or ``unit=...``.

    Raises
    ------
    SpecError
        If a setting is not known, or not allowed.
    """
    name, _, rest = text.partition(":")
    settings: dict[str, Any] = {}
    for word in (piece.strip() for piece in rest.split(",") if piece.strip()):
        if "<" in word:
            settings["levels"] = tuple(level.strip() for level in word.split("<"))
            settings.setdefault("kind", "ordered")
        elif word.startswith("unit="):
            settings["unit"] = word.removeprefix("unit=")
        elif word in TRANSFORMS:
            settings["transform"] = word
        elif word in CODINGS:
            settings["coding"] = word
        elif word in _MISSING:
            settings["missing"] = word
        elif word in FEATURES:
            settings["kind"] = word
        else:
            known = [*FEATURES, *TRANSFORMS, *CODINGS, *_MISSING]
            raise SpecError(
                f'Feature "{text}": "{word}" is not known; allowed are {listed(known, 20)}, '
                f"levels in order with < between them, and unit=... Examples: {_FORMS}."
            )
    return Feature(name.strip(), **settings)


def features_of_file(path: str | Path) -> tuple[Feature, ...]:
    """Read declarations from a TOML file with tables ``[[features]]``, or a JSON list of them.

    Raises
    ------
    DataError
        If the file cannot be read.
    SpecError
        If a declaration is not allowed.
    """
    document = declared_document(path)
    tables = document.get("features") if isinstance(document, dict) else document
    if not isinstance(tables, list):
        raise DataError(f"{path}: expected tables [[features]], each with a name.")
    return tuple(Feature.from_dict(table) for table in tables)


def declared_document(path: str | Path) -> Any:
    """Read a file of declarations: JSON if its name ends in ``.json``, else TOML; in UTF-8.

    Raises
    ------
    DataError
        If the file cannot be read, is not TOML or JSON, or repeats a key.
    """
    place = expanded(path, DataError)
    text = ""
    try:
        text = place.read_text(encoding="utf-8-sig")
        if place.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=without_repeats)
        return tomllib.loads(text)
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        form = "JSON" if place.suffix.lower() == ".json" else "TOML"
        quotes = _without_quotes(text) if form == "TOML" else ""
        raise DataError(f"{place} is not a readable {form} file: {error}.{quotes}") from None


def _without_quotes(text: str) -> str:
    """Return how to write the first heading of a TOML table that needs quotes but has none."""
    for line in text.splitlines():
        heading = _HEADING.fullmatch(line.strip())
        if heading and not _BARE.fullmatch(heading[1]):
            return f' A name with spaces or brackets has quotes: ["{heading[1]}"].'
    return ""


_HEADING = re.compile(r"\[([^\[\]\"']+)\]")
_BARE = re.compile(r"[\w.-]+", re.ASCII)
"""Headings of TOML tables, and what they may hold without quotes."""


def stated_features(texts: Sequence[str] | None, path: Path | None) -> list[Feature]:
    """Return the declarations given on a command line and in its file."""
    of_file = () if path is None else features_of_file(path)
    return [*of_file, *(feature_of_text(text) for text in texts or ())]
