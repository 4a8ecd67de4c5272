"""Tables in Markdown, as model cards and read-me files have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from csv import writer
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final

from latentscale.errors import DataError
from latentscale.expect import shown
from latentscale.markup import counted

_ENDINGS: Final = (".md", ".markdown")
_BETWEEN: Final = re.compile(r"(?<!\\)\|")
"""A bar between cells; one within a cell has a backslash."""
_RULE: Final = re.compile(r":?-+:?")
"""Cell of the line below the headings."""


def is_markdown(data: bytes, path: Path) -> bool:
    """Return whether a file is in Markdown: it begins with a table, or has the ending.

    One that begins as YAML, such as a card without a table, is not.
    """
    text = data.decode("utf-8-sig", errors="replace").lstrip()
    if text.startswith("|"):
        return True
    ended = path.suffix.lower() in _ENDINGS
    return ended and (not text.startswith("---\n") or bool(_tables(_numbered(text))))


def csv_of_markdown(data: bytes, path: Path) -> bytes:
    r"""Return the table of a file in Markdown as a CSV file.

    Text above and below the table is left out.

    Parameters
    ----------
    data
        The file's bytes: a line of headings, one of dashes, and the rows, with bars around cells.
    path
        Where they come from.

    Raises
    ------
    DataError
        If there are several tables, or a line among the rows is not one.

    Examples
    --------
    >>> csv_of_markdown(b"| model | quiz |\n|---|:-:|\n| a-1 | 0.5 |", Path("a.md"))
    b'model,quiz\r\na-1,0.5\r\n'
    """
    try:
        lines = _numbered(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a text table in UTF-8 ({error}). Save it in UTF-8."
        ) from error
    starts = _tables(lines)
    if not starts:
        raise DataError(
            f"{path}: a table in Markdown needs a line such as |---|---| below its headings. Add "
            "it, or save the table as CSV."
        )
    if len(starts) > 1:
        *most, last = [str(lines[start][0]) for start in starts]
        places = f"{', '.join(most)} and {last}"
        raise DataError(
            f"{path}: {len(starts)} tables, whose headings are on lines {places}. Keep the "
            "one with scores, in a file of its own."
        )
    rows = _rows(lines, starts[0], path)
    width = len(rows[0][1])
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


def _numbered(text: str) -> list[tuple[int, str]]:
    """Return the lines that are not empty, with their numbers."""
    lines = enumerate(text.splitlines(), 1)
    return [(place, line.strip()) for place, line in lines if line.strip()]


def _tables(lines: Sequence[tuple[int, str]]) -> list[int]:
    """Return the places of headings: rows above a row of dashes."""
    cells = [_cells(line) for _, line in lines]
    below = pairwise(cells)
    return [
        place
        for place, (heading, rule) in enumerate(below)
        if heading and rule and all(_RULE.fullmatch(cell) for cell in rule)
    ]


def _rows(lines: Sequence[tuple[int, str]], start: int, path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of the table that begins at a line, with their numbers."""
    cells = [_cells(line) for _, line in lines]
    last = max(place for place, row in enumerate(cells) if row)
    for place in range(start, last + 1):
        if not cells[place]:
            raise DataError(
                f"{path}: line {lines[place][0]} is not a row of the table: "
                f"{shown(lines[place][1])}. Take out text between rows."
            )
    return [(lines[place][0], cells[place]) for place in range(start, last + 1)]


def _cells(line: str) -> list[str]:
    """Return the cells of a row; none of a line of text."""
    bare = line.removeprefix("|").removesuffix("|")
    if bare == line:
        return []
    return [cell.strip().replace("\\|", "|") for cell in _BETWEEN.split(bare)]
