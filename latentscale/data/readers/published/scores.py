"""Which columns of a published table are benchmarks, on which scale, with which errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import is_neither
from latentscale.data.empty import is_empty
from latentscale.data.lower_by_name import is_lower
from latentscale.data.readers.benchmark_names import group_of, plain_name
from latentscale.data.readers.guessing import floor_for
from latentscale.data.readers.published.cells import (
    Floats,
    ScoreCells,
    score_cells,
)
from latentscale.data.readers.published.columns import (
    Roles,
    is_in_points,
    is_metric,
    is_rating,
    unit_of_amount,
)
from latentscale.data.readers.published.counts import (
    items_of_counts,
    why_not_shares,
    with_counts,
    with_pairs,
    with_points,
)
from latentscale.data.readers.published.errors import (
    error_columns,
    errors_of_rows,
    standard_errors,
    tiny_errors,
)
from latentscale.data.readers.published.findings import (
    left_out_columns,
    odd_cells,
    reasons_in_words,
    reasons_of_dates,
    scales_assumed,
    settings_in_cells,
    unread_cells,
    with_examples,
)
from latentscale.data.readers.published.items import (
    item_columns,
    items_of,
    items_read,
    rows_of_items,
)
from latentscale.data.readers.published.means import falling_as_means, means_among
from latentscale.data.readers.published.percentages import (
    named_outside,
    with_signs,
    without_impossible,
    without_one_above,
)
from latentscale.data.readers.published.repeats import with_metrics
from latentscale.data.readers.published.stated import (
    as_stated_shares,
    is_stated,
    stated_units,
    with_stated_directions,
)
from latentscale.errors import DataError

_RATINGS: Final = (500.0, 5000.0)
"""Where Elo ratings of models lie; those of players begin near 1000 and reach 4000 (Codeforces)."""
_IN_THOUSANDS: Final = _RATINGS[1] / 1000
"""The largest rating with a dot between thousands, read as a decimal one: "1.407" of 1407."""
_FEW: Final = 3
"""Fewer rows than these may be numbered 1, 2, 3 by chance."""
_BARE_TIME: Final = re.compile(r"\W*(minutes?|mins?|hours?|hrs?)\W*", re.IGNORECASE)
"""Names of columns that say no more than a unit of time, as agents' leaderboards have of runs."""
_COMMAS: Final = "numbers with a decimal comma; write them with a dot"
_POINTS: Final = 10.0
"""Most points of a benchmark on which a judge gives up to ten."""
OF_INTERVAL: Final = "of_interval"
"""Column of cells: whether a standard error is half the width of an interval over 1.96."""
Read = tuple[pd.DataFrame, dict[str, Benchmark], list[Finding]]


def wide_cells(
    table: pd.DataFrame,
    roles: Roles,
    named: pd.Series,
    declared: Mapping[str, Benchmark],
    own: Collection[str],
    what: str,
) -> Read:
    """Return the scores of a table with one row a model, declarations and findings.

    Parameters
    ----------
    table
        Rows that name a model.
    roles
        What the columns are.
    named
        The model of each row.
    declared
        The caller's declarations by benchmark.
    own
        Columns declared as features.
    what
        The table, for messages.
    """
    dated = reasons_of_dates(
        table, [name for name in roles.others if name not in {*own, *declared}]
    )
    free = [name for name in roles.others if name not in {*own, *dated}]
    columns, pairs = with_pairs({name: score_cells(table[name]) for name in free}, declared)
    models = dict.fromkeys(columns, named)
    columns, impossible = _plausible(columns, models, declared)
    errors = error_columns(columns, declared)
    counts = item_columns({n: c for n, c in columns.items() if n not in errors}, declared)
    info, left_out = _benchmarks(columns, {*errors, *counts}, declared, named)
    left_out = with_examples(left_out, table, columns)
    values = {name: columns[name].values for name in info}
    info, combined, kept = _without_means(info, values, declared)
    left_out |= combined | dated
    if not info:
        left_out |= dict.fromkeys(errors, "by its name errors or ends of intervals")
        raise DataError(
            f"{what}: no column is a benchmark. {reasons_in_words(left_out)} Declare one with "
            'benchmarks={"name": Benchmark(scale=...)}.'
        )
    stderr, of_intervals, unused = standard_errors(table, columns, info, errors)
    left_out |= unused
    sources = _sources(table, roles)
    parts = [
        pd.DataFrame(
            {
                "model": named,
                "benchmark": name,
                "score": columns[name].values,
                "stderr": stderr[name],
                OF_INTERVAL: of_intervals[name],
                "n_items": items_of(columns, counts, name),
                "source": sources,
            }
        )
        for name in info
    ]
    found = [
        *left_out_columns(left_out),
        *kept,
        *scales_assumed(info, declared),
        *impossible,
        *items_read({column: n for column, n in (pairs | counts).items() if n in info}),
        *odd_cells(table, named, columns, models, info, declared),
        *tiny_errors(columns, stderr, info),
    ]
    return pd.concat(parts, ignore_index=True), info, found


