"""Dates of a table: which cells are certainly dates."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from latentscale.data.columns import cells_of, distinct_cells, is_blank, missing
from latentscale.data.empty import is_empty
from latentscale.data.problems import Problem, at_cell
from latentscale.errors import listed
from latentscale.validate import is_number

MIDDLES: Final = "dates-by-middle"
"""Code of the finding of `said_of_middles`."""
_MONTHS: Final = 12
"""Months in a year: a larger number is a day."""
_YEARS: Final = range(1950, 2101)
"""Numbers that may be years of models' releases."""
_MODEL_YEARS: Final = (2015.0, 2035.0)
"""A column entirely within these can only be years: ratings spread wider."""
_FEW_YEARS: Final = 3
"""Fewer numbers than these may lie among years by chance: one player's rating is 2029."""
_FIRST_DAY: Final = 19000101
_LAST_DAY: Final = 21001231
"""Whole numbers between these may be days written as figures: no model is from another century."""
_PERIODS: Final = ("D", "B", "M", "Q-DEC", "Y-DEC", "A-DEC")
"""Frequencies of pandas' periods that are written as tables write days, months, quarters and years;
a week or a quarter of a fiscal year is not."""
_NANOSECOND_YEARS: Final = (1678, 2261)
"""First and last whole year that 64-bit nanoseconds since 1970 can represent."""


def read_dates(
    column: pd.Series, labels: Sequence[str], name: str
) -> tuple[npt.NDArray[np.datetime64], list[Problem]]:
    """Read a column of dates: text such as 2024-07-23, or date objects; NaT where empty.

    A moment in a time zone is turned into that of UTC. A year, a quarter or a month alone is its
    middle, as `said_of_middles` says. A number is a date if it is a day such as 20240723.
    """
    if is_datetime64_any_dtype(column.dtype):
        try:
            # Before pandas 3, years beyond these overflow silently.
            if column.dt.year.dropna().between(*_NANOSECOND_YEARS).all():
                moments = pd.to_datetime(column, utc=True).dt.tz_localize(None)
                return moments.to_numpy(dtype="datetime64[ns]"), []
        except (ValueError, OverflowError):  # a year that nanoseconds do not reach: find its row
            pass
    cells = cells_of(column)
    rows = np.flatnonzero(~missing(cells))
    moments_read = _as_dates(cells[rows].tolist())
    values = np.full(len(column), np.datetime64("NaT", "ns"))
    read = np.array([moment is not None for moment in moments_read], dtype=bool)
    values[rows[read]] = [moment for moment in moments_read if moment is not None]
    bad = rows[~read].tolist()
    return values, [
        at_cell(row, labels[row], name, cells[row], _date_rule(cells[row])) for row in bad
    ]


def _date_rule(cell: Any) -> str:
    rule = "Expected a date such as 2024-07-23, or an empty cell."
    if isinstance(cell, str) and _DAY_AND_MONTH.match(cell.strip()):
        return f"Which is the day and which the month? {rule}"
    if isinstance(cell, Real) and float(cell) in _YEARS:
        return f'{rule} Write a year as text, "{float(cell):g}": its middle is taken.'
    if isinstance(cell, pd.Period):
        return f"{rule} Give days instead of periods, such as column.dt.to_timestamp()."
    return rule + _beyond(cell)


def _as_dates(cells: Sequence[Any]) -> list[np.datetime64 | None]:
    """Read cells as dates, each distinct cell once; None where a cell is not a date.

    NaT for blank text.
    """
    try:
        # Equal keys of different types, such as 1 and True, are numbers: both are refused.
        known = {cell: _moment(cell) for cell in dict.fromkeys(cells)}
    except TypeError:  # a list or another cell that cannot be a key
        return [_moment(cell) for cell in cells]
    return [known[cell] for cell in cells]


def _moment(cell: Any) -> np.datetime64 | None:
    if is_blank(cell):
        return np.datetime64("NaT", "ns")
    written = _as_written(cell)
    return as_date(_middle(written) or written)


def _middle(cell: Any) -> str | None:
    written = _as_written(cell)
    return middle_of(written.strip()) if isinstance(written, str) else None


def _as_written(cell: Any) -> Any:
    """Return a day as a number (20240723) and a period of pandas as text; other cells as they are.

    A number that is not a day of the calendar gives a text that is not a date.
    """
    if isinstance(cell, pd.Period):
        return str(cell) if cell.freqstr in _PERIODS else cell
    if is_number(cell) and float(cell).is_integer() and _FIRST_DAY <= cell <= _LAST_DAY:
        return f"{float(cell):.0f}"
    return cell


def middles_of(column: pd.Series) -> dict[str, str]:
    """Return the day that is taken for each year, quarter or month alone in a column of dates."""
    written = map(_as_written, distinct_cells(column))
    texts = dict.fromkeys(cell.strip() for cell in written if isinstance(cell, str))
    middles = {text: as_date(middle_of(text)) for text in texts}
    return {text: str(day)[:10] for text, day in middles.items() if day is not None}


