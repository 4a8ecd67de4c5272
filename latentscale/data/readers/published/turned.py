"""Published tables with models in columns and benchmarks in rows, as model cards have them."""

from __future__ import annotations

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.empty import is_empty
from latentscale.data.layout import TurnedColumns, turned_columns
from latentscale.data.readers.model_names import FEW_MODELS, is_of_known_series
from latentscale.errors import listed


def models_in_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table with a row for each model, and a finding if it had one for each benchmark.

    Such a table is known by its first heading, such as Benchmark or none, and by columns of
    figures, of which one or more (two without a first heading, and then no row) are named like
    models of known series. Rows without a figure, such as titles of sections, are dropped; a table
    that names a benchmark twice is returned unchanged.

    Parameters
    ----------
    table
        The table, its headings plain text.
    """
    turned = turned_columns(table)
    if turned is None or not _names_models(turned, table[turned.first]):
        return table, []
    figures = table[list(turned.models)]
    kept = table[~figures.map(is_empty).all(axis="columns")]
    names = kept[turned.first]
    if names.map(is_empty).any() or names.duplicated().any():
        return table, []
    rows = kept.drop(columns=list(turned.about)).set_index(turned.first).T
    rows.columns = pd.Index(rows.columns.map(str), name=None)
    by = "names of models" if turned.unnamed else f'the heading "{turned.first}"'
    message = (
        f"the rows are benchmarks and the columns models, by {by}: the table is read transposed."
    )
    if turned.about:
        message += f" Not used: {listed(turned.about)}."
    return rows.reset_index(names="model"), [Finding("info", "transposed", "columns", message)]


def _names_models(turned: TurnedColumns, first: pd.Series) -> bool:
    """Return whether headings name models of known series and, without a first one, rows do not."""
    known = sum(map(is_of_known_series, turned.models))
    if not turned.unnamed:
        return known > 0
    texts = [cell for cell in first if isinstance(cell, str)]
    return known >= FEW_MODELS and not any(map(is_of_known_series, texts))
