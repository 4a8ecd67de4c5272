"""Cells as hubs print them: "45.3%", "$5,478", "78.2 ± 1.1", "72B", "128k", "Proprietary"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from html import unescape
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.data.columns import number_of_cell
from latentscale.data.counts import successes_of
from latentscale.data.dates import (
    MIDDLES,
    as_date,
    day_first,
    figures_of_date,
    in_order,
    middle_of,
    said_of_middles,
    spreadsheet_days,
)
from latentscale.data.empty import is_empty
from latentscale.data.readers.published.latex import without_latex
from latentscale.markup import counted

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NORMAL_95: Final = 1.96
"""Half width of a normal distribution's central 95% in standard deviations."""
_SPACES: Final = " \u00a0\u2009\u202f'\u2019"
"""What parts thousands beside commas: spaces of several widths, and apostrophes in Switzerland."""
_PLAIN: Final = (
    rf"(?:[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d+)?|[1-9]\d{{0,2}}(?:[{_SPACES}]\d{{3}})+(?!\d)(?:\.\d+)?"
    r"|\d+(?:\.\d+)?|\.\d+)"
)
"""Commas, spaces or apostrophes part thousands; "0,812" has a decimal comma and is not read."""
_COMMA: Final = re.compile(r"-?(?:0,\d+|\d+,\d{1,2})\s*[%\uff05]?")
"""Numbers with a decimal comma: "0,812", "81,2"."""
_NUMBER: Final = rf"[-\u2212]?{_PLAIN}"
"""The second sign is the minus of typesetting."""
_SIGN: Final = r"[%\uff05]"  # the second is the full-width one of Chinese tables
_CELL: Final = re.compile(
    rf"(?P<minus>[-\u2212](?=[$€£]))?(?P<money>[$€£])?\s*(?P<number>{_NUMBER})\s*(?P<percent>{_SIGN})?"
    rf"\s*(?P<width>[(\[]?\s*(?:±|\+/-|\+-|\$?\\pm\$?|\+|\[|\(|[-–−](?=[^+]+[/,;]\s*\+)).+?)?\s*[*†‡^]*"
)
_NOTE: Final = re.compile(
    rf"(?<={_SIGN})\s*\[\w{{1,2}}\]$|(?<=[\d%\uff05])\s*(?:\[[a-z]\]|\([a-z]\)|\^[a-z])$"
    r"|(?<=[\d%\uff05)\]])\s*[*†‡§¶#^¹²³⁴-⁹]+$",
    re.IGNORECASE,
)
"""Marks of footnotes; "45 [1]" without a percent sign may be an interval that was cut off, but not
"45 [a]"."""
_HOW: Final = (
    r"(?:acc(?:uracy)?|f1|em|exact match|anls|bleu|rouge-?l?|(?:pass|maj|avg|cons) ?@ ?\d+"
    r"|(?:zero|few|\d{1,2})[- ]?shot|cot|greedy|strict|loose|(?:no|with|w/|w/o|without) tools)"
)
_SETTING: Final = re.compile(
    rf"(?<=[\d%\uff05])\s*\((?P<how>{_HOW}(?:[\s,;+/]+{_HOW})*)\)$", re.IGNORECASE
)
"""Metrics and prompts in brackets after a score: "95.1 (accuracy)", "81.2% (5-shot CoT)"."""
_PLUS_MINUS: Final = re.compile(
    rf"[(\[]?\s*(?:\+\s*(?P<up>{_NUMBER})\s*{_SIGN}?\s*[/,]?\s*[-–−]\s*(?P<down>{_PLAIN})"
    rf"|(?:±|\+/-|\+-|\$?\\pm\$?)\s*(?P<both>{_NUMBER}))\s*{_SIGN}?\s*[)\]]?"
)
"""Half widths: "+7/-8", "±7"."""
_MINUS_PLUS: Final = re.compile(
    rf"[(\[]?\s*[-–−]\s*(?P<down>{_PLAIN})\s*{_SIGN}?\s*[/,;]?\s*\+\s*(?P<up>{_PLAIN})\s*{_SIGN}?"
    r"\s*[)\]]?"
)
"""The lower one first: "-8/+7", "(-1.2, +1.3)"."""
_MOST: Final = (1.0, 100.0)
"""The most that fractions and percentages can be."""
_NOISE: Final = 1e-12
"""Relative; sums of doubles leave 1.0000000000000002, which would make percentages of fractions."""
_ENDS: Final = re.compile(
    rf"[(\[]?\s*(?P<low>{_NUMBER})\s*{_SIGN}?\s*(?:,\s|,(?=\S)|;|to|[-–−~〜])\s*(?P<high>{_NUMBER})"
    rf"\s*{_SIGN}?\s*[)\]]?"
)
"""Ends of an interval: "[38, 42]", "38-42", "38 ~ 42"."""
_AMOUNT: Final = re.compile(
    rf"(?P<number>{_NUMBER})(?![.,]?\d)\s*(?P<unit>[a-z]*).*", re.IGNORECASE
)
"""A number and what follows; "7,5B" has a decimal comma, and is not read as 7."""
_UNITS: Final = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_UNITS_BY_WORD: Final = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
"""What letters and words after a number multiply it by."""
_DURATION: Final = re.compile(
    rf"(?=.)(?:(?P<hours>{_PLAIN})\s*(?:h|hrs?|hours?)(?![a-z])[\s,]*)?"
    rf"(?:(?P<minutes>{_PLAIN})\s*(?:mins?|minutes?|(?(hours)(?:m|(?<=\d\d)(?!\s*\w))|(?!)))"
    rf"(?![a-z])[\s,]*)?(?:(?P<seconds>{_PLAIN})\s*(?:secs?|seconds?|s)\b)?",
    re.IGNORECASE,
)
"""Durations: "2 hr 17 min", "1h30m", "4h49", "35 minutes", "12 sec"."""
_BRACKETS: Final = re.compile(r"(?P<whole>[^()\[\]]+)[(\[](?P<ends>[^()\[\]]+)[)\]]")
_FIGURE: Final = re.compile(
    rf"[$€£]?\s*(?P<number>{_NUMBER})\s*(?P<unit>[kmbt]?|millions?|billions?|trillions?)"
    rf"\s*{_SIGN}?",
    re.IGNORECASE,
)
_YES: Final = frozenset(("1", "1.0", "true", "t", "yes", "y", "✓", "✔", "✅", "是"))
_NO: Final = frozenset(("0", "0.0", "false", "f", "no", "n", "✗", "✘", "❌", "否"))


