"""CSV files, as spreadsheets and leaderboards export them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from csv import Error as CsvError
from csv import reader
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from latentscale.data.empty import EMPTY_CELLS
from latentscale.data.problems import refuse_repeated
from latentscale.data.readers.decimals import with_decimal_points
from latentscale.data.readers.markdown import csv_of_markdown, is_markdown
from latentscale.data.readers.records import records_of
from latentscale.data.table_files import NAME_COLUMNS, TAB_ENDINGS, unquoted
from latentscale.errors import DataError, listed
from latentscale.files import expanded

# Before pandas 3 a number's last digit can be wrong without this setting.
_EXACT: Final[dict[str, Any]] = (
    {} if int(pd.__version__.partition(".")[0]) > 2 else {"float_precision": "round_trip"}
)
_DIGITS: Final = r"\s*[-+]?[0-9]+\s*"

_DATES: Final = "released"
"""Column whose cells stay text, so that a year alone is a date and not a number."""
_FIRST: Final = 256
"""Bytes at the beginning that tell kinds of files apart, spaces before them included."""
_OTHER_KINDS: Final = (
    (re.compile(rb"pk\x03\x04"), "an Excel workbook or a zip file. Save its table as CSV"),
    (re.compile(rb"\x1f\x8b"), "compressed. Unpack it"),
    (re.compile(rb"\\(begin|documentclass)|%.*\n\s*\\begin"), "LaTeX. Save its table as CSV"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "text in UTF-16. Save it in UTF-8"),
    (
        re.compile(rb"<(!doctype|html|\?xml|table)"),
        "a web page or XML. Save the table in it as CSV",
    ),
)
"""Files that are mistaken for tables, by their first bytes in lower case."""
_YAML_ENDINGS: Final = (".yaml", ".yml")
_PRINTED: Final = frozenset(("version", "metric", "value", "stderr"))
"""Columns of the table that every version of lm-evaluation-harness prints."""
_MARKS: Final = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
"""Column separators, in words."""
_JSON: Final = re.compile(rb'\[\s*[\[{]|\{\s*"')
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+]+:/+", re.IGNORECASE)
"""Beginning of web addresses; a path with two slashes is stored with one."""


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV file (or TSV, by its ending) into a table, changing no name.

    Unlike with a bare `pandas.read_csv`, a name such as ``None`` or ``NA`` stays a name, and
    repeated columns and rows with too many cells are refused. In columns other than names, an empty
    cell, ``NA``, ``N/A`` and ``NaN`` mean not given. An apostrophe before ``=``, ``+``, ``-`` or
    ``@`` at the beginning of a text is removed; the command line writes it to keep spreadsheets
    from evaluating the text. Columns may be separated by semicolons, then also with decimal commas.
    A file with a list of JSON records, or one record per line, is read as a table, and so is one
    with a table in Markdown.

    Parameters
    ----------
    path
        A UTF-8 file whose first line names the columns; ``~`` is expanded. A pipe is read once.

    Returns
    -------
    pandas.DataFrame
        The table in the file, as `Scores.from_frame` and forecasts take it.

    Raises
    ------
    DataError
        If the file does not exist, or is not a well-formed table.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a-1b", "a-7b"], "family": "a", "mmlu": [0.3, 0.5]})
    >>> table.to_csv("scores.csv", index=False)
    >>> ls.readers.read_csv("scores.csv").shape
    (2, 3)
    """
    return csv_of(content(path), Path(path))


