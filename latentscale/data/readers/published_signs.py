"""Cells without a percent sign in a column whose other cells have one: fractions, or percentages.

Columns without any sign are one scale, by their numbers (`published_scores`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.published_cells import ScoreCells
from latentscale.errors import listed
from latentscale.markup import counted


def with_signs(
    columns: Mapping[str, ScoreCells], models: Mapping[str, pd.Series], declared: Collection[str]
) -> tuple[dict[str, ScoreCells], list[Finding]]:
    """Return columns whose cells are all percentages where some have a percent sign, and findings.

    A cell of at most 1 without a sign is a fraction if it lies among the column's other scores as
    one ("0.761" among 20% to 90%) and not as a percentage, and the other way round; where it may
    be both, or neither, it is left out.

    Parameters
    ----------
    columns
        Scores by benchmark.
    models
        The model of each cell, by benchmark.
    declared
        Benchmarks that the caller declares, which stay as they are.
    """
    read = dict(columns)
    findings = []
    for name, cells in columns.items():
        values = cells.values
        bare = ~cells.percent & (values > 0) & (values <= 1)
        others = values[~bare & ~np.isnan(values)]
        if name in declared or not cells.percent.any() or not bare.any() or not others.size:
            continue
        low, high = others.min(), others.max()
        small = (values >= low) & (values <= high)
        fraction = (100 * values >= low) & (100 * values <= high)
        taken, unsure = bare & fraction & ~small, bare & (fraction == small)
        factor = np.where(taken, 100.0, np.where(unsure, np.nan, 1.0))
        read[name] = cells._replace(values=values * factor, half=cells.half * factor)
        findings += _findings(name, models[name], values, taken, unsure)
    return read, findings


def _findings(
    name: str, models: pd.Series, values: np.ndarray, taken: np.ndarray, unsure: np.ndarray
) -> list[Finding]:
    """Name the cells that were taken for fractions, and those that were left out."""
    findings = []
    if taken.any():
        shown = [f"{models.iloc[i]}: {values[i]:g}" for i in np.flatnonzero(taken)]
        message = (
            f"{counted(len(shown), 'cell')} without a percent sign among cells with one "
            f"{'is a fraction' if len(shown) == 1 else 'are fractions'} by the other scores, and "
            f"read as such: {listed(shown, 6)}. If they are small percentages, write the sign."
        )
        findings.append(Finding("warning", "fractions-among-percentages", name, message))
    if unsure.any():
        shown = [f"{models.iloc[i]}: {values[i]:g}" for i in np.flatnonzero(unsure)]
        message = (
            f"{counted(len(shown), 'cell')} without a percent sign among cells with one may be a "
            f"fraction or a percentage, and {'was' if len(shown) == 1 else 'were'} left out: "
            f"{listed(shown, 6)}. Write the sign, or multiply fractions by 100."
        )
        findings.append(Finding("warning", "unit-unsure", name, message))
    return findings
