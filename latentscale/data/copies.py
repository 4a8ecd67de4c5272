"""Scores that several sources state alike: one measurement that was published more than once.

Not for two benchmarks with the same scores: see `copied`.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

_DIGITS: Final = 9
"""Significant digits up to which scores are one value: a percentage divided by 100 is not always
the fraction to the last bit."""
_STATED: Final = ("stderr", "n_items")


def without_copies(cells: pd.DataFrame) -> pd.DataFrame:
    """Return scores with one row for each value that a model has on a benchmark.

    Rows of one value that state different standard errors, or numbers of items, are measurements
    of their own. The row that stays takes those that it does not state from its copies.

    Parameters
    ----------
    cells
        Columns model, benchmark and score, none of them empty; optionally stderr and n_items. Of
        copies the first row stays.
    """
    value = cells["score"].map(lambda score: f"{score:.{_DIGITS}g}")
    keys = [cells["model"], cells["benchmark"], value]
    filled = cells.copy()
    stated = [name for name in _STATED if name in cells]
    for name in stated:
        first = cells[name].groupby(keys, sort=False).transform("first")
        filled[name] = cells[name].fillna(first)
    same = filled[["model", "benchmark", *stated]].assign(value=value)
    return filled[~same.duplicated()]


def copies_text(copies: pd.DataFrame) -> str:
    """Return the first of some copies in words: model on benchmark, and who repeats the value.

    Parameters
    ----------
    copies
        Columns model, benchmark and source.
    """
    row = copies.iloc[0]
    by = f' by "{row["source"]}"' if row["source"] else ""
    return f'"{row["model"]}" on "{row["benchmark"]}"{by}'
