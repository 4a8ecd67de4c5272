"""Tables of other libraries, and columns of every type that pandas has."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from latentscale.analysis.checks.calibrate import pit_histogram
from latentscale.data import Scores
from latentscale.data.datasets import open_llm_leaderboard
from latentscale.data.frames import as_pandas
from latentscale.data.planned import planned_models
from latentscale.data.readers import (
    leaderboard_table,
    livebench_measurements,
    match_benchmarks,
    read_benchpress,
    read_epoch,
    read_scores,
)
from latentscale.data.readers.leaderboard.read import RAW_COLUMNS
from latentscale.data.readers.metadata import join_metadata
from latentscale.errors import DataError

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

MADE = {
    "polars": pl.from_pandas,
    "lazy polars": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": pa.Table.from_pandas,
    "a batch of pyarrow": pa.RecordBatch.from_pandas,
}


@pytest.fixture(params=MADE, ids=str)
def other(request):
    """Return a function that turns a pandas table into one of another library."""
    return MADE[request.param]


def test_a_wide_table_of_another_library_gives_the_same_scores(table, other):
    table["released"] = pd.Timestamp("2024-07-23")
    given = other(table)
    assert Scores.from_frame(given).dataset.identical(Scores.from_frame(table).dataset)


def test_a_long_table_of_another_library_gives_the_same_scores(long_table, other):
    expected = Scores.from_long(long_table).dataset
    assert Scores.from_long(other(long_table)).dataset.identical(expected)


def test_benchmarks_of_a_table_of_another_library_take_known_names(table, long_table, other):
    for frame in (table.rename(columns={"mmlu": "MMLU"}), long_table):
        expected, said = match_benchmarks(frame)
        benchmark, same = match_benchmarks(other(frame))
        assert list(benchmark.columns) == list(expected.columns) and same == said


def test_models_to_forecast_metadata_and_forecasts_come_from_other_libraries(table, other):
    own = table.drop(columns="gsm8k")
    planned = planned_models(other(own), ["mmlu"])
    assert planned.identical(planned_models(own, ["mmlu"]))
    joined, _ = join_metadata(table[["model", "mmlu"]], other(own.drop(columns="mmlu")))
    assert joined["params_b"].tolist() == table["params_b"].tolist()
    assert pit_histogram(other(pd.DataFrame({"pit": [0.1, 0.9]})), 2)["count"].tolist() == [1, 1]
    board = pd.DataFrame({"fullname": ["a/b"], **{name: [0.5] for name in RAW_COLUMNS}})
    assert leaderboard_table(other(board))["ifeval"].tolist() == [0.5]


def test_bad_cells_of_another_library_are_named(table, other):
    table["mmlu"] = ["0.26", *table["mmlu"][1:].astype(str)]
    table.loc[2, "params_b"] = np.inf
    with pytest.raises(DataError) as caught:
        Scores.from_frame(other(table))
    assert "holds text in all 6 filled rows" in str(caught.value)
    assert 'row 2 (model "bee-2b"), column "params_b": inf' in str(caught.value)


def test_what_is_empty_in_polars_is_empty_here():
    frame = pl.DataFrame(
        {
            "whole": [1, None],
            "real": [None, 0.5],
            "text": ["a", None],
            "truth": [True, None],
            "kind": pl.Series(["x", None], dtype=pl.Categorical),
            "exact": [Decimal("0.3"), None],
            "day": [dt.date(2024, 7, 23), None],
        }
    )
    taken = as_pandas(frame, "T")
    assert taken.isna().sum(axis=1).tolist() == [1, 6]
    assert taken["exact"][0] == Decimal("0.3") and taken["kind"][0] == "x"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": ["a"]}, "not dict. pandas.DataFrame"),
        ([1], "not list"),
        ("t.csv", "not str. latentscale.readers.read_csv"),
        (None, "not NoneType"),
        (np.eye(2), "not numpy.ndarray"),
        (pd.Series([1.0]), "not pandas.Series"),
        (pl.Series([1.0]), "not polars.Series"),
        (open_llm_leaderboard(), "not latentscale.Scores. Its to_frame() gives one"),
        (pl.DataFrame, "not the class polars.DataFrame"),
        (type("DataFrame", (), {"__module__": "mine"})(), "not mine.DataFrame"),
    ],
)
def test_what_is_no_table_is_named_with_its_library(given, said):
    with pytest.raises(DataError) as caught:
        Scores.from_frame(given)
    assert f"give a pandas DataFrame, {said}" in str(caught.value)


def test_a_frame_that_fails_while_it_is_computed_is_a_data_error():
    lazy = pl.LazyFrame({"a": [1]}).select("b")
    with pytest.raises(DataError, match=r"polars\.LazyFrame could not be read"):
        Scores.from_frame(lazy)


def exact(kind):
    """Return a function that writes a column's numbers as one of Python's exact number types."""
    return lambda c: pd.Series([None if x != x else kind(str(x)) for x in c], dtype=object)


NUMBERS = {
    "float32": lambda c: c.astype("float32"),
    "float16": lambda c: c.astype("float16"),
    "Float64": lambda c: c.astype("Float64"),
    "Float32": lambda c: c.astype("Float32"),
    "arrow": lambda c: c.astype("float64[pyarrow]"),
    "arrow decimals": lambda c: exact(Decimal)(c).astype(pd.ArrowDtype(pa.decimal128(9, 4))),
    "category": lambda c: c.astype("category"),
    "objects": lambda c: c.astype(object).where(c.notna(), None),
    "decimals": lambda c: pd.Series(
        [pd.NA if x != x else Decimal(str(x)) for x in c], dtype=object
    ),
    "fractions": lambda c: pd.Series(
        [None if x != x else Fraction(str(x)) for x in c], dtype=object
    ),
    "numpy's among objects": lambda c: pd.Series([np.float32(x) for x in c], dtype=object),
    "sparse": lambda c: c.astype(pd.SparseDtype(float)),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_every_type_are_numbers(table, kind):
    want = Scores.from_frame(table).dataset["score"].to_numpy()
    changed = table.assign(mmlu=NUMBERS[kind](table["mmlu"]), gsm8k=NUMBERS[kind](table["gsm8k"]))
    before = changed.copy(deep=True)
    got = Scores.from_frame(changed).dataset["score"].to_numpy()
    # float16 keeps three digits: an error of half a unit in the last one, for scores up to 1.
    np.testing.assert_allclose(got, want, atol=5e-4 if kind == "float16" else 1e-7)
    pd.testing.assert_frame_equal(changed, before)


@pytest.mark.parametrize("kind", ["Int64", "int64[pyarrow]", "boolean", "bool", "category", object])
def test_the_instruct_column_may_have_any_type(table, kind):
    changed = table.assign(instruct=table["instruct"].astype(kind))
    assert Scores.from_frame(changed).dataset["instruct"].sum() == 1


@pytest.mark.parametrize("kind", ["string", "string[pyarrow]", "str", "category", object])
def test_names_may_have_any_type_of_text(table, long_table, kind):
    names = {"model": kind, "family": kind, "lineage": kind}
    want = Scores.from_frame(table)
    assert Scores.from_frame(table.astype(names)).dataset.identical(want.dataset)
    long = Scores.from_long(long_table.astype({**names, "benchmark": kind}))
    assert long.select(want.models, want.benchmarks).dataset.identical(want.dataset)


def test_an_empty_cell_of_each_type_of_text_is_a_missing_name(table):
    for kind in ("string", "string[pyarrow]", "category"):
        table.loc[4, "family"] = None
        with pytest.raises(DataError, match=r"row 4.*''. The family name is missing"):
            Scores.from_frame(table.astype({"family": kind}))


@pytest.mark.parametrize(
    "dates",
    [
        pd.Series(pd.to_datetime(["2024-07-23"] * 6)),
        pd.Series(pd.to_datetime(["2024-07-23"] * 6)).astype("datetime64[s]"),
        pd.Series(pd.to_datetime(["2024-07-23 02:00"] * 6).tz_localize("Europe/Paris")),
        pd.Series(pd.to_datetime(["2024-07-23"] * 6)).astype("timestamp[us][pyarrow]"),
        pd.Series(["2024-07-23"] * 6, dtype="category"),
        pd.Series([dt.date(2024, 7, 23)] * 6),
        pd.Series([np.datetime64("2024-07-23")] * 6, dtype=object),
    ],
    ids=["ns", "s", "tz", "arrow", "category", "date", "datetime64"],
)
def test_release_dates_may_have_any_type(table, dates):
    released = Scores.from_frame(table.assign(released=dates)).dataset["released"].to_numpy()
    assert (released == np.datetime64("2024-07-23")).all()


def test_a_date_too_far_for_nanoseconds_is_named_by_its_row(table):
    far = pd.Series(np.array(["2024-07-23"] * 5 + ["3024-07-23"], dtype="datetime64[s]"))
    with pytest.raises(DataError, match=r'row 5 .*"released"'):
        Scores.from_frame(table.assign(released=far))


@pytest.mark.parametrize("word", ["today", "now"])
def test_a_word_that_means_another_date_each_day_is_no_date(table, word):
    with pytest.raises(DataError, match="Expected a date such as"):
        Scores.from_frame(table.assign(released=word))


@pytest.mark.parametrize("value", [10**400, Decimal("Infinity")])
def test_a_number_too_large_for_a_float_is_infinite(table, value):
    table["params_b"] = table["params_b"].astype(object)
    table.at[1, "params_b"] = value
    with pytest.raises(DataError, match=r'row 1 .*"params_b": inf. Infinite'):
        Scores.from_frame(table)


@pytest.mark.parametrize("bad", ["a\0b", "a\0", "\ud800"])
def test_a_name_that_no_file_can_hold_is_refused_when_read(table, long_table, bad):
    for column in ("model", "family", "lineage"):
        changed = table.astype({column: object})
        changed.at[3, column] = bad
        with pytest.raises(DataError, match=f'row 3, column "{column}".*NUL'):
            Scores.from_frame(changed)
    with pytest.raises(DataError, match="NUL"):
        Scores.from_frame(
            table.set_axis(pd.Index([*table.columns[:-1], bad], dtype=object), axis=1)
        )
    changed = long_table.astype({"benchmark": object})
    changed.at[2, "benchmark"] = bad
    with pytest.raises(DataError, match=r'row 2, column "benchmark".*NUL'):
        Scores.from_long(changed)


def test_livebench_and_scores_are_read_from_a_table_of_another_library(tmp_path, table, other):
    livebench = pd.DataFrame({"model": ["o3-high", "gpt-5"], "zebra_puzzle": [91.0, None]})
    livebench.to_csv(tmp_path / "table_2025_05_30.csv", index=False)
    given = livebench_measurements(other(livebench), release="2025-05-30")
    expected = livebench_measurements(tmp_path)
    pd.testing.assert_frame_equal(given.cells, expected.cells)
    assert given.benchmarks == expected.benchmarks
    assert read_scores(other(table)).dataset.identical(Scores.from_frame(table).dataset)


@pytest.mark.parametrize("read", [read_epoch, read_benchpress])
def test_a_source_of_several_tables_says_that_it_wants_a_path(table, other, read):
    with pytest.raises(DataError, match=r"Give the path of .*Scores\.from_"):
        read(other(table))
