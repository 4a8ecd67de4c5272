"""Parquet files, and tables whose format is told by the file's ending."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from latentscale.data.readers.csv import read_csv
from latentscale.errors import DataError, listed

_ENDINGS: Final = (".parquet", ".pq")


def read_parquet(path: str | Path) -> pd.DataFrame:
    """Read a Parquet file into a table.

    Parameters
    ----------
    path
        The file. Reading it needs pyarrow, which the extra ``hub`` installs.

    Raises
    ------
    DataError
        If there is no such file, it is no Parquet file, or pyarrow is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. Check the path.")
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DataError(
            f"{path}: reading Parquet needs pyarrow: pip install 'latentscale[hub]'. Or save the "
            "table as CSV."
        ) from None
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a well-formed Parquet file ({error}).") from error
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()  # a table saved with its names as the index
    repeated = frame.columns[frame.columns.duplicated()].tolist()
    if repeated:
        raise DataError(f"{path}: columns named more than once: {listed(repeated)}. Keep one each.")
    return frame


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table by the file's ending: ``.parquet`` or ``.pq``, otherwise text.

    Raises
    ------
    DataError
        As `read_parquet` and `read_csv`.
    """
    return read_parquet(path) if Path(path).suffix.lower() in _ENDINGS else read_csv(path)