def said_of_middles(middles: Mapping[str, str]) -> str:
    """Return the finding on a column with periods without a day, from the days used for them."""
    shown = listed([f"{text} as {day}" for text, day in middles.items()], _MIDDLES_SAID)
    return f"years, quarters and months without a day are read as their middle: {shown}."


_MIDDLES_SAID: Final = 3
"""Number of dates read as a middle that a finding shows: enough to see the rule."""


_DAY_AND_MONTH: Final = re.compile(r"(\d{1,2})[-/. ]+(\d{1,2})[-/. ]+\d{4}(?!\d)", re.ASCII)
"""A date in digits with the year last."""
_YEAR_FIRST: Final = re.compile(r"\d{4}([-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|-\d{2})?", re.ASCII)
"""2024-07-23, with a time or not; 2024-07; 2024."""
_COMPACT: Final = re.compile(r"\d{8}(T.*)?", re.ASCII)
"""20240723, with a time or not."""
_WITH_MONTH: Final = re.compile(r"(?=.*[A-Za-z]{3})(?=.*(?<!\d)\d{4}(?!\d)).*", re.ASCII)
"""A month's name and a four-digit year."""


def shown_dates(column: pd.Series) -> str | None:
    """Return the first cell of a column whose filled cells are all dates; None for other columns.

    Numbers count as dates if all are years of language models, or days such as 20250807.

    Examples
    --------
    >>> shown_dates(pd.Series(["Aug 2025", "2025-04-16"])), shown_dates(pd.Series([1450, 2025]))
    ('Aug 2025', None)
    """
    if is_numeric_dtype(column.dtype) and column.min() < _MODEL_YEARS[0]:
        return None
    first, years, days = None, 0, 0
    for cell in cells_of(column).tolist():  # until the first that is not a date
        if is_empty(cell):
            continue
        if not _may_be_date(cell):
            return None
        first = cell if first is None else first
        years += _number(cell) < _FIRST_DAY
        days += _number(cell) >= _FIRST_DAY
    if first is None or (not days and years < _FEW_YEARS):
        return None
    return str(first).removesuffix(" 00:00:00").removesuffix(".0")


def _number(cell: Any) -> float:
    """Return a number, even if written as text; infinity for any other cell."""
    plain = is_number(cell) or (
        isinstance(cell, str) and re.fullmatch(r"\d+(\.\d+)?", cell.strip())
    )
    return float(cell) if plain else math.inf


def _may_be_date(cell: Any) -> bool:
    number = _number(cell)
    if number < math.inf:
        day = as_date(f"{number:.0f}") if number >= _FIRST_DAY else None
        return day is not None or _MODEL_YEARS[0] <= number < _MODEL_YEARS[1]
    text = figures_of_date(cell.strip() if isinstance(cell, str) else cell)
    return as_date((middle_of(text) if isinstance(text, str) else None) or text) is not None


def as_date(cell: Any) -> np.datetime64 | None:
    """Return a date, in UTC if it has a time zone; None if the cell is not certainly a date.

    pandas would read a bare number as nanoseconds since 1970, "now" and a time of day as a
    different date each time, "24-07-23" as a day in 2023, and "01/02/2024" by a country's
    convention.
    """
    if isinstance(cell, Real | Decimal):
        return None
    if isinstance(cell, str) and not _surely_a_date(cell.strip()):
        return None
    try:
        stamp = pd.Timestamp(cell)
        if stamp is pd.NaT:
            return None
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        return np.datetime64(stamp.as_unit("ns").to_datetime64())
    except (ValueError, TypeError, OverflowError):
        return None


def as_day(cell: Any) -> np.datetime64 | None:
    """Return a date as `as_date` does; also None for a year, a quarter or a month without a day.

    For dates in questions: a period's first day would differ from the middle that tables use.
    """
    return None if _middle(cell) else as_date(_as_written(cell))


def why_not_a_day(cell: Any) -> str:
    """Return a sentence on why `as_day` reads no date from a cell; empty if that is not known.

    Examples
    --------
    >>> why_not_a_day("2999-01-01")
    ' Dates lie in the years 1678 to 2261.'
    """
    middle = as_date(_middle(cell))
    if middle is None:
        return _beyond(cell)
    return (
        f" {str(cell).strip()} has no day: give one, such as its first, or its middle, "
        f"{str(middle)[:10]}, which it means as a model's release date."
    )


def _beyond(cell: Any) -> str:
    """Return a sentence on the allowed years if a cell's year is outside them."""
    found = re.search(r"(?<!\d)\d{4}", cell, re.ASCII) if isinstance(cell, str) else None
    year = int(found[0]) if found else getattr(cell, "year", None)
    first, last = _NANOSECOND_YEARS
    if not isinstance(year, int) or first <= year <= last:
        return ""
    return f" Dates lie in the years {first} to {last}."


