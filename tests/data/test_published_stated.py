"""Published tables that state most points, directions, intervals and hosts in columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import read_published, read_scores
from latentscale.errors import DataError
from tests.data.published_tables import FOUR, of_four, said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def long(**columns: object) -> pd.DataFrame:
    """Return a table with one row a score: four models on Putnam and on GPQA."""
    scores = [96.0, 80, 90, 10, 85, 83, 87, 53]
    table = {"model": FOUR * 2, "benchmark": ["Putnam"] * 4 + ["GPQA"] * 4, "score": scores}
    return pd.DataFrame(table | columns)


@pytest.mark.parametrize("name", ["max_score", "Maximum", "out of", "maxScore"])
def test_scores_are_shares_of_the_most_points_that_a_column_states(name: str) -> None:
    scores = read_scores(long(**{name: [120] * 4 + [100] * 4}))
    assert scores.dataset["score"].sel(benchmark="Putnam").values[0] == 0.8
    assert scores.dataset["score"].sel(benchmark="GPQA").values[0] == 0.85
    assert "Putnam (of 120)" in said(scores, "points-read")
    assert name not in said(scores, "ignored-column")
    beyond = read_scores(long(**{name: [90] * 4 + [100] * 4}))
    assert beyond.dataset["score"].sel(benchmark="Putnam").values[0] == 0.96


@pytest.mark.parametrize(
    ("name", "cells"),
    [("higher_is_better", [False] * 4 + [True] * 4), ("lowerIsBetter", ["yes"] * 4 + ["no"] * 4)],
)
def test_a_column_says_which_scores_are_better(name: str, cells: list[object]) -> None:
    about = read_scores(long(**{name: cells})).benchmark_table().set_index("benchmark")
    assert about.loc[["Putnam", "GPQA"], "better"].tolist() == ["lower", "higher"]
    assert about.loc["GPQA", "floor"] == 0.25


@pytest.mark.parametrize(
    ("name", "cells"),
    [("ci", ["[82.1, 87.9]"] * 4), ("95% CI", ["±2.9"] * 4), ("±", [2.9] * 4), ("ci95", [2.9] * 4)],
)
def test_intervals_of_a_table_with_one_row_a_score(name: str, cells: list[object]) -> None:
    table = long()[4:].reset_index(drop=True).assign(**{name: cells})
    scores = read_scores(table)
    assert scores.benchmarks == ("GPQA",)
    assert scores.dataset["stderr"].values[0, 0] == pytest.approx(0.029 / 1.96)
    assert scores.benchmark_table()["floor"].tolist() == [0.25]
    assert name not in said(scores, "ignored-column")


def test_standard_errors_by_another_name_in_a_table_with_one_row_a_score() -> None:
    scores = read_scores(long(sem=[2.0] * 8))
    assert scores.dataset["stderr"].values.ravel().tolist() == pytest.approx([0.02] * 8)


def test_one_benchmark_with_ends_of_intervals_keeps_its_name() -> None:
    table = long()[4:].reset_index(drop=True).assign(ci_lower=50.0, ci_upper=90.0)
    assert read_scores(table).benchmarks == ("GPQA",)


def test_columns_that_begin_with_score_belong_together() -> None:
    table = pd.DataFrame(
        {"model": FOUR, "score_gpqa": [85.0, 83, 87, 53], "score_hle": [24.0, 20, 25, 3]}
    )
    scores = read_published(table.assign(stderr_gpqa=2.5, n_gpqa=198))
    assert scores.benchmarks == ("score_gpqa", "score_hle")
    assert scores.dataset["stderr"].sel(benchmark="score_gpqa").values[0] == pytest.approx(0.025)
    assert scores.item_counts.sel(benchmark="score_gpqa").values[0] == 198
    about = scores.benchmark_table().set_index("benchmark")
    assert about.loc["score_gpqa", "floor"] == 0.25


def test_footnotes_of_benchmarks_in_cells_are_left_off() -> None:
    scores = read_scores(long(benchmark=[r"GPQA$^\dagger$"] * 4 + ["HLE"] * 4))
    assert scores.benchmarks == ("GPQA", "HLE")


@pytest.mark.parametrize(
    "cell",
    [
        "🥇 85.7",
        "85.7 ✅",
        "85.7⭐",
        "\uff18\uff15\uff0e\uff17",
        "\u0668\u0665\u066b\u0667",
        "85.7 percent",
    ],
)
def test_medals_and_signs_of_other_scripts_beside_numbers(cell: str) -> None:
    scores = read_published(of_four(HLE=[cell, "20.2%", "11%", "21%"]))
    read = scores.dataset["score"].sel(benchmark="HLE").values
    if "percent" in cell:
        assert read[0] == 0.857
    else:
        plain = read_published(of_four(HLE=[cell, 20.2, 11, 21]))
        assert plain.dataset["score"].sel(benchmark="HLE").values[0] == pytest.approx(0.857)


@pytest.mark.parametrize("cell", ["85.7 (2.5)", ">85", "85.7 / 87.1", "84-87", "€1.234,50"])
def test_columns_of_text_are_left_out_with_a_cell(cell: str) -> None:
    scores = read_published(of_four(HLE=[cell] * 4))
    assert f'such as "{cell}"' in said(scores, "ignored-column")
    with pytest.raises(DataError, match="write one number in each cell"):
        read_published(of_four(HLE=[cell] * 4).drop(columns="GPQA"))
    plain = said(read_published(of_four(Note=["seen by 4"] * 4)), "ignored-column")
    assert "such as" not in plain


def test_hosts_are_not_makers_of_models() -> None:
    names = ["Llama-3.3-70B", "gpt-oss-120b", "o3", "my-own-7b"]
    table = of_four().assign(Model=names, Provider=["Groq", "Together AI", "OpenAI", "Cerebras"])
    scores = read_published(table)
    read = dict(zip(scores.dataset["model"].values, scores.dataset["provider"].values, strict=True))
    assert [read[name] for name in names] == ["Meta", "OpenAI", "OpenAI", "Cerebras"]
    assert '"Groq", "Together AI"' in said(scores, "hosts-left-out")


def test_durations_with_their_interval_in_one_cell() -> None:
    name = "50% time horizon (95% CI)"
    cells = ["2 hr 17 min (1 hr 5 min – 4 hr 25 min)", "94 min [52 min, 2h46m]", "4h49m", ""]
    scores = read_published(of_four(**{name: cells}))
    read = scores.dataset["score"].sel(benchmark=name).values
    assert read[:3].tolist() == [137, 94, 289]
    half = 137 * np.log(265 / 65) / 2
    errors = scores.dataset["stderr"].sel(benchmark=name).values
    assert errors[0] == pytest.approx(half / 1.96) and np.isnan(errors[2])


def test_half_widths_below_a_heading_of_standard_errors_are_standard_errors() -> None:
    scores = read_published(
        of_four(**{"HLE (± SE)": ["24.8 ± 0.8", "20.2 ± 0.8", "11 ± 0.6", "21"]})
    )
    assert scores.dataset["stderr"].sel(benchmark="HLE (± SE)").values[0] == pytest.approx(0.008)
    assert "half a 95% interval" not in said(scores, "errors-read")


def test_a_table_of_errors_alone_is_refused_with_the_reason() -> None:
    table = of_four().rename(columns={"GPQA": "GPQA stderr"})
    with pytest.raises(DataError, match="by its name errors or ends of intervals"):
        read_published(table)


def test_successes_and_trials_of_several_benchmarks() -> None:
    counts = {
        "AIME correct": [28, 27, 26, 4],
        "AIME total": 30,
        "GPQA_correct": [170, 165, 172, 106],
    }
    table = pd.DataFrame({"Model": FOUR} | counts | {"GPQA_total": 198})
    scores = read_published(table)
    assert scores.benchmarks == ("AIME correct", "GPQA_correct")
    read = scores.dataset["score"].sel(benchmark="GPQA_correct").values
    assert read[0] == pytest.approx(170 / 198)
    assert scores.item_counts.sel(benchmark="GPQA_correct").values[0] == 198
    about = scores.benchmark_table().set_index("benchmark")
    assert about.loc["GPQA_correct", "floor"] == 0.25


@pytest.mark.parametrize(
    "name", ["Tool Calls Accuracy", "Error Recovery", "MMLU-Pro - COT correct"]
)
def test_benchmarks_with_words_of_runs_stay_and_rise(name: str) -> None:
    about = read_published(of_four(**{name: [50.0, 40, 30, 20]})).benchmark_table()
    assert name in about["benchmark"].tolist() and "better" not in about


@pytest.mark.parametrize(
    "cells", [[80.0, 78, 82, 40], [0.8, 0.78, 0.82, 0.4], ["80%", "78%", "82%", ""]]
)
def test_scores_on_reasoning_are_a_benchmark_and_flags_are_not(cells: list[object]) -> None:
    scores = read_published(of_four(Reasoning=cells))
    assert scores.benchmarks == ("GPQA", "Reasoning")
    assert scores.dataset["score"].sel(benchmark="Reasoning").values[0] == 0.8
    for flags in ([1, 1, 0, 1], [True, True, False, True], ["yes", "yes", "no", ""]):
        assert read_published(of_four(Reasoning=flags)).benchmarks == ("GPQA",)


def test_most_steps_are_a_setting() -> None:
    assert read_published(of_four(**{"Max steps": [100, 100, 50, 15]})).benchmarks == ("GPQA",)
