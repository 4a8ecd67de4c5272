"""Tables in Markdown, as model cards and read-me files have them."""

from __future__ import annotations

import re
from csv import writer
from io import StringIO
from pathlib import Path
from typing import Final

from latentscale.errors import DataError
from latentscale.expect import shown
from latentscale.markup import counted

BAR: Final = b"|"
"""First byte of a table in Markdown; a table with columns split by bars begins with a name."""
_BETWEEN: Final = re.compile(r"(?<!\\)\|")
"""A bar between cells; one within a cell has a backslash."""
_RULE: Final = re.compile(r":?-+:?")
"""Cell of the line below the headings."""


def csv_of_markdown(data: bytes, path: Path) -> bytes:
    r"""Return a table in Markdown as a CSV file.

    Parameters
    ----------
    data
        The file's bytes: a line of headings, one of dashes, and the rows, with bars around cells.
    path
        Where they come from.

    Raises
    ------
    DataError
        If a line is not a row of the table.

    Examples
    --------
    >>> csv_of_markdown(b"| model | quiz |\n|---|:-:|\n| a-1 | 0.5 |", Path("a.md"))
    b'model,quiz\r\na-1,0.5\r\n'
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a text table in UTF-8 ({error}). Save it in UTF-8."
        ) from error
    numbered = [(place, line.strip()) for place, line in enumerate(lines, 1) if line.strip()]
    rows = [(place, _cells(place, line, path)) for place, line in numbered]
    width = len(rows[0][1])
    if len(rows) < 2 or not all(_RULE.fullmatch(cell) for cell in rows[1][1]):
        raise DataError(
            f"{path}: a table in Markdown needs a line such as |---|---| below its headings. Add "
            "it, or save the table as CSV."
        )
    for place, cells in rows:
        if len(cells) != width:
            raise DataError(
                f"{path}: line {place} has {counted(len(cells), 'cell')}, and the headings have "
                f"{width}. Each row needs as many cells as there are columns; write a bar within a "
                "cell as \\|."
            )
    text = StringIO()
    writer(text).writerows(cells for _, cells in [rows[0], *rows[2:]])
    return text.getvalue().encode()


def _cells(place: int, line: str, path: Path) -> list[str]:
    """Return the cells of a row."""
    bare = line.removeprefix("|").removesuffix("|")
    if bare == line:
        raise DataError(
            f"{path}: line {place} is not a row of the table: {shown(line)}. Keep one table and no "
            "other text in the file."
        )
    return [cell.strip().replace("\\|", "|") for cell in _BETWEEN.split(bare)]
