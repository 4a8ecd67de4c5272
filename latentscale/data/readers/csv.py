"""CSV files, as spreadsheets and leaderboards export them."""

from __future__ import annotations

import warnings
from csv import Error as CsvError
from csv import reader
from pathlib import Path
from typing import Final

import pandas as pd

from latentscale.errors import DataError, listed

_NAME_COLUMNS: Final = ("model", "family", "lineage", "benchmark")
_EMPTY: Final = ("", "NA", "N/A", "NaN", "nan")


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV file (or TSV, by its ending) into a table, changing no name.

    Unlike a bare `pandas.read_csv`, a name such as ``None`` or ``NA`` stays a name, and a repeated
    column or a row with too many cells is refused. In every column that holds no names, an empty
    cell, ``NA``, ``N/A`` and ``NaN`` mean: not given.

    Parameters
    ----------
    path
        A UTF-8 file whose first line names the columns.

    Returns
    -------
    pandas.DataFrame
        As in the file; what `Scores.from_frame` and forecasts take.

    Raises
    ------
    DataError
        If there is no such file, or it is not a well-formed table.
    """
    path = Path(path)
    separator = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    header = _header(path, separator)
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: columns named more than once: {listed(repeated)}. Keep one each.")
    if len(header) == 1 and ";" in header[0]:
        raise DataError(f"{path}: the columns are split by semicolons. Save it with commas.")
    empty = {name: [""] if name.strip() in _NAME_COLUMNS else list(_EMPTY) for name in header}
    text = {name: str for name in header if name.strip() in _NAME_COLUMNS}
    try:
        with warnings.catch_warnings():
            # Rows with too many cells would otherwise be cut, with no more than a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                sep=separator,
                encoding="utf-8-sig",
                index_col=False,
                keep_default_na=False,
                na_values=empty,
                dtype=text,
            )
    except (pd.errors.ParserWarning, ValueError) as error:
        raise DataError(
            f"{path}: not a well-formed table: {error} "
            "Each row needs as many cells as there are columns; quote names that hold commas."
        ) from error


def _header(path: Path, separator: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = next(reader(stream, delimiter=separator), [])
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason}). Check the path.") from error
    except (UnicodeDecodeError, CsvError) as error:
        raise DataError(f"{path}: not a text table in UTF-8 ({error}). Save it so.") from error
    if not any(name.strip() for name in header):
        raise DataError(f"{path}: the file is empty; its first line must name the columns.")
    return header
