"""Columns of tables by other programs: categories, and numbers that were written as text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.data.columns import number_of_cell
from latentscale.data.empty import is_empty
from latentscale.data.problems import refuse_repeated


def without_categoricals(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose categorical columns hold their values; others are unchanged."""
    kinds = {
        name: object for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)
    }
    return frame.astype(kinds) if kinds else frame.copy(deep=False)


def with_text_names(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return a table with text column names, stripped of spaces at their ends.

    Raises
    ------
    DataError
        If a name occurs twice; `what` names the table.
    """
    names = [str(name).strip() for name in frame.columns]
    refuse_repeated(names, what)
    return frame.set_axis(names, axis="columns")


def to_numbers(column: pd.Series) -> tuple[npt.NDArray[np.float64], list[int]]:
    """Read a column of numbers, some of which may be text (as in a CSV of joined exports).

    Returns
    -------
    tuple
        Numbers, NaN where empty or unread, and the positions of the cells that are neither
        empty nor a number.
    """
    values = np.full(len(column), np.nan)
    unread = []
    for row, cell in enumerate(column):
        if is_empty(cell):
            continue
        number = _number(cell)
        if number is None:
            unread.append(row)
        else:
            values[row] = number
    return values, unread


def _number(cell: object) -> float | None:
    if not isinstance(cell, str):
        return number_of_cell(cell)
    try:
        return float(cell)
    except ValueError:
        return None