class ScoreCells(NamedTuple):
    """Scores of a column, one a row.

    Attributes
    ----------
    values
        Numbers as printed, NaN where empty or unread.
    percent, money
        Which cells are written with a percent sign, or with that of a currency.
    half
        Half widths printed beside the numbers ("78.2 ± 1.1"), NaN where there is none.
    unread
        Rows that are neither empty nor a number.
    commas
        Whether some of these are numbers with a decimal comma.
    minutes
        Which cells are durations ("2 hr 17 min"), whose values are minutes.
    counts
        Successes and trials of unread cells such as "28/30", by row.
    items
        Items of scores that were counts, NaN of others; empty where no cell was one.
    """

    values: Floats
    percent: Bools
    money: Bools
    half: Floats
    unread: list[int]
    commas: bool = False
    minutes: Bools = np.zeros(0, dtype=bool)
    counts: Mapping[int, tuple[int, int]] = MappingProxyType({})
    items: Floats = np.zeros(0)


def score_cells(column: pd.Series) -> ScoreCells:
    """Read the cells of a column of scores."""
    rows = len(column)
    values, half = np.full(rows, np.nan), np.full(rows, np.nan)
    percent, money = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    minutes = np.zeros(rows, dtype=bool)
    unread = []
    counts = {}
    for row, cell in enumerate(column.tolist()):
        if is_empty(cell):
            continue
        duration = _duration(_apart_from_ends(cell)[0])
        if duration is not None:
            values[row], minutes[row] = duration, True
            continue
        match = _CELL.fullmatch(_bare(cell)) if isinstance(cell, str) else None
        number = _plain(match["number"]) if match else number_of_cell(cell)
        number = -number if number is not None and match and match["minus"] else number
        width = _width(match["width"], number) if match and match["width"] else None
        not_read = match is not None and match["width"] and width is None
        if number is None or not np.isfinite(number) or not_read:
            unread.append(row)
            count = successes_of(cell)
            if count is not None:
                counts[row] = count
            continue
        values[row] = number
        if match:
            percent[row], money[row] = bool(match["percent"]), bool(match["money"])
            half[row] = np.nan if width is None else width
    for most in _MOST:
        values[np.isclose(values, most, rtol=_NOISE, atol=0)] = most
    commas = any(_COMMA.fullmatch(str(column.iloc[row]).strip()) for row in unread)
    return ScoreCells(values, percent, money, half, unread, commas, minutes, counts)


