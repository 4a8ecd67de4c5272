"""Writing tables to files, so that the package's own reader restores the same names.

The only place that writes CSV and Parquet for users; `latentscale.data.readers` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pandas as pd

from latentscale.errors import DataError
from latentscale.files import checked_ending, expanded, replacing

PARQUET_ENDINGS: Final = (".parquet", ".pq")
TAB_ENDINGS: Final = (".tsv", ".tab")
TABLE_ENDINGS: Final = (".csv", *TAB_ENDINGS, *PARQUET_ENDINGS, "")
"""Formats in which a table can be written; CSV if the name has no ending."""

NAME_COLUMNS: Final = ("model", "family", "lineage", "benchmark")
"""Columns in which every text of a CSV file is a name, including "NA" and "None"."""

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), with the
# full-width forms that some of them read in the same way.
_STARTS_FORMULA: Final = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_TO_QUOTE: Final = re.compile(f"'*[{_STARTS_FORMULA}]")
_QUOTED: Final = re.compile(f"'+[{_STARTS_FORMULA}]")


def write_table(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a table to a file in the format of its ending: CSV, TSV or Parquet.

    The file is replaced completely or not at all. In CSV and TSV, a name that begins with ``=``,
    ``+``, ``-``, ``@``, a tab or a line break is written with an apostrophe before it, so that a
    spreadsheet shows it as text instead of computing it; `latentscale.readers.read_csv` removes
    the apostrophe. Numbers are written unchanged.

    Parameters
    ----------
    frame
        The table; its index is not written.
    path
        ``.csv`` or no ending, ``.tsv``, ``.tab``, ``.parquet`` or ``.pq``. Parquet needs
        pyarrow.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    DataError
        If the ending is another one, pyarrow is not installed, or the file cannot be written.
    """
    path = checked_table_path(expanded(path, DataError))
    ending = path.suffix.lower()
    with replacing(path, DataError) as unfinished:
        if ending in PARQUET_ENDINGS:
            unfinished.write_bytes(_parquet(frame))
        else:
            separator = "\t" if ending in TAB_ENDINGS else ","
            quoted(frame).to_csv(unfinished, sep=separator, index=False, encoding="utf-8")
    return path


def checked_table_path(path: Path) -> Path:
    """Return the path of a table to write, after checking its ending.

    Raises
    ------
    DataError
        If the ending is unknown, or is Parquet's and pyarrow is not installed.
    """
    checked_ending(path, TABLE_ENDINGS, "a table", DataError)
    if path.suffix.lower() in PARQUET_ENDINGS:
        require_pyarrow(path, "writing")
    return path


def require_pyarrow(path: Path, doing: str) -> None:
    """Refuse Parquet where pyarrow is not installed.

    Raises
    ------
    DataError
        With the command that installs it.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DataError(
            f"{path}: {doing} Parquet needs pyarrow: pip install 'latentscale[hub]'. Or take a "
            "CSV file."
        ) from None


def quoted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an apostrophe before each text that a spreadsheet would evaluate."""
    return _with_texts(frame, _quoted)


def unquoted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table without the apostrophes that `quoted` added."""
    return _with_texts(frame, _unquoted)


def _quoted(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _TO_QUOTE.match(value) else value


def _unquoted(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and _QUOTED.match(value) else value


def _with_texts(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """Apply a change to column names and to the distinct texts of each column."""
    changed = frame.copy(deep=False)
    for place, (_, column) in enumerate(frame.items()):
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            continue
        # Names repeat in long tables, so each is checked once.
        texts = [value for value in column.unique() if isinstance(value, str)]
        new = {text: change(text) for text in texts if change(text) != text}
        if new:
            values = [new.get(v, v) if isinstance(v, str) else v for v in column]
            kind = object if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
            changed.isetitem(place, pd.Series(values, index=frame.index, dtype=kind))
    changed.columns = pd.Index([change(name) for name in frame.columns], name=frame.columns.name)
    return changed


def _parquet(frame: pd.DataFrame) -> bytes:
    stream = BytesIO()
    frame.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()
