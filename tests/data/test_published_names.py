"""Published tables: sizes stated in names, and headings that say which scores are better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentscale as ls

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")

TABLE = pd.DataFrame(
    {
        "Model": ["llama-7b", "Qwen2.5-72B-Instruct", "Mixtral-8x7B", "gpt-4"],
        "Reading": [50.0, 70.0, 60.0, 90.0],
    }
)


def test_sizes_are_read_from_names_where_the_table_states_none() -> None:
    read = ls.readers.read_published(TABLE)
    sizes = read.dataset["params"].to_series()
    assert sizes.loc[["llama-7b", "Qwen2.5-72B-Instruct", "Mixtral-8x7B"]].tolist() == [7, 72, 56]
    assert np.isnan(sizes["gpt-4"])
    (said,) = (finding.message for finding in read.audit.filter("sizes-from-names"))
    assert "3 of 4 models" in said and '1 states none: "gpt-4"' in said
    assert 'Of "Mixtral-8x7B" the size is experts times size' in said


@pytest.mark.parametrize(
    "table",
    [
        TABLE.assign(Parameters=["6.7B", "", "46.7B", ""]),
        TABLE.assign(Model=["llama-7b", "o3", "claude-3-opus", "gpt-4"]),
    ],
)
def test_a_column_of_sizes_wins_and_few_names_are_not_enough(table: pd.DataFrame) -> None:
    read = ls.readers.read_published(table)
    assert not len(read.audit.filter("sizes-from-names"))
    assert int(read.dataset["params"].notnull().sum()) == (2 if "Parameters" in table else 0)


@pytest.mark.parametrize(
    ("heading", "lower"),
    [
        ("WER", True),
        ("LibriSpeech WER", True),
        ("Retrieval ↓", True),
        ("Deletion (lower is better)", True),
        ("Error fixing ↑", False),
        ("Perplexity", True),
        ("Deduction", False),
    ],
)
def test_a_heading_says_which_scores_are_better(heading: str, lower: bool) -> None:
    read = ls.readers.read_published(TABLE.assign(**{heading: [12.0, 9.0, 7.5, 3.0]}))
    assert read.benchmark_info[heading].lower_is_better is lower


@pytest.mark.parametrize(
    ("heading", "warned"),
    [("LibriSpeech clean", True), ("LibriSpeech accuracy", False), ("WikiText-2", True)],
)
def test_a_test_of_which_less_is_usually_better_is_warned_of(heading: str, warned: bool) -> None:
    read = ls.readers.read_published(TABLE.assign(**{heading: [2.0, 1.9, 7.5, 3.0]}))
    assert not read.benchmark_info[heading].lower_is_better
    said = [finding.where for finding in read.audit.filter("lower-is-better")]
    assert said == ([heading] if warned else [])
