"""Counts of successes over trials in a cell: "28/30" and "28 of 30" are 28 of 30 items."""

from __future__ import annotations

import re
from typing import Final

_COUNT: Final = re.compile(
    r"(?P<right>0|[1-9]\d{0,6})(?:\s*/\s*|\s+(?:out\s+)?of\s+)(?P<items>[1-9]\d{0,6})"
    r"(?:\s*[(\[]\s*(?P<percent>\d+(?:\.\d+)?)\s*[%\uff05]\s*[)\]])?",
    re.ASCII,
)
"""Numbers without leading zeros, which months have: "08/25"; a percentage may follow."""
_ROUNDED: Final = 0.51
"""Percentage points by which "28/30 (93%)" may differ from 93.33: rounding to whole numbers."""


def successes_of(cell: object) -> tuple[int, int] | None:
    """Return successes and trials of a cell such as "28/30" or "28/30 (93%)"; None for others.

    Also None if there are more successes than trials, or if the percentage does not match.

    Examples
    --------
    >>> successes_of("28/30"), successes_of("31/30"), successes_of("28/30 (50%)")
    ((28, 30), None, None)
    """
    match = _COUNT.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        return None
    right, items = int(match["right"]), int(match["items"])
    stated = match["percent"]
    other = stated is not None and abs(float(stated) - 100 * right / items) > _ROUNDED
    return None if right > items or other else (right, items)
