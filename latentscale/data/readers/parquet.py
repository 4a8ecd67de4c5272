"""Parquet files, and tables that are Parquet or text according to their ending or first bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

import pandas as pd

from latentscale.data.problems import refuse_repeated
from latentscale.data.readers.csv import content, csv_of
from latentscale.data.table_files import PARQUET_ENDINGS, require_pyarrow
from latentscale.errors import DataError

_MAGIC: Final = b"PAR1"
"""The first four bytes of every Parquet file (Apache Parquet, "File format")."""


def read_parquet(path: str | Path) -> pd.DataFrame:
    """Read a Parquet file into a table.

    Parameters
    ----------
    path
        The file; ``~`` is expanded. Reading it needs pyarrow, which the extra ``hub`` installs.

    Returns
    -------
    pandas.DataFrame
        The table as it is in the file, unchecked.

    Raises
    ------
    DataError
        If the file does not exist, is not a Parquet file, or pyarrow is not installed.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a-1b", "a-7b"], "family": "a", "mmlu": [0.3, 0.5]})
    >>> table.to_parquet("scores.parquet")
    >>> ls.readers.read_parquet("scores.parquet").shape
    (2, 3)
    """
    return _parquet_of(content(path), Path(path))


def table_of_name(folder: Path, stem: str) -> Path | None:
    """Return the table with a name in a folder, ``STEM.csv`` before ``STEM.parquet``, if any."""
    for ending in (".csv", *PARQUET_ENDINGS):
        if (folder / f"{stem}{ending}").is_file():
            return folder / f"{stem}{ending}"
    return None


def tables_below(folder: Path, pattern: str = "*") -> list[Path]:
    """Return CSV and Parquet files in a folder and its subfolders, in alphabetical order."""
    files = [
        file
        for ending in (".csv", *PARQUET_ENDINGS)
        for file in folder.rglob(f"{pattern}{ending}", case_sensitive=False)
    ]
    return sorted(file for file in files if not is_hidden(file))


def is_hidden(file: Path) -> bool:
    """Return whether a file's name begins with a dot, like the copies that macOS writes."""
    return file.name.startswith(".")


def _parquet_of(data: bytes, path: Path) -> pd.DataFrame:
    require_pyarrow(path, "reading")
    try:
        frame = pd.read_parquet(BytesIO(data), engine="pyarrow")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a well-formed Parquet file ({error}).") from error
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()  # a table saved with its names as the index
    refuse_repeated(frame.columns, path)
    return frame


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table: Parquet by its ending or its first bytes, otherwise text.

    Parameters
    ----------
    path
        A file, or a pipe, which is read once.

    Returns
    -------
    pandas.DataFrame
        The table as it is in the file, unchecked.

    Raises
    ------
    DataError
        As `read_parquet` and `read_csv`.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a-1b", "a-7b"], "family": "a", "mmlu": [0.3, 0.5]})
    >>> table.to_csv("scores.csv", index=False)
    >>> ls.readers.read_table("scores.csv").shape
    (2, 3)
    """
    return table_of(content(path), Path(path))


def table_of(data: bytes, path: Path) -> pd.DataFrame:
    """Read a table from its bytes, as `read_table` does.

    Parameters
    ----------
    data
        The file's bytes.
    path
        Where they come from.
    """
    if path.suffix.lower() in PARQUET_ENDINGS or data.startswith(_MAGIC):
        return _parquet_of(data, path)
    return csv_of(data, path)
