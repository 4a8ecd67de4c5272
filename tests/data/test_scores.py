"""A well-formed table becomes scores, and scores become a table again."""

from __future__ import annotations

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest

from latentscale.data import Audit, Benchmark, Scores
from latentscale.data.audit import Finding
from latentscale.errors import DataError, DataWarning


@pytest.fixture(autouse=True)
def _no_surprise_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        yield


def test_variables_dims_and_types(table):
    data = Scores.from_frame(table).dataset
    assert data["score"].dims == ("model", "benchmark")
    assert data["score"].dtype == np.float64
    for name in ("family", "lineage", "instruct", "params", "tokens"):
        assert data[name].dims == ("model",)
    for name in ("floor", "n_items", "suite"):
        assert data[name].dims == ("benchmark",)
    assert "released" not in data
    assert float(data["score"].sel(model="bee-8b", benchmark="gsm8k")) == 0.5
    assert float(data["floor"].sel(benchmark="mmlu")) == 0.25
    assert float(data["n_items"].sel(benchmark="gsm8k")) == 1319


def test_properties(table):
    scores = Scores.from_frame(table)
    assert scores.models == tuple(table["model"])
    assert scores.benchmarks == ("mmlu", "gsm8k")
    assert scores.families == ("ant", "bee", "bee-chat", "cat")
    assert scores.n_observed == 11
    assert scores.family_lineage().to_dict() == {
        "ant": "ant",
        "bee": "bee",
        "bee-chat": "bee",
        "cat": "cat",
    }


def test_the_callers_table_is_left_alone(table):
    before = table.copy(deep=True)
    Scores.from_frame(table)
    pd.testing.assert_frame_equal(table, before)


def test_lineage_defaults_to_family_and_instruct_to_zero(table):
    scores = Scores.from_frame(table.drop(columns=["lineage", "instruct"]))
    assert scores.dataset["lineage"].to_numpy().tolist() == table["family"].tolist()
    assert (scores.dataset["instruct"] == 0).all()


@pytest.mark.parametrize("empty", [np.nan, None, ""])
def test_an_empty_lineage_is_the_family(table, empty):
    table["lineage"] = table["lineage"].astype(object)
    table.loc[4, "lineage"] = empty
    scores = Scores.from_frame(table)
    assert str(scores.dataset["lineage"].sel(model="bee-8b-chat").item()) == "bee-chat"


def test_round_trip(table):
    table["released"] = pd.to_datetime(["2024-01-02", None, "2023-05-06", None, None, "2025-01-01"])
    scores = Scores.from_frame(table)
    again = Scores.from_frame(scores.to_frame(), benchmarks=scores.benchmark_info)
    assert scores.dataset.identical(again.dataset)
    assert list(scores.to_frame().columns[:7]) == [
        "model",
        "family",
        "lineage",
        "instruct",
        "params_b",
        "tokens_t",
        "released",
    ]


def test_any_row_index_and_nullable_types_are_taken(table):
    table.index = [7, 7, 9, 1, 1, 0]
    table["instruct"] = table["instruct"].astype(bool)
    table["gsm8k"] = table["gsm8k"].astype("Float64")
    table["params_b"] = table["params_b"].astype(int)
    table["family"] = table["family"].astype("category")
    scores = Scores.from_frame(table)
    assert scores.n_observed == 11
    assert float(scores.dataset["instruct"].sel(model="bee-8b-chat")) == 1


def test_released_takes_text_and_date_objects(table):
    table["released"] = ["2024-07-23", datetime.date(2024, 1, 1), None, pd.NaT, np.nan, "2025-02"]
    released = Scores.from_frame(table).dataset["released"]
    assert released.dtype == np.dtype("datetime64[ns]")
    assert released.to_numpy()[0] == np.datetime64("2024-07-23")
    assert int(released.isnull().sum()) == 3