def long_cells(
    table: pd.DataFrame,
    roles: Roles,
    named: pd.Series,
    declared: Mapping[str, Benchmark],
    own: Collection[str],
    what: str,
) -> Read:
    """Return the scores of a table with one row a score; parameters as for `wide_cells`."""
    columns = roles.columns
    names = table[columns["benchmark"]].map(lambda cell: str(cell).strip())
    read = score_cells(_of_truth(table[columns["score"]]))
    read, of_most = as_stated_shares(read, table[list(roles.others)], names, declared)
    items, of_items, items_said = _items(table, roles, named, names, read)
    info: dict[str, Benchmark] = {}
    left_out: dict[str, str] = {}
    metrics = [name for name in roles.others if name not in own and is_metric(name)]
    units = stated_units(table, own)
    headings, mixed = with_metrics(names, pd.concat([table[metrics], units], axis="columns"))
    parts, impossible, groups = _by_benchmark(read, named, names, declared)
    models = {name: named.loc[rows] for name, rows in groups.items()}
    for name, part in parts.items():
        read.values[groups[name]] = part.values
    by_model = _by_model(named, names, read.values)
    for name, part in parts.items():
        if part.items.size:
            items[groups[name]] = np.where(np.isnan(part.items), items[groups[name]], part.items)
            rows = set(groups[name][~np.isnan(part.items)])
            read = read._replace(unread=[row for row in read.unread if row not in rows])
        merged = by_model.get(name, part.values)
        benchmark, why = _declared(name, part, merged, declared, heading=headings[name])
        if benchmark is None:
            left_out[name] = why
        else:
            info[name] = benchmark
    if not info:
        raise DataError(f"{what}: no benchmark has a score. {reasons_in_words(left_out)}")
    info, combined, kept = _without_means(info, {n: by_model[n] for n in info}, declared)
    left_out |= combined
    info = with_stated_directions(info, table[list(roles.others)], names, declared)
    positive = names.isin([name for name, about in info.items() if about.scale == "positive"])
    error, of_intervals, used = errors_of_rows(table, roles, read, own, positive.to_numpy())
    cells = pd.DataFrame(
        {
            "model": named,
            "benchmark": names,
            "score": read.values,
            "stderr": error,
            OF_INTERVAL: of_intervals,
            "n_items": np.where((items >= 1) & (items == np.floor(items)), items, np.nan),
            "source": _sources(table, roles),
        }
    )
    found = [
        *left_out_columns(
            left_out | _ignored(table, roles, {*used, *of_items, *own, *metrics, *units})
        ),
        *(*of_most, *mixed),
        *kept,
        *scales_assumed(info, declared),
        *(*items_said, *impossible),
        *odd_cells(table, named, parts, models, info, declared),
        *tiny_errors(parts, {name: error[names == name] for name in info}, info),
        *unread_cells(columns["score"], table, named, read),
        *settings_in_cells(columns["score"], table[columns["score"]]),
    ]
    return cells[cells["benchmark"].isin(info)], info, found


def _items(
    table: pd.DataFrame,
    roles: Roles,
    models: pd.Series,
    benchmarks: pd.Series,
    score: ScoreCells,
) -> tuple[Floats, list[str], list[Finding]]:
    """Return the items of each row, the columns that say them if any, and findings."""
    items = _column(table, roles.columns.get("n_items"))
    if "n_items" in roles.columns:
        return items, [], []
    free = {name: score_cells(table[name]) for name in roles.others}
    counted = items_of_counts(free, score)
    if counted is not None:
        return *counted, items_read({" / ".join(counted[1]): roles.columns["score"]})
    single = rows_of_items(table, models, benchmarks, roles.others)
    if single is None:
        return items, [], []
    return np.where(single.rows, 1.0, items), [single.column], single.findings


