"""Columns of percentages: cells without a percent sign, and cells that cannot be percentages.

Columns without any sign have one scale, inferred from their numbers (`scores`). If many cells are
outside 0 to 100 the scale is unknown, and the whole column is left out there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.column_names import is_neither
from latentscale.data.lower_by_name import is_lower
from latentscale.data.readers.published.cells import Bools, Floats, ScoreCells
from latentscale.data.readers.published.columns import (
    is_in_points,
    is_rating,
    unit_of_amount,
)
from latentscale.errors import listed
from latentscale.markup import counted

_SIGNED: Final = 10
"""Number of cells of which one may be wrong, if cells have percent signs; none exceeds 100 then."""
_NEAR: Final = 20.0
"""Percentage points by which rows of one model differ, through prompts or agents. A cell below 1
that is this near if it is a fraction counts as a fraction."""
_BARE: Final = 50
"""The same without signs: among fewer numbers, one above 100 may be the largest of an amount."""
_FRACTIONS: Final = 2
"""Other columns of fractions in the table, from which one cell above 1 is taken for a slip."""
_SURE: Final = 0.1
"""Largest of the column's other cells from which they are fractions: percentages below 1 of which
some are this near to 1, beside columns of fractions, are few."""


def without_impossible(
    columns: Mapping[str, ScoreCells], models: Mapping[str, pd.Series], declared: Collection[str]
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns of percentages without the few cells below 0 or above 100, and findings.

    Parameters
    ----------
    columns
        Scores by benchmark.
    models
        The model of each cell, by benchmark.
    declared
        Benchmarks that the caller declares, which do not change.
    """
    kept = dict(columns)
    findings = []
    for name, cells in columns.items():
        outside = _outside(name, cells) if name not in declared else np.zeros(0, dtype=bool)
        if not outside.any():
            continue
        kept[name] = cells._replace(
            values=np.where(outside, np.nan, cells.values),
            half=np.where(outside, np.nan, cells.half),
        )
        shown = _shown(models[name], cells.values, outside)
        known = int((~np.isnan(cells.values)).sum())
        was = "was" if len(shown) == 1 else "were"
        message = (
            f"{counted(len(shown), 'cell')} of {known} cannot be percentages, as all others are, "
            f"and {was} left out: {listed(shown, 6)}. Correct them: is a decimal point missing? "
            "If the benchmark is not a percentage, pass "
            'benchmarks={"name": Benchmark(scale=...)}.'
        )
        findings.append(Finding("warning", "impossible-score", name, message))
    return kept, findings


