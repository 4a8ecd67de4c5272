"""Texts that stand for an empty cell, in one place for every reader.

`EMPTY_CELLS` applies to the package's own CSV files, in columns that may hold any text: levels
such as "none" and "-" stay levels. `is_empty` applies to tables by others, in columns of numbers,
dates and flags. Not for texts that carry information, such as a licence "proprietary".
"""

from __future__ import annotations

import re
from typing import Final

from latentscale.data.columns import is_missing

EMPTY_CELLS: Final = ("", "NA", "N/A", "NaN", "nan")
"""Texts read as empty cells in the columns of a CSV file, except columns of names."""
_FIGURES: Final = (
    *("na", "n/a", "n.a.", "n.d.", "#n/a", "<na>", "nan", "nat", "none", "null", "?"),
    *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#error!"),
)
"""What exports, spreadsheets and pandas write for a missing number; in lower case."""
_WORDS: Final = (
    *("tbd", "tba", "pending", "unknown", "undisclosed", "未公布"),
    *("not tested", "not reported", "not available", "not evaluated", "not run"),
)
"""What hubs write for one."""
_DASHES: Final = re.compile(r"[-–—−]*|\.{2,}|…")
"""Nothing, or a row of dashes or dots: "-", "—", "...". """


def is_empty(cell: object) -> bool:
    """Return whether a cell is empty or holds a text that stands for an empty cell.

    Parameters
    ----------
    cell
        A cell of a table by others.

    Examples
    --------
    >>> is_empty("n/a"), is_empty(" — "), is_empty(0.0)
    (True, True, False)
    """
    if not isinstance(cell, str):
        return is_missing(cell)
    text = cell.strip().casefold()
    return text in _FIGURES or text in _WORDS or bool(_DASHES.fullmatch(text))