def _of_truth(column: pd.Series) -> pd.Series:
    """Return scores that are all true or false, as those of single items, as 1 and 0."""
    known = [cell for cell in column.tolist() if not is_empty(cell)]
    truths = bool(known) and all(isinstance(cell, bool | np.bool_) for cell in known)
    return column.map({True: 1.0, False: 0.0}) if truths else column


def _ignored(table: pd.DataFrame, roles: Roles, used: Collection[str]) -> dict[str, str]:
    """Return why columns of a table with one row a score are not used."""
    free = [name for name in roles.others if name not in used and not is_stated(name)]
    dated = reasons_of_dates(table, free)
    return dict.fromkeys(free, "not a column of a table of scores") | dated


def _by_benchmark(
    read: ScoreCells, named: pd.Series, names: pd.Series, declared: Mapping[str, Benchmark]
) -> tuple[dict[str, ScoreCells], list[Finding], dict[str, pd.Index]]:
    """Return the cells of each benchmark and their rows, and findings on cells left out."""
    groups = {str(n): rows for n, rows in names.groupby(names, sort=False).groups.items()}
    fields = ("values", "percent", "money", "half", "minutes")
    parts = {}
    for name, rows in groups.items():
        counts = {at: read.counts[row] for at, row in enumerate(rows) if row in read.counts}
        own = {field: getattr(read, field)[rows] for field in fields}
        parts[name] = ScoreCells(**own, unread=list(counts), counts=counts)
    models = {name: named.loc[rows] for name, rows in groups.items()}
    return *_plausible(parts, models, declared), groups


