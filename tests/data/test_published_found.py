"""Forms of numbers, headings and names found in public tables: noise, budgets, settings, camels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentscale.data.column_names import is_aggregate, is_neither
from latentscale.data.lower_by_name import is_lower
from latentscale.data.readers import effort, read_published, reasoning
from latentscale.data.readers.model_names import parse_name
from tests.data.published_tables import FOUR, of_four, said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_rounding_above_the_most_does_not_change_the_unit(unit: float) -> None:
    shares = np.array([0.76, 1.0, 0.9, 0.6])
    cells = unit * shares
    cells[1] = np.nextafter(cells[1], np.inf)
    scores = read_published(of_four(MATH=cells))
    math = scores.dataset["score"].sel(benchmark="MATH").values
    np.testing.assert_allclose(math, shares)
    assert math.max() == 1


@pytest.mark.parametrize(
    ("name", "series", "level"),
    [
        ("GPT-4 (32k)", "gpt", "unstated"),
        ("Yi-34B (200K)", "yi", "unstated"),
        ("Phi-3-small-instruct (8k)", "phi-small", "unstated"),
        ("claude-3-5-sonnet-20241022 (200k)", "claude-sonnet", "unstated"),
        ("Claude 3.7 (16K)", "claude", "high"),
        ("QwQ-32B (16K thinking)", "qwq", "high"),
        ("claude-opus-4-7 [max]", "claude-opus", "max"),
        ("Qwen/Qwen3.5-397B-A17B-TEE", "qwen", "unstated"),
        ("claude-opus-4-20250514 (1K)", "claude-opus", "low"),
        ("Gemini 2.5 Flash (8K)", "gemini-flash", "medium"),
        ("Claude Opus 5.5 (Max, Default Fallback)", "claude-opus", "max"),
        ("Anthropic Haiku 4.5 (Disable Thinking)", "claude-haiku", "none"),
        ("Qwen3-14B AWQ 4-bit", "qwen", "unstated"),
        ("Claude Opus 4.7 (none)", "claude-opus", "none"),
    ],
)
def test_brackets_of_names_hold_contexts_budgets_and_modes(
    name: str, series: str, level: str
) -> None:
    assert parse_name(name).series == series
    assert effort([name]).values.tolist() == [level]
    assert reasoning([name]).values.tolist() == [float(level not in ("unstated", "none"))]


@pytest.mark.parametrize(
    "name",
    [
        *("price1mInputTokens", "percentile05OutputTokensPerSecond", "benchmark_version"),
        *("bootstrap_samples", "thurstone_sigma"),
    ],
)
def test_fields_of_programs_with_digits_and_figures_of_a_bootstrap_are_not_scores(
    name: str,
) -> None:
    assert is_neither(name)


def test_fields_of_programs_may_be_means() -> None:
    assert is_aggregate("intelligenceIndex") and is_aggregate("model_average_score")
    assert not is_aggregate("scicode") and not is_neither("tau2") and not is_neither("gpqa")


def test_ratings_below_zero_are_ratings() -> None:
    scores = read_published(of_four(bt_rating=[1.2, -0.4, 0.3, -1.1]))
    assert scores.dataset["score"].sel(benchmark="bt_rating").values.tolist()[1] == -0.4
    assert scores.dataset["unit"].sel(benchmark="bt_rating") == "rating"


def test_a_tilde_stands_between_the_ends_of_an_interval() -> None:
    table = of_four(Arena=[1533.9, 1514.8, 1510, 1507])
    table["95% CI"] = ["1525 ~ 1543", "1507 ~ 1523", "1504 ~ 1516", "1502 ~ 1512"]
    table = table.drop(columns="GPQA")
    errors = read_published(table).dataset["stderr"].values.ravel()
    np.testing.assert_allclose(errors, np.array([9, 8, 6, 5]) / 1.96, rtol=1e-3)


@pytest.mark.parametrize("name", ["method", "Team"])
def test_rows_of_several_methods_are_merged_with_a_finding(name: str) -> None:
    table = pd.concat([of_four(), of_four().head(1)], ignore_index=True)
    table[name] = ["SFT"] * 4 + ["zero-shot"]
    assert '"SFT", "zero-shot"' in said(read_published(table), "settings-merged")


def test_one_percentage_among_fractions_is_left_out() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"Model": [f"model-{k}" for k in "abcdefghijkl"]})
    table = table.assign(**{name: rng.uniform(0.2, 0.9, 12).round(3) for name in ("A", "B", "C")})
    slip = table.assign(C=[4.5, *table["C"].tolist()[1:]])
    scores = read_published(slip)
    expected = [np.nan, *table["C"].tolist()[1:]]
    np.testing.assert_allclose(scores.dataset["score"].sel(benchmark="C"), expected)
    assert '"model-a: 4.5"' in said(scores, "impossible-score")
    alone = read_published(slip[["Model", "A", "C"]])  # one other column: C may have percentages
    assert not said(alone, "impossible-score")
    several = read_published(slip.assign(C=[4.5, 3.5, *table["C"].tolist()[2:]]))
    assert not said(several, "impossible-score")


@pytest.mark.parametrize("name", ["Flag Success Count", "Tasks # Solved"])
def test_whole_numbers_of_a_count_are_named(name: str) -> None:
    scores = read_published(of_four(**{name: [35, 12, 40, 9]}))
    assert "if they are counts" in said(scores, "points-or-percentages")


def test_a_column_of_names_to_show_names_models() -> None:
    table = of_four().rename(columns={"Model": "Display_Name"}).assign(isOpenWeights=[0, 0, 1, 1])
    scores = read_published(table)
    assert scores.models == FOUR
    assert scores.dataset["open_weights"].values.tolist() == [0, 0, 1, 1]


def test_lo_and_hi_are_ends_of_intervals_and_no_benchmarks() -> None:
    table = of_four(GPQA_lo=[0.50, 0.45, 0.40, 0.35], GPQA_hi=[0.58, 0.53, 0.48, 0.43])
    table["GPQA"] = [0.54, 0.49, 0.44, 0.39]  # the means of both
    scores = read_published(table)
    assert scores.benchmarks == ("GPQA",)
    np.testing.assert_allclose(scores.dataset["stderr"], 0.04 / 1.96, rtol=1e-3)


@pytest.mark.parametrize("name", ["Thinking", "Reasoning"])
def test_rows_with_and_without_reasoning_are_two_models(name: str) -> None:
    table = pd.DataFrame({"Model": ["Claude Opus 4", "Claude Opus 4", "o3", "GPT-4o"]})
    table = table.assign(**{name: [True, False, True, False], "GPQA": [0.8, 0.7, 0.83, 0.53]})
    scores = read_published(table)
    read = dict(zip(scores.models, scores.dataset["score"].values.ravel().tolist(), strict=True))
    assert read["Claude Opus 4"] == 0.8 and read["Claude Opus 4 (none)"] == 0.7
    assert read["GPT-4o"] == 0.53
    modes = dict(zip(scores.models, scores.dataset["reasoning"].values.tolist(), strict=True))
    assert modes["Claude Opus 4"] == 1 and modes["Claude Opus 4 (none)"] == 0
    families = dict(zip(scores.models, scores.dataset["family"].values.tolist(), strict=True))
    assert families["Claude Opus 4"] == families["Claude Opus 4 (none)"]


def test_days_in_milliseconds_are_read() -> None:
    table = of_four(model_release_date=[1754438400000, 1754524800000, None, 1747180800000])
    days = read_published(table).dataset["released"].values.astype("datetime64[D]").astype(str)
    assert {"2025-08-06", "2025-08-07", "2025-05-14"} <= set(days.tolist())


def test_rates_of_failing_and_distances_are_better_lower() -> None:
    assert is_lower("fail_rate") and is_lower("single_round_issue_rate") and is_lower("hamming")
    assert not is_lower("Hamming score") and not is_lower("failure detection")
    assert (
        is_neither("p(base)")
        and is_neither("Turns")
        and is_neither("Evals")
        and is_neither("ungraded")
    )


def test_a_dot_after_a_name_marks_a_footnote() -> None:
    table = of_four().assign(Model=["GPT-4o ·", *FOUR[1:]])
    assert "GPT-4o" in read_published(table).models


def test_passes_of_those_decided_are_items_of_their_share() -> None:
    shares = np.round(np.divide([145, 137, 135, 108], [189, 190, 189, 171]), 4)
    table = pd.DataFrame({"model": FOUR, "passes": [145, 137, 135, 108]})
    table = table.assign(decided=[189, 190, 189, 171], pass_rate=shares)
    scores = read_published(table)
    assert scores.benchmarks == ("pass_rate",)
    assert scores.dataset["cell_items"].values.ravel().tolist() == [189, 190, 189, 171]
