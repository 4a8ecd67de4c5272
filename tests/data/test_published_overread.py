"""Headings and names that look like counts, limits, intervals or errors, and are not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.column_names import is_neither, is_own_index
from latentscale.data.lower_by_name import is_lower, why_lower
from latentscale.data.readers import (
    effort,
    read_harness,
    read_published,
    read_scores,
    reasoning,
    size_class,
)
from latentscale.data.readers.benchmark_names import group_of, plain_name
from latentscale.data.readers.model_names import parse_name, provider_of
from latentscale.data.readers.published.columns import unit_of_amount
from latentscale.errors import DataError
from tests.data.published_tables import of_eight, of_four, said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
PERCENT = [62, 60, 55, 40]


def first(name: str, **columns: object) -> float:
    """Return the first model's score in a table of percentages below a heading."""
    scores = read_published(of_four(**{name: PERCENT}, **columns))
    return float(scores.dataset["score"].sel(benchmark=name).values[0])


@pytest.mark.parametrize(
    ("name", "beside"),
    [("% Correct", {"Total": [198] * 4}), ("Resolved (%)", {"Instances": [500] * 4})],
)
def test_percentages_beside_trials_are_percentages(name: str, beside: dict[str, object]) -> None:
    assert first(name, **beside) == 0.62


def test_a_total_that_differs_by_model_counts_no_trials() -> None:
    assert first("Correct", Total=[82, 81, 80, 75]) == 0.62
    assert first("Correct", Total=[100, 100, 90, 100]) == 0.62
    assert first("Correct", Total=[124, 300, 220, 401]) == 0.5


@pytest.mark.parametrize(
    "name",
    ["AIME 2024 / 2025", "RULER (max 128k)", "tau2 (max 200 steps)", "Video-MME (max 512 frames)"],
)
def test_years_lengths_and_limits_are_not_the_most_points(name: str) -> None:
    assert first(name) == 0.62


def test_low_and_high_are_efforts_without_a_score_between_them() -> None:
    for names in (["AIME low", "AIME medium", "AIME high"], ["Low-resource", "High-resource"]):
        scores = read_published(of_four(**{name: PERCENT for name in names}))
        assert scores.benchmarks == ("GPQA", *names)
        assert "stderr" not in scores.dataset or scores.dataset["stderr"].isnull().all()
    levels = {"Low": [1.5, 2, 3, 4], "Medium": PERCENT, "High": [70.5, 69, 62, 50]}
    assert read_published(of_four(**levels)).benchmarks == ("GPQA", *levels)
    ends = read_published(of_four(GPQA_low=[83.0] * 4, GPQA_high=[88.0] * 4))
    assert ends.dataset["stderr"].values[0, 0] == pytest.approx(0.025 / 1.96)


@pytest.mark.parametrize("name", ["RE-Bench 8 hours", "MLE-bench (24-hour)", "LVBench 60 min"])
def test_times_that_a_model_was_given_are_not_units(name: str) -> None:
    assert unit_of_amount(name) is None and first(name) == 0.62
    assert unit_of_amount("Time horizon (hours)") == "hours"


@pytest.mark.parametrize(
    "name", ["Profit-oriented QA", "Balance Sheet QA", "Earnings Call QA", "Revenue prediction"]
)
def test_tasks_on_money_are_not_money(name: str) -> None:
    assert first(name) == 0.62
    earned = ("Balance", "Net worth (mean)", "Vending-Bench 2 (money balance)", "Profit at day 30")
    assert [unit_of_amount(heading) for heading in earned] == ["USD"] * 4


@pytest.mark.parametrize(
    "name",
    """Brier Index|Brier skill score|Toxicity detection|Error Localization|Error-correction
    |Error analysis|Hallucinations detected ↑""".replace("\n    ", "").split("|"),
)
def test_scores_on_finding_what_is_unwanted_rise(name: str) -> None:
    assert not is_lower(name)


@pytest.mark.parametrize("name", ["RMSE", "MAE", "WMT25 MetricX", "CRPS", "RMS CE", "Brier score"])
def test_measures_of_error_fall(name: str) -> None:
    assert is_lower(name)
    assert why_lower(name)  # a table that is not read as a published one is warned of


@pytest.mark.parametrize(
    "name", ["unsafe responses", "agentdojo asr", "bbq bias", "violations", "failed", "pii leakage"]
)
def test_more_words_of_what_is_unwanted_are_warned_of(name: str) -> None:
    assert why_lower(name) is not None
    assert not any(map(why_lower, ("safety", "error correction", "bias detection")))