def content(path: str | Path) -> bytes:
    """Return the bytes of a file or pipe, which is opened once.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        return expanded(path, DataError).read_bytes()
    except FileNotFoundError:
        if _ADDRESS.match(str(path)):
            raise DataError(
                f"{path}: this is an address, not a file. Download the table, and name the file."
            ) from None
        raise DataError(f"{path}: cannot be read: there is no such file. Check the path.") from None
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason}). Check the path.") from error


def csv_of(data: bytes, path: Path) -> pd.DataFrame:
    """Read a CSV file (or TSV, by its ending) from its bytes; see `read_csv`.

    Parameters
    ----------
    data
        The file's bytes.
    path
        Where they come from.
    """
    first = data[:_FIRST].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if _JSON.match(first):
        return _with_numbers(records_of(data, path))
    in_markdown = is_markdown(data, path)
    if in_markdown:
        data = csv_of_markdown(data, path)
    else:
        _refuse_other_kinds(first, path)
    separator = "\t" if path.suffix.lower() in TAB_ENDINGS else ","
    header = _header(data, path, separator)
    if separator == "," and len(semicolons := _header(data, path, ";")) > len(header):
        separator, header = ";", semicolons
    marks = [mark for mark in _MARKS if mark in header[0]]
    longer = {_MARKS[mark]: len(_header(data, path, mark)) for mark in marks}
    _refuse_header(header, path, separator, longer)
    empty = {name: [""] if name.strip() in NAME_COLUMNS else list(EMPTY_CELLS) for name in header}
    text = {name: str for name in header if name.strip() in (*NAME_COLUMNS, _DATES)}
    try:
        with warnings.catch_warnings():
            # Rows with too many cells would otherwise be truncated with only a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                BytesIO(data),
                sep=separator,
                encoding="utf-8-sig",
                index_col=False,
                keep_default_na=False,
                na_values=empty,
                dtype=text,
                **_EXACT,
                low_memory=False,  # else one word makes text of a part of its column, by chunks
            )
    except (pd.errors.ParserWarning, ValueError) as error:
        _refuse_title(header, data, path, separator)
        raise DataError(
            f"{path}: not a well-formed table: {error} "
            "Each row needs as many cells as there are columns; quote names that hold commas."
        ) from error
    if separator == ";" or in_markdown:
        unsure: Literal["refused", "thousands"] = "thousands" if in_markdown else "refused"
        frame = with_decimal_points(frame, path, unsure=unsure)
    return unquoted(_with_numbers(frame))


def _with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{name: _numbers_among(frame[name]) for name in _mixed(frame)})


def _refuse_other_kinds(first: bytes, path: Path) -> None:
    """Refuse a file that is not a table in text, as its ending or first bytes (lower case) show."""
    if path.suffix.lower() in _YAML_ENDINGS or first.startswith(b"---\n"):
        raise DataError(
            f"{path}: this is YAML, not a table. Read it with yaml.safe_load, make a table of its "
            "records with pandas.json_normalize, and pass that or save it as CSV."
        )
    for pattern, kind in _OTHER_KINDS:
        if pattern.match(first):
            raise DataError(f"{path}: this is {kind}.")


def _refuse_header(
    header: list[str], path: Path, separator: str, longer: Mapping[str, int]
) -> None:
    """Refuse a first line that does not name each column once, or that has other separators.

    `longer` has the number of columns that other separators within the first name would give.
    """
    split = [name for name, count in longer.items() if count > len(header)]
    if split:
        wanted = "tabs, as its ending says" if separator == "\t" else "commas"
        remedy = "Save it with" if split[0] != "tabs" else "Name it .tsv, or save it with"
        raise DataError(f"{path}: the columns are split by {split[0]}. {remedy} {wanted}.")
    names = {name.strip().casefold() for name in header}
    if names >= _PRINTED and "model" not in names:
        raise DataError(
            f"{path}: this is the table that lm-evaluation-harness prints, which does not name the "
            "model. Read the folder with its JSON files: latentscale.readers.read_harness."
        )
    empty = sum(not name.strip() for name in header)
    if empty > 1:
        raise DataError(
            f"{path}: the first line leaves {empty} of {len(header)} columns without a name. Cut "
            "lines above the one with the columns' names, and columns without one. Where names are "
            "in two lines, such as Model in the first and benchmarks below their groups in the "
            "second, write all of them in one."
        )
    refuse_repeated(header, path)


def _refuse_title(header: list[str], data: bytes, path: Path, separator: str) -> None:
    """Refuse a first line of one cell above a longer one: a title."""
    below = _header(data.partition(b"\n")[2], path, separator) if b"\n" in data.strip() else []
    if len(header) == 1 < len(below):
        raise DataError(
            f"{path}: the first line has one cell ({header[0]}) and the second {len(below)} "
            f"({listed(below, 4)}), so it seems to be a title. Cut lines above the one with the "
            "columns' names."
        )


def _mixed(frame: pd.DataFrame) -> list[str]:
    """Return text columns that hold neither names nor dates."""
    kept = (*NAME_COLUMNS, _DATES)
    return [name for name in frame if name.strip() not in kept and not _is_typed(frame[name])]


def _is_typed(column: pd.Series) -> bool:
    return is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype)


def _numbers_among(column: pd.Series) -> pd.Series:
    """Return a column of text with the cells that are numbers turned into numbers.

    A single slip turns a whole column into text, and its row could not be named.
    """
    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:  # digits beyond float64, which are infinite
        numbers = column.map(_number)
    # Before pandas 3 they come as not numbers.
    beyond = numbers.isna() & column.astype(str).str.fullmatch(_DIGITS)
    if beyond.any():
        numbers = numbers.astype(float).mask(beyond, column[beyond].astype(str).map(float))
    if not numbers.notna().any():
        return column
    return column.astype(object).where(numbers.isna(), numbers.astype(object))


def _number(cell: object) -> float:
    try:
        return float(pd.to_numeric(cell, errors="coerce"))  # type: ignore[call-overload]
    except OverflowError:
        return float(str(cell))


def _header(data: bytes, path: Path, separator: str) -> list[str]:
    try:
        stream = TextIOWrapper(BytesIO(data), encoding="utf-8-sig", newline="")
        header = next(reader(stream, delimiter=separator), [])
    except (UnicodeDecodeError, CsvError) as error:
        raise DataError(
            f'{path}: not a text table in UTF-8 ({error}). Save it in UTF-8; in Excel that is "CSV '
            'UTF-8".'
        ) from error
    if not any(name.strip() for name in header):
        raise DataError(f"{path}: the file is empty; its first line must name the columns.")
    return header
