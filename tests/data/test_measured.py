"""Standard errors, item counts and sources of single scores."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale import Benchmark, DataError, DataWarning, Scores
from latentscale.data.scaling import (
    sampling_of,
    usual_sampling,
    with_errors_of,
    with_standards,
)


def long_of(*cells: tuple[object, ...], columns: str = "") -> pd.DataFrame:
    """Return a long table from (model, benchmark, score, ...) rows."""
    names = ["model", "benchmark", "score", *columns.split()]
    return pd.DataFrame(cells, columns=names).assign(family="f", params_b=7.0, tokens_t=2.0)


def read(frame: pd.DataFrame, **benchmarks: Benchmark) -> Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return Scores.from_long(frame, benchmarks=benchmarks)


def cell(scores: Scores, variable: str = "score", benchmark: str = "b") -> float:
    return float(scores.dataset[variable].sel(model="m", benchmark=benchmark))


def test_standard_errors_and_items_are_kept_by_score():
    frame = long_of(
        ("m", "b", 0.5, 0.02, 625), ("n", "b", 0.4, np.nan, np.nan), columns="stderr n_items"
    )
    scores = read(frame)
    assert cell(scores, "stderr") == 0.02
    assert cell(scores, "cell_items") == 625
    assert np.isnan(scores.dataset["stderr"].sel(model="n", benchmark="b"))


def test_standard_errors_of_percentages_are_divided_with_them():
    frame = long_of(("m", "b", 50.0, 2.0), ("n", "b", 40.0, 3.0), columns="stderr")
    scores = read(frame, b=Benchmark(scale="percent"))
    assert cell(scores) == 0.5 and cell(scores, "stderr") == 0.02


def test_a_wide_table_takes_a_second_one_of_standard_errors(table):
    errors = pd.DataFrame({"model": table["model"][::-1], "mmlu": 0.01})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        data = Scores.from_frame(table, stderr=errors).dataset
    assert (data["stderr"].sel(benchmark="mmlu") == 0.01).all()
    assert data["stderr"].sel(benchmark="gsm8k").isnull().all()
    with pytest.raises(DataError, match="not a benchmark of this table"):
        Scores.from_frame(table, stderr=errors.rename(columns={"mmlu": "mmlo"}))


def test_columns_of_standard_errors_are_named_once_and_by_text(table):
    rows = [[name, 0.1, 0.1] for name in table["model"]]
    twice = pd.DataFrame(rows, columns=["model", "mmlu", " mmlu"])
    with pytest.raises(DataError, match='named more than once: "mmlu"'):
        Scores.from_frame(table, stderr=twice)
    with pytest.raises(DataError, match=r"stderr=: column names must be text; got \[0\]"):
        Scores.from_frame(table, stderr=twice.set_axis(["model", "mmlu", 0], axis="columns"))


def test_a_standard_error_of_percentages_is_judged_and_shown_as_a_percentage():
    frame = long_of(("m", "b", 50.0, 60.0), ("n", "b", 40.0, 2.0), columns="stderr")
    percent = {"b": Benchmark(scale="percent")}
    said = r"\"stderr\": 60. The standard error of a score from 0 to 100 is at most 50"
    with pytest.raises(DataError, match=said):
        read(frame, **percent)
    wide = pd.DataFrame({"model": ["m", "n"], "family": "f", "b": [50.0, 40.0]})
    errors = pd.DataFrame({"model": ["m", "n"], "b": [60.0, 2.0]})
    with pytest.raises(DataError, match=said):
        Scores.from_frame(wide, benchmarks=percent, stderr=errors)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("stderr", -0.1, "0 or more"),
        ("stderr", 2.0, "percentages"),
        ("n_items", 2.5, "whole number"),
        ("n_items", 0, "whole number"),
    ],
)
def test_impossible_errors_and_items_are_named_with_their_row(column, value, said):
    frame = long_of(("m", "b", 0.5, 0.1), ("n", "b", 0.4, value), columns=column)
    if column == "n_items":
        frame.loc[0, column] = 10
    with pytest.raises(DataError, match=said) as caught:
        read(frame)
    assert "row 1" in str(caught.value)


def test_sources_merge_by_inverse_variance():
    frame = long_of(
        ("m", "b", 0.5, 0.01, "x"),
        ("m", "b", 0.6, 0.02, "y"),
        ("n", "b", 0.3, 0.1, "x"),
        columns="stderr source",
    )
    with pytest.warns(DataWarning, match="1 weighted by inverse variance"):
        scores = Scores.from_long(frame)
    assert cell(scores) == pytest.approx((0.5 / 1 + 0.6 / 4) / (1 + 1 / 4))
    assert cell(scores, "stderr") == pytest.approx(1 / np.sqrt(1e4 + 2.5e3))


def test_a_mean_by_inverse_variance_has_the_items_of_all_its_sources():
    names = "stderr n_items source"
    rows = ("m", "b", 0.5, 0.05, 100, "x"), ("m", "b", 0.6, 0.05, 300, "y")
    assert cell(read(long_of(*rows, columns=names)), "cell_items") == 400
    unknown = long_of(
        ("n", "b", 0.6, 0.05, 50, "x"), rows[0], (*rows[1][:4], np.nan, "y"), columns=names
    )
    assert np.isnan(cell(read(unknown), "cell_items"))


def test_sources_merge_by_items_or_alike_where_no_errors_are_stated():
    rows = ("m", "b", 0.5, 100, "x"), ("m", "b", 0.6, 300, "y")
    assert cell(read(long_of(*rows, columns="n_items source"))) == pytest.approx(0.575)
    assert cell(read(long_of(*rows, columns="n_items source").drop(columns="n_items"))) == 0.55


def test_repeated_cells_without_a_source_are_refused():
    frame = long_of(("m", "b", 0.5), ("m", "b", 0.6))
    with pytest.raises(DataError, match='"source"'):
        read(frame)
    with pytest.raises(DataError, match=r'"b" has 2 rows \(0, 1\). Keep one, or state'):
        read(frame.assign(source=""))
    with pytest.raises(DataError, match='source "x" has 2 rows'):
        read(frame.assign(source="x"))


def test_an_empty_score_of_one_source_gives_way_to_another():
    frame = long_of(("m", "b", np.nan, "x"), ("m", "b", 0.6, "y"), columns="source")
    assert cell(read(frame)) == 0.6


def test_sampling_is_one_over_the_items_that_a_standard_error_stands_for():
    frame = long_of(
        ("m", "b", 0.5, 0.05, np.nan),
        ("n", "b", 0.3, np.nan, 50),
        ("o", "b", 0.0, 0.01, np.nan),
        ("p", "b", 0.2, np.nan, np.nan),
        columns="stderr n_items",
    )
    sampling = sampling_of(read(frame, b=Benchmark(n_items=200)).dataset)
    assert sampling is not None
    # A score of 0 with an error of 0.01 is treated as 0.01.
    wanted = [0.05**2 / 0.25, 1 / 50, 0.01**2 / (0.01 * 0.99), 1 / 200]
    np.testing.assert_allclose(sampling.sel(benchmark="b").values, wanted)


def test_the_sampling_error_of_a_rating_is_in_its_standard_deviations():
    frame = long_of(
        ("m", "b", 1000.0, 10.0),
        ("n", "b", 1200.0, 20.0),
        ("o", "b", 1400.0, 0.0),
        columns="stderr",
    )
    data = with_standards(read(frame, b=Benchmark(scale="real")).dataset)
    sd = np.std([1000, 1200, 1400])
    sampling = sampling_of(data)
    assert sampling is not None
    np.testing.assert_allclose(
        sampling.sel(benchmark="b").values, (np.array([10, 20, 0]) / sd) ** 2
    )
    usual = usual_sampling(data)
    assert usual is not None
    assert float(usual.sel(benchmark="b")) == pytest.approx(np.median([100, 400]) / sd**2)


def test_an_error_of_0_at_0_is_that_of_the_items():
    frame = long_of(("m", "b", 0.0, 0.0), ("n", "b", 0.4, 0.0), columns="stderr")
    sampling = sampling_of(read(frame, b=Benchmark(n_items=80)).dataset)
    assert sampling is not None
    np.testing.assert_allclose(sampling.sel(benchmark="b").values, [1 / 80, 0])


def test_scores_without_errors_have_no_sampling():
    scores = read(long_of(("m", "b", 0.5, 0.1, 20), columns="stderr n_items"))
    assert sampling_of(scores.without_errors().dataset) is None


def test_a_table_without_errors_has_no_sampling():
    assert sampling_of(read(long_of(("m", "b", 0.5))).dataset) is None


@pytest.mark.parametrize("name", ["gpqa_stderr", "GPQA (%) stderr", "standard error (gpqa)"])
def test_a_column_of_standard_errors_is_not_taken_for_a_benchmark(name: str) -> None:
    frame = pd.DataFrame({"model": ["m", "n"], "family": "f", "gpqa": [0.4, 0.5], name: 0.02})
    frame = frame.rename(columns={"gpqa": "GPQA (%)"}) if "%" in name else frame
    with pytest.raises(DataError, match="looks like standard errors of"):
        Scores.from_frame(frame)
    named = {name: Benchmark()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        assert name in Scores.from_frame(frame, benchmarks=named).benchmarks


def test_errors_of_new_scores_amount_to_the_sampling_that_was_asked_for() -> None:
    """In the middle s^2 / (m (1 - m)); within s of an end s / (1 - s); for Elo by its step."""
    frame = long_of(
        *[(f"m{i}", "b", 0.2 * i + 0.1, 0.03) for i in range(5)],
        *[(f"m{i}", "elo", 1000.0 + 50 * i, 8.0) for i in range(5)],
        columns="stderr",
    )
    dataset = with_standards(read(frame, elo=Benchmark(scale="real")).dataset)
    score = dataset["score"].copy()
    score.loc[{"benchmark": "b"}] = [0.0, 0.004, 0.4, 0.97, 1.0]
    sampling = xr.full_like(score, 0.03)
    moved = with_errors_of(dataset.assign(score=score), sampling)
    error = moved["stderr"].sel(benchmark="b").values
    np.testing.assert_allclose(error[[0, 4]], 0.03 / 1.03)
    np.testing.assert_allclose(error[2], np.sqrt(0.03 * 0.4 * 0.6))
    np.testing.assert_allclose(sampling_of(moved), sampling)


def test_one_value_of_several_sources_is_one_measurement() -> None:
    frame = long_of(
        ("m", "b", 0.5, 0.04, 100, "lab"),
        ("m", "b", 0.5, 0.04, 100, "hub"),
        ("n", "b", 0.3, 0.05, 100, "lab"),
        columns="stderr n_items source",
    )
    with pytest.warns(DataWarning, match="source: 1 score repeats the value of another"):
        scores = Scores.from_long(frame)
    assert cell(scores) == 0.5
    assert cell(scores, "stderr") == pytest.approx(0.04)
    assert cell(scores, "cell_items") == 100


def test_a_copied_value_has_one_weight_in_a_mean() -> None:
    rows = ("m", "b", 0.7, "lab"), ("m", "b", 0.7, "hub"), ("m", "b", 0.8, "own")
    scores = read(long_of(*rows, columns="source"))
    assert cell(scores) == pytest.approx(0.75)
    (said,) = scores.audit.filter("merged-sources").findings
    assert "1 scores are means over several sources: 1 plain means. 1 score repeats" in said.message
    assert '"m" on "b" by "hub"' in said.message


def test_a_copy_gives_the_error_that_the_row_which_stays_does_not_state() -> None:
    rows = ("m", "b", 0.7, np.nan, "lab"), ("m", "b", 0.7, 0.03, "hub")
    assert cell(read(long_of(*rows, columns="stderr source")), "stderr") == pytest.approx(0.03)


def test_equal_scores_with_other_items_are_measurements_of_their_own() -> None:
    rows = ("m", "b", 0.5, 100, "x"), ("m", "b", 0.5, 300, "y"), ("m", "b", 0.5, np.nan, "z")
    assert cell(read(long_of(*rows, columns="n_items source")), "cell_items") == 400


def test_percentages_that_copy_a_fraction_of_themselves_are_copies() -> None:
    rows = ("m", "b", 14.3, 2.0, "x"), ("m", "b", 14.3, 2.0, "y")
    frame = long_of(*rows, columns="stderr source")
    scores = read(frame, b=Benchmark(scale="percent"))
    assert cell(scores, "stderr") == pytest.approx(0.02)
