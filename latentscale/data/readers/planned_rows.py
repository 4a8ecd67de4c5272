"""Models to forecast from a table with headings and cells as hubs print them.

`read_published` reads and audits tables of scores to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import emit
from latentscale.data.column_names import is_neither
from latentscale.data.empty import is_empty
from latentscale.data.features.category import UNKNOWN
from latentscale.data.frames import AnyFrame, as_pandas, is_frame
from latentscale.data.problems import Problem, at_cells, fail
from latentscale.data.readers.cells import with_text_names
from latentscale.data.readers.parquet import read_table
from latentscale.data.readers.published.cells import ScoreCells, score_cells
from latentscale.data.readers.published.columns import roles_of
from latentscale.data.readers.published.counts import (
    all_counts,
    as_shares,
    out_of,
    why_not_shares,
    with_pairs,
)
from latentscale.data.readers.published.markup import plain_headings
from latentscale.data.readers.published.models import described
from latentscale.data.readers.published.read import (
    completed_by_names,
    is_published,
    rows_of_models,
)
from latentscale.data.readers.tuning import with_types
from latentscale.errors import DataError
from latentscale.files import expanded

_PERCENT: Final = 100.0
"""What a cell with a percent sign is divided by: fits hold percentages as fractions."""
_BEYOND: Final = (
    "Percentages of rows to forecast are shares, from 0% to 100%; correct it, or empty the cell. "
    "If the fitted scores are not shares, write the number in their unit, without a sign."
)


def read_planned(source: str | Path | AnyFrame) -> pd.DataFrame:
    """Read models to forecast from a table with the columns of `predict` or of a hub.

    Parameters
    ----------
    source
        A CSV, TSV or Parquet file, or a frame. A table that names models but does not state
        families is read as by `read_published`: columns such as Organization, Release date and
        Reasoning by their names, families and providers from the names of models. Features that the
        table does not state stay empty; `predict` reads them from names where the fitted values
        agree with names, and its column ``assumed`` says so. Other tables are returned unchanged.

    Returns
    -------
    DataFrame
        One row per model with columns as `latentscale.predict` takes them. Given scores become
        plain numbers: "93%" is 0.93, "1,450" is 1450 and "12 hr 5 min" is 725 minutes. A
        percentage needs its sign, because this table alone does not show what the fitted one
        printed: without it, 0.9 is a fraction, 90%. Columns of prices, speeds and the like are left
        out.

    Raises
    ------
    DataError
        If a row does not name its model, two rows have the same model, or a percentage is not
        between 0% and 100%.

    Warns
    -----
    DataWarning
        Once, about cells that are not understood and count as empty, and about rows named as means
        or baselines ("Average", "Human"), which are left out.

    Examples
    --------
    >>> rows = pd.DataFrame({"Model": ["gpt-6 (high)"], "Release date": ["2026-10-20"]})
    >>> ls.readers.read_planned(rows.assign(GPQA="93%"))[["family", "provider", "GPQA"]]
      family provider  GPQA
    0    gpt   OpenAI  0.93
    """
    if is_frame(source):
        what, table = "This table", as_pandas(source, "This table")
    else:
        what, table = str(source), read_table(expanded(source, DataError))
    table, _ = plain_headings(with_text_names(table, what), ())
    roles = roles_of(table)
    if not is_published(table) or roles.long:
        return table
    roles = with_types(table, roles)
    table, others = rows_of_models(_with_names(table, roles.columns["model"], what), roles)
    named, models, found = described(table, roles, ())
    unread = [finding for finding in (*others, *found) if finding.level == "warning"]
    emit(unread, about="Models to forecast were read")
    twice = named[named.duplicated()].tolist()
    if twice:
        raise DataError(f'{what}: the model "{twice[0]}" is in several rows. Keep one of each.')
    completed, _ = completed_by_names(models)
    if "provider" in models:
        own = models.get("lineage", models["provider"])
        models["lineage"] = own.where(own.notna(), models["provider"])
    # Whether names give the other features depends on the fitted table, so `predict` reads those.
    models = models.assign(family=completed["family"], provider=completed["provider"])
    if "size_class" in models:
        models["size_class"] = models["size_class"].where(models["size_class"] != UNKNOWN, None)
    rows = models.dropna(axis="columns", how="all").reset_index(drop=True)
    problems: list[Problem] = []
    filled = [name for name in roles.others if not table[name].map(is_empty).all()]
    read, _ = with_pairs({name: score_cells(table[name]) for name in filled}, ())
    for name, cells in read.items():
        if not is_neither(name):
            numbers, odd = _numbers(table[name], cells, named.tolist())
            rows[name] = numbers.to_numpy()
            problems += odd
    fail(problems, f"{what} cannot be forecast")
    return rows


def _with_names(table: pd.DataFrame, column: str, what: str) -> pd.DataFrame:
    """Return a table without empty rows; refuse it if another row does not name a model."""
    empty = table.map(is_empty).to_numpy(dtype=bool)
    unnamed = np.flatnonzero(empty[:, table.columns.get_loc(column)] & ~empty.all(axis=1)).tolist()
    rule = "Every row to forecast names its model: write the name, or drop the row."
    nothing = [""] * len(unnamed)
    problems = at_cells(column, unnamed, nothing, nothing, rule)
    fail(problems, f"{what} cannot be forecast")
    return table[~empty.all(axis=1)]


def _numbers(
    column: pd.Series, cells: ScoreCells, models: Sequence[str]
) -> tuple[pd.Series, list[Problem]]:
    """Return the numbers that cells print, or the column unchanged if one is not a number.

    Also return a problem for each percentage that is not a share.
    """
    name = str(column.name)
    if all_counts(cells) and not why_not_shares(name, cells):
        cells = as_shares(cells, _PERCENT)
    if cells.unread:
        return column, []
    cells = out_of(name, cells) or cells
    beyond = cells.percent & ((cells.values < 0) | (cells.values > _PERCENT))
    rows = np.flatnonzero(beyond).tolist()
    labels, odd = [models[row] for row in rows], column.iloc[rows].tolist()
    problems = at_cells(name, rows, labels, odd, _BEYOND)
    return pd.Series(cells.values).where(~cells.percent, cells.values / _PERCENT), problems
