"""Reading one column at a time: cells in, clean values and problems out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import (
    is_bool_dtype,
    is_complex_dtype,
    is_numeric_dtype,
)

from latentscale.data.counts import successes_of
from latentscale.data.problems import Problem, at_cell, at_column, shown_cell
from latentscale.data.scales.base import Scale
from latentscale.validate import UNSTORABLE_RULE, unstorable

Floats = npt.NDArray[np.float64]

_NUMBER: Final = "Expected a number; write the bare figure, or leave the cell empty."
_FINITE: Final = "Infinite values are not allowed; give a finite number, or leave the cell empty."


def is_missing(value: object) -> bool:
    """Return whether a cell is empty: None, NaN, NaT or NA.

    Parameters
    ----------
    value
        A cell of a table.

    Returns
    -------
    bool
        False for text, even if it is empty.

    Examples
    --------
    >>> is_missing(None), is_missing(float("nan")), is_missing("")
    (True, True, False)
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def is_blank(value: object) -> bool:
    """Return whether a cell is empty or blank text."""
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def number_of_cell(value: object) -> float | None:
    """Return a cell as a float, or None when it is not a number; truth values are not numbers."""
    if isinstance(value, bool | np.bool_):
        return None
    return _float(value) if isinstance(value, Real | Decimal) else None


def has_figures(column: pd.Series) -> bool:
    """Return whether a column has cells that begin like numbers: 0.5, "72.5%", "$3"."""
    return bool(column.dropna().astype(str).str.match(r"\s*[-+~<>$\u2212]?\s*\.?\d").any())


def cells_of(column: pd.Series) -> npt.NDArray[np.object_]:
    """Return a column's cells unchanged; for a pandas category, its labels."""
    values = column.array
    if isinstance(values, pd.Categorical):
        labels = cells_of(pd.Series(values.categories))
        return np.append(labels, [None])[values.codes]  # the code of an empty cell is -1
    return column.to_numpy(dtype=object)


def distinct_cells(column: pd.Series) -> list[Any]:
    """Return the distinct filled cells of a column; the first of those that are equal."""
    cells = cells_of(column)
    filled = cells[~missing(cells)].tolist()
    try:
        return list(dict.fromkeys(filled))
    except TypeError:  # a list or another cell that cannot be a key
        return filled


def as_objects(names: Sequence[str], index: pd.Index | None = None) -> pd.Series:
    """Return names as a column of Python strings; pandas' own text type is slow cell by cell."""
    return pd.Series(names, index=index, dtype=object)


