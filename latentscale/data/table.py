"""Validation of a table of models: from the caller's columns to clean ones, naming every bad cell.

Wide and long tables of scores and tables of models to forecast are all read in this way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.columns import Floats, as_objects, cells_of, read_names, read_score_column
from latentscale.data.features.base import Feature
from latentscale.data.known_features import kinds_among
from latentscale.data.layout import own_columns
from latentscale.data.problems import Problem, at_cells, at_column, numbered
from latentscale.data.scales.base import Scale
from latentscale.data.scales.fraction import FRACTION
from latentscale.errors import listed

MAX_PARAMS_B: Final = 1e5
"""Larger "billions of parameters" can only be a raw count."""
MAX_TOKENS_T: Final = 100.0
"""Larger "trillions of tokens" are taken as billions, or as a raw count."""
_RAW_TOKENS: Final = 1e6
"""Larger "trillions of tokens" are a raw count: as billions they would be 1,000 trillion."""
_POSITIVE_SIZE: Final = (
    "Parameters are above 0, in billions; leave the cell empty if they are undisclosed."
)


@dataclass(frozen=True)
class Table:
    """Columns that were read, before they are joined into a dataset.

    Parameters
    ----------
    models
        One row per model, indexed by row position in the caller's table: model, family, lineage
        (empty where not stated), instruct, params_b, tokens_t, and other features in the table.
    scores
        The same rows; one column per benchmark, NaN where not measured.
    problems
        What prevents the use of the table.
    findings
        What does not prevent it.
    features
        Declared features, with the kind of each.
    stderr, n_items
        Standard errors and item counts of single scores, shaped like `scores`; None if the table
        gives none.
    """

    models: pd.DataFrame
    scores: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    features: tuple[Feature, ...] = ()
    stderr: pd.DataFrame | None = None
    n_items: pd.DataFrame | None = None


def row_labels(frame: pd.DataFrame) -> list[str]:
    """Return the model name of each row for messages, an empty string if there is none."""
    return [cell.strip() if isinstance(cell, str) else "" for cell in cells_of(frame["model"])]


def read_models(frame: pd.DataFrame, features: Sequence[Feature] = ()) -> Table:
    """Read the model's own columns, cell by cell; values are checked later.

    Parameters
    ----------
    frame
        A table that has all required columns.
    features
        Declared features; their columns are read if the table has them.

    Returns
    -------
    Table
        All rows, no scores; empty or bad cells are empty strings, NaN, NaT or None.
    """
    labels = row_labels(frame)
    columns: dict[str, object] = {}
    problems: list[Problem] = []
    cut: list[str] = []
    findings: list[Finding] = []
    for name in ("model", "family", "lineage"):
        if name not in frame.columns:
            columns[name] = as_objects([""] * len(frame))
            continue
        names, new_problems, cut_here = read_names(frame[name], labels, name)
        columns[name] = as_objects(names)
        problems += new_problems
        cut += cut_here
    columns |= {"instruct": np.zeros(len(frame)), "params_b": np.nan, "tokens_t": np.nan}
    own = own_columns(frame, features)
    for name, kind in kinds_among(features).items():
        if name in own:
            columns[name], new_problems = kind.read(frame[name], labels)
            problems += new_problems
            findings += kind.findings(frame[name])
    if cut:
        message = f"spaces at the ends of these names were cut: {listed(dict.fromkeys(cut))}."
        findings.append(Finding("warning", "names-stripped", "names", message))
    models = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    scores = pd.DataFrame(index=models.index)
    return Table(models, scores, tuple(problems), tuple(findings), tuple(features))


def read_wide(
    frame: pd.DataFrame,
    benchmarks: Sequence[str],
    scales: Mapping[str, Scale] | None = None,
    features: Sequence[Feature] = (),
    *,
    fitted: bool = False,
) -> Table:
    """Read and check a wide table: one row per model, one column per benchmark.

    Parameters
    ----------
    frame
        A table whose columns have been checked.
    benchmarks
        Columns to read as scores.
    scales
        Their scales by name; fractions where none is stated.
    features
        Declared features.
    fitted
        Whether `benchmarks` come from a fit, so that none of them can be a feature.

    Returns
    -------
    Table
        Everything that was read, with the problems of every cell.
    """
    read = read_models(frame.drop(columns=list(benchmarks)), features)
    judged = judge_models(read)
    labels = row_labels(frame)
    scores: dict[str, Floats] = {}
    problems = [*judged.problems, *repeated_models(read.models)]
    for name in benchmarks:
        scale = (scales or {}).get(name, FRACTION)
        scores[name], new_problems = read_score_column(
            frame[name], labels, name, scale, fitted=fitted
        )
        problems += new_problems
    wide = pd.DataFrame(scores, index=judged.models.index, columns=list(benchmarks), dtype=float)
    return Table(judged.models, wide, tuple(problems), judged.findings, judged.features)


def repeated_models(models: pd.DataFrame) -> list[Problem]:
    """Return a problem for each model that has several rows."""
    named = models[models["model"] != ""]
    named = named[named["model"].duplicated(keep=False)]
    problems = []
    for model, rows in named.groupby("model", sort=False).groups.items():
        text = (
            f'"{model}" has {len(rows)} rows ({numbered(rows)}). Each model has one row: '
            "merge them, or give them different names."
        )
        problems.append(at_column("model", text))
    return problems


def judge_models(table: Table, passed_over: Collection[tuple[int, str]] = ()) -> Table:
    """Check the values of one row per model: names given, sizes and tokens in the right units.

    Cells that could not be read already have a problem and are skipped, as are the cells
    (row, column) in `passed_over`. An empty `instruct` becomes 0 and is reported.
    """
    models = table.models
    reported = {(problem.row, problem.column) for problem in table.problems} | set(passed_over)
    problems = list(table.problems)
    for name in ("model", "family"):
        rows = [r for r in models.index[models[name] == ""] if (r, name) not in reported]
        rule = f"The {name} name is missing; every row needs one."
        labels = models["model"].loc[rows].tolist()
        problems += at_cells(name, rows, labels, [""] * len(rows), rule)
    problems += _size_problems(models) + _token_problems(models)
    findings = list(table.findings)
    unstated = [
        row for row in models.index[models["instruct"].isna()] if (row, "instruct") not in reported
    ]
    if unstated:
        named = listed(models["model"].loc[unstated])
        message = f"empty for {named}: taken as 0, a base model. Write 1 for a tuned model."
        findings.append(Finding("warning", "instruct-missing", "instruct", message))
    models = models.assign(instruct=models["instruct"].fillna(0.0))
    return Table(models, table.scores, tuple(problems), tuple(findings), table.features)


def _size_problems(models: pd.DataFrame) -> list[Problem]:
    raw = "This looks like a raw count; parameters are given in billions: divide by 1e9."
    return [
        problem
        for column in ("params_b", "active_params_b")
        if column in models
        for problem in (
            *_broken(models, column, models[column] <= 0, _POSITIVE_SIZE),
            *_broken(models, column, models[column] > MAX_PARAMS_B, raw),
        )
    ]


def _token_problems(models: pd.DataFrame) -> list[Problem]:
    tokens = models["tokens_t"]
    positive = (
        "Training tokens are above 0, in trillions; leave the cell empty if they are undisclosed."
    )
    billions = (
        f"More than {MAX_TOKENS_T:g} trillion tokens: this looks like billions of tokens. "
        "Tokens are given in trillions: divide by 1000."
    )
    raw = "This looks like a raw count; tokens are given in trillions: divide by 1e12."
    return (
        _broken(models, "tokens_t", tokens <= 0, positive)
        + _broken(models, "tokens_t", (tokens > MAX_TOKENS_T) & (tokens <= _RAW_TOKENS), billions)
        + _broken(models, "tokens_t", tokens > _RAW_TOKENS, raw)
    )


def _broken(models: pd.DataFrame, column: str, mask: pd.Series, rule: str) -> list[Problem]:
    """Return one problem per cell, or one for the column if most of its values break the rule."""
    rows = models.index[mask]
    known = int(models[column].notna().sum())
    if len(rows) > 3 and 2 * len(rows) >= known:
        first = models.loc[rows[0]]
        example = f'row {rows[0]}, model "{first["model"]}": {first[column]:g}'
        return [at_column(column, f"{len(rows)} of {known} values, such as {example}. {rule}")]
    labels = models["model"].loc[rows].tolist()
    return at_cells(column, list(rows), labels, models[column].loc[rows].tolist(), rule)
