"""Reading a long table: one row a score, with the model's own columns repeated on each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.columns import judge_scores, read_names, read_numbers
from latentscale.data.layout import METADATA, REQUIRED
from latentscale.data.problems import Problem, at_cells, at_column, numbered, shown
from latentscale.data.table import Table, judge_models, read_models, row_labels
from latentscale.errors import listed, nearest

LONG_REQUIRED: Final = (*REQUIRED, "benchmark", "score")


def read_long(frame: pd.DataFrame) -> Table:
    """Read and judge a long table, and turn it into one row a model.

    Parameters
    ----------
    frame
        Columns model, family, params_b, tokens_t, benchmark, score; lineage, instruct and
        released as in a wide table. Rows of one model may leave its own columns empty as long
        as one row gives them, and must not disagree.

    Returns
    -------
    Table
        Models and benchmarks in the order in which they first appear.
    """
    labels = row_labels(frame)
    read = read_models(frame)
    benchmarks, name_problems, cut = read_names(frame["benchmark"], labels, "benchmark")
    values, value_problems = read_numbers(frame["score"], labels, "score")
    merged, conflicts = _one_row_a_model(read)
    judged = judge_models(merged, _owners(read, merged))
    cells = pd.DataFrame({"model": read.models["model"], "benchmark": benchmarks, "score": values})
    problems = [
        *judged.problems,
        *conflicts,
        *name_problems,
        *_bad_names(cells, {problem.row for problem in name_problems}),
        *value_problems,
        *_range_problems(cells),
        *_repeated(cells),
    ]
    findings = [*judged.findings, *_ignored(frame)]
    if cut:
        message = f"spaces at the ends of these names were cut: {listed(dict.fromkeys(cut))}."
        findings.append(Finding("warning", "names-stripped", "benchmark", message))
    return Table(judged.models, _wide(cells, judged.models), tuple(problems), tuple(findings))


def _one_row_a_model(read: Table) -> tuple[Table, list[Problem]]:
    """Keep each model's first row, filled from its other rows; name what disagrees."""
    models = read.models
    for name in ("family", "lineage"):
        models = models.assign(**{name: models[name].where(models[name] != "")})
    # Rows without a model name cannot be merged; each stays, to be reported.
    unnamed = pd.Series([f"\0{row}" for row in models.index], index=models.index)
    key = models["model"].where(models["model"] != "", unnamed).rename("key")
    grouped = models.groupby(key, sort=False)
    conflicts = [
        problem
        for column in models.columns.drop("model")
        for problem in _conflicts(models, grouped[column].nunique(), key, column)
    ]
    first = grouped.first()
    first.index = pd.Index(models.index[~key.duplicated()])
    first = first.fillna({"family": "", "lineage": ""})[list(models.columns)]
    return Table(first, pd.DataFrame(index=first.index), read.problems, read.findings), conflicts


def _owners(read: Table, merged: Table) -> set[tuple[int, str]]:
    """Return the first row of each model that has an unreadable cell, with that column."""
    first_row = {model: row for row, model in merged.models["model"].items()}
    return {
        (int(first_row[read.models.at[problem.row, "model"]]), problem.column)
        for problem in read.problems
        if problem.row >= 0
    }


def _conflicts(
    models: pd.DataFrame, distinct: pd.Series, key: pd.Series, column: str
) -> list[Problem]:
    problems = []
    torn = models[column][key.isin(distinct.index[distinct > 1])].dropna()
    for model, given in torn.groupby(key, sort=False):
        values = given.drop_duplicates()
        said = ", ".join(f"{shown(value)} (row {row})" for row, value in values.items())
        text = f'model "{model}" has different values: {said}. One model has one value: keep it.'
        problems.append(at_column(column, text))
    return problems


def _bad_names(cells: pd.DataFrame, reported: set[int]) -> list[Problem]:
    rows = [row for row in cells.index[cells["benchmark"] == ""] if row not in reported]
    labels = cells["model"].loc[rows].tolist()
    rule = "The benchmark name is missing; every row of a long table needs one."
    problems = at_cells("benchmark", rows, labels, [""] * len(rows), rule)
    taken = [name for name in dict.fromkeys(cells["benchmark"]) if name in METADATA]
    text = "is the name of one of the model's own columns; give the benchmark another name."
    return problems + [at_column("benchmark", f'"{name}" {text}') for name in taken]


def _range_problems(cells: pd.DataFrame) -> list[Problem]:
    problems = []
    for name, group in cells.groupby("benchmark", sort=False):
        rows: Sequence[int] = group.index.tolist()
        labels = group["model"].tolist()
        problems += judge_scores(group["score"].to_numpy(), rows, labels, f"score [{name}]")
    return problems


def _repeated(cells: pd.DataFrame) -> list[Problem]:
    named = cells[(cells["model"] != "") & (cells["benchmark"] != "")]
    named = named[named.duplicated(["model", "benchmark"], keep=False)]
    problems = []
    for (model, name), rows in named.groupby(["model", "benchmark"], sort=False).groups.items():
        text = (
            f'model "{model}", benchmark "{name}" has {len(rows)} rows ({numbered(rows)}). '
            "Keep one."
        )
        problems.append(at_column("score", text))
    return problems


def _ignored(frame: pd.DataFrame) -> list[Finding]:
    extra = [name for name in frame.columns if name not in (*METADATA, *LONG_REQUIRED)]
    unused = [name for name in METADATA if name not in frame.columns]
    return [
        Finding("warning", "ignored-column", name, f"not used.{nearest(name, unused)}")
        for name in extra
    ]


def _wide(cells: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Pivot scores to one row a model; repeated cells keep the first, being errors anyway."""
    cells = cells[~cells.duplicated(["model", "benchmark"])]
    columns, names = pd.factorize(cells["benchmark"])
    rows = pd.Series(range(len(models)), index=models["model"]).groupby(level=0).last()
    scores = np.full((len(models), len(names)), np.nan)
    scores[rows.loc[cells["model"]].to_numpy(), columns] = cells["score"].to_numpy()
    return pd.DataFrame(scores, index=models.index, columns=list(names))
