"""Markdown: a table of results as text."""

from __future__ import annotations

import pandas as pd


def markdown(table: pd.DataFrame) -> str:
    """Return a Markdown table with every value as `str` gives it; the caller rounds numbers."""
    rows = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy(dtype=object).tolist()]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
