"""Problems found in a table: collected first, then raised together, each with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from latentscale.errors import DataError, listed

MAX_LINES: Final = 20
"""Problems that one error message lists; the rest are counted by column."""

_MAX_ROWS: Final = 20
"""Rows that one problem lists: enough to recognise a table that was pasted twice."""


@dataclass(frozen=True)
class Problem:
    """A problem that prevents the use of a table.

    Parameters
    ----------
    text
        The full sentence for the reader.
    column
        Column that it is about, or an empty string.
    row
        Row position starting at 0, or -1 if it is not about one row.

    Examples
    --------
    >>> Problem('column "mmlu": no score', "mmlu").row
    -1
    """

    text: str
    column: str = ""
    row: int = -1


def shown_cell(value: object) -> str:
    """Return a cell's value as a short text for a message."""
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def at_cell(row: int, model: str, column: str, value: object, rule: str) -> Problem:
    """Return the problem of one cell: its row, model, column and value, then the rule.

    Parameters
    ----------
    row
        Position of the row, from 0.
    model, column
        Names of the model and of the column.
    value
        What the cell holds.
    rule
        What is allowed and what to do, in sentences.

    Returns
    -------
    Problem
        With the full sentence as its text.

    Examples
    --------
    >>> at_cell(3, "a-1b", "mmlu", 1.2, "Scores are fractions.").text
    'row 3 (model "a-1b"), column "mmlu": 1.2. Scores are fractions.'
    """
    named = f' (model "{model}")' if model else ""
    return Problem(f'row {row}{named}, column "{column}": {shown_cell(value)}. {rule}', column, row)


def numbered(rows: Iterable[object]) -> str:
    """Join row numbers for a message, truncating a long list."""
    places = [str(row) for row in rows]
    more = len(places) - _MAX_ROWS
    return ", ".join(places) if more <= 0 else f"{', '.join(places[:_MAX_ROWS])} and {more} more"


def at_column(column: str, text: str) -> Problem:
    """Return a problem with a whole column."""
    return Problem(f'column "{column}": {text}', column)


def at_cells(
    column: str,
    rows: Sequence[int],
    labels: Sequence[str],
    values: Sequence[object],
    rule: str,
) -> list[Problem]:
    """Return one problem per cell, for cells of one column that break the same rule.

    Parameters
    ----------
    column
        Name of the column.
    rows, labels, values
        Position, model and content of each cell, all of the same length.
    rule
        What is allowed and what to do, in sentences.

    Returns
    -------
    list of Problem
        In the order of the cells.

    Examples
    --------
    >>> [p.row for p in at_cells("mmlu", [0, 2], ["a", "b"], [1.2, 3.0], "Scores are fractions.")]
    [0, 2]
    """
    cells = zip(rows, labels, values, strict=True)
    return [at_cell(row, label, column, value, rule) for row, label, value in cells]


def refuse_repeated(names: Iterable[Hashable], what: object) -> None:
    """Refuse a table, called `what` in messages, with repeated column names.

    Raises
    ------
    DataError
        Naming these columns.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{what}: columns named more than once: {listed(repeated)}. Keep one each.")


def fail(problems: Sequence[Problem], heading: str) -> None:
    """Raise one DataError with all problems, up to `MAX_LINES`; do nothing if there are none.

    Raises
    ------
    DataError
        If `problems` is not empty.
    """
    if not problems:
        return
    count = len(problems)
    lines = [f"{heading}: {count} problem{'s' if count > 1 else ''}."]
    lines += [f"  - {problem.text}" for problem in problems[:MAX_LINES]]
    rest = Counter(problem.column or "table" for problem in problems[MAX_LINES:])
    if rest:
        by_column = ", ".join(f"{column}: {number}" for column, number in rest.most_common(8))
        lines.append(f"  - and {count - MAX_LINES} more ({by_column})")
    raise DataError("\n".join(lines))
