"""Metrics of published tables with one row a score: what was measured on a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.published_columns import Roles, is_metric
from latentscale.errors import DataError, listed


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
