"""Columns of a published table that count the items of a benchmark: "HLE n", "n_items (HLE)".

In long tables one column has the items of each row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.column_names import without_brackets
from latentscale.data.readers.published.cells import Floats, ScoreCells
from latentscale.data.readers.published.columns import bare_benchmark, scored_by
from latentscale.errors import listed, spelling
from latentscale.markup import counted

_COUNT: Final = re.compile(
    r"^\W*(((n|num(ber)?|no\.?|count) ?(of )?)?(items|samples|questions|tasks|problems)|n)"
    r"(?![a-z])"
    r"|(?<![a-z])(n ?(items|samples|questions|tasks)|n|items|samples|questions|problems"
    r"|sample[ _]size)\W*$",
    re.IGNORECASE,
)
"""Beginning or end of the name of a column of counts, next to the name of a benchmark."""


_ITEM: Final = re.compile(
    r"(sample|item|question|problem|doc|document|instance|example)[ _-]?(id|idx|index|number|hash)",
    re.IGNORECASE,
)
"""Columns that identify the benchmark's item to which a row belongs."""


class ItemRows(NamedTuple):
    """Rows that each hold the score of one item.

    Attributes
    ----------
    column
        The column that names the items.
    rows
        Which rows belong to one item of several.
    findings
        Findings on what was decided.
    """

    column: str
    rows: np.ndarray
    findings: list[Finding]


def rows_of_items(
    table: pd.DataFrame, models: pd.Series, benchmarks: pd.Series, names: Sequence[str]
) -> ItemRows | None:
    """Return which rows of a table with one row per score hold single items; None if none do.

    Items that a model answered several times do not count: their rows are not independent.

    Parameters
    ----------
    table
        The table.
    models, benchmarks
        The model and benchmark of each row.
    names
        Columns without a role.
    """
    column = next((name for name in names if _ITEM.fullmatch(name.strip())), None)
    if column is None:
        return None
    keys = pd.DataFrame({"model": models, "benchmark": benchmarks})
    rows = keys.duplicated(keep=False).to_numpy()
    again = keys.assign(item=table[column].astype(str)).duplicated().any()
    if again or not rows.any():
        return None
    message = (
        f"names the item of each row, so that {counted(int(rows.sum()), 'row')} are scores of "
        "single items: their mean is the score, and their number its items."
    )
    return ItemRows(column, rows, [Finding("info", "items-read", column, message)])


def item_columns(columns: Mapping[str, ScoreCells], declared: Collection[str]) -> dict[str, str]:
    """Return the benchmark whose items each column counts.

    A column counts items if its name combines another column's name with a word for items, and its
    cells are whole numbers above 0.

    Parameters
    ----------
    columns
        Cells by column.
    declared
        Benchmarks that the caller declares.
    """
    owners: dict[str, str] = {}
    for name, cells in columns.items():
        text = without_brackets(name.replace("_", " "))
        match = _COUNT.search(text)
        if match is None or name in declared:
            continue
        rest = spelling(_COUNT.sub(" ", text, count=1))
        known = cells.values[~np.isnan(cells.values)]
        counts = known.size and (known >= 1).all() and (known == np.floor(known)).all()
        owner = scored_by(rest, [n for n in columns if n != name], None) if rest else None
        if owner is None or not counts:
            continue
        if rest in (spelling(without_brackets(owner)), spelling(bare_benchmark(owner))):
            owners[name] = owner
    return owners


def items_of(columns: Mapping[str, ScoreCells], owners: Mapping[str, str], name: str) -> Floats:
    """Return item counts of a benchmark's cells, NaN if neither cells nor a column give them."""
    nothing = np.full(len(columns[name].values), np.nan)
    beside = next((columns[c].values for c, owner in owners.items() if owner == name), nothing)
    own = columns[name].items
    return np.where(np.isnan(own), beside, own) if own.size else beside


def items_read(owners: Mapping[str, str]) -> list[Finding]:
    """Return a finding on columns read as item counts."""
    if not owners:
        return []
    pairs = listed([f"{column} of {owner}" for column, owner in owners.items()], 6)
    message = f"read as numbers of items, which count in the noise of scores: {pairs}."
    return [Finding("info", "items-read", "columns", message)]
