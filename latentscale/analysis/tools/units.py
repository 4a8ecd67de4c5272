"""Units of scores, and of errors and standard deviations over benchmarks with different scales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.scales.base import SCALES
from latentscale.data.scaling import is_bounded, scales_of, units_of
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL
from latentscale.markup import FRACTION

STANDARD: Final = "sd of the benchmark's scores"
"""Unit of figures that combine benchmarks on several scales."""
SCALE_COLUMNS: Final = ("scale", "unit", "spread")
"""Columns of a backtest's table if some scores are not fractions."""
_NAMED: Final = 6
"""Most benchmarks whose units a headline names, so that it stays one sentence."""
_OWN_UNIT: Final = "its own unit"
"""Words for a unit that is not stated."""
_IN_UNITS: Final = ("mae", "crps", "width", "interval_score")


def other_units(scores: Scores) -> dict[str, str]:
    """Return the units of benchmarks whose scores are not fractions, by name.

    A unit that is not stated is named after the scale.
    """
    scales, units = scales_of(scores.dataset), units_of(scores.dataset)
    return {
        name: units[name] or scale.kind for name, scale in scales.items() if scale.bounded is None
    }


def stated_unit(unit: str) -> str:
    """Return a unit as shown in text: empty if it only repeats the scale (`other_units`)."""
    return "" if unit in SCALES else unit


def in_words(units: Mapping[str, str], benchmarks: Iterable[str]) -> str:
    """Return the units of scores in words, such as "fractions; elo in Elo", or "Elo" if all are.

    Parameters
    ----------
    units
        As `other_units` returns them.
    benchmarks
        Benchmarks whose scores are shown.
    """
    names = list(dict.fromkeys(benchmarks))
    own = [name for name in names if name in units]
    if own and len(own) == len(names) and len({units[name] for name in own}) == 1:
        return stated_unit(units[own[0]]) or _OWN_UNIT
    fractions = ["fractions"] if len(own) < len(names) or not names else []
    return "; ".join([*fractions, *_by_name(units, own)])


def units_note(units: Mapping[str, str], benchmarks: Iterable[str]) -> str:
    """Return the units for a headline, such as "; elo in Elo, others in fractions".

    Parameters
    ----------
    units
        As `other_units` returns them.
    benchmarks
        Benchmarks whose scores are shown; the note is empty if all scores are fractions.
    """
    names = list(benchmarks)
    own = _by_name(units, names)
    if not own:
        return ""
    more = f" and {len(own) - _NAMED} more" if len(own) > _NAMED else ""
    rest = ", others in fractions" if len(own) < len(names) else ""
    return f"; {', '.join(own[:_NAMED])}{more}{rest}"


def _by_name(units: Mapping[str, str], names: Sequence[str]) -> list[str]:
    own = [name for name in names if name in units]
    return [f"{name} in {stated_unit(units[name]) or _OWN_UNIT}" for name in own]


def means_note(benchmarks: Sequence[str]) -> str:
    """Return a headline's note on benchmarks without mean and sd (`Forecast.without_mean`).

    Parameters
    ----------
    benchmarks
        Their names; the note is empty if there are none.
    """
    if not benchmarks:
        return ""
    more = f" and {len(benchmarks) - _NAMED} more" if len(benchmarks) > _NAMED else ""
    return (
        f"; mean and sd of {', '.join(benchmarks[:_NAMED])}{more} are left out: with heavy tails "
        "on a logarithmic scale they depend on a few draws"
    )


def spread_note(columns: str, unit: str) -> str:
    """Return a headline's note on the unit of errors and widths; empty for fractions."""
    in_sd = {STANDARD: "standard deviations of each benchmark's scores", FRACTION: ""}
    said = in_sd.get(unit, stated_unit(unit))
    return f"; {columns} in {said}" if said else ""


def shown_score(value: float, unit: str | None, decimals: int = 0) -> str:
    """Return a score as text: fractions (no unit) as percentages, others with their unit."""
    return f"{value:.{decimals}%}" if unit is None else f"{value:.4g} {stated_unit(unit)}".rstrip()


def spreads(scores: Scores) -> xr.DataArray:
    """Return the standard deviation of each benchmark's measured scores, dims (benchmark,).

    It is 1 if the scores do not vary.
    """
    spread = scores.dataset["score"].std(MODEL)
    return spread.where(spread > 0, 1.0).drop_vars(
        [name for name in spread.coords if name != BENCHMARK]
    )


def common_unit(scores: Scores, benchmarks: Sequence[str]) -> tuple[xr.DataArray, str]:
    """Return the divisors that bring scores of some benchmarks to one unit, and that unit.

    They are 1 if all are fractions, or all have one other scale and one unit; otherwise they are
    the standard deviations of the benchmarks' scores.
    """
    units = other_units(scores)
    distinct = {units.get(name, FRACTION) for name in benchmarks}
    spread = spreads(scores).sel({BENCHMARK: list(benchmarks)})
    if len(distinct) == 1:
        return xr.ones_like(spread), distinct.pop()
    return spread, STANDARD


def with_units(table: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with the unit of each row's benchmark in a last column, unit.

    Parameters
    ----------
    table
        A table with a column benchmark.
    units
        As `other_units` returns them; scores of other benchmarks are fractions.
    """
    own = [units.get(str(name), FRACTION) for name in table["benchmark"]]
    return table.assign(unit=pd.Series(own, table.index, dtype="str"))


def with_scales(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Return a table of forecasts with the units of its scores.

    If some scores are not fractions, the columns are scale, unit, and spread (standard deviation of
    the benchmark's measured scores).
    """
    if bool(is_bounded(scores.dataset).all()):
        return with_units(table, {})
    scales = {name: scale.kind for name, scale in scales_of(scores.dataset).items()}
    spread = spreads(scores).to_series()
    return table.assign(
        scale=table["benchmark"].map(scales),
        unit=table["benchmark"].map(other_units(scores)).fillna(FRACTION),
        spread=table["benchmark"].map(spread),
    )


def in_one_unit(figures: pd.DataFrame, table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return figures of cells in one unit, and that unit.

    If the cells have several units, errors and widths are divided by the standard deviation of the
    benchmark's scores, and log scores are those of the divided scores.

    Parameters
    ----------
    figures
        One row per cell, as `latentscale.analysis.checks.calibrate.cell_figures` returns them.
    table
        The same rows of a backtest's table.
    """
    if not set(SCALE_COLUMNS) <= set(table.columns):
        return figures, FRACTION
    units = table["unit"].unique()
    if len(units) == 1:
        return figures, str(units[0])
    spread = table["spread"].to_numpy(dtype=float)
    changed = {name: figures[name] / spread for name in _IN_UNITS if name in figures}
    if "log_score" in figures:
        changed["log_score"] = figures["log_score"] + np.log(spread)
    return figures.assign(**changed), STANDARD
