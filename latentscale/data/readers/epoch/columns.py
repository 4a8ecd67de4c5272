"""Columns of a file of Epoch's hub: the main score, its standard error, its scale."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.benchmarks import Benchmark
from latentscale.data.readers.cells import to_numbers
from latentscale.data.readers.epoch.benchmarks import SUITE, HubFile

MODEL_COLUMN: Final = "Model version"
DATE_COLUMN: Final = "Release date"
_SCORES: Final = ("mean_score", "score", "accuracy", "em", "average")
"""Names of main scores in files whose columns are in a different order."""
_STDERR: Final = re.compile(r"std_?err|stderr|\bse\b|standard error", re.IGNORECASE)
_BESIDE: Final = re.compile(
    r"\bshots?$|^(n|num|number|count)\b|^n_|\b(samples|runs|votes|seed|epochs?|rank|year|tokens|id)$"
    r"|\b(cost|price|latency|seconds|usd|ci|low|high)\b|_(low|high|count|cost)$|\(\$\)",
    re.IGNORECASE,
)
"""Names of other columns of numbers: settings, counts, costs, interval ends."""
_PERCENT: Final = re.compile(r"^\s*(-?[\d.]+)\s*%\s*$")
_HALF_WIDTH: Final = re.compile(r"\+\s*([\d.]+)\s*/\s*-\s*([\d.]+)")
_NORMAL_95: Final = 1.96
"""Half width of a normal distribution's central 95% in standard deviations."""
_MOST_STDERR: Final = 0.5
"""Largest standard deviation of a score of 0 to 1: a larger standard error is in points."""
_FEWEST_ITEMS: Final = 10
"""No benchmark of the hub has so few: beside scores in points, errors of fewer are in points."""


def main_column(rows: pd.DataFrame) -> str | None:
    """Return the column of the main score: of numbers, between the model and its date.

    Of several, the one with a main score's name, else the first; never one whose name means
    standard errors, settings, counts or costs.
    """
    names = list(rows.columns)
    end = names.index(DATE_COLUMN) if DATE_COLUMN in names else len(names)
    between = [
        name
        for name in names[names.index(MODEL_COLUMN) + 1 : end]
        if not (_STDERR.search(name) or _BESIDE.search(name))
        and not np.isnan(numbers(rows[name])[0]).all()
    ]
    for among in (between, names):
        by_fold = {name.casefold(): name for name in among}
        named = next((by_fold[name] for name in _SCORES if name in by_fold), None)
        if named or between:
            return named or between[0]
    return None


def numbers(column: pd.Series) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return numbers (NaN where empty), which of them have "%", and rows that cannot be read."""
    matches = [_PERCENT.match(cell) if isinstance(cell, str) else None for cell in column]
    cells = [m[1] if m else cell for m, cell in zip(matches, column, strict=True)]
    values, unread = to_numbers(pd.Series(cells, dtype=object))
    endless = np.isinf(values)
    values[endless] = np.nan
    percent = np.array([m is not None for m in matches], dtype=bool)
    return values, percent, sorted([*unread, *np.flatnonzero(endless).tolist()])


def in_known_units(
    values: np.ndarray, percent: np.ndarray, known: HubFile
) -> tuple[np.ndarray, float, list[int]]:
    """Return scores of a known file in its benchmark's units, whatever the export's units.

    Each cell written with "%" is a percentage. The other cells are percentages if most of those
    above 0 exceed 1, and fractions if none does.

    Returns
    -------
    tuple
        Scores, NaN where left out; the additional factor by which cells without "%" were
        multiplied; and the places of cells above 1 among fractions, which are left out.
    """
    whole = known.benchmark.scale
    if whole not in ("fraction", "percent"):
        return values, 1.0, []
    plain = ~percent & ~np.isnan(values)
    some = values[plain & (values > 0)]
    in_points = 2 * int((some > 1).sum()) > len(some)
    small = bool(len(some)) and float(some.max()) <= 1
    scores, factor = values.copy(), 1.0
    odd: list[int] = []
    if whole == "percent":
        factor = 100.0 if small else 1.0
        scores[plain] *= factor
    elif known.most is not None:
        factor = known.most if small else 1.0
        scores[plain] *= factor / known.most
        scores[percent] /= 100
    else:
        factor = 0.01 if in_points else 1.0
        scores[plain] *= factor
        scores[percent] /= 100
        odd = np.flatnonzero(plain & (scores > 1)).tolist()
        scores[odd] = np.nan
    return scores, factor, odd


def guessed_benchmark(values: np.ndarray, percent: bool) -> Benchmark:
    """Return the declaration of an unknown file, by the range of its scores."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < 0 or high > 100:
        return Benchmark(scale="real", suite=SUITE)
    if percent or high > 1:
        return Benchmark(scale="percent", suite=SUITE)
    return Benchmark(suite=SUITE)


def standard_errors(
    rows: pd.DataFrame, known: HubFile, column: str, scores: np.ndarray, factor: float = 1.0
) -> np.ndarray:
    """Return standard errors in the units of the scores, NaN where the file has none."""
    nothing = np.full(len(rows), np.nan)
    if known.interval is not None and set(known.interval) <= set(rows.columns):
        low, high = (numbers(rows[name])[0] for name in known.interval)
        # On a scale of logarithms, where such intervals are about symmetric.
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (np.log(high) - np.log(low)) / (2 * _NORMAL_95)
        return np.where(np.isfinite(spread) & (spread > 0), scores * spread, np.nan)
    if known.half_width in rows:
        matches = [_HALF_WIDTH.search(str(cell)) for cell in rows[known.half_width]]
        widths = [float(m[1]) + float(m[2]) if m else np.nan for m in matches]
        return np.array(widths) / (2 * _NORMAL_95)
    name = known.stderr if known.stderr else _error_column(rows, column)
    if known.stderr is None or name is None or name not in rows:
        return nothing
    errors, percent, _ = numbers(rows[name])
    plain = np.where(percent, np.nan, errors)
    if known.benchmark.scale == "fraction":
        errors[percent] /= 100  # in points beside a score that is a fraction
        if np.nanmax(plain, initial=0) > _MOST_STDERR or (
            factor < 1 and _items(scores, plain) < _FEWEST_ITEMS
        ):
            errors[~percent] /= 100
    if factor > 1 and np.nanmax(plain, initial=0) <= _MOST_STDERR:
        errors[~percent] *= factor  # of fractions, as the scores
    return np.where(errors > 0, errors, np.nan)  # 0 where all items were right, or none


def _items(scores: np.ndarray, errors: np.ndarray) -> float:
    """Return the item count that standard errors of fractions imply: the median over scores."""
    known = (errors > 0) & (scores > 0) & (scores < 1)
    items = scores[known] * (1 - scores[known]) / errors[known] ** 2
    return float(np.median(items)) if known.any() else np.inf


def _error_column(rows: pd.DataFrame, column: str) -> str | None:
    """Return the column of the main score's standard errors: named like it, or alone."""
    error_columns = [name for name in rows.columns if _STDERR.search(name)]
    first = re.split(r"[\s_]", column.strip())[0].casefold()
    alike = [name for name in error_columns if name.casefold().startswith(first)]
    return alike[0] if alike else error_columns[0] if len(error_columns) == 1 else None
