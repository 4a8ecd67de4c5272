"""Runs of a table of evaluations that did not finish, as Inspect's `evals_df` lists them.

Scores of runs that finished on a few items (a limit) are read with their item counts elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.empty import is_empty
from latentscale.data.readers.published.columns import Roles
from latentscale.errors import DataError, listed, spelling
from latentscale.markup import counted

_FINISHED: Final = "success"
_STATUSES: Final = frozenset((_FINISHED, "error", "cancelled", "started"))
"""Statuses of Inspect's logs; a column with any other word is not one of theirs."""
_SHOWN: Final = 6
"""Runs that a message lists: a name of a log is a third of a line."""
_REMEDY: Final = (
    "The score of a run that stopped early is over the items that it reached, and these are not "
    "a random sample. Finish the runs (inspect eval-retry) and make the table again; to use such "
    "a score all the same, drop the column"
)


def finished_runs(
    table: pd.DataFrame, roles: Roles, kept: Collection[str], what: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows of runs that finished, and a finding that names the others.

    Parameters
    ----------
    table
        A published table; a column Status with the words of Inspect's logs says how runs ended.
    roles
        What its columns are.
    kept
        Columns that the caller declares, which have no role here.
    what
        What messages call the table.

    Raises
    ------
    DataError
        If no run finished.
    """
    column = next(
        (name for name in roles.others if spelling(name) == "status" and name not in kept), None
    )
    if column is None:
        return table, []
    words = table[column].map(lambda cell: "" if is_empty(cell) else str(cell).strip().casefold())
    if not set(words) - {""} <= _STATUSES:
        return table, []
    stopped = words.isin(_STATUSES - {_FINISHED}).to_numpy(dtype=bool)
    if not stopped.any():
        return table, []
    shown = [
        f"{_named(row, roles)} ({word})"
        for row, word in zip(
            table[stopped].to_dict("records"), words[stopped].tolist(), strict=True
        )
    ]
    remedy = f'{_REMEDY} "{column}".'
    if stopped.all():
        raise DataError(f"{what}: no run finished: {listed(shown, _SHOWN)}. {remedy}")
    were = "was" if len(shown) == 1 else "were"
    message = (
        f"{counted(len(shown), 'run')} of {len(table)} did not finish and {were} left out: "
        f"{listed(shown, _SHOWN)}. {remedy}"
    )
    finding = Finding("warning", "unfinished-runs", column, message)
    return table[~stopped].reset_index(drop=True), [finding]


def _named(row: dict[Any, Any], roles: Roles) -> str:
    """Return the file name of a run's log; its model and benchmark where no column names one."""
    log = next((row[name] for name in roles.others if spelling(name) == "log"), None)
    if isinstance(log, str) and log.strip():
        return PurePosixPath(log.strip().replace("\\", "/")).name
    names = (roles.columns.get(role) for role in ("model", "benchmark"))
    return " on ".join(str(row[name]) for name in names if name is not None)
