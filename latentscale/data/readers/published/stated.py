"""What a table with one row a score states of benchmarks in columns: most points, better scores."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark, is_percent
from latentscale.data.column_names import in_words
from latentscale.data.empty import is_empty
from latentscale.data.readers.published.cells import ScoreCells, score_cells, truths
from latentscale.errors import listed

_MOST: Final = re.compile(
    r"\W*(max(imum)?( (score|points|possible))?|(points )?possible|out of|total points)\W*",
    re.IGNORECASE,
)
_LEAST: Final = re.compile(r"\W*min(imum)?( score)?\W*", re.IGNORECASE)
"""Beside such a column "max" is the largest score of several runs."""
_BETTER: Final = re.compile(r"\W*(?P<way>higher|lower)( is)? better\W*", re.IGNORECASE)
_UNIT: Final = "unit"
_CURRENCIES: Final = {"$": "USD"}
_WHOLES: Final = (1.0, 100.0)
"""Most points of fractions and percentages, which need no division."""


def stated_units(table: pd.DataFrame, own: Collection[str]) -> pd.DataFrame:
    """Return what a column "unit" says of scores, for headings: "(minutes)", empty for percent.

    Parameters
    ----------
    table
        The table.
    own
        Columns declared as features.

    Returns
    -------
    pandas.DataFrame
        The column, under its name; no column where the table has none.
    """
    columns = [name for name in table if str(name).casefold() == _UNIT and name not in own]

    def written(cell: object) -> str:
        unit = "" if is_empty(cell) else str(cell).strip()
        return f"({_CURRENCIES.get(unit, unit)})" if unit and not is_percent(unit) else ""

    return pd.DataFrame({name: table[name].map(written) for name in columns}, index=table.index)


def is_stated(name: str) -> bool:
    """Return whether a column states the most points, or which scores are better."""
    return bool(_MOST.fullmatch(in_words(name)) or _BETTER.fullmatch(in_words(name)))


def as_stated_shares(
    read: ScoreCells, table: pd.DataFrame, names: pd.Series, declared: Collection[str]
) -> tuple[ScoreCells, list[Finding]]:
    """Return scores as percentages of the most points that a column states, and a finding.

    Rows of a benchmark stay as they are where a score is above the most, has a percent sign, or
    the most is 1 or 100 or differs between rows. All stay if the most is not a whole number
    somewhere, or stands beside a column of the least: these describe scores of several runs.

    Parameters
    ----------
    read
        The scores, one a row.
    table
        The table.
    names
        The benchmark of each row.
    declared
        Benchmarks that the caller declares, which stay as they are.
    """
    column = next((str(name) for name in table if _MOST.fullmatch(in_words(str(name)))), None)
    if column is None:
        return read, []
    most = score_cells(table[column]).values
    fractions = most[~np.isnan(most)] % 1 != 0
    if fractions.any() or any(_LEAST.fullmatch(in_words(str(name))) for name in table):
        return read, []
    values, half, percent = read.values.copy(), read.half.copy(), read.percent.copy()
    shown = []
    for name, rows in names.groupby(names, sort=False).groups.items():
        tops = np.unique(most[rows])
        known = ~np.isnan(values[rows])
        if name in declared or len(tops) != 1 or not tops[0] > 0 or tops[0] in _WHOLES:
            continue
        if percent[rows].any() or not known.any() or np.nanmax(values[rows]) > tops[0]:
            continue
        values[rows], half[rows] = 100 * values[rows] / tops[0], 100 * half[rows] / tops[0]
        percent[rows] = known
        shown.append(f"{name} (of {tops[0]:g})")
    if not shown:
        return read, []
    message = f'points are read as percentages of the most that "{column}" states: '
    message += f"{listed(shown, 6)}."
    found = Finding("info", "points-read", "benchmarks", message)
    return read._replace(values=values, half=half, percent=percent), [found]


def with_stated_directions(
    info: Mapping[str, Benchmark],
    table: pd.DataFrame,
    names: pd.Series,
    declared: Collection[str],
) -> dict[str, Benchmark]:
    """Return benchmarks on which lower is better where a column says so of all their rows.

    Parameters
    ----------
    info
        Declarations by benchmark.
    table
        The table.
    names
        The benchmark of each row.
    declared
        Benchmarks that the caller declares, which stay as they are.
    """
    stated = dict(info)
    for column in table:
        match = _BETTER.fullmatch(in_words(str(column)))
        if match is None:
            continue
        said = pd.Series(truths(table[column])[0], dtype=float).to_numpy()
        lower = said == (1.0 if match["way"].casefold() == "lower" else 0.0)
        for name in (name for name in info if name not in declared):
            rows = (names == name).to_numpy()
            if np.isnan(said[rows]).any() or len(np.unique(lower[rows])) != 1:
                continue
            turned = bool(lower[rows][0])
            if turned != info[name].lower_is_better:
                stated[name] = replace(info[name], lower_is_better=turned, floor=0.0)
    return stated