def _bare(cell: str) -> str:
    """Return a cell without the mark of a footnote and without a metric or prompt in brackets."""
    return _NOTE.sub("", _SETTING.sub("", _NOTE.sub("", cell.strip())))


def settings_in(column: pd.Series) -> dict[str, str]:
    """Return the metrics and prompts in brackets after scores, each with a cell that has it."""
    texts = [_NOTE.sub("", cell.strip()) for cell in column.tolist() if isinstance(cell, str)]
    matches = [match for text in texts if (match := _SETTING.search(text))]
    return {match["how"].casefold(): match.string for match in reversed(matches)}


def _apart_from_ends(cell: object) -> tuple[object, str]:
    """Return a duration and the interval in brackets after it, empty where there is none.

    Such as "2 hr 17 min (1 hr 5 min – 4 hr 25 min)".
    """
    match = _BRACKETS.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None or len(_durations(match["ends"])) != 2:
        return cell, ""
    return match["whole"], match["ends"]


def _durations(text: str) -> list[float]:
    """Return the durations between dashes, commas or "to"; none if a part is not one."""
    parts = re.split(r"[-–−,;]|\bto\b", text.strip("[]()"))
    times = [time for part in parts if (time := _duration(part.strip())) is not None]
    return times if len(times) == len(parts) else []


def _duration(cell: object) -> float | None:
    """Return the minutes of a duration, None of any other cell."""
    match = _DURATION.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        return None
    units = zip(("hours", "minutes", "seconds"), (60.0, 1.0, 1 / 60), strict=True)
    return sum(_plain(match[unit]) * factor for unit, factor in units if match[unit])


def plain_name(cell: object) -> str:
    """Return a model's name without markup, a link's address, medals and footnote marks."""
    text = without_latex(unescape(re.sub(r"<[^<>]+>", "", str(cell))))
    text = re.sub(r"\[([^\[\]]+)\]\([^()]*\)", r"\1", text)
    text = _BOLD.sub(r"\2", _WHOLLY.sub(r"\2", text.strip()))
    text = _HYPHENS.sub("-", text)
    kept = [letter for letter in text if unicodedata.category(letter) not in _SYMBOLS]
    return _FOOTNOTE.sub("", re.sub(r"\s+", " ", "".join(kept)).strip())


_BOLD: Final = re.compile(r"(\*\*)(?=\S)(.+?)(?<=\S)\1")
_WHOLLY: Final = re.compile(r"^(__|\*|_|`)(?=[^\s*_`])([^*_`]*[^\s*_`])\1$")
"""Bold or italic type, or code, of Markdown around a whole name; underscores may part its words."""
_FOOTNOTE: Final = re.compile(r"(?<=[\w)\]])[\s*†‡§·•¹²³⁴-⁹]+$")
_HYPHENS: Final = re.compile("[\u2010-\u2013\u2212\ufe63\uff0d]")
"""Hyphens of typesetting, such as the one that breaks no line."""
_SYMBOLS: Final = ("So", "Mn", "Cf")
"""Unicode's other symbols, marks and marks of no width: medals and emoji."""


def half_widths(column: pd.Series) -> Floats | None:
    """Return half widths of intervals from cells such as "+7/-8", "±7" or "[38, 42]".

    None if the column has none.
    """
    texts = [cell.strip() if isinstance(cell, str) else "" for cell in column.tolist()]
    widths = [_width(text) for text in texts]
    if all(width is None for width in widths):
        return None
    return np.array([np.nan if width is None else width for width in widths])