def _plausible(
    columns: Mapping[str, ScoreCells],
    models: Mapping[str, pd.Series],
    declared: Mapping[str, Benchmark],
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns in one unit each and without impossible cells, and findings."""
    of_items, counts = with_counts(columns, declared)
    shares, points = with_points(of_items, declared)
    single, above = without_one_above(shares, models, declared)
    signed, signs = with_signs(single, models, declared)
    kept, impossible = without_impossible(signed, models, declared)
    return kept, [*counts, *points, *above, *signs, *impossible]


def _column(table: pd.DataFrame, name: str | None) -> Floats:
    return np.full(len(table), np.nan) if name is None else score_cells(table[name]).values


def _sources(table: pd.DataFrame, roles: Roles) -> list[str]:
    column = roles.columns.get("source")
    cells = [""] * len(table) if column is None else table[column].tolist()
    return [cell.strip() if isinstance(cell, str) else "" for cell in cells]


def _benchmarks(
    columns: Mapping[str, ScoreCells],
    errors: Collection[str],
    declared: Mapping[str, Benchmark],
    models: pd.Series,
) -> tuple[dict[str, Benchmark], dict[str, str]]:
    """Return the declarations of columns of scores, and why other columns are not some."""
    info: dict[str, Benchmark] = {}
    left_out: dict[str, str] = {}
    for name, cells in columns.items():
        if name in errors:
            continue
        merged = pd.Series(cells.values).groupby(models.to_numpy()).mean()
        benchmark, why = _declared(name, cells, merged.to_numpy(dtype=float), declared)
        if benchmark is not None and name not in declared and _numbers_rows(cells.values):
            benchmark, why = None, "the numbers of the rows"
        if benchmark is None:
            unknown = why.startswith(("numbers of", "percent signs"))
            left_out[name] = why + (named_outside(cells.values, models) if unknown else "")
        else:
            info[name] = benchmark
    return info, left_out


def _without_means(
    info: Mapping[str, Benchmark], values: Mapping[str, Floats], declared: Mapping[str, Benchmark]
) -> tuple[dict[str, Benchmark], dict[str, str], list[Finding]]:
    """Return benchmarks that are not means of others, why the others are not used, and findings."""
    combined, kept = means_among(values, declared)
    rest = {name: benchmark for name, benchmark in info.items() if name not in combined}
    rest, falling = falling_as_means(rest, combined, declared)
    return rest, combined, [*kept, *falling]


def _numbers_rows(values: Floats) -> bool:
    """Return whether a column counts the rows, from 0 or from 1."""
    return len(values) > _FEW and any(
        np.array_equal(values, np.arange(first, first + len(values))) for first in (0, 1)
    )


def _by_model(models: pd.Series, benchmarks: pd.Series, scores: Floats) -> dict[str, Floats]:
    """Return the scores of each benchmark, one a model in one order, the mean of several."""
    table = pd.DataFrame({"model": models, "benchmark": benchmarks, "score": scores})
    wide = table.pivot_table(index="model", columns="benchmark", values="score", dropna=False)
    return {str(name): wide[name].to_numpy(dtype=float) for name in wide}


def _declared(
    name: str,
    cells: ScoreCells,
    merged: Floats,
    declared: Mapping[str, Benchmark],
    *,
    heading: str = "",
) -> tuple[Benchmark | None, str]:
    """Return the declaration of a column of scores, or None and why it is not one.

    `merged` has the score of each model, which may be a mean of rows. `heading` is what is said of
    a benchmark that is named as one: its name, and its metric if any.
    """
    if name in declared:
        return declared[name], ""
    benchmark, why = _scaled(heading or name, cells, bool(heading))
    if benchmark is None:
        return None, why
    short = plain_name(name)
    top = 100.0 if benchmark.scale == "percent" else 1.0
    bounded = benchmark.scale in ("fraction", "percent") and not benchmark.lower_is_better
    floor = floor_for(name, float(np.nanmin(merged)), top) if bounded else benchmark.floor
    return replace(benchmark, floor=floor, group=group_of(short)), ""


def _scaled(name: str, cells: ScoreCells, named_as_benchmark: bool) -> tuple[Benchmark | None, str]:
    """Return the scale of a column of scores, or None and why it is not one."""
    known = cells.values[~np.isnan(cells.values)]
    if not named_as_benchmark and is_neither(name):
        return None, "by its name a rank, price, speed, count or setting"
    if len(cells.unread) > known.size and (why := why_not_shares(name, cells)):
        return None, why
    if not known.size:
        text = _COMMAS if cells.commas else "text, not numbers"
        return None, text if cells.unread else "no numbers"
    if len(cells.unread) > known.size:
        return None, _COMMAS if cells.commas else "mostly text"
    return _scale_of(name, cells, known)


def _scale_of(name: str, cells: ScoreCells, known: Floats) -> tuple[Benchmark | None, str]:
    """Return the scale of a column of numbers, or None and why it has none."""
    in_minutes = unit_of_amount(name) == "minutes"
    if 0 < cells.minutes.sum() < known.size and not in_minutes:
        return None, (
            "durations beside plain numbers: write the unit of each, or minutes in the heading"
        )
    low, high = float(known.min()), float(known.max())
    lower = is_lower(name)
    unit = "minutes" if cells.minutes.any() else unit_of_amount(name)
    if cells.percent.any():
        if low < 0 or high > 100:
            return None, f"percent signs, but scores of {low:g} to {high:g}"
        return Benchmark(scale="percent", lower_is_better=lower), ""
    if _BARE_TIME.fullmatch(name):
        return None, "times; of a task that a model can do, or that it took?"
    if (unit is not None or cells.money.any()) and low > 0:
        unit = "USD" if cells.money.any() else unit
        return Benchmark(scale="positive", unit=unit or "", lower_is_better=lower), ""
    if is_in_points(name) and 1 < high <= _POINTS:
        return Benchmark(scale="real", unit="points", lower_is_better=lower), ""
    if is_rating(name) and (high > 100 or low < 0):
        return Benchmark(scale="real", unit="Elo" if "elo" in name.casefold() else "rating"), ""
    if is_rating(name) and 1 < high <= _IN_THOUSANDS and 1000 * low >= _RATINGS[0]:
        return None, (
            f"by its name ratings, but numbers of {low:g} to {high:g}: if the dot is one between "
            f"thousands, write {1000 * high:.0f} for {high:g}"
        )
    if low >= 0 and high <= 1:
        return Benchmark(lower_is_better=lower), ""
    if low >= 0 and high <= 100:
        return Benchmark(scale="percent", lower_is_better=lower), ""
    same = known.size > 1 and low == high  # as a number of items is
    if low >= _RATINGS[0] and high <= _RATINGS[1] and not same:
        return Benchmark(scale="real", unit="rating"), ""
    remedy = ' (below 0, so scale="real" if it measures a skill)' if low < 0 else ""
    return None, f"numbers of {low:g} to {high:g}, whose scale is not known{remedy}"
