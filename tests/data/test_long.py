"""Long tables: one row per score."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from latentscale.data import Benchmark, Scores
from latentscale.errors import DataError, DataWarning


def refused(frame) -> str:
    """Return the message of the error that a long table must raise."""
    with pytest.raises(DataError) as caught:
        Scores.from_long(frame)
    return str(caught.value)


def test_long_and_wide_agree(table, long_table):
    wide, long = Scores.from_frame(table), Scores.from_long(long_table)
    assert set(long.models) == set(wide.models)
    assert wide.dataset.identical(long.select(wide.models, wide.benchmarks).dataset)


def test_the_callers_table_is_left_alone(long_table):
    before = long_table.copy(deep=True)
    Scores.from_long(long_table)
    assert long_table.equals(before)


def test_shuffled_rows_and_missing_scores(long_table):
    long_table.loc[3, "score"] = np.nan
    shuffled = long_table.sample(frac=1, random_state=3)
    scores = Scores.from_long(shuffled)
    assert scores.models == tuple(dict.fromkeys(shuffled["model"]))
    assert scores.n_observed == len(long_table) - 1


def test_a_score_given_twice(long_table):
    long_table.loc[7, ["model", "benchmark"]] = ["ant-1b", "mmlu"]
    long_table.loc[7, ["family", "lineage", "params_b"]] = ["ant", "ant", 1.0]
    assert 'model "ant-1b", benchmark "mmlu" has 2 rows (0, 7)' in refused(long_table)


def test_rows_of_a_model_that_disagree(long_table):
    long_table.loc[6, "params_b"] = 13.0
    message = refused(long_table)
    assert (
        'column "params_b": model "ant-1b" has different values: 1 (row 0), 13 (row 6)' in message
    )


def test_own_columns_may_be_given_on_one_row_only(table, long_table):
    long_table.loc[6:, ["params_b", "tokens_t"]] = np.nan
    long_table.loc[6:, "family"] = ""
    scores = Scores.from_long(long_table)
    assert scores.dataset["params"].to_numpy().tolist() == table["params_b"].tolist()
    assert scores.families == ("ant", "bee", "bee-chat", "cat")


def test_bad_cells_are_named_by_their_row(long_table):
    bad = long_table.astype({"score": object, "params_b": object})
    bad.at[2, "score"] = "N/A"
    bad.at[8, "params_b"] = "2B"
    bad.at[9, "score"] = -0.5
    bad.at[10, "benchmark"] = None
    message = refused(bad)
    assert 'row 2 (model "bee-2b"), column "score"' in message
    assert 'row 8 (model "bee-2b"), column "params_b"' in message
    assert 'row 9 (model "bee-8b"), column "score [gsm8k]"' in message
    assert 'row 10 (model "cat-3b"), column "benchmark"' in message
    assert "4 problems" in message


def test_a_size_that_cannot_be_read_is_named_once(long_table):
    bad = long_table[long_table["model"] == "cat-3b"].astype({"params_b": object})
    bad["params_b"] = "3B"
    assert "2 problems" in refused(bad)


def test_rows_without_a_model(long_table):
    long_table.loc[4, "model"] = ""
    message = refused(long_table)
    assert "row 4" in message
    assert "model name is missing" in message


def test_percentages_in_one_benchmark(long_table):
    long_table.loc[long_table["benchmark"] == "mmlu", "score"] *= 100
    message = refused(long_table)
    assert 'column "score [mmlu]"' in message
    assert "divide the column by 100" in message


def test_a_benchmark_named_like_an_own_column(long_table):
    long_table["benchmark"] = long_table["benchmark"].replace("mmlu", "family")
    assert "another name" in refused(long_table)


def test_missing_columns(table, long_table):
    assert 'Did you mean "accuracy"?' in refused(long_table.rename(columns={"score": "accuracy"}))
    assert "from_frame" in refused(table)
    assert "no rows" in refused(long_table.iloc[:0])


def test_columns_that_are_not_used_are_reported(long_table):
    long_table["url"] = "x"
    with pytest.warns(DataWarning, match="url: not used"):
        Scores.from_long(long_table)


def test_spaces_in_benchmark_names_are_cut(long_table):
    long_table.loc[0, "benchmark"] = "mmlu "
    with pytest.warns(DataWarning, match="cut"):
        scores = Scores.from_long(long_table)
    assert scores.benchmarks == ("mmlu", "gsm8k")


def test_a_good_table_warns_of_nothing(long_table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Scores.from_long(long_table)


def test_a_column_of_units_gives_the_unit_of_each_benchmark(long_table):
    chess = long_table["benchmark"] == "gsm8k"
    long_table.loc[chess, ["benchmark", "unit"]] = ["chess", " Elo "]
    real = {"chess": Benchmark(scale="real")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = Scores.from_long(long_table, benchmarks=real)
    units = {name: benchmark.unit for name, benchmark in scores.benchmark_info.items()}
    assert units == {"mmlu": "", "chess": "Elo"}
    again = Scores.from_long(scores.to_long(), benchmarks=scores.benchmark_info)
    assert again.benchmark_info == scores.benchmark_info


def test_contradicting_units_are_refused_by_benchmark_and_value(long_table):
    rows = long_table.index[long_table["benchmark"] == "gsm8k"]
    long_table.loc[rows, "unit"] = "minutes"
    long_table.loc[rows[-1], "unit"] = "hours"
    message = refused(long_table)
    assert 'benchmark "gsm8k" has several units: "minutes" (row ' in message
    assert f'"hours" (row {rows[-1]})' in message
    long_table.loc[rows, "unit"] = "minutes"
    hours = {"gsm8k": Benchmark(scale="positive", unit="hours")}
    with pytest.raises(DataError, match=r'has the unit "minutes" .* and "hours" in benchmarks='):
        Scores.from_long(long_table, benchmarks=hours)


def test_a_unit_that_says_percent_is_not_guessed_to_be_the_scale(long_table):
    long_table["unit"] = "%"
    with pytest.warns(DataWarning, match=r'mmlu: its unit "%" .* Benchmark\(scale="percent"\)'):
        Scores.from_long(long_table)
    long_table["score"] *= 100
    percent = {name: Benchmark(scale="percent") for name in ("mmlu", "gsm8k")}
    scores = Scores.from_long(long_table, benchmarks=percent)
    assert not scores.audit.filter("unit-not-used")
    assert Scores.from_long(long_table.drop(columns="unit"), benchmarks=percent).dataset.identical(
        scores.dataset
    )


def test_a_column_unit_that_describes_models_or_holds_numbers_is_no_unit_of_scores(long_table):
    with pytest.warns(DataWarning, match="unit: not used"):
        Scores.from_long(long_table.assign(unit=1.0))
    scores = Scores.from_long(long_table.assign(unit="army"), features=["unit"])
    assert scores.to_frame()["unit"].eq("army").all()