def test_the_largest_of_several_runs_is_not_the_most_points() -> None:
    rows = [("GPT-5", "A", 62.0, 60, 65), ("o3", "A", 60.0, 58, 63), ("GPT-5", "B", 50.0, 45, 55)]
    table = pd.DataFrame(rows, columns=["model", "benchmark", "score", "min", "max"])
    assert read_scores(table).dataset["score"].sel(benchmark="B").values[0] == 0.5
    alone = table.drop(columns="min").assign(max=[65.5, 63.5, 55.0])
    assert read_scores(alone).dataset["score"].sel(benchmark="B").values[0] == 0.5


@pytest.mark.parametrize(
    "name",
    """Architecture and Engineering|Commit Message Generation|Website Generation|Hardware Design
    |Renewable Energy|Mean Reciprocal Rank|Latency-adjusted accuracy""".replace("\n    ", "").split(
        "|"
    ),
)
def test_subjects_with_words_of_settings_are_benchmarks(name: str) -> None:
    assert not is_neither(name)
    for kept in ("Model architecture", "Commit hash", "Energy (kWh)", "Energy per task", "Website"):
        assert is_neither(kept)


def test_indices_of_no_broad_ability_are_benchmarks_of_their_own() -> None:
    others = {name: PERCENT[::-1] for name in ("HLE", "AIME", "MMMU")}
    index = {"Remote Labor Index": [2.5, 3.1, 0.8, 1.3]}
    scores = read_published(of_four(**others, **index))
    assert "Remote Labor Index" in scores.benchmarks
    assert "Remote Labor Index" in said(scores, "mean-kept")
    assert not any(map(is_own_index, ("AA Intelligence Index v4", "Coding Index", "Index")))


def test_whole_numbers_of_events_may_be_counts() -> None:
    scores = read_published(of_four(Errors=[12, 30, 5, 7]))
    assert "if they are counts" in said(scores, "points-or-percentages")
    for name in ("Errors (%)", "HLE"):
        fine = read_published(of_four(**{name: [12, 30, 5, 7]}))
        assert not fine.audit.filter("points-or-percentages")


def test_durations_without_a_last_unit_and_of_seconds() -> None:
    scores = read_published(of_four(Horizon=["4h49", "540s", "35min", "2h"]))
    assert scores.dataset["score"].sel(benchmark="Horizon").values.tolist() == [289, 9, 35, 120]
    assert "4h4" in said(read_published(of_four(Horizon=["4h4", "1h", "2h", "3h"])), "cell-unread")


def test_a_column_of_units_says_the_unit_of_a_benchmark() -> None:
    table = pd.DataFrame(
        {
            "model": ["GPT-5", "o3"] * 2,
            "benchmark": ["METR"] * 2 + ["AIME"] * 2,
            "score": [289.0, 94, 90, 80],
            "unit": ["minutes"] * 2 + ["%"] * 2,
        }
    )
    scores = read_scores(table)
    about = scores.benchmark_table().set_index("benchmark")
    assert about.loc["METR", ["scale", "unit"]].tolist() == ["positive", "minutes"]
    assert scores.dataset["score"].sel(benchmark="AIME").values.tolist() == [0.9, 0.8]
    assert not scores.audit.filter("ignored-column")


@pytest.mark.parametrize(
    ("name", "series", "number", "setting"),
    [
        ("Qwen3-Max-Thinking", "qwen-max", "3", "thinking"),
        ("Devstral-Medium", "devstral-medium", "", ""),
        ("OpenAI GPT-5", "gpt", "5", ""),
        ("OpenAI: o3", "openai-o", "3", ""),
        ("Anthropic: Claude Opus 4.5", "claude-opus", "4.5", ""),
        ("Google Gemini 3 Pro", "gemini-pro", "3", ""),
        ("NVIDIA-Nemotron-Nano-9B-v2", "nemotron-nano", "2", ""),
        ("Claude Code (Opus 4.6)", "claude-opus", "4.6", ""),
        ("Codex (GPT-5.3)", "gpt", "5.3", ""),
        ("GPT-5 (with tools)", "gpt", "5", ""),
    ],
)
def test_makers_agents_and_sizes_in_names(
    name: str, series: str, number: str, setting: str
) -> None:
    parsed = parse_name(name)
    assert (parsed.series, parsed.number, parsed.setting) == (series, number, setting)


