"""Decimal commas in tables with semicolons as separators, as European spreadsheets write them.

Also in tables in Markdown; not in those separated by commas or tabs, where a comma within a number
mostly marks thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pandas as pd

from latentscale.data.table_files import NAME_COLUMNS
from latentscale.errors import DataError

_CELL: Final = re.compile(r"[-+−~≈<>±\s%$€£*†()\[\]\d.,/–]*\d[-+−~≈<>±\s%$€£*†()\[\]\d.,/–]*")
"""A cell that holds only digits and signs."""
_DECIMAL: Final = re.compile(r"(?<![\d,])(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))(?![\d,])")
"""A number whose comma can only be a decimal one: thousands have three digits and no 0 before."""
_GROUPED: Final = re.compile(r"(?<=\d)\.(?=\d{3}(?:\D|$))(?=[\d.]*,\d)")
"""A dot between thousands of a number with a decimal comma: "1.250,5"."""
_POINT: Final = re.compile(r"(?<![\d.,])\d+\.\d+(?![\d.,])")
_SURELY_POINT: Final = re.compile(r"(?<![\d.,])(?:0\.\d+|\d+\.(?:\d{1,2}|\d{4,}))(?![\d.,])")
"""A number whose dot can only be a decimal one."""
_COMMA: Final = re.compile(r"(?<=\d),(?=\d)")


def with_decimal_points(
    frame: pd.DataFrame, path: Path, *, unsure: Literal["refused", "thousands"] = "refused"
) -> pd.DataFrame:
    """Return a table whose columns no comma separates, with decimal dots instead of commas.

    Parameters
    ----------
    frame
        The table as read, cells with a comma as text; `NAME_COLUMNS` do not change.
    path
        The file, for messages.
    unsure
        Whether commas that may be either decimal commas or thousands separators are refused, or
        left as thousands separators.

    Raises
    ------
    DataError
        If some numbers have a decimal comma and others a decimal dot, or if `unsure` commas are
        refused.
    """
    texts = {
        name: [cell if isinstance(cell, str) and _CELL.fullmatch(cell) else "" for cell in column]
        for name, column in frame.items()
        if str(name).strip() not in NAME_COLUMNS and column.dtype.kind not in "fiub"
    }
    comma = next(_where(texts, _COMMA), None)
    if comma is None:
        return frame
    if next(_where(texts, _DECIMAL), None) is None:
        if next(_where(texts, _SURELY_POINT), None) or _float_among(frame, below_1=True):
            return frame  # decimals have a dot, so commas mark thousands
        if unsure == "thousands":
            return frame
        raise DataError(
            f"{path}: {comma}: a decimal comma, or one between thousands? No number of the table "
            "says which. Write decimals with a dot, and thousands without a comma."
        )
    point = next(_where(texts, _POINT), None) or _float_among(frame)
    if point is not None:
        raise DataError(
            f"{path}: decimals have a comma ({comma}) and a dot ({point}). Write all of them with "
            "a dot, and thousands without one."
        )
    changed = {}
    for name, cells in texts.items():
        new = [_COMMA.sub(".", _GROUPED.sub("", cell)) for cell in cells]
        column = frame[name].astype(object)
        column = column.where([not cell for cell in cells], pd.Series(new, index=frame.index))
        try:
            changed[name] = pd.to_numeric(column)
        except (ValueError, TypeError):
            changed[name] = column
    return frame.assign(**changed)


def _where(texts: dict[str, list[str]], pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield the places of cells in which a pattern occurs, in words."""
    for name, cells in texts.items():
        for row, cell in enumerate(cells):
            if pattern.search(cell):
                yield f'row {row}, column "{name}": {cell.strip()}'


def _float_among(frame: pd.DataFrame, *, below_1: bool = False) -> str | None:
    """Return the place of a number with a decimal dot in a column of numbers, None if none has.

    With `below_1` only numbers below 1 count, whose dot must be a decimal one.
    """
    for name, column in frame.items():
        if column.dtype.kind == "f":
            broken = column[column.notna() & (column % 1 != 0)]
            broken = broken[broken.abs() < 1] if below_1 else broken
            if len(broken):
                return f'row {broken.index[0]}, column "{name}": {broken.iloc[0]:g}'
    return None
