"""Standard errors of a published table: columns of errors and intervals, half widths in cells.

Item counts are read from separate columns (`items`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import is_neither
from latentscale.data.empty import is_empty
from latentscale.data.readers.published.cells import (
    NORMAL_95,
    Bools,
    Floats,
    ScoreCells,
    ends_of,
    half_of_ends,
    half_widths,
    is_bare,
    score_cells,
)
from latentscale.data.readers.published.columns import (
    Roles,
    bounds_among,
    is_error,
    is_interval,
    names_nothing,
    scored_by,
    without_error_words,
)
from latentscale.errors import listed

_MOST_ITEMS: Final = 1e6
"""Items of a benchmark: the largest test sets have about ten thousand."""
_MEASURED: Final = 0.9
"""Share of a column's errors whose row has a score of the benchmark: all, except a slip or two."""


def tiny_errors(
    columns: Mapping[str, ScoreCells], stderr: Mapping[str, Floats], info: Mapping[str, Benchmark]
) -> list[Finding]:
    """Find errors of percentages too small for any test set, which may be fractions."""
    tiny = []
    for name, about in info.items():
        score = columns[name].values
        items = score * (100.0 - score) / stderr[name] ** 2
        if about.scale == "percent" and np.nanmedian(np.append(items, 0.0)) > _MOST_ITEMS:
            tiny.append(name)
    if not tiny:
        return []
    message = (
        f"the errors beside {listed(tiny)} are as small as those of more than {_MOST_ITEMS:,.0f} "
        "items: fractions among percentages? If so, multiply them by 100."
    )
    return [Finding("warning", "errors-tiny", "benchmarks", message)]


def error_columns(
    columns: Mapping[str, ScoreCells], declared: Mapping[str, Benchmark]
) -> dict[str, tuple[str, ...]]:
    """Return columns of errors with their kind.

    A column named as an interval or as errors whose cells are durations or scores with half widths
    ("40 ± 1") has scores.
    """
    free = [name for name in columns if name not in declared]
    errors: dict[str, tuple[str, ...]] = {}
    for rest, low, high in bounds_among(free):
        errors[low] = errors[high] = ("bounds", rest, low, high)
    for name in free:
        cells = columns[name]
        timed = cells.minutes.sum() > len(cells.unread)  # one end of an interval may be missing
        if name in errors or timed or not np.isnan(cells.half).all():
            continue
        if is_error(name):
            errors[name] = ("error", name)
        elif is_interval(name):
            errors[name] = ("interval", name)
    return errors


def standard_errors(
    table: pd.DataFrame,
    columns: Mapping[str, ScoreCells],
    info: Mapping[str, Benchmark],
    errors: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, Floats], dict[str, Bools], dict[str, str]]:
    """Return standard errors by benchmark, which come from intervals, and why columns give none.

    Errors are in the units of the scores; intervals give half widths over 1.96.
    """
    positive = {name: about.scale == "positive" for name, about in info.items()}
    stderr = {
        name: _half_printed(table[name], columns[name], positive[name])
        / (1.0 if is_error(name) else NORMAL_95)  # "GPQA (± SE)"
        for name in info
    }
    of_intervals = {
        name: ~np.isnan(values) & (not is_error(name)) for name, values in stderr.items()
    }
    order = list(table.columns)
    unused: dict[str, str] = {}
    for name, (kind, *about) in errors.items():
        before = reversed(order[: order.index(name)])
        left = next((n for n in before if n not in errors and not is_neither(n)), None)
        rest = about[0] if kind == "bounds" else without_error_words(name)
        if not names_nothing(rest):
            owner = scored_by(rest, list(info), None)
        elif left in columns and left not in info:
            unused[name] = f"by its name errors or ends of intervals of {left}, which is not used"
            continue
        else:
            filled = ~table[name].map(is_empty).to_numpy(dtype=bool)
            owner = scored_by("", *_measured_where(filled, columns, info, left))
        if owner is None:
            unused[name] = "by its name errors or ends of intervals, but of no benchmark here"
            continue
        if kind == "error":
            read = columns[name].values
        elif kind == "interval":
            of = columns[owner]
            read = _half_of_intervals(table[name], of.values, of.minutes, positive[owner])
            read = read / NORMAL_95
        else:
            low, high = (columns[n].values for n in about[1:])
            read = half_of_ends(low, high, columns[owner].values, positive[owner]) / NORMAL_95
        if np.isnan(read).all() and not table[name].map(is_empty).all():
            unused[name] = "by its name errors or intervals, but not understood"
        if kind != "error":
            of_intervals[owner] |= np.isnan(stderr[owner]) & ~np.isnan(read)
        stderr[owner] = np.where(np.isnan(stderr[owner]), read, stderr[owner])
    positive_errors = {name: np.where(se > 0, se, np.nan) for name, se in stderr.items()}
    return positive_errors, of_intervals, unused


