"""Models to forecast from a table with headings and cells as hubs print them.

Tables of scores to fit are read and audited by `read_published`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from latentscale.data.audit import emit
from latentscale.data.column_names import is_neither
from latentscale.data.empty import is_empty
from latentscale.data.frames import AnyFrame, as_pandas, is_frame
from latentscale.data.readers.cells import with_text_names
from latentscale.data.readers.parquet import read_table
from latentscale.data.readers.published.cells import score_cells
from latentscale.data.readers.published.columns import roles_of
from latentscale.data.readers.published.counts import all_counts, as_shares, out_of, why_not_shares
from latentscale.data.readers.published.markup import without_markup
from latentscale.data.readers.published.models import described
from latentscale.data.readers.published.read import completed_by_names, is_published
from latentscale.data.readers.size_classes import UNKNOWN
from latentscale.data.readers.tuning import with_types
from latentscale.errors import DataError
from latentscale.files import expanded

_PERCENT = 100.0
"""What a cell with a percent sign is divided by: fits hold percentages as fractions."""


def read_planned(source: str | Path | AnyFrame) -> pd.DataFrame:
    """Read models to forecast, from a table with columns as `predict` takes them or as hubs do.

    Parameters
    ----------
    source
        A CSV, TSV or Parquet file, or a frame. A table that names models and states no families
        is read as `read_published` does: columns such as Organization, Release date and Reasoning
        by their names; families, and what the table does not state, from the names of models.
        Other tables are returned as they are.

    Returns
    -------
    DataFrame
        One row a model with columns as `latentscale.predict` takes them. Scores that are given
        lose their signs: "93%" is 0.93, "1,450" is 1450 and "12 hr 5 min" is 725 minutes. Columns
        of prices, speeds and the like are left out.

    Raises
    ------
    DataError
        If two rows have the same model.

    Warns
    -----
    DataWarning
        Once, about cells that are not understood and count as empty.

    Examples
    --------
    >>> rows = pd.DataFrame({"Model": ["gpt-6 (high)"], "Release date": ["2026-10-20"]})
    >>> ls.readers.read_planned(rows.assign(GPQA="93%"))[["family", "effort", "GPQA"]]
      family effort  GPQA
    0    gpt   high  0.93
    """
    if is_frame(source):
        what, table = "This table", as_pandas(source, "This table")
    else:
        what, table = str(source), read_table(expanded(source, DataError))
    table = with_text_names(table, what)
    roles = roles_of(table)
    if not is_published(table) or roles.long:
        return table
    roles = with_types(table, roles)
    table, _ = without_markup(table, roles)
    named, models, found = described(table, roles, ())
    unread = [finding for finding in found if finding.level == "warning"]
    emit(unread, about="Models to forecast were read")
    twice = named[named.duplicated()].tolist()
    if twice:
        raise DataError(f'{what}: the model "{twice[0]}" is in several rows. Keep one of each.')
    models, _ = completed_by_names(models)
    if "size_class" in models:
        models["size_class"] = models["size_class"].where(models["size_class"] != UNKNOWN, None)
    rows = models.dropna(axis="columns", how="all").reset_index(drop=True)
    for name in roles.others:
        if not is_neither(name) and not table[name].map(is_empty).all():
            rows[name] = _numbers(table[name], name).to_numpy()
    return rows


def _numbers(column: pd.Series, name: str) -> pd.Series:
    """Return the numbers that cells print, or the column as it is where one is not a number."""
    cells = score_cells(column)
    if all_counts(cells) and not why_not_shares(name, cells):
        cells = as_shares(cells, _PERCENT)
    if cells.unread:
        return column
    cells = out_of(name, cells) or cells
    return pd.Series(cells.values).where(~cells.percent, cells.values / _PERCENT)
