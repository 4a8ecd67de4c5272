"""Rows of one score that differ in its metric or in how a model was run: a mean would mix them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.empty import is_empty
from latentscale.data.readers.published.columns import Roles, is_metric
from latentscale.errors import DataError, listed
from latentscale.markup import counted

_SETTING: Final = re.compile(
    r"\W*((n|num|number of|k)?\W*(few)?\W*shots?|prompt( (style|template|type|profile|name))?"
    r"|settings?|cot"
    r"|config(uration)?|methods?|approach|strategy|technique|variant|team( name)?"
    r"|submitter|temperature|language|lang|locale|split|subset|version|difficulty|tools?"
    r"|quanti[sz]ation|quant|precision|dtype|((api|inference)\W*)?(provider|host|endpoint|engine)"
    r"|steps?|checkpoint|ckpt|backend|(hosted|served)\W*(by|on))\W*",
    re.IGNORECASE,
)
"""Columns that say how a score was measured, and not, like a seed, which of several alike it is."""
_BENCHMARK: Final = re.compile(
    r"(benchmarks?|bench|tasks?|eval|evaluation|metrics?|measures?|tests?)([ ._-]?(id|name))?",
    re.IGNORECASE,
)
"""Columns that name the benchmark of a row, in tables with one row a score."""
_DATASET: Final = re.compile(r"datasets?([ ._-]?(id|name))?", re.IGNORECASE)
"""Columns that do, too, or name what a model was trained on."""
_TASK: Final = re.compile(r"tasks?([ ._-]?(id|name))?", re.IGNORECASE)
"""Columns of tasks, which may be kinds of data sets."""
_SHOWN: Final = 4
"""Values that a message shows, as many as other messages here."""


def mixed_settings(
    table: pd.DataFrame,
    named: pd.Series,
    roles: Roles,
    own: Collection[str],
    *,
    by_source: bool,
) -> list[Finding]:
    """Return a finding on columns of settings that differ between rows of one score.

    Parameters
    ----------
    table
        Rows that name a model.
    named
        The model of each row.
    roles
        What the columns are.
    own
        Columns declared as features.
    by_source
        Whether rows of different sources stay apart.
    """
    keys = [named.rename("model")]
    apart = ("benchmark", "source") if by_source else ("benchmark",)
    keys += [table[roles.columns[role]] for role in apart if role in roles.columns]
    findings = []
    for name in roles.others:
        setting = _SETTING.fullmatch(name.replace("_", " "))
        if name in own or not (setting or (roles.long and names_benchmarks(name, datasets=True))):
            continue
        said = table[name].map(lambda cell: "" if is_empty(cell) else str(cell).strip())
        counts = said.groupby([key.to_numpy() for key in keys], sort=False).nunique()
        mixed = int((counts > 1).sum())
        if mixed:
            message = (
                f"the rows of one model and benchmark differ here ({listed(said.unique(), _SHOWN)}"
                f"), {counted(mixed, 'time')}, and were merged. Keep the rows of one value, or add "
                "it to the benchmark's name."
            )
            findings.append(Finding("warning", "settings-merged", name, message))
    return findings


def names_benchmarks(heading: str, *, datasets: bool = False) -> bool:
    """Return whether a column names the benchmark of each row, by its heading."""
    known = bool(_BENCHMARK.fullmatch(heading.strip()))
    return known or (datasets and bool(_DATASET.fullmatch(heading.strip())))


def finer_benchmarks(table: pd.DataFrame, roles: Roles) -> Roles:
    """Return roles in which a column of data sets names benchmarks where tasks are their kinds.

    Cards on the Hugging Face hub have a task "Text Generation" with several data sets.
    """
    task = roles.columns["benchmark"]
    if not _TASK.fullmatch(task.strip()):
        return roles
    model = table[roles.columns["model"]].astype(str)
    for name in (name for name in roles.others if _DATASET.fullmatch(name.strip())):
        pairs = {n: pd.DataFrame({"m": model, "b": table[n].astype(str)}) for n in (task, name)}
        kinds = {n: len(pair.drop_duplicates()) for n, pair in pairs.items()}
        if kinds[name] > kinds[task]:
            others = [task if other == name else other for other in roles.others]
            return replace(
                roles, columns={**roles.columns, "benchmark": name}, others=tuple(others)
            )
    return roles


def refuse_unnamed_scores(
    of: pd.DataFrame, table: pd.DataFrame, names: Sequence[str], what: str
) -> None:
    """Refuse a table with one row a score whose scores have another name than those known.

    Parameters
    ----------
    of
        The columns that say what was measured: the model, or the run and the step.
    table
        The whole table.
    names
        Columns that may name benchmarks.
    what
        The table, for messages.

    Raises
    ------
    DataError
        If a column names several benchmarks of one model.
    """
    measured = of.astype(str)
    for name in (name for name in names if names_benchmarks(name, datasets=True)):
        if len(measured.assign(benchmark=table[name].astype(str)).drop_duplicates()) > len(
            measured.drop_duplicates()
        ):
            raise DataError(
                f'{what}: column "{name}" names several benchmarks of one model, but no column is '
                'called "score", "value" or "accuracy". Rename the column of scores to "score". '
                f"The table has {listed(table.columns, 12)}."
            )


def refuse_several_metrics(
    table: pd.DataFrame, roles: Roles, own: Sequence[str], what: str
) -> None:
    """Refuse a table with one row a score that has several metrics of one benchmark.

    Parameters
    ----------
    table, roles
        The table, and what its columns hold.
    own
        Columns that the caller declares as features.
    what
        The table, for messages.

    Raises
    ------
    DataError
        If a model has a benchmark's score by two metrics.
    """
    for name in [n for n in roles.others if roles.long and n not in own and is_metric(n)]:
        where = table[[roles.columns["model"], roles.columns["benchmark"]]].astype(str)
        kinds = where.assign(kind=table[name].astype(str)).drop_duplicates()
        several = kinds[kinds.duplicated(list(where.columns))]
        if len(several):
            model, benchmark, _ = several.iloc[0]
            raise DataError(
                f'{what}: column "{name}" names several metrics of one benchmark ({model}, '
                f"{benchmark}), which have no mean. Keep the rows of one metric, or put both names "
                f'into "{roles.columns["benchmark"]}".'
            )


def with_metrics(names: pd.Series, metrics: pd.DataFrame) -> tuple[dict[str, str], list[Finding]]:
    """Return benchmarks with the metric of their rows, and a finding on those of several metrics.

    Parameters
    ----------
    names, metrics
        The benchmark of each row, and the columns that say what was measured on it, if any.
    """
    kinds = metrics.astype(str).where(metrics.notna(), "").agg(" ".join, axis="columns")
    by_name = kinds.groupby(names, sort=False).unique() if metrics.columns.size else {}
    if not len(by_name):
        return {str(name): str(name) for name in names.unique()}, []
    headings = {str(name): f"{name} {of_one[0]}".strip() for name, of_one in by_name.items()}
    mixed = [f"{name} ({', '.join(kinds)})" for name, kinds in by_name.items() if len(kinds) > 1]
    if not mixed:
        return headings, []
    message = (
        f"models differ in the metric of {listed(mixed)}, so their scores do not compare. Keep the "
        "rows of one metric."
    )
    return headings, [Finding("warning", "mixed-metrics", str(metrics.columns[0]), message)]
