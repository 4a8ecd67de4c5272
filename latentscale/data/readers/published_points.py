"""Scores that count points or items, by a heading that says out of how many: "AIME (/30)"."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from latentscale.data.audit import Finding
from latentscale.data.readers.published_cells import ScoreCells
from latentscale.errors import listed

_OUT_OF: Final = re.compile(
    r"(?:(?<!\w)/ ?|(?<![a-z])out of |(?<![a-z])max(?:imum)?\.? ?)(\d{1,5})(?![\d./])",
    re.IGNORECASE,
)
_JUDGED: Final = 10
"""Points up to this are a judge's, with a scale of their own (`published_columns.is_in_points`)."""


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
    most = int(match[1]) if match else 0
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
    """Return columns of points as percentages, and a finding that says which.

    Parameters
    ----------
    columns
        Scores by benchmark.
    declared
        Benchmarks that the caller declares, which stay as they are.
    """
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
