"""The column unit of a long table: one unit a benchmark, as `Benchmark.unit`.

Not for the scale, which a unit does not settle: "s" may be the unit of scores on two scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark, is_percent
from latentscale.data.columns import cells_of, is_blank
from latentscale.data.problems import Problem, at_column
from latentscale.data.scales.fraction import FractionScale
from latentscale.data.scales.percent import PercentScale

UNIT: Final = "unit"


def units_of_rows(
    frame: pd.DataFrame, given: Mapping[str, Benchmark]
) -> tuple[dict[str, str], list[Problem], list[Finding]]:
    """Return the unit of each benchmark for which a column states one that is not declared.

    Parameters
    ----------
    frame
        A long table with the columns benchmark and unit.
    given
        Declared benchmarks, by name.

    Returns
    -------
    tuple
        Units by benchmark; a problem for each benchmark of several units, or of another unit than
        its declaration has; and a finding for each whose unit says percent, and its scale does not.
    """
    units: dict[str, str] = {}
    problems, findings = [], []
    for name, rows in _rows_by_unit(frame).items():
        known = given.get(name, Benchmark())
        if len(rows) > 1:
            listed = ", ".join(f'"{unit}" (row {row})' for unit, row in rows.items())
            text = (
                f'benchmark "{name}" has several units: {listed}. One benchmark has one unit: '
                "correct it, or give scores in another unit the name of another benchmark."
            )
            problems.append(at_column(UNIT, text))
            continue
        (unit,) = rows
        if is_percent(unit):
            findings += [] if known.scale == PercentScale.kind else [_unused(name, unit)]
        elif known.unit and known.unit.strip().casefold() != unit.casefold():
            text = (
                f'benchmark "{name}" has the unit "{unit}" (row {rows[unit]}), and '
                f'"{known.unit}" in benchmarks=. Correct one of them.'
            )
            problems.append(at_column(UNIT, text))
        elif not known.unit and unit.casefold().removesuffix("s") != FractionScale.kind:
            units[name] = unit
    return units, problems, findings


def has_units(frame: pd.DataFrame) -> bool:
    """Return whether a table has a column unit, and all its filled cells are text."""
    cells = cells_of(frame[UNIT]) if UNIT in frame else ()
    return UNIT in frame and all(isinstance(cell, str) or is_blank(cell) for cell in cells)


def _rows_by_unit(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the units of each benchmark, each with the first row that has it."""
    found: dict[str, dict[str, int]] = {}
    pairs = zip(cells_of(frame["benchmark"]), cells_of(frame[UNIT]), strict=True)
    for row, (name, unit) in enumerate(pairs):
        if isinstance(name, str) and not is_blank(unit):
            found.setdefault(name.strip(), {}).setdefault(unit.strip(), row)
    return found


def _unused(name: str, unit: str) -> Finding:
    message = (
        f'its unit "{unit}" in the column unit is not used: its scores are read as the benchmark '
        f'is declared. If they are percentages, pass benchmarks={{"{name}": '
        'Benchmark(scale="percent")}.'
    )
    return Finding("warning", "unit-not-used", name, message)