def _measured_where(
    filled: np.ndarray,
    columns: Mapping[str, ScoreCells],
    info: Mapping[str, Benchmark],
    left: str | None,
) -> tuple[list[str], str | None]:
    """Return benchmarks, and the left one if it is the likely owner of a column of errors.

    A column that does not name a benchmark belongs to the benchmark to its left. If columns have
    been moved, that benchmark has no scores in many rows with errors; the benchmark with scores
    there, and with the most similar empty cells, then comes first.
    """
    known = {name: ~np.isnan(columns[name].values) for name in info}
    share = {name: float(known[name][filled].mean()) if filled.any() else 1.0 for name in info}
    apart = {name: int((known[name] != filled).sum()) for name in info}
    order = sorted(info, key=lambda name: (share[name] < _MEASURED, apart[name]))
    fitting = [name for name in order if share[name] >= _MEASURED]
    near = left if left is not None and left in (fitting or info) else None
    return fitting or ([near] if near else []), near


def _half_printed(column: pd.Series, cells: ScoreCells, positive: bool | np.ndarray) -> Floats:
    """Return half widths printed next to scores, NaN if there is none."""
    printed = column.where([not is_bare(cell) for cell in column.tolist()])
    half = half_of_ends(*ends_of(printed, cells.values), cells.values, positive)
    return np.where(np.isnan(half), cells.half, half)


def errors_of_rows(
    table: pd.DataFrame,
    roles: Roles,
    read: ScoreCells,
    own: Collection[str],
    positive: np.ndarray,
) -> tuple[Floats, Bools, set[str]]:
    """Return the standard errors of a table with one row a score.

    Those of a column of errors, else of half widths printed beside scores, else of a column of
    intervals or of two columns of ends.

    Parameters
    ----------
    table, roles
        The table, and what its columns hold.
    read
        The scores, one a row.
    own
        Columns that the caller declares as features.
    positive
        Which rows are of benchmarks of the scale ``"positive"``.

    Returns
    -------
    tuple
        Standard errors, which of them are of intervals, and the columns that were used.
    """
    free = [name for name in roles.others if name not in own]
    stated = roles.columns.get("stderr")
    column = stated or next((name for name in free if is_error(name)), None)
    error = np.full(len(table), np.nan) if column is None else score_cells(table[column]).values
    half = _half_printed(table[roles.columns["score"]], read, positive)
    used = {column} if column is not None else set()
    bounds = bounds_among(free)[:1]
    for _, low, high in bounds:
        lower, upper = (score_cells(table[name]).values for name in (low, high))
        ends = half_of_ends(lower, upper, read.values, positive)
        half = np.where(np.isnan(half), ends, half)
        used |= {low, high}
    for name in (n for n in free if is_interval(n) and n not in used):
        widths = _half_of_intervals(table[name], read.values, read.minutes, positive)
        if not np.isnan(widths).all():
            half = np.where(np.isnan(half), widths, half)
            used.add(name)
    of_intervals = np.isnan(error) & ~np.isnan(half)
    error = np.where(of_intervals, half / NORMAL_95, error)
    return np.where(error > 0, error, np.nan), of_intervals, used


def _half_of_intervals(
    column: pd.Series, scores: Floats, minutes: Bools, positive: bool | np.ndarray
) -> Floats:
    """Return half widths of a column of intervals, such as "±7", "+7/-8" or "[38, 42]"."""
    widths = half_widths(column)
    read = score_cells(column).values if widths is None else widths
    timed = minutes if minutes.size else np.zeros(len(scores), dtype=bool)
    read = np.where(timed, np.nan, read)  # "±5" of minutes or of hours?
    spread = half_of_ends(*ends_of(column, np.where(timed, np.nan, scores)), scores, positive)
    return np.where(np.isnan(spread), read, spread)