def test_names_pass_through_untouched(table):
    names = ["模型-7b", 'he said "hi"', "<b>bold</b> & co", "a,b;c", "naïve ü", "x'y\\z"]
    table["model"] = names
    table["family"] = [f"{name} family" for name in names]
    table = table.drop(columns="lineage")
    scores = Scores.from_frame(table, benchmarks=None)
    assert scores.models == tuple(names)
    assert scores.to_frame()["model"].tolist() == names
    assert scores.select(models=["<b>bold</b> & co"]).models == ("<b>bold</b> & co",)


def test_benchmark_names_may_be_odd_and_html_is_escaped(table):
    table = table.rename(columns={"gsm8k": '<script>"x"</script>, ü'})
    scores = Scores.from_frame(table)
    assert scores.benchmarks[1] == '<script>"x"</script>, ü'
    assert "<script>" not in scores._repr_html_()
    assert "<script>" not in scores.audit._repr_html_()
    assert "&lt;script&gt;" in scores.audit._repr_html_()


def test_repr_is_short(table):
    text = repr(Scores.from_frame(table))
    assert text == "Scores(6 models, 4 families, 3 lineages, 2 benchmarks, 11 scores)"


def test_select_and_without(table):
    scores = Scores.from_frame(table)
    part = scores.select(models=["cat-3b", "ant-1b"], benchmarks=["gsm8k"])
    assert part.models == ("cat-3b", "ant-1b")
    assert part.benchmarks == ("gsm8k",)
    assert part.dataset["score"].to_numpy()[:, 0].tolist() == [0.05, 0.02]
    assert scores.without(["ant-1b"]).models == tuple(table["model"][1:])
    assert scores.without([]).models == scores.models
    assert scores.models == tuple(table["model"])


def test_select_keeps_a_benchmark_that_lost_its_scores_and_says_so(table):
    part = Scores.from_frame(table).select(models=["bee-8b-chat", "cat-3b"]).without(["cat-3b"])
    assert part.benchmarks == ("mmlu", "gsm8k")
    assert [f.where for f in part.audit.filter("benchmark-without-score")] == ["gsm8k"]


def test_the_audit_of_a_part_says_of_how_large_a_table_it_is(table):
    read = Finding("info", "feature-missing", "flops", "empty for 5 of 6 models.")
    whole = Scores(Scores.from_frame(table).dataset, Audit((read,)))
    part = whole.select(models=["bee-8b-chat", "cat-3b", "ant-1b"])
    (said,) = part.audit.filter("of-whole-table")
    assert said.message == (
        "The findings above describe the table as read, with 6 models and 2 benchmarks; this part "
        "of it has 3 models and 2 benchmarks."
    )
    assert part.audit.codes.index("of-whole-table") == 1
    again = part.without(["cat-3b"]).select(benchmarks=["mmlu"])
    (said,) = again.audit.filter("of-whole-table")
    assert "with 6 models and 2 benchmarks; this part of it has 2 models" in said.message
    assert not whole.select().audit.filter("of-whole-table").findings
    unsaid = Scores.from_frame(table).select(models=["cat-3b", "ant-1b"])
    assert not unsaid.audit.filter("of-whole-table").findings  # nothing about the whole table


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["ant-1"], 'Did you mean "ant-1b"'),
        ("ant-1b", "list"),
        (["ant-1b", "ant-1b"], "repeated"),
        ([], "at least one"),
    ],
)
def test_select_refuses(table, names, said):
    with pytest.raises(DataError, match=said):
        Scores.from_frame(table).select(models=names)


def test_without_refuses_unknown_names_and_emptying(table):
    scores = Scores.from_frame(table)
    with pytest.raises(DataError, match="Unknown model"):
        scores.without(["dog"])
    with pytest.raises(DataError, match="No model is left"):
        scores.without(scores.models)


def test_family_lineage_takes_the_commonest_then_the_first(table):
    table["lineage"] = ["y", "x", "p", "q", "bee", "cat"]
    table.loc[5, ["family", "lineage"]] = ["bee", "q"]
    with pytest.warns(DataWarning, match="lineages"):
        scores = Scores.from_frame(table)
    lineage = scores.family_lineage()
    assert lineage["ant"] == "y"
    assert lineage["bee"] == "q"


