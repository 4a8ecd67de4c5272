"""What the reader of published tables says of columns, scales and cells.

What is decided is in `scores`; here are its reasons in words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import in_words
from latentscale.data.dates import shown_dates
from latentscale.data.readers.published.cells import ScoreCells, settings_in
from latentscale.data.readers.published.columns import is_rating
from latentscale.data.scales.base import scale_of
from latentscale.errors import listed
from latentscale.markup import counted, shortened

_NO_RELEASE: Final = re.compile(
    r"cut-?off|updat|submi|verif|check|eval|test|measur|modif|retire|deprecat|(?<![a-z])(ran|run)",
    re.IGNORECASE,
)
"""What names of columns say whose dates are not those of models' releases."""
_FIGURES: Final = re.compile(r"\W{0,2}\d+(\.\d+)?(?![\w.])")
"""The beginning of a cell that may be meant as a score: "85.7 (2.5)", ">85"."""
_COUNTED: Final = re.compile(
    r"\W*((number of|num|total|n) )?\w*(errors|refusals|failures|failed|mistakes|violations"
    r"|wins|losses|solved|correct|passed|completed)\W*"
    r"|.*\bcounts?\W*|.*# ?(solved|correct|passed|completed)\W*",
    re.IGNORECASE,
)
"""Headings of which whole numbers without a sign may be counts of items."""
_CELL: Final = 30
"""Letters of a cell in a message."""
TINY: Final = "scores-tiny"
"""Code of findings on scores below 1 among percentages."""
_TINY_SAID: Final = 12
"""Scores below 1 that one finding names, so that each can be looked up."""
_POINTS_FROM: Final = 3
"""Scores from which a column of small whole numbers is no chance of rounding."""
_MOST_POINTS: Final = 10.0
"""Most points that a judge gives; few benchmarks have no score above ten per cent."""
_COLUMNS_SAID: Final = 40
"""Columns left out that one finding names: the widest exports of hubs have about as many."""
_FLOORS_SAID: Final = 12
"""Floors that one finding names: as many as a table of multiple-choice tasks has."""


def reasons_of_dates(table: pd.DataFrame, names: Collection[str]) -> dict[str, str]:
    """Return why columns of dates without a role are not used."""
    first = {name: shown_dates(table[name]) for name in names if not is_rating(name)}
    return {
        name: f"dates such as {shown}, by its name not of release"
        if _NO_RELEASE.search(name.replace("_", " "))
        else f'dates such as {shown}; of release? Then rename the column to "released"'
        for name, shown in first.items()
        if shown is not None
    }


def with_examples(
    reasons: Mapping[str, str], table: pd.DataFrame, columns: Mapping[str, ScoreCells]
) -> dict[str, str]:
    """Return why columns are not used, with a cell of those of text that has figures in it."""
    shown = dict(reasons)
    for name, why in reasons.items():
        if why not in ("text, not numbers", "mostly text"):
            continue
        cells = [str(table[name].iloc[row]) for row in columns[name].unread]
        cell = next((cell for cell in cells if _FIGURES.match(cell.strip())), None)
        if cell is not None:
            shown[name] = (
                f'{why}, such as "{shortened(cell, _CELL)}": write one number in each cell'
            )
    return shown


def left_out_columns(reasons: Mapping[str, str]) -> list[Finding]:
    """Name columns that are not used, with the reason of each."""
    if not reasons:
        return []
    message = (
        f"{counted(len(reasons), 'column is', 'columns are')} not used. "
        f'{reasons_in_words(reasons)} Declare one that measures a skill with benchmarks={{"name": '
        'Benchmark(scale=...)}, and one that describes models with features=["name"].'
    )
    return [Finding("warning", "ignored-column", "columns", message)]


def reasons_in_words(reasons: Mapping[str, str]) -> str:
    """Return why columns are not used, each reason once with its columns."""
    by_reason: dict[str, list[str]] = {}
    for name, why in reasons.items():
        by_reason.setdefault(why, []).append(name)
    return " ".join(f"{listed(names, _COLUMNS_SAID)}: {why}." for why, names in by_reason.items())


def scales_assumed(
    info: Mapping[str, Benchmark], declared: Mapping[str, Benchmark]
) -> list[Finding]:
    """Say on which scale benchmarks were read that the caller does not declare."""
    kinds: dict[str, list[str]] = {}
    for name, about in info.items():
        if name not in declared:
            unit = f" ({about.unit})" if about.unit else ""
            lower = ", lower is better" if about.lower_is_better else ""
            kinds.setdefault(f"{about.scale}{unit}{lower}", []).append(name)
    if not kinds:
        return []
    said = "; ".join(f"{len(n)} as {kind}: {listed(n, 4)}" for kind, n in kinds.items())
    floors = [name for name, about in info.items() if about.floor and not about.lower_is_better]
    guessed = [name for name in floors if name not in declared]
    tops = {name: 100.0 if info[name].scale == "percent" else 1.0 for name in guessed}
    shown = [f"{name} ({info[name].floor / tops[name]:.3g})" for name in guessed]
    bounded = any(scale_of(about.scale).bounded for about in info.values())
    floor = "; floors of shares are 0" if bounded else ""
    if guessed:
        floor = f"; floors by the choices of {listed(shown, _FLOORS_SAID)}, else 0"
    groups: dict[str, int] = {}
    for name, about in info.items():
        if about.group and name not in declared:
            groups[about.group] = groups.get(about.group, 0) + 1
    in_groups = ", ".join(f"{group} {count}" for group, count in groups.items())
    message = f"scales were read from names and cells: {said}{floor}. "
    message += f"Groups by names: {in_groups}. " if groups else ""
    message += "benchmarks= says otherwise."
    return [Finding("info", "scales-assumed", "benchmarks", message)]


