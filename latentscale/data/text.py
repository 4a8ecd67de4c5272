"""Text that cannot be written to a file of ours: found when a table is read, not after a fit."""

from __future__ import annotations

from typing import Final

UNSTORABLE_RULE: Final = (
    "It holds a NUL character or half of a surrogate pair, which no file of fits can hold: "
    "take it out."
)


def unstorable(text: str) -> bool:
    """Return whether a text holds a NUL (which ends strings in HDF5) or is not valid Unicode."""
    if "\0" in text:
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
