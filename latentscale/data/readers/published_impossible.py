"""Single cells of a published table that no benchmark's scale holds: 713 among percentages.

Where many cells lie outside, the scale is unknown and the whole column is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.column_names import is_neither
from latentscale.data.readers.published_cells import ScoreCells
from latentscale.data.readers.published_columns import is_lower, is_rating, unit_of_amount
from latentscale.errors import listed
from latentscale.markup import counted

_SIGNED: Final = 10
"""Cells of which one may be wrong, where cells have percent signs: none of those is above 100."""
_BARE: Final = 50
"""The same without signs: of fewer numbers, one beyond 100 may be the largest of an amount."""


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
        Benchmarks that the caller declares, which stay as they are.
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
        shown = [
            f"{models[name].iloc[row]}: {cells.values[row]:g}" for row in np.flatnonzero(outside)
        ]
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


def _outside(name: str, cells: ScoreCells) -> npt.NDArray[np.bool_]:
    """Return cells below 0 or above 100 in a column of percentages, none in one of other units.

    Percentages of which some are above 1: a column of fractions has no cell between.
    """
    values = cells.values
    known = values[~np.isnan(values)]
    outside = (values < 0) | (values > 100)
    none = np.zeros(len(values), dtype=bool)
    # An error rate may exceed 100%, as word error rates do.
    other = is_neither(name) or is_rating(name) or is_lower(name)
    other = other or unit_of_amount(name) is not None
    if other or cells.minutes.any() or cells.money.any() or not outside.any():
        return none
    share = _SIGNED if cells.percent.any() else _BARE
    within = known[(known >= 0) & (known <= 100)]
    if outside.sum() * share > len(known) or within.max(initial=0.0) <= 1:
        return none
    return outside


def named_outside(values: npt.NDArray[np.float64], models: pd.Series) -> str:
    """Return which few cells keep a column from being one of percentages, empty if there are many.

    Of a column that is left out, so that its reader finds the cell to correct.
    """
    known = int((~np.isnan(values)).sum())
    outside = np.flatnonzero((values < 0) | (values > 100))
    if not 0 < len(outside) * _SIGNED <= known:
        return ""
    shown = [f"{models.iloc[row]}: {values[row]:g}" for row in outside]
    return f"; all but {len(outside)} of {known} lie within 0 to 100 ({listed(shown, 4)})"