def middle_of(text: str) -> str | None:
    """Return the middle of a year, a quarter or a month stated alone; None for other text.

    The middle of a quarter or month is the 15th of its (middle) month: "2026Q1" is 2026-02-15.
    """
    if re.fullmatch(r"\d{4}(\.0)?", text):
        return f"{text[:4]}-07-01"
    quarter = _QUARTER.fullmatch(text)
    if quarter:
        number = int(quarter["after"] or quarter["before"] or quarter["digit"])
        return f"{quarter['year'] or quarter['end']}-{3 * number - 1:02d}-15"
    month = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})月?", text)
    if month:
        return f"{month[1]}-{int(month[2]):02d}-15"
    if re.fullmatch(r"[A-Za-z]{3,9}\.?,?\s+\d{4}", text):
        return f"15 {text.replace('.', '').replace(',', '')}"
    return None


_QUARTER: Final = re.compile(
    r"(?P<year>\d{4})[- /]?Q(?P<after>[1-4])"
    r"|(?:Q(?P<before>[1-4])|(?P<digit>[1-4])Q)(?:[-/ ]|,\s*)?(?P<end>\d{4})",
    re.IGNORECASE,
)
"""Quarters with a four-digit year: "2026Q1", "2026-Q1", "Q1 2026", "1Q2026"."""


_SHORT_YEAR: Final = re.compile(r"(\d{1,2}[- ][A-Za-z]{3})[- ](\d{2})", re.ASCII)
"""A day as spreadsheets print it: "29-Oct-25"."""
_MILLISECONDS: Final = (9.4e11, 4.1e12)
"""Milliseconds since 1970 from 2000 to 2099."""
_DAY_NUMBERS: Final = range(36526, 54789)
"""Day numbers of spreadsheets (from 1899-12-30) from 2000 to 2049."""


def figures_of_date(cell: Any) -> Any:
    """Return a cell that may be a date as text if it is a whole number or "29-Oct-25".

    Eight-digit numbers are days such as 20251029, and numbers of milliseconds are the days that
    programs export so; others are returned as text unchanged.
    """
    if isinstance(cell, str):
        short = _SHORT_YEAR.fullmatch(cell.strip())
        return f"{short[1]}-20{short[2]}".replace(" ", "-") if short else cell
    if is_number(cell) and float(cell).is_integer():
        if _MILLISECONDS[0] <= cell <= _MILLISECONDS[1]:
            return str(np.datetime64(int(cell), "ms").astype("datetime64[D]"))
        return f"{float(cell):.0f}"
    return _as_written(cell)


def spreadsheet_days(cells: Sequence[Any]) -> list[str] | None:
    """Return days from the day numbers of a spreadsheet, empty cells empty.

    None if some cell is neither empty nor such a number.

    Examples
    --------
    >>> spreadsheet_days(["45959", ""])
    ['2025-10-29', '']
    """
    days: list[str] = []
    for cell in cells:
        text = "" if is_empty(cell) else str(cell).strip()
        if text and not (re.fullmatch(r"\d{5}", text, re.ASCII) and int(text) in _DAY_NUMBERS):
            return None
        since = np.datetime64("1899-12-30") + np.timedelta64(int(text or 0), "D")
        days.append(str(since) if text else "")
    return days if any(days) else None


def day_first(cells: Iterable[Any]) -> bool | None:
    """Return whether a column's dates in digits begin with the day.

    A number above 12 can only be a day, so one such cell shows the order in the others. None if no
    cell shows the order, or if two contradict each other.
    """
    shown = set()
    for cell in cells:
        figures = _DAY_AND_MONTH.match(cell.strip()) if isinstance(cell, str) else None
        if figures and (int(figures[1]) > _MONTHS) != (int(figures[2]) > _MONTHS):
            shown.add(int(figures[1]) > _MONTHS)
    return shown.pop() if len(shown) == 1 else None


def in_order(text: str, *, day_first: bool) -> str:
    """Return a date in digits with its year moved from last to first; other text unchanged."""
    figures = _DAY_AND_MONTH.match(text)
    if figures is None:
        return text
    day, month = (figures[1], figures[2]) if day_first else (figures[2], figures[1])
    rest = text[figures.end() :]
    return f"{figures[0][-4:]}-{int(month):02d}-{int(day):02d}{rest}"


def _surely_a_date(text: str) -> bool:
    figures = _DAY_AND_MONTH.match(text)
    if figures:
        first, second = int(figures[1]), int(figures[2])
        return first == second or max(first, second) > _MONTHS
    return any(form.fullmatch(text) for form in (_YEAR_FIRST, _COMPACT, _WITH_MONTH))
