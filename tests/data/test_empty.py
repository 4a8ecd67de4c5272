"""Every reader of published tables recognises the same texts for an empty cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentscale.data.empty import EMPTY_CELLS, is_empty
from latentscale.data.readers.cells import to_numbers
from latentscale.data.readers.leaderboard.flags import truth_of
from latentscale.data.readers.published.cells import score_cells, truths
from latentscale.data.similar_names import names_like_empty_cells

EMPTY = "|NA|n/a|N.A.|#N/A|<NA>|NaN|NaT|None|null|-|–|—|--|...|…|?|TBD|pending|Unknown|undisclosed"


@pytest.mark.parametrize("text", [*EMPTY.split("|"), *EMPTY_CELLS, "  ", " - "])
def test_every_reader_takes_it_as_empty(text: str) -> None:
    """ "—" and "#N/A" were unread figures or bad flags for some readers, and empty for others."""
    column = pd.Series([text, "1"], dtype=object)
    numbers, unread = to_numbers(column)
    assert np.isnan(numbers[0]) and not unread
    scores = score_cells(column)
    assert np.isnan(scores.values[0]) and not scores.unread
    assert truth_of(text) is None and truths(column) == ([None, 1.0], [])
    if text.strip():
        assert "often means an empty cell" in names_like_empty_cells({"family": [text]})[0].message


@pytest.mark.parametrize("cell", ["0", "no", "low", "nanjing", "closed", "-1", 0.0, False])
def test_other_cells_are_not_empty(cell: object) -> None:
    assert not is_empty(cell)


def test_no_name_at_all_is_not_a_name_like_an_empty_cell() -> None:
    assert not names_like_empty_cells({"lineage": ["", "gpt"]})