def odd_cells(
    table: pd.DataFrame,
    named: pd.Series,
    columns: Mapping[str, ScoreCells],
    models: Mapping[str, pd.Series],
    info: Mapping[str, Benchmark],
    declared: Mapping[str, Benchmark],
) -> list[Finding]:
    """Name cells that were not read, and columns that may mix fractions and percentages."""
    findings = [f for name in info for f in unread_cells(name, table, named, columns[name])]
    findings += [f for name in info if name in table for f in settings_in_cells(name, table[name])]
    for name, about in info.items():
        values = columns[name].values
        tiny = (values > 0) & (values < 1) & ~columns[name].percent
        if about.scale == "percent" and tiny.any():
            rows = np.flatnonzero(tiny)
            shown = [f"{name} of {models[name].iloc[row]}: {values[row]:g}" for row in rows]
            findings.append(_tiny(name, shown))
        if about.scale == "percent" and name not in declared:
            findings += _few_points(name, columns[name])
    percentages = [name for name, about in info.items() if about.scale == "percent"]
    findings += _all_low({name: columns[name] for name in percentages}, info, declared)
    alone = [
        n for n, a in info.items() if a.scale == "fraction" and n not in declared and percentages
    ]
    if alone:
        message = (
            f"no score is above 1 on {listed(alone)}, while "
            f"{counted(len(percentages), 'benchmark has', 'benchmarks have')} percentages. They "
            "are read as fractions; if they are small percentages, pass "
            'benchmarks={"name": Benchmark(scale="percent")}.'
        )
        findings.append(Finding("warning", "mixed-units", "benchmarks", message))
    return findings


def _few_points(name: str, cells: ScoreCells) -> list[Finding]:
    """Name percentages that may be points, or counts: whole numbers of which none is above ten.

    Or of any size where the heading is the name of events.
    """
    known = cells.values[~np.isnan(cells.values)]
    counted_alike = _COUNTED.fullmatch(in_words(name)) and "%" not in name
    if known.size < _POINTS_FROM or cells.percent.any():
        return []
    if known.max() > _MOST_POINTS and not counted_alike:
        return []
    if known.max() <= 1 or (known != np.floor(known)).any():
        return []
    message = (
        f"whole numbers of at most {known.max():g} were read as percentages. If they are points, "
        f'write the most in the heading, "{name} (/20)", or pass benchmarks={{"{name}": '
        'Benchmark(scale="real", unit="points")}; if they are counts, write "12/50" in the cells; '
        "if they count something else, drop the column."
    )
    return [Finding("warning", "points-or-percentages", name, message)]


def _all_low(
    columns: Mapping[str, ScoreCells],
    info: Mapping[str, Benchmark],
    declared: Mapping[str, Benchmark],
) -> list[Finding]:
    """Name percentages that may be points of a judge: none in the table is above ten."""
    known = {name: cells.values[~np.isnan(cells.values)] for name, cells in columns.items()}
    sure = any(
        name in declared or info[name].lower_is_better or cells.percent.any()
        for name, cells in columns.items()
    )
    if sure or not known or max(values.max() for values in known.values()) > _MOST_POINTS:
        return []
    parts = [
        name
        for name, values in known.items()
        if values.size >= _POINTS_FROM and (values != np.floor(values)).any()
    ]
    if not parts:
        return []
    message = (
        f"no percentage in the table is above {_MOST_POINTS:g}: {listed(parts)}. If they are "
        f'points, pass benchmarks={{"{parts[0]}": Benchmark(scale="real", unit="points")}}, or '
        f'write the most in the heading, "{parts[0]} (/10)".'
    )
    return [Finding("warning", "points-or-percentages", "benchmarks", message)]


def _tiny(name: str, shown: Sequence[str]) -> Finding:
    read = (
        "It is read as such a small percentage; if it is a fraction, multiply it"
        if len(shown) == 1
        else "They are read as such small percentages; if they are fractions, multiply them"
    )
    scores = counted(len(shown), "score")
    message = (
        f"{scores} below 1 among percentages without a sign: {listed(shown, _TINY_SAID)}. "
        f"{read} by 100."
    )
    return Finding("warning", TINY, name, message)


def unread_cells(
    name: str, table: pd.DataFrame, named: pd.Series, cells: ScoreCells
) -> list[Finding]:
    """Name the cells of a column that are not numbers, and say how to write them."""
    if not cells.unread or name not in table:
        return []
    shown = listed([f"{named.iloc[row]}: {table[name].iloc[row]}" for row in cells.unread], 4)
    count = len(cells.unread)
    are = "is not a number and was" if count == 1 else "are not numbers and were"
    message = f"{counted(count, 'cell')} {are} left out: {shown}."
    remedy = (
        "Write decimals with a dot." if cells.commas else "Write one number, or empty the cell."
    )
    for row, (right, of) in cells.counts.items():
        remedy = (
            f'Write counts as percentages, "{table[name].iloc[row]}" as {100 * right / of:.4g}%.'
        )
    return [Finding("warning", "cell-unread", name, f"{message} {remedy}")]


def settings_in_cells(name: str, column: pd.Series) -> list[Finding]:
    """Name what stands in brackets after scores and is not used: metrics and prompts."""
    settings = settings_in(column)
    if not settings:
        return []
    message = f"metrics and prompts in brackets are not used: {listed(list(settings.values()), 4)}."
    if len(settings) == 1:
        return [Finding("info", "settings-in-cells", name, message)]
    message += " Scores under several settings are taken for scores of one benchmark."
    return [Finding("warning", "settings-in-cells", name, message)]