def ends_of(column: pd.Series, scores: Floats) -> tuple[Floats, Floats]:
    """Return the ends of intervals that cells hold, alone or beside a score; NaN of others.

    Such as "[38, 42]", "60 (20-180)", "60 +120/-40" and, in minutes, "35 min – 4 hr 2 min".

    Parameters
    ----------
    column
        The cells.
    scores
        The scores that the intervals are of, one a row.
    """
    ends = np.full((len(column), 2), np.nan)
    for row, cell in enumerate(column.tolist()):
        text = cell.strip() if isinstance(cell, str) else ""
        beside = _CELL.fullmatch(text)
        interval = beside["width"] if beside and beside["width"] else text
        apart = _apart(interval, scores[row])
        if apart is not None:
            ends[row] = scores[row] - apart[0], scores[row] + apart[1]
            continue
        match = _ENDS.fullmatch(interval)
        if match:
            ends[row] = _plain(match["low"]), _plain(match["high"])
            continue
        times = _durations(_apart_from_ends(text)[1] or text)
        if len(times) == 2:
            ends[row] = times
    ends[ends[:, 0] > ends[:, 1]] = np.nan
    return ends[:, 0], ends[:, 1]


def is_bare(cell: object) -> bool:
    """Return whether a cell is one number and nothing else: "1,357" is not an interval."""
    match = _CELL.fullmatch(cell.strip()) if isinstance(cell, str) else None
    return match is not None and not match["width"]