def test_makers_before_a_name_are_not_part_of_a_series_of_others() -> None:
    assert parse_name("NVIDIA Llama-3.1-Nemotron-70B").series.startswith("nvidia")
    assert provider_of(parse_name("Cursor + Sonnet 4.5")) == "Anthropic"
    assert parse_name("claude-opus-4-6-max-thinking").setting == "max"


def test_sizes_and_reasoning_of_late_names() -> None:
    names = ["GPT-5.1 Instant", "claude-instant-1.2", "Qwen3-Max-Thinking", "Devstral-Medium"]
    assert size_class(names).values.tolist() == ["unknown", "mini", "large", "medium"]
    assert effort(names).values.tolist() == ["unstated"] * 4
    names = ["Grok 4 Heavy", "OpenAI GPT-5", "Devstral-Medium", "Qwen3-Max-Thinking"]
    assert reasoning(names).values.tolist() == [1.0, 1.0, 0.0, 1.0]


def test_groups_of_names_in_full_and_of_words_within_words() -> None:
    names = ("Humanity's Last Exam", "IndexBench", "WebArena", "xbench-DeepSearch")
    assert [group_of(plain_name(n)) for n in names] == ["science", "mixed", "agents", "search"]


def test_a_folder_without_known_figures_is_refused_with_one_remedy(tmp_path: Path) -> None:
    results = {"lighteval|aime25|0": {"pass@k:k=1": 0.3}, "all": {"pass@k:k=1": 0.3}}
    file = {"config_general": {"model_name": "org/a-7b"}, "results": results}
    folder = tmp_path / "org" / "a-7b"
    folder.mkdir(parents=True)
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps(file))
    with pytest.raises(DataError) as refused:
        read_harness(tmp_path)
    assert str(refused.value).count("tasks={") == 1


def of_parts(parts: np.ndarray, heading: np.ndarray) -> pd.DataFrame:
    """Return a table with a column "Search" before the parts that it may be the mean of."""
    columns = {f"Part {letter}": parts[:, n] for n, letter in enumerate("ABCD")}
    return of_eight(Search=heading, **columns)


def test_a_mean_of_the_columns_that_follow_is_left_out_whatever_its_name() -> None:
    parts = np.random.default_rng(0).uniform(20, 90, (8, 4)).round(2)
    scores = read_published(of_parts(parts, parts.mean(axis=1).round(2)))
    assert "Search" not in scores.benchmarks
    (finding,) = scores.audit.filter("ignored-column").findings
    assert '"Search": the mean of "Part A", "Part B", "Part C", "Part D"' in finding.message


def test_a_column_that_is_not_the_mean_of_those_that_follow_is_kept() -> None:
    parts = np.random.default_rng(0).uniform(20, 90, (8, 4)).round(2)
    mean = parts.mean(axis=1)
    assert "Search" in read_published(of_parts(parts, mean[::-1])).benchmarks
    copies = np.repeat(mean[:, np.newaxis], 4, axis=1)
    assert "Search" in read_published(of_parts(copies + 0.01, mean)).benchmarks


def test_a_missing_parameter_is_not_a_number_of_parameters() -> None:
    assert not is_neither("Multi Turn Miss Param")
    assert not is_neither("Missing Parameters")
    assert is_neither("Active Params")


def test_a_metric_or_prompt_in_brackets_is_not_part_of_the_score() -> None:
    cells = ["95.1 (accuracy)", "88.0% (5-shot, CoT)", "71.2% (pass@1)", "60"]
    scores = read_published(of_four(HumanEval=cells))
    read = scores.dataset["score"].sel(benchmark="HumanEval").values
    np.testing.assert_allclose(read, [0.951, 0.88, 0.712, 0.6])
    (finding,) = scores.audit.filter("settings-in-cells").findings
    assert finding.level == "warning"
    assert "several settings" in finding.message


def test_one_setting_in_brackets_is_said_without_a_warning() -> None:
    scores = read_published(of_four(HumanEval=["95 (pass@1)", "88 (pass@1)", "71", "60"]))
    (finding,) = scores.audit.filter("settings-in-cells").findings
    assert finding.level == "info"


@pytest.mark.parametrize("cell", ["163 (88th percentile)", "45 (of 60)", "72.5 (67.2)"])
def test_other_numbers_in_brackets_are_left_out(cell: str) -> None:
    scores = read_published(of_four(HumanEval=[cell, "88", "71", "60"]))
    assert np.isnan(scores.dataset["score"].sel(benchmark="HumanEval").values[0])