def missing(cells: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    """Return which cells are empty, by `is_missing`."""
    return np.asarray(pd.isna(cells), dtype=bool)


def of_kind(cells: npt.NDArray[np.object_], *kinds: type) -> npt.NDArray[np.bool_]:
    """Return which cells are instances of some classes, checking each type once."""
    types = list(map(type, cells))
    wanted = {kind: issubclass(kind, kinds) for kind in set(types)}
    return np.fromiter(map(wanted.__getitem__, types), dtype=bool, count=len(types))


def _plain_numbers(column: pd.Series) -> Floats | None:
    """Return a column of a numeric type as floats, NaN where empty; None for any other type."""
    if is_bool_dtype(column.dtype) or not is_numeric_dtype(column.dtype):
        return None
    if is_complex_dtype(column.dtype):
        return None
    return column.to_numpy(dtype=float, na_value=np.nan)


def _floats(cells: npt.NDArray[np.object_]) -> Floats:
    """Return cells that are numbers as floats; one too large for a float is infinite."""
    try:
        return np.array(cells, dtype=float)
    except (OverflowError, TypeError, ValueError):  # TypeError: Decimals among NumPy's numbers
        return np.array([_float(cell) for cell in cells], dtype=float)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:
        return float("inf") if cell > 0 else float("-inf")
    except ValueError:  # a signalling NaN of the decimal module
        return float("nan")


def read_numbers(
    column: pd.Series, labels: Sequence[str], name: str
) -> tuple[Floats, list[Problem]]:
    """Read a column of numbers.

    Parameters
    ----------
    column
        Cells, one per row.
    labels
        Model name of each row, for the messages.
    name
        Column name, for the messages.

    Returns
    -------
    tuple
        Values with NaN where the cell is empty or bad, and a problem for each bad cell.
    """
    values = _plain_numbers(column)
    bad = np.zeros(len(column), dtype=bool)
    if values is None:
        cells = cells_of(column)
        number = of_kind(cells, Real, Decimal) & ~of_kind(cells, bool, np.bool_)
        values = np.full(len(column), np.nan)
        values[number] = _floats(cells[number])
        bad = ~number & ~missing(cells)
    infinite = np.isinf(values)
    problems = []
    for row in np.flatnonzero(bad | infinite).tolist():
        if bad[row]:
            problems.append(at_cell(row, labels[row], name, cells[row], _hint(cells[row])))
        else:
            problems.append(at_cell(row, labels[row], name, float(values[row]), _FINITE))
    return np.where(infinite, np.nan, values), problems


def _hint(cell: object) -> str:
    if isinstance(cell, bool | np.bool_):
        return "Expected a number, not a truth value."
    if not isinstance(cell, str):
        return f"Expected a number, not a {type(cell).__name__}."
    text = cell.strip()
    count = successes_of(text)
    if count is not None:
        return f"This is text. Write the fraction {count[0] / count[1]:.4g}, as a number."
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return "This is text. " + _NUMBER
    if text.endswith("%"):
        return f"This is text. Write the fraction {number / 100:g}, as a number."
    return "This is text, not a number: turn the column into numbers (pandas.to_numeric)."


def _counts_text(filled: npt.NDArray[np.object_]) -> str:
    count = successes_of(filled[0]) or (0, 1)
    return (
        f"holds counts of successes in all {len(filled)} filled rows (first: "
        f"{shown_cell(filled[0])}). Write fractions ({count[0] / count[1]:.4g}), or read the table "
        "with latentscale.readers.read_published, which also takes the items "
        f"({count[1]}) from such cells."
    )


def read_names(
    column: pd.Series, labels: Sequence[str], name: str
) -> tuple[list[str], list[Problem], list[str]]:
    """Read a column of names, stripping spaces at the ends and changing nothing else.

    Returns
    -------
    tuple
        Names (empty where the cell is empty or bad), problems, and the names that were stripped.
    """
    cells = cells_of(column)
    text = of_kind(cells, str)
    wrong = ~text & ~missing(cells)
    problems = []
    for row in np.flatnonzero(wrong).tolist():
        rule = "Names are text: write it as a string."
        problems.append(at_cell(row, labels[row], name, cells[row], rule))
    given = [str(cell) for cell in np.where(text, cells, "")]
    names = list(map(str.strip, given))
    cut = [whole for whole, name in zip(given, names, strict=True) if whole != name]
    if unstorable("\n".join(names)):
        rows = [row for row, text_of in enumerate(names) if unstorable(text_of)]
        for row in rows:
            problems.append(at_cell(row, "", name, names[row], UNSTORABLE_RULE))
            names[row] = ""
    return names, problems, cut


def read_switch(
    column: pd.Series, labels: Sequence[str], name: str, rule: str
) -> tuple[Floats, list[Problem]]:
    """Read a column of 0 and 1 (or False and True); NaN where the cell is empty or bad.

    `rule` says what is allowed.
    """
    values = _plain_numbers(column)
    cells: npt.NDArray[Any]
    if values is not None:
        cells, empty = values, np.isnan(values)
    else:
        cells = cells_of(column)
        empty = missing(cells)
        number = of_kind(cells, Real, Decimal, np.bool_) & ~empty
        values = np.full(len(column), np.nan)
        values[number] = _floats(cells[number])
    good = (values == 0) | (values == 1)
    rows = np.flatnonzero(~good & ~empty).tolist()
    problems = [at_cell(row, labels[row], name, cells[row], rule) for row in rows]
    return np.where(good, values, np.nan), problems


def read_score_column(
    column: pd.Series, labels: Sequence[str], name: str, scale: Scale, *, fitted: bool = False
) -> tuple[Floats, list[Problem]]:
    """Read and check one column of scores of a wide table, and return the values that `Scores` has.

    A column without a single number is reported once, as a column that is not a benchmark, unless
    it is one that was `fitted`: then its scale is known, and problems are those of single cells.
    """
    if not fitted and _plain_numbers(column) is None:
        cells = cells_of(column)
        filled = cells[~missing(cells)]
        if len(filled) > 1 and of_kind(filled, str).all():
            if all(map(successes_of, filled)):
                return np.full(len(column), np.nan), [at_column(name, _counts_text(filled))]
            text = (
                f"holds text in all {len(filled)} filled rows (first: {shown_cell(filled[0])}), "
                "but every column except the model's own is read as a benchmark. Declare it as a "
                f'feature, features=["{name}"], drop it, or turn it into numbers.'
            )
            if has_figures(pd.Series(filled)):
                text += " latentscale.readers.read_published reads cells as hubs print them."
            return np.full(len(column), np.nan), [at_column(name, text)]
    values, problems = read_numbers(column, labels, name)
    odd = scale.problems(values, range(len(values)), labels, name)
    if fitted and odd:  # the scale is settled, so each cell is at fault by itself
        every = range(len(values))
        odd = [p for r in every for p in scale.problems(values[[r]], [r], [labels[r]], name)]
    return scale.read(values), problems + odd