def half_of_ends(lower: Floats, upper: Floats, scores: Floats, positive: Any) -> Floats:
    """Return half widths of intervals, of positive scores as if symmetric in logarithms.

    Half the width in logarithms times the score: 60 of [20, 180] has ln(180 / 20) / 2 x 60 = 66,
    where half of the plain width is 80. NaN of positive scores where an end is not above 0.

    Parameters
    ----------
    lower, upper, scores
        Ends and scores, one a row.
    positive
        Whether scores are of the scale ``"positive"``, one for all or one a row.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (np.log(upper) - np.log(lower)) / 2 * scores
    spread = np.where(np.isfinite(spread), spread, np.nan)
    return np.where(positive, spread, (upper - lower) / 2)


def _width(text: str, score: float | None = None) -> float | None:
    """Return half the width of an interval, None if the text is not one (around the score)."""
    match = _PLUS_MINUS.search(text) if score is None else _PLUS_MINUS.fullmatch(text)
    if match and match["both"]:
        return abs(_plain(match["both"]))
    apart = _apart(text, score)
    if apart is not None:
        return (apart[0] + apart[1]) / 2
    ends = _ENDS.fullmatch(text)
    if ends is None:
        return None
    low, high = _plain(ends["low"]), _plain(ends["high"])
    around = low <= high if score is None else low <= score <= high
    return (high - low) / 2 if around else None


def _apart(text: str, score: float | None) -> tuple[float, float] | None:
    """Return how far the ends of an interval lie below and above its score, None of others.

    Such as "+7/-8", "-8/+7" and, of a score that does not lie between, "(-1.2, 1.3)".
    """
    for form in (_PLUS_MINUS, _MINUS_PLUS):
        match = form.search(text) if score is None else form.fullmatch(text)
        if match and match["up"]:
            return _plain(match["down"]), abs(_plain(match["up"]))
    ends = _ENDS.fullmatch(text)
    if ends is None or score is None:
        return None
    low, high = _plain(ends["low"]), _plain(ends["high"])
    return (-low, high) if low < 0 < high and not low <= score <= high else None


def amounts(column: pd.Series, *, unit: float, bare: float | None = None) -> Floats:
    """Return sizes or token counts in billions or trillions; NaN where none is understood.

    Parameters
    ----------
    column
        Cells such as "72B", "671B (37B active)", "1.5T", 7e9 or 7.2.
    unit
        1e9 for billions, 1e12 for trillions: what a bare number counts. Bare numbers above a
        hundred thousand of them are taken for raw counts.
    bare
        What a bare number counts where the heading says another unit, such as millions.
    """
    if bare not in (None, unit):
        stated = [_amount(cell, bare) for cell in column.tolist()]
        return np.array(stated, dtype=float) * bare / unit
    read = np.array([_amount(cell, unit) for cell in column.tolist()], dtype=float)
    return np.where(read > _LARGEST, read / unit, read)


_LARGEST: Final = 1e5
"""Billions of parameters, or trillions of tokens, that no model has: raw counts lie above."""


def _amount(cell: Any, unit: float) -> float:
    if is_empty(cell):
        return np.nan
    if not isinstance(cell, str):
        number = number_of_cell(cell)
        return np.nan if number is None else number
    match = _AMOUNT.match(cell.strip().removeprefix("~").lstrip())
    if match is None:
        return np.nan
    word = match["unit"].casefold()
    factor = _UNITS_BY_WORD.get(word.rstrip("s"), _UNITS.get(word[:1]) if len(word) < 3 else None)
    if factor is None and word and not word.startswith("param"):
        return np.nan  # "8x7B": experts share weights, so the total is not stated
    number = _plain(match["number"])
    return number if factor is None else number * factor / unit


def plain_numbers(column: pd.Series) -> tuple[list[float | None], list[str]]:
    """Return figures such as "$2.00", "400k", "1m" or "55%" as numbers, None where empty.

    And the cells that are not such figures. Letters and words multiply; "55%" is 55.
    """
    read: list[float | None] = []
    odd = []
    for cell in column.tolist():
        number = None if is_empty(cell) or isinstance(cell, str) else number_of_cell(cell)
        match = _FIGURE.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if match:
            word = match["unit"].casefold().rstrip("s")
            number = _plain(match["number"]) * ({"": 1.0} | _UNITS | _UNITS_BY_WORD)[word]
        if number is None and not is_empty(cell):
            odd.append(str(cell))
        read.append(number)
    return read, odd


def truths(
    column: pd.Series, other: Callable[[str], float | None] = lambda text: None
) -> tuple[list[float | None], list[str]]:
    """Return a column of yes and no as 1 and 0, None where empty or neither, and cells that are.

    Parameters
    ----------
    column
        The cells.
    other
        What a text that is neither yes nor no says; None if it does not.
    """
    read: list[float | None] = []
    odd = []
    for cell in column.tolist():
        text = str(cell).strip().casefold()
        known = text in _YES or text in _NO
        value = None if is_empty(cell) else float(text in _YES) if known else other(str(cell))
        read.append(value)
        odd += [str(cell)] if value is None and not is_empty(cell) else []
    return read, odd


def dates(column: pd.Series) -> tuple[list[pd.Timestamp | None], list[str], dict[str, str]]:
    """Return dates, None where empty or unread, the cells that are not surely dates, and notes.

    A year or a quarter alone is its middle, a month alone the 15th. Dates in figures such as
    "01/06/2025" are read if other cells of the column show whether the day comes first, and day
    numbers of a spreadsheet if all cells are such. Each is noted, by the code of the finding.
    """
    cells = [figures_of_date(cell) for cell in column.tolist()]
    days = spreadsheet_days(cells)
    if days is not None:
        cells, numbers = days, cells
    order = day_first(cells)
    read: list[pd.Timestamp | None] = []
    odd, turned = [], []
    middles: dict[str, str] = {}
    for cell in cells:
        if is_empty(cell):
            read.append(None)
            continue
        text = str(cell).strip()
        whole = middle_of(text)
        moment = as_date(cell if whole is None else whole)
        if moment is None and order is not None:
            moment = as_date(in_order(text, day_first=order))
            turned += [text] if moment is not None else []
        if moment is None:
            odd.append(text)
        elif whole is not None:
            middles[text] = str(moment)[:10]
        read.append(None if moment is None else pd.Timestamp(moment))
    notes = {}
    if days is not None:
        shown = next(f"{n} as {day}" for n, day in zip(numbers, days, strict=True) if day)
        notes["dates-from-numbers"] = (
            f"numbers of days, as spreadsheets store dates, are read as dates: {shown}."
        )
    if turned:
        first = "day" if order else "month"
        notes["dates-ordered"] = (
            f"{counted(len(turned), 'date')}, such as {turned[0]}, read with the {first} first, as "
            "other cells of the column show."
        )
    if middles:
        notes[MIDDLES] = said_of_middles(middles)
    return read, odd, notes


def _plain(text: str) -> float:
    return float(re.sub(f"[,{_SPACES}]", "", text).replace("\u2212", "-"))