def without_one_above(
    columns: Mapping[str, ScoreCells], models: Mapping[str, pd.Series], declared: Collection[str]
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns of fractions without the one cell above 1, and findings.

    That cell, a percentage perhaps, would make percentages of all others. It is left out of a
    column of ten cells or more if other columns of the table have fractions. Parameters are as for
    `without_impossible`.
    """
    kept = dict(columns)
    findings = []
    bare = [n for n, c in columns.items() if not c.percent.any() and not _in_other_units(n, c)]
    fractions = [name for name in bare if _are_fractions(columns[name].values)]
    for name in bare:
        cells = columns[name]
        above = cells.values > 1
        others = np.where(above, np.nan, cells.values)
        few = above.sum() != 1 or (~np.isnan(cells.values)).sum() < _SIGNED
        if few or name in declared or len(fractions) < _FRACTIONS or not _are_fractions(others):
            continue
        kept[name] = cells._replace(values=others, half=np.where(above, np.nan, cells.half))
        shown = _shown(models[name], cells.values, above)
        message = (
            f"1 cell is above 1 among fractions, and was left out: {listed(shown)}. Correct it. If "
            f'all are percentages, pass benchmarks={{"{name}": Benchmark(scale="percent")}}.'
        )
        findings.append(Finding("warning", "impossible-score", name, message))
    return kept, findings


def _are_fractions(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    parts = bool(((known > 0) & (known < 1)).any())
    return parts and bool(known.min() >= 0 and _SURE <= known.max() <= 1)


def _outside(name: str, cells: ScoreCells) -> Bools:
    """Return cells below 0 or above 100 in a column of percentages, none in other units.

    Some percentages are above 1, unlike fractions.
    """
    values = cells.values
    known = values[~np.isnan(values)]
    outside = (values < 0) | (values > 100)
    none = np.zeros(len(values), dtype=bool)
    if _in_other_units(name, cells) or not outside.any():
        return none
    share = _SIGNED if cells.percent.any() else _BARE
    within = known[(known >= 0) & (known <= 100)]
    if outside.sum() * share > len(known) or within.max(initial=0.0) <= 1:
        return none
    return outside


def _in_other_units(name: str, cells: ScoreCells) -> bool:
    """Return whether a column holds amounts, ratings or errors, which may exceed 100%."""
    other = is_neither(name) or is_rating(name) or is_lower(name) or is_in_points(name)
    other = other or unit_of_amount(name) is not None
    return other or bool(cells.minutes.any() or cells.money.any())


def named_outside(values: Floats, models: pd.Series) -> str:
    """Return the few cells that prevent reading a column as percentages, empty if there are many.

    For a column that is left out, so that the user finds the cell to correct.
    """
    known = int((~np.isnan(values)).sum())
    shown = _shown(models, values, (values < 0) | (values > 100))
    if not 0 < len(shown) * _SIGNED <= known:
        return ""
    return f"; all but {len(shown)} of {known} lie within 0 to 100 ({listed(shown, 4)})"


def with_signs(
    columns: Mapping[str, ScoreCells], models: Mapping[str, pd.Series], declared: Collection[str]
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns whose cells are all percentages where some have a percent sign, and findings.

    A cell below 1 without a sign is a fraction if it lies among the column's other scores as
    one ("0.761" among 20% to 90%) and not as a percentage, and the other way round; where it may
    be both, or neither, it is left out. A 1 without a sign is 1%, or left out where another cell
    of the column is a fraction, as 1 may then be one as well. Without any sign a cell of at
    most 1 is a fraction where it is near other rows of its model as one. Parameters are as for
    `without_impossible`.
    """
    read = dict(columns)
    findings = []
    for name, cells in columns.items():
        values = cells.values
        bare = ~cells.percent & (values > 0) & (values <= 1)
        others = values[~bare & ~np.isnan(values)]
        if name in declared or not bare.any() or not others.size:
            continue
        if not cells.percent.any():
            if _in_other_units(name, cells) or values[~np.isnan(values)].max() > 100:
                continue
            taken = bare & _near_their_model(values, models[name])
            read[name] = cells._replace(
                values=np.where(taken, 100 * values, values),
                half=np.where(taken, 100 * cells.half, cells.half),
            )
            findings += _of_their_model(name, models[name], values, taken)
            continue
        low, high = others.min(), others.max()
        small = (values >= low) & (values <= high)
        fraction = (100 * values >= low) & (100 * values <= high)
        one = bare & (values == 1)
        taken = bare & ~one & fraction & ~small
        unsure = bare & np.where(one, taken.any(), fraction == small)
        factor = np.where(taken, 100.0, np.where(unsure, np.nan, 1.0))
        read[name] = cells._replace(values=values * factor, half=cells.half * factor)
        findings += _findings(name, models[name], values, taken, unsure)
        findings += _ones(name, models[name], values, one & ~unsure & (fraction | ~small))
    return read, findings


def _near_their_model(values: Floats, models: pd.Series) -> Bools:
    """Return which cells, as fractions, are near the percentages in other rows of their model."""
    percentages = pd.Series(np.where((values > 1) & (values <= 100), values, np.nan))
    others = percentages.groupby(models.to_numpy()).transform("mean").to_numpy()
    return np.asarray(np.abs(100 * values - others) < _NEAR)


def _of_their_model(name: str, models: pd.Series, values: Floats, taken: Bools) -> list[Finding]:
    """Return a finding on cells that other rows of their models show to be fractions."""
    if not taken.any():
        return []
    shown = _shown(models, values, taken)
    message = (
        f"{counted(len(shown), 'cell')} of at most 1 "
        f"{'is a fraction' if len(shown) == 1 else 'are fractions'} by other rows of the same "
        f"model, which hold percentages, and read as such: {listed(shown, 6)}. Write all scores in "
        "one unit."
    )
    return [Finding("warning", "fractions-among-percentages", name, message)]


def _findings(
    name: str, models: pd.Series, values: Floats, taken: Bools, unsure: Bools
) -> list[Finding]:
    """Return findings on cells read as fractions, and on cells left out."""
    findings = []
    if taken.any():
        shown = _shown(models, values, taken)
        message = (
            f"{counted(len(shown), 'cell')} without a percent sign among cells with one "
            f"{'is a fraction' if len(shown) == 1 else 'are fractions'} by the other scores, and "
            f"read as such: {listed(shown, 6)}. If they are small percentages, write the sign."
        )
        findings.append(Finding("warning", "fractions-among-percentages", name, message))
    if unsure.any():
        shown = _shown(models, values, unsure)
        message = (
            f"{counted(len(shown), 'cell')} without a percent sign among cells with one may be a "
            f"fraction or a percentage, and {'was' if len(shown) == 1 else 'were'} left out: "
            f"{listed(shown, 6)}. Write the sign, or multiply fractions by 100."
        )
        findings.append(Finding("warning", "unit-unsure", name, message))
    return findings


def _ones(name: str, models: pd.Series, values: Floats, ones: Bools) -> list[Finding]:
    """Name the cells that hold a 1 without a sign, which are read as 1%."""
    if not ones.any():
        return []
    shown = _shown(models, values, ones)
    message = (
        f"{counted(len(shown), 'cell')} of 1 without a percent sign among cells with one "
        f"{'is' if len(shown) == 1 else 'are'} read as 1%, since the other scores are "
        f"percentages: {listed(shown, 6)}. If all items were solved, write 100%."
    )
    return [Finding("warning", "percent-sign", name, message)]


def _shown(models: pd.Series, values: Floats, chosen: Bools) -> list[str]:
    """Return some cells as messages show them: model and number."""
    return [f"{models.iloc[row]}: {values[row]:g}" for row in np.flatnonzero(chosen)]
