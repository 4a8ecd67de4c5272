"""Reading a long table: one row per score, with the model's own columns repeated on each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.columns import as_objects, read_names, read_numbers
from latentscale.data.features.base import Feature
from latentscale.data.known_features import known_features
from latentscale.data.layout import METADATA, REQUIRED, own_columns
from latentscale.data.measured import (
    MEASURED,
    as_kept,
    measured_problems,
    merged_sources,
    read_measured,
    repeated_cells,
)
from latentscale.data.problems import Problem, at_cells, at_column, shown_cell
from latentscale.data.scales.base import Scale
from latentscale.data.scales.fraction import FRACTION
from latentscale.data.sources import MERGED
from latentscale.data.table import Table, judge_models, read_models, row_labels
from latentscale.errors import listed, nearest

Codes = npt.NDArray[np.int64]

LONG_REQUIRED: Final = (*REQUIRED, "benchmark", "score")


def read_long(
    frame: pd.DataFrame,
    scales: Mapping[str, Scale] | None = None,
    features: Sequence[Feature] = (),
    sources: str = MERGED,
) -> Table:
    """Read and check a long table, and turn it into one row per model.

    Parameters
    ----------
    frame
        Columns model, family, benchmark and score; features and lineage as in a wide table. Rows
        of one model may leave the model's columns empty if one row gives them, and must not
        disagree. Optionally stderr, n_items and source of each score.
    scales
        Scales of benchmarks by name; fractions where none is stated.
    features
        Declared features.
    sources
        As for `merged_sources`.

    Returns
    -------
    Table
        Models and benchmarks in the order in which they first appear.
    """
    labels = row_labels(frame)
    read = read_models(frame, features)
    benchmarks, name_problems, cut = read_names(frame["benchmark"], labels, "benchmark")
    values, value_problems = read_numbers(frame["score"], labels, "score")
    merged, conflicts, stated = _one_row_a_model(read)
    judged = judge_models(merged, _owners(read, merged))
    columns = {"model": read.models["model"], "benchmark": as_objects(benchmarks), "score": values}
    measured, measured_here = read_measured(frame, labels)
    cells = pd.DataFrame(columns).join(measured)
    ranges = _range_problems(cells, scales or {})
    problems = [
        *(_where_stated(problem, stated) for problem in judged.problems),
        *conflicts,
        *name_problems,
        *_bad_names(cells, {problem.row for problem in name_problems}, read.models.columns),
        *value_problems,
        *ranges,
        *measured_here,
        *measured_problems(cells, scales or {}),
        *repeated_cells(cells),
    ]
    cells, merged_here = merged_sources(as_kept(cells, scales or {}), scales or {}, sources)
    findings = [*judged.findings, *_ignored(frame, own_columns(frame, features)), *merged_here]
    if cut:
        message = f"spaces at the ends of these names were cut: {listed(dict.fromkeys(cut))}."
        findings.append(Finding("warning", "names-stripped", "benchmark", message))
    wide = {
        name: _wide(cells, judged.models, name)
        for name in ("score", "stderr", "n_items")
        if name in cells
    }
    return Table(
        judged.models,
        wide["score"],
        tuple(problems),
        tuple(findings),
        features=judged.features,
        stderr=wide.get("stderr"),
        n_items=wide.get("n_items"),
    )


def _one_row_a_model(read: Table) -> tuple[Table, list[Problem], pd.DataFrame]:
    """Keep each model's first row, filled from its other rows; report disagreements.

    Also return the row of each value, by the model's first row and the column.
    """
    models = read.models
    for name in ("family", "lineage"):
        models = models.assign(**{name: models[name].where(models[name] != "")})
    # Rows without a model name cannot be merged; each is kept, to be reported.
    unnamed = as_objects([f"\0{row}" for row in models.index], models.index)
    owner, _ = pd.factorize(models["model"].where(models["model"] != "", unnamed))
    conflicts = [
        problem
        for column in models.columns.drop("model")
        for problem in _conflicts(models, owner, column)
    ]
    begins = np.flatnonzero(~pd.Series(owner).duplicated())
    places = {name: _first_given(models[name], owner, begins) for name in models.columns}
    rows = models.index[begins]
    first = models.iloc[begins].assign(
        **{name: models[name].iloc[at].set_axis(rows) for name, at in places.items()}
    )
    first = first.fillna({"family": "", "lineage": ""})
    stated = pd.DataFrame({name: models.index[at] for name, at in places.items()}, index=rows)
    scores = pd.DataFrame(index=first.index)
    table = Table(first, scores, read.problems, read.findings, read.features)
    return table, conflicts, stated


def _first_given(column: pd.Series, owner: Codes, begins: Codes) -> Codes:
    """Return the place of each model's first non-empty value, or else of its first row."""
    places = begins.copy()
    given = np.flatnonzero(column.notna())[::-1]
    places[owner[given]] = given  # in reverse order: a model's first row is written last
    return places


