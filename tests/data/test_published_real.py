"""Forms of columns that public tables have: counts beside their share, speeds, intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import read_csv, read_planned, read_published
from latentscale.data.readers.model_names import parse_name
from latentscale.errors import DataError
from tests.data.published_tables import FOUR, of_four, said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
RIGHT, TRIALS = [28, 27, 20, 25], [30] * 4


@pytest.mark.parametrize("unit", [1.0, 100.0])
@pytest.mark.parametrize(
    "names", [("correct", "total"), ("Solved", "Tasks"), ("Pass", "Total Bugs")]
)
def test_successes_beside_their_share_are_its_items(unit: float, names: tuple[str, str]) -> None:
    shares = [round(unit * right / 30, 2) for right in RIGHT]
    columns = {"accuracy": shares, names[0]: RIGHT, names[1]: TRIALS}
    scores = read_published(pd.DataFrame({"model": FOUR} | columns))
    assert scores.benchmarks == ("accuracy",)
    np.testing.assert_allclose(scores.dataset["score"].values.ravel(), np.divide(shares, unit))
    assert scores.dataset["cell_items"].values.ravel().tolist() == TRIALS
    assert f"{names[0]} / {names[1]} of accuracy" in said(scores, "items-read")


def test_successes_of_another_share_are_a_benchmark_of_their_own() -> None:
    scores = read_published(of_four(correct=RIGHT, total=TRIALS))
    assert scores.benchmarks == ("GPQA", "correct")
    twice = of_four(a=np.divide(RIGHT, 30), b=np.divide(RIGHT, 30), correct=RIGHT, total=TRIALS)
    assert "correct" in read_published(twice).benchmarks  # of which of both?


def test_few_equal_scores_of_another_name_are_no_shares_of_counts() -> None:
    few = pd.DataFrame({"model": FOUR[:2], "GPQA": [0.5, 0.6], "correct": [5, 6], "total": 10})
    assert read_published(few).benchmarks == ("GPQA", "correct")
    more = pd.DataFrame({"model": FOUR, "GPQA": np.divide(RIGHT, 30), "correct": RIGHT})
    assert read_published(more.assign(total=30)).benchmarks == ("GPQA",)


def test_a_standard_error_stays_in_the_unit_of_the_share() -> None:
    shares = np.divide(RIGHT, 30)
    columns = {"accuracy": shares, "accuracy_stderr": 0.05, "correct": RIGHT, "total": TRIALS}
    scores = read_published(pd.DataFrame({"model": FOUR} | columns))
    np.testing.assert_allclose(scores.dataset["stderr"].values.ravel(), 0.05)


def test_successes_and_trials_beside_scores_in_rows_are_items() -> None:
    rows = [(m, b) for b in ("gsm8k", "mmlu") for m in ("gpt-4o", "o3")]
    table = pd.DataFrame(rows, columns=["Model", "Dataset"])
    table = table.assign(Accuracy=[0.9, 0.95, 0.8, 0.85], Correct=[180, 190, 320, 340])
    table["Total"] = [200, 200, 400, 400]
    scores = read_published(table)
    assert scores.dataset["cell_items"].values.tolist() == [[200, 400], [200, 400]]
    assert "Correct / Total of Accuracy" in said(scores, "items-read")
    assert "Correct" not in said(scores, "ignored-column")
    other = read_published(table.assign(Accuracy=[0.5, 0.4, 0.3, 0.2]))
    assert "cell_items" not in other.dataset


def test_a_plan_with_successes_beside_their_share_has_the_share() -> None:
    planned = read_planned(
        pd.DataFrame({"model": ["a-1b", "a-7b"], "acc": [0.6, 0.8], "solved": [6, 8], "tasks": 10})
    )
    assert planned["acc"].tolist() == [0.6, 0.8] and "solved" not in planned


def test_an_interval_in_per_cent_spelt_out_gives_standard_errors() -> None:
    table = pd.DataFrame({"model": FOUR, "arena_score": [1470, 1446, 1438, 1430]})
    table = table.assign(**{"95_pct_ci": ["+5/-5", "+6/-6", "+6/-4", "+4/-4"]})
    scores = read_published(table)
    found = scores.dataset["stderr"].values.ravel() * 1.96
    np.testing.assert_allclose(found, [5, 6, 5, 4])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "RTFx",
            "avg_time_ms",
            "mean time seconds",
            "Avg API Time",
            "Reason Lens",
            "Cycles",
            "Dim",
        ),
        *("No answer", "Not attempted", "Unanswered", "Failed", "Compilation Failure", "Dim"),
        "roi_score",
    ],
)
def test_speeds_counts_and_missing_answers_are_no_benchmarks(name: str) -> None:
    scores = read_published(of_four(**{name: [12, 40, 3, 8]}))
    assert scores.benchmarks == ("GPQA",)
    assert name in said(scores, "ignored-column")


@pytest.mark.parametrize("name", ["Multi Turn Miss Param", "Missing Parameters", "No Answer F1"])
def test_tasks_about_missing_values_are_benchmarks(name: str) -> None:
    assert name in read_published(of_four(**{name: [12.5, 40.1, 3.2, 8.8]})).benchmarks


def test_one_large_number_for_all_models_is_no_rating() -> None:
    scores = read_published(of_four(Sizes=[805] * 4, Arena=[1200, 1250, 1300, 1280]))
    assert scores.benchmarks == ("GPQA", "Arena")


@pytest.mark.parametrize("name", ["de_fleurs", "fr_mls", "CoVoST2", "earnings22", "SPGISpeech"])
def test_tests_of_speech_recognition_are_named_as_possible_error_rates(name: str) -> None:
    scores = read_published(of_four(**{name: [4.5, 6.0, 7.1, 5.2]}))
    assert "mostly give error rates" in said(scores, "lower-is-better")


def test_percentages_of_ten_at_most_are_named_as_possible_points() -> None:
    points = {"Style": [2.3, 1.4, 2.9, 0.9], "Plot": [3.0, 2.2, 2.5, 1.1]}
    low = pd.DataFrame({"Model": FOUR} | points)
    assert 'above 10: "Style", "Plot"' in said(read_published(low), "points-or-percentages")
    for other in (
        low.assign(GPQA=[80.0, 75.0, 70.0, 60.0]),
        low.assign(Plot=["3.0%", "2.2%", "2.5%", "1.1%"]),
        low.rename(columns={"Plot": "WER"}),
    ):
        assert not said(read_published(other), "points-or-percentages")


def test_a_heading_of_models_and_what_they_work_in_names_models() -> None:
    table = of_four().rename(columns={"Model": "Model / Product"})
    assert read_published(table).models == FOUR


def test_the_table_that_the_harness_prints_is_refused_with_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "printed.csv"
    path.write_text(
        "Tasks,Version,Filter,n-shot,Metric,,Value,,Stderr\narc,1,none,0,acc,↑,0.3,±,0.01\n"
    )
    with pytest.raises(DataError, match=r"does not name the model.*read_harness"):
        read_csv(path)


def test_a_mean_that_counts_its_data_sets_is_left_out() -> None:
    parts = {f"Part {n} ({n} datasets)": [50.0 + n, 60.0, 70.0, 80.0 - n] for n in (2, 4, 9)}
    table = pd.DataFrame({"Model": FOUR} | parts | {"Avg (15 datasets)": [56.5, 60, 70, 73.5]})
    assert read_published(table).benchmarks == tuple(parts)


@pytest.mark.parametrize(
    ("name", "series", "number", "size"),
    [
        ("GPT-4 (5-shot)", "gpt", "4", np.nan),
        ("Llama-2-70B (CoT)", "llama", "2", 70.0),
        ("Gemma v1.0 2B (instruct, Q6K quantization)", "gemma", "1.0", 2.0),
        ("OpenChat 3.6 8B (16b quantization)", "openchat", "3.6", 8.0),
    ],
)
def test_how_a_model_was_prompted_or_packed_is_no_part_of_its_series(
    name: str, series: str, number: str, size: float
) -> None:
    parsed = parse_name(name)
    assert (parsed.series, parsed.number) == (series, number)
    np.testing.assert_equal(parsed.size_b, size)


def test_providers_from_names_are_spelt_as_the_table_spells_them() -> None:
    hosts = ["openai", "anthropic", "bedrock", "xinference"]
    table = pd.DataFrame({"model": ["gpt-5", "claude-opus-4", "claude-haiku-4.5", "deepseek-v3"]})
    scores = read_published(table.assign(provider=hosts, gpqa=[0.8, 0.7, 0.6, 0.5]))
    assert scores.dataset["provider"].values.tolist() == [*hosts[:2], "anthropic", "DeepSeek"]
    assert not said(scores, "similar-names")


def test_checkpoints_merged_into_one_score_are_said() -> None:
    table = pd.DataFrame({"model": ["a-1b", "a-1b", "b-1b"], "Step": [1000, 2000, 1000]})
    scores = read_published(table.assign(mmlu=[0.3, 0.5, 0.4]))
    assert '"1000", "2000"' in said(scores, "settings-merged")
