"""Scores that count: "28/30" is a share of 30 items, 12 below "AIME (/15)" one of 15 points."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import in_words
from latentscale.data.readers.published.cells import ScoreCells
from latentscale.data.readers.published.columns import is_in_points
from latentscale.errors import listed, spelling

_WHOLES: Final = {"fraction": 1.0, "percent": 100.0}
"""What all items right are on the scales that hold shares."""
_MONTHS: Final = range(1, 13)
_SHORT_YEARS: Final = range(20, 40)
"""Years without their century; "8/25" may be August 2025."""
_OUT_OF: Final = re.compile(
    r"(?:(?<!\w)/ ?|(?<![a-z])out of |[(\[]of |(?<![a-z])max(?:imum)?\.? ?)(?!20[2-3]\d(?!\d))"
    r"(\d{1,5})(?![\d./a-z]|\W?(?:shot|step|turn|token|frame|image|page|word|sample|vote|run|seed"
    r"|attempt|iteration|agent|min|hour|sec))"
    r"|[(\[](\d{1,5}) (?:max(?:imum)?\.?|points|pts\.?)[)\]]",
    re.IGNORECASE,
)
"""Most points: "(/42)", "out of 30"; not years ("AIME 2024 / 2025"), lengths and limits of a run
("max 128k", "max 200 steps")."""
_RIGHT: Final = re.compile(
    r"(?P<of>.*?)(\W(n|num|number|#))?\W*\b(correct|solved|pass(ed|es)?|resolved|successes)\W*",
    re.IGNORECASE,
)
_TRIALS: Final = re.compile(
    r"(?P<of>.*?)\W*\b(total|attempted|decided|graded|trials"
    r"|((n|num|number of|total|#)\W*)?(tasks|tests|problems"
    r"|questions|instances|items|bugs))\W*",
    re.IGNORECASE,
)
"""Columns of successes and of trials, with what they are of: "AIME correct"."""
_ROUNDING: Final = 0.0051
"""Of a share: tables print it to the whole per cent, or finer."""
_SHARE: Final = re.compile(r"(?<![a-z])(acc|accuracy|score|rate|pct|percent)|%", re.IGNORECASE)
_DISTINCT: Final = 4
"""Different scores that agree to rounding with shares: by chance less often than once in a million,
if each does within one of fifty."""
_JUDGED: Final = 10
"""Points up to this are a judge's, with a scale of their own (`is_in_points`)."""


def as_shares(cells: ScoreCells, whole: float) -> ScoreCells:
    """Return cells whose counts are shares of `whole`, with their items; others as they are."""
    values, percent = cells.values.copy(), cells.percent.copy()
    items = np.full(len(values), np.nan)
    for row, (right, of) in cells.counts.items():
        values[row], items[row], percent[row] = whole * right / of, of, whole == _WHOLES["percent"]
    unread = [row for row in cells.unread if row not in cells.counts]
    return cells._replace(values=values, percent=percent, items=items, unread=unread, counts={})


def all_counts(cells: ScoreCells) -> bool:
    """Return whether all numbers of a column are counts, or percentages with their sign."""
    known = ~np.isnan(cells.values)
    return bool(cells.counts) and bool(cells.percent[known].all())


def with_pairs(
    columns: Mapping[str, ScoreCells], declared: Collection[str]
) -> tuple[dict[str, ScoreCells], dict[str, str]]:
    """Return columns in which successes beside a column of trials are counts of items.

    Such as "Solved" beside "Total", both of whole numbers; the trials are left out. Where a third
    column has the shares ("Accuracy"), it keeps its scores, with their items, and the successes are
    left out: a score may count once only.

    Parameters
    ----------
    columns
        Scores by column.
    declared
        Benchmarks that the caller declares, which stay as they are.

    Returns
    -------
    tuple
        The columns, and the column of shares by its columns of counts.
    """
    free = [name for name in columns if name not in declared]
    read, owners = dict(columns), {}
    for name, total, counts in _counted(columns, free):
        del read[total]
        share = share_of_counts({n: read[n] for n in free if n in read and n != name}, counts)
        if share is None:
            values = np.full(len(columns[name].values), np.nan)
            read[name] = columns[name]._replace(values=values, unread=list(counts), counts=counts)
            continue
        del read[name]
        read[share] = columns[share]._replace(items=_trials(counts, len(columns[share].values)))
        owners[f"{name} / {total}"] = share
    return read, owners


def items_of_counts(
    columns: Mapping[str, ScoreCells], score: ScoreCells
) -> tuple[np.ndarray, list[str]] | None:
    """Return the items of scores and their columns of successes and trials; None without both.

    Parameters
    ----------
    columns
        Candidates for the two columns.
    score
        The scores, which must be the shares of the successes.
    """
    for name, total, counts in _counted(columns, columns):
        if share_of_counts({"score": score}, counts) is not None:
            return _trials(counts, len(score.values)), [name, total]
    return None


def _counted(
    columns: Mapping[str, ScoreCells], free: Collection[str]
) -> list[tuple[str, str, dict[int, tuple[int, int]]]]:
    """Return columns of successes with their columns of trials, and the counts by row."""
    rights, trials = (_by_subject(free, pattern) for pattern in (_RIGHT, _TRIALS))
    pairs = ((name, trials[of]) for of, name in rights.items() if of in trials)
    counted = ((n, total, _pairs(columns[n], columns[total])) for n, total in pairs)
    return [(name, total, counts) for name, total, counts in counted if counts]


def _trials(counts: Mapping[int, tuple[int, int]], rows: int) -> np.ndarray:
    items = np.full(rows, np.nan)
    items[list(counts)] = [of for _, of in counts.values()]
    return items