def _where_stated(problem: Problem, stated: pd.DataFrame) -> Problem:
    """Return the problem of a model's value with the row that states it, not its first row."""
    if problem.column not in stated or problem.row not in stated.index:
        return problem
    row = int(stated.at[problem.row, problem.column])
    named = f"row {problem.row} "
    if row == problem.row or not problem.text.startswith(named):
        return problem
    return replace(problem, text=f"row {row} {problem.text.removeprefix(named)}", row=row)


def _owners(read: Table, merged: Table) -> set[tuple[int, str]]:
    """Return the first row of each model that has an unreadable cell, with that column."""
    first_row = {model: row for row, model in merged.models["model"].items()}
    return {
        (int(first_row[read.models.at[problem.row, "model"]]), problem.column)
        for problem in read.problems
        if problem.row >= 0
    }


def _conflicts(models: pd.DataFrame, owner: Codes, column: str) -> list[Problem]:
    """Return the problems of models whose rows give several values in one column."""
    value, _ = pd.factorize(models[column])
    given = np.flatnonzero(value >= 0)
    first = np.full(len(models), -1)
    first[owner[given[::-1]]] = value[given[::-1]]  # the first row's is written last
    disagrees = np.zeros(len(models), dtype=bool)
    disagrees[owner[given[value[given] != first[owner[given]]]]] = True
    torn = models.iloc[given[disagrees[owner[given]]]]
    values_of: dict[str, dict[object, int]] = {}
    for row, model, cell in zip(torn.index, torn["model"].tolist(), torn[column], strict=True):
        values_of.setdefault(model, {}).setdefault(cell, row)
    problems = []
    for model, rows in values_of.items():
        listed_values = ", ".join(f"{shown_cell(cell)} (row {row})" for cell, row in rows.items())
        text = (
            f'model "{model}" has different values: {listed_values}. '
            "One model has one value: keep it."
        )
        problems.append(at_column(column, text))
    return problems


def _bad_names(cells: pd.DataFrame, reported: set[int], own: Collection[str]) -> list[Problem]:
    rows = [row for row in cells.index[cells["benchmark"] == ""] if row not in reported]
    labels = cells["model"].loc[rows].tolist()
    rule = "The benchmark name is missing; every row of a long table needs one."
    problems = at_cells("benchmark", rows, labels, [""] * len(rows), rule)
    used = {*METADATA, *own}
    taken = [name for name in dict.fromkeys(cells["benchmark"]) if name in used]
    text = "is the name of one of the model's own columns; give the benchmark another name."
    return problems + [at_column("benchmark", f'"{name}" {text}') for name in taken]


def _range_problems(cells: pd.DataFrame, scales: Mapping[str, Scale]) -> list[Problem]:
    problems = []
    for name, group in cells.groupby("benchmark", sort=False):
        rows: Sequence[int] = group.index.tolist()
        labels = group["model"].tolist()
        scale = scales.get(name, FRACTION)
        problems += scale.problems(group["score"].to_numpy(), rows, labels, f"score [{name}]")
    return problems


def _ignored(frame: pd.DataFrame, own: Collection[str]) -> list[Finding]:
    extra = [name for name in frame.columns if name not in (*own, *LONG_REQUIRED, *MEASURED)]
    unused = [name for name in (*METADATA, *known_features()) if name not in frame.columns]
    return [
        Finding(
            "warning",
            "ignored-column",
            name,
            f"not used.{nearest(name, unused)} If it describes models, declare it: "
            f'features=["{name}"].',
        )
        for name in extra
    ]


def _wide(cells: pd.DataFrame, models: pd.DataFrame, column: str) -> pd.DataFrame:
    """Pivot a column of cells, each present once, to one row per model."""
    columns, names = pd.factorize(cells["benchmark"])
    row_of = {name: row for row, name in enumerate(models["model"].tolist())}
    values = np.full((len(models), len(names)), np.nan)
    rows = [row_of[name] for name in cells["model"].tolist()]
    values[rows, columns] = cells[column].to_numpy()
    return pd.DataFrame(values, index=models.index, columns=list(names))
