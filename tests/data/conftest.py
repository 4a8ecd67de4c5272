"""A small well-formed table, which the tests of this folder modify."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table() -> pd.DataFrame:
    """Six models, three families, two known benchmarks, one missing score; no warnings."""
    return pd.DataFrame(
        {
            "model": ["ant-1b", "ant-7b", "bee-2b", "bee-8b", "bee-8b-chat", "cat-3b"],
            "family": ["ant", "ant", "bee", "bee", "bee-chat", "cat"],
            "lineage": ["ant", "ant", "bee", "bee", "bee", "cat"],
            "instruct": [0, 0, 0, 0, 1, 0],
            "params_b": [1.0, 7.0, 2.0, 8.0, 8.0, 3.0],
            "tokens_t": [1.0, 1.0, 2.0, 2.0, 2.0, 0.5],
            "mmlu": [0.26, 0.45, 0.4, 0.6, 0.62, 0.3],
            "gsm8k": [0.02, 0.2, 0.15, 0.5, np.nan, 0.05],
        }
    )


@pytest.fixture
def long_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with one row per score."""
    own = ["model", "family", "lineage", "instruct", "params_b", "tokens_t"]
    melted = table.melt(id_vars=own, var_name="benchmark", value_name="score")
    return melted.dropna(subset="score").reset_index(drop=True)