def share_of_counts(
    columns: Mapping[str, ScoreCells], counts: Mapping[int, tuple[int, int]]
) -> str | None:
    """Return the only column whose scores are the shares of counts.

    In two rows or more; a column that is not named as a share may have the same scores by chance,
    and needs as many different ones.
    """
    rows = list(counts)
    shares = np.array([right / of for right, of in counts.values()])
    alike = []
    for name, cells in columns.items():
        found = cells.values[rows]
        whole = 100.0 if cells.percent.any() or np.nanmax(found, initial=0.0) > 1 else 1.0
        enough = len(rows) > 1 if _SHARE.search(name) else len(set(found)) >= _DISTINCT
        if enough and (np.abs(found / whole - shares) <= _ROUNDING).all():
            alike.append(name)
    return alike[0] if len(alike) == 1 else None


def _by_subject(names: Collection[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Return columns of successes or trials by what they count: "aime" of "AIME correct"."""
    found: dict[str, list[str]] = {}
    for name in names:
        match = pattern.fullmatch(in_words(name))
        if match and "%" not in name:
            found.setdefault(spelling(match["of"]), []).append(name)
    return {subject: alike[0] for subject, alike in found.items() if len(alike) == 1}


def _pairs(right: ScoreCells, of: ScoreCells) -> dict[int, tuple[int, int]]:
    """Return successes and trials by row, none unless all are whole numbers that fit.

    Trials are those of one set of items, the same for most models, unless some number is above 100:
    a "Total" of percentages differs from model to model.
    """
    known = ~np.isnan(right.values)
    pairs = np.column_stack([right.values, of.values])[known]
    if not pairs.size or right.unread or right.percent.any() or (pairs != np.floor(pairs)).any():
        return {}
    if (pairs[:, 0] < 0).any() or (pairs[:, 1] < 1).any() or (pairs[:, 0] > pairs[:, 1]).any():
        return {}
    commonest = np.unique(pairs[:, 1], return_counts=True)[1].max()
    if pairs[:, 1].max() <= _WHOLES["percent"] and 2 * commonest < len(pairs):
        return {}
    rows = np.flatnonzero(known).tolist()
    return {row: (int(r), int(n)) for row, (r, n) in zip(rows, pairs, strict=True)}


def with_counts(
    columns: Mapping[str, ScoreCells], declared: Mapping[str, Benchmark]
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns of counts as percentages with the items of each, and a finding on these.

    Counts beside numbers without a percent sign stay unread, since one of both may be in another
    unit; so do those of a judge's points, and those that may be months of years.

    Parameters
    ----------
    columns
        Scores by benchmark.
    declared
        Benchmarks that the caller declares; their scale says what counts are a share of.
    """
    read = dict(columns)
    shown = []
    for name, cells in columns.items():
        scale = declared[name].scale if name in declared else "percent"
        if scale not in _WHOLES or not all_counts(cells) or why_not_shares(name, cells):
            continue
        read[name] = as_shares(cells, _WHOLES[scale])
        right, of = next(iter(cells.counts.values()))
        shown.append(f"{name} ({right}/{of} is {100 * right / of:.4g}% of {of} items)")
    if not shown:
        return read, []
    message = f"counts of successes are read as shares with their items: {listed(shown, 6)}."
    return read, [Finding("info", "counts-read", "benchmarks", message)]


def why_not_shares(name: str, cells: ScoreCells) -> str:
    """Return why counts of a column are not shares of items, empty if they are."""
    pairs = list(cells.counts.values())
    if not pairs:
        return ""
    right, of = pairs[0]
    if is_in_points(name):
        return f"points of a judge, such as {right}/{of}: write {right}"
    if not all_counts(cells):
        return (
            f"counts such as {right}/{of} beside plain numbers: write all cells in one way, this "
            f"one as {100 * right / of:.4g}%"
        )
    several = len({items for _, items in pairs}) > 1
    if several and all(n in _MONTHS and items in _SHORT_YEARS for n, items in pairs):
        return (
            f"counts such as {right}/{of}, or months of years: write {100 * right / of:.4g}%, or "
            'rename a column of dates to "released" and write 2025-08'
        )
    return ""


def out_of(name: str, cells: ScoreCells) -> ScoreCells | None:
    """Return cells as percentages of the most that a heading names, None where it names none.

    Or where some score lies beyond it, all are at most 1, or cells have signs or units.

    Parameters
    ----------
    name
        The heading.
    cells
        The scores below it.
    """
    match = _OUT_OF.search(name.replace(",", ""))
    known = cells.values[~np.isnan(cells.values)]
    most = int(match[1] or match[2]) if match else 0
    if most <= _JUDGED or not known.size or cells.percent.any() or cells.money.any():
        return None
    if known.min() < 0 or not 1 < known.max() <= most or cells.minutes.any():
        return None
    share = 100.0 / most
    percent = ~np.isnan(cells.values)
    return cells._replace(values=share * cells.values, half=share * cells.half, percent=percent)


def with_points(
    columns: Mapping[str, ScoreCells], declared: Collection[str]
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns of points as percentages, but for declared ones, and which they are."""
    read = {name: out_of(name, cells) for name, cells in columns.items() if name not in declared}
    changed = {name: cells for name, cells in read.items() if cells is not None}
    if not changed:
        return dict(columns), []
    shown = []
    for name, cells in changed.items():
        row = int(np.nanargmax(cells.values))
        shown.append(f"{name} ({columns[name].values[row]:g} is {cells.values[row]:.3g}%)")
    message = f"points are read as percentages of the most that headings name: {listed(shown, 6)}."
    finding = Finding("info", "points-read", "benchmarks", message)
    return {**columns, **changed}, [finding]
