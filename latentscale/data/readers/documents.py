"""Reading one JSON file; a damaged or crafted file raises a DataError that names it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from latentscale.errors import DataError
from latentscale.validate import without_repeats

_MAX_BYTES: Final = 2**28
"""256 MiB; result files have at most a few MB, and logs of all prompts are not JSON files."""
_MAX_DIGITS: Final = 300
"""An integer with more digits exceeds float64, whose largest value has 309."""
_BAD_NAME: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and halves of a surrogate pair, which no file can hold as UTF-8."""


def read_document(path: Path) -> Any:
    """Read a JSON file in UTF-8 (or UTF-16 or 32), with or without a byte order mark.

    Integers beyond float64 come back as infinite.

    Raises
    ------
    DataError
        If it is not a regular file, cannot be read, is too large, or is not JSON.
    """
    content = _content(path)
    try:
        return json.loads(content, parse_int=_integer, object_pairs_hook=without_repeats)
    except RecursionError:
        raise DataError(
            f"{path}: nested too deeply for a file of results, so damaged or something else. Take "
            "it out of the folder."
        ) from None
    except (ValueError, MemoryError) as error:
        raise DataError(
            f"{path}: not JSON ({error}). The run may have been cut off: run it again, or take "
            "the file out of the folder."
        ) from error


def checked_name(name: str, path: Path, what: str) -> str:
    """Return a name unchanged.

    Raises
    ------
    DataError
        If it holds control characters or lone surrogates, which no table can keep.
    """
    if _BAD_NAME.search(name):
        raise DataError(
            f"{path}: the name of a {what}, {name!a}, holds a control character or half a "
            "surrogate pair. Correct it in the file."
        )
    return name


def _content(path: Path) -> bytes:
    try:
        # A pipe or a device could block, or never end.
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: not a regular file. Give the file itself, or a copy of it.")
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise DataError(
                f"{path}: {size / 2**20:.0f} MiB, which is too large for a file of results "
                f"(at most {_MAX_BYTES / 2**20:.0f}). Take it out of the folder."
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _MAX_DIGITS else float(text)