def test_given_benchmarks_win_over_known_ones(table):
    given = {"mmlu": Benchmark(floor=0.2, n_items=50, suite="mine", basis="counted")}
    scores = Scores.from_frame(table, benchmarks=given)
    assert scores.benchmark_info["mmlu"] == given["mmlu"]


def test_unknown_benchmark_is_info_only(table):
    scores = Scores.from_frame(table.rename(columns={"gsm8k": "my quiz"}))
    (finding,) = scores.audit.filter("unknown-benchmark")
    assert finding.level == "info"
    assert float(scores.dataset["floor"].sel(benchmark="my quiz")) == 0
    assert np.isnan(float(scores.dataset["n_items"].sel(benchmark="my quiz")))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("MMLU", "mmlu"), ("gsm-8k", "gsm8k"), ("hella_swag", "hellaswag"), ("MATH Lvl 5", "math")],
)
def test_near_miss_of_a_known_benchmark_is_suggested(table, name, meant):
    with pytest.warns(DataWarning, match=f'known benchmark "{meant}'):
        scores = Scores.from_frame(table.rename(columns={"gsm8k": name}))
    assert name in scores.benchmarks
    assert len(scores.audit.filter("near-known-benchmark")) == 1


def test_benchmarks_argument_is_checked(table):
    with pytest.raises(DataError, match='Did you mean "mmlu"'):
        Scores.from_frame(table, benchmarks={"mmul": Benchmark()})
    with pytest.raises(DataError, match="must map"):
        Scores.from_frame(table, benchmarks={"mmlu": 0.25})  # type: ignore[dict-item]


@pytest.mark.parametrize("bad", [-0.1, 1.0, float("nan"), True, "x"])
def test_benchmark_refuses_a_bad_floor(bad):
    with pytest.raises(DataError, match="floor"):
        Benchmark(floor=bad)


@pytest.mark.parametrize("bad", [0, -5, 2.5, True])
def test_benchmark_refuses_a_bad_item_count(bad):
    with pytest.raises(DataError, match="n_items"):
        Benchmark(n_items=bad)


def test_a_dataset_of_another_kind_is_refused(table):
    data = Scores.from_frame(table).dataset
    with pytest.raises(DataError, match="has no"):
        Scores(data.drop_vars("floor"), Audit())


@pytest.mark.parametrize("word", ["nan", "None", "N/A", "-", "<NA>"])
def test_a_lineage_that_is_a_word_for_an_empty_cell_is_warned_of(table, word):
    cells = [word, word, *["insects"] * (len(table) - 2)]
    with pytest.warns(DataWarning, match=f'2 rows have the name "{word}", which often means'):
        scores = Scores.from_frame(table.assign(family=table["model"], lineage=cells))
    assert scores.dataset["lineage"].values[0] == word


def test_benchmarks_that_differ_only_in_spelling_are_warned_of(table):
    with pytest.warns(DataWarning, match='benchmark: "mmlu", "MMLU" differ only in case'):
        Scores.from_frame(table.assign(MMLU=table["mmlu"]), benchmarks={"MMLU": Benchmark()})


def test_more_active_parameters_than_parameters_are_warned_of(table):
    table["active_params_b"] = table["params_b"] * 2
    with pytest.warns(DataWarning, match="rows have more active parameters than parameters"):
        Scores.from_frame(table)


def test_benchmarks_must_be_a_mapping(table):
    with pytest.raises(DataError, match="benchmarks= must map names of benchmarks to Benchmark"):
        Scores.from_frame(table, benchmarks=[Benchmark()])


@pytest.mark.parametrize(
    ("unit", "kept"), [("%", ""), ("Percent", ""), ("tasks solved", "tasks solved")]
)
def test_fractions_do_not_have_the_unit_of_percentages(unit: str, kept: str) -> None:
    frame = pd.DataFrame({"model": ["a", "b"], "family": ["f", "g"], "q": [10.0, 20.0]})
    scores = Scores.from_frame(frame, benchmarks={"q": Benchmark(scale="percent", unit=unit)})
    assert scores.benchmark_info["q"].unit == kept
