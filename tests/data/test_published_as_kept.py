"""Published tables as people keep them: counts next to scores, typos, modes, amounts, odd rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import read_checkpoints, read_planned, read_published
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from tests.data.published_tables import EIGHT as MODELS
from tests.data.published_tables import of_eight as table

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def many(rows: int, column: list[object]) -> pd.DataFrame:
    scores = np.linspace(20.0, 90.0, rows).round(1).astype(object)
    scores[: len(column)] = column
    names = [f"gpt-{number}" for number in range(rows)]
    return pd.DataFrame({"Model": names, "GPQA": np.linspace(30.0, 80.0, rows), "Quiz": scores})


def scores_of(scores: Scores, name: str) -> list[float]:
    return scores.dataset["score"].sel(benchmark=name).values.tolist()


def test_a_thousand_with_a_comma_is_a_number_and_no_interval() -> None:
    ratings = ["1,357", "1,374", "1,247", "1,186", "1,227", "1,122", "1,300", "1,301"]
    scores = read_published(table(**{"Arena Elo": ratings}))
    assert scores_of(scores, "Arena Elo")[0] == 1357
    assert not scores.audit.filter("errors-read")
    scores = read_published(table(**{"Arena Elo": ["1,357 ± 8", *ratings[1:]]}))
    stderr = scores.dataset["stderr"].sel(benchmark="Arena Elo").values
    assert stderr[0] == pytest.approx(8 / 1.96) and np.isnan(stderr[1:]).all()
    long = pd.DataFrame({"Model": MODELS, "Benchmark": "Arena Elo", "Score": ratings})
    long = pd.concat([long, long.assign(Benchmark="Web Elo")])
    assert not read_published(long).audit.filter("errors-read")


def test_reasoning_is_read_from_its_column_also_beside_efforts() -> None:
    modes = ["high", "low", "yes", "no", "Thinking", "No", "none", ""]
    scores = read_published(table(Reasoning=modes))
    assert scores.dataset["reasoning"].values.tolist()[:7] == [1, 1, 1, 0, 1, 0, 0]
    assert scores.dataset["effort"].values.tolist()[:2] == ["high", "low"]
    hybrid = read_published(table(Reasoning=["hybrid", *modes[1:]]))
    (finding,) = hybrid.audit.filter("cell-unread")
    assert finding.where == "Reasoning" and "hybrid" in finding.message
    assert "yes or no" in finding.message


def test_a_stated_size_class_wins_over_the_name() -> None:
    classes = ["large", "Large", "medium", "large", "mini", "huge", "", "small"]
    for frame, features in (
        (table(**{"Size class": classes}), None),
        (table(size_class=[c.lower().replace("huge", "") for c in classes]), ["size_class"]),
    ):
        scores = read_published(frame, features=features)
        read = scores.to_frame()["size_class"].tolist()
        assert read[:5] == ["large", "large", "medium", "large", "mini"] and read[7] == "small"
    (finding,) = read_published(table(**{"Size class": classes})).audit.filter("cell-unread")
    assert "huge" in finding.message and '"nano"' in finding.message


@pytest.mark.parametrize("name", ["GPQA n", "n_items GPQA", "# items (GPQA)", "GPQA sample size"])
def test_counts_beside_a_benchmark_are_its_items(name: str) -> None:
    scores = read_published(table(**{name: [198, 198, 198, 99, 198, 198, 198, 198]}))
    assert scores.benchmarks == ("GPQA",)
    assert scores.dataset["cell_items"].values.ravel().tolist()[3] == 99
    (finding,) = scores.audit.filter("items-read")
    assert "GPQA" in finding.message


def test_numbers_like_counts_without_a_benchmark_stay_scores() -> None:
    assert "Hard problems" in read_published(table(**{"Hard problems": range(11, 19)})).benchmarks


@pytest.mark.parametrize("wrong", ["713%", "-1%"])
def test_one_impossible_percentage_is_named_and_left_out(wrong: str) -> None:
    signed = [f"{score}%" for score in np.linspace(20.0, 90.0, 29).round(1)]
    scores = read_published(many(30, [wrong, *signed]))
    assert scores.n_observed == 59 and np.isnan(scores_of(scores, "Quiz")[0])
    (finding,) = scores.audit.filter("impossible-score")
    assert finding.where == "Quiz" and f"gpt-0: {wrong[:-1]}" in finding.message


def test_one_impossible_number_of_many_is_left_out_and_of_few_is_named() -> None:
    scores = read_published(many(60, [713.0]))
    assert np.isnan(scores_of(scores, "Quiz")[0]) and scores.n_observed == 119
    few = read_published(many(30, [713.0]))
    assert few.benchmarks == ("GPQA",)
    (finding,) = few.audit.filter("ignored-column")
    assert "gpt-0: 713" in finding.message
    long = many(60, [713.0]).melt("Model", var_name="Benchmark", value_name="Score")
    assert read_published(long).n_observed == 119
    declared = many(60, [713.0]).rename(columns={"Quiz": "Quiz (minutes)"})
    assert scores_of(read_published(declared), "Quiz (minutes)")[0] == 713


def test_an_error_rate_above_all_words_is_not_taken_for_a_typo() -> None:
    signed = [f"{score}%" for score in np.linspace(20.0, 90.0, 29).round(1)]
    frame = many(30, ["112%", *signed]).rename(columns={"Quiz": "FLEURS WER"})
    scores = read_published(frame)
    assert not scores.audit.filter("impossible-score")
    (finding,) = scores.audit.filter("ignored-column")
    assert "gpt-0: 112" in finding.message


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Time horizon (min)", "minutes"),
        ("Time horizon, mins", "minutes"),
        ("Time horizon (h)", "hours"),
        ("SWE-Lancer earned ($)", "USD"),
        ("Vending-Bench net worth ($)", "USD"),
        ("Hallucinations per 1,000 ↓", "per 1,000"),
    ],
)
def test_amounts_by_their_headings(name: str, unit: str) -> None:
    scores = read_published(table(**{name: [4.0, 12.5, 30.0, 55.0, 60.0, 71.0, 80.0, 95.0]}))
    about = scores.benchmark_info[name]
    assert (about.scale, about.unit, about.lower_is_better) == ("positive", unit, "↓" in name)


def test_a_price_or_cost_is_still_no_benchmark() -> None:
    prices = {"Cost per 1,000 tasks ($)": range(1, 9), "Price per million ($)": range(2, 10)}
    assert read_published(table(**prices)).benchmarks == ("GPQA",)


@pytest.mark.parametrize("mark", [" [1]", "[a]", "²", "†", "*"])
def test_marks_of_footnotes_are_left_off(mark: str) -> None:
    cells = [f"{score}%" for score in range(41, 49)]
    scores = read_published(table(MMMU=[cells[0] + mark, *cells[1:]]))
    assert scores_of(scores, "MMMU")[0] == pytest.approx(0.41)
    assert not scores.audit.filter("cell-unread")


def test_a_date_decades_from_all_others_is_named() -> None:
    dates = ["2025-03-01", "2025-01-10", "2052-04-16", "2024-11-24", "2025-11-18", "2025-07-09"]
    scores = read_published(table(Released=[*dates, "2026-02-11", "2025-07-11"]))
    (finding,) = scores.audit.filter("odd-date")
    assert finding.where == "released" and "o3: 2052-04-16" in finding.message
    assert "2024-11-24" in finding.message and "2026-02-11" in finding.message
    right = ["2019-02-14", *dates[:2], "2022-04-16", *dates[3:], "2026-02-11"]
    assert not read_published(table(Released=right)).audit.filter("odd-date")


def test_rows_of_nothing_but_zeros_or_hundreds_are_named() -> None:
    base = np.linspace(30.0, 80.0, 8)
    frame = table(MMLU=base + 1, MATH=base + 2)
    frame.loc[2, ["GPQA", "MMLU", "MATH"]] = 0.0
    frame.loc[5, ["GPQA", "MMLU", "MATH"]] = 100.0
    failed, full = read_published(frame).audit.filter("all-at-a-bound")
    assert '"o3 (3)"' in failed.message and "exactly 0" in failed.message
    assert '"Grok 4 (3)"' in full.message and "exactly 1" in full.message


def test_checkpoints_may_count_tokens_in_a_heading_with_brackets() -> None:
    runs = pd.DataFrame({"run": ["a-1B"] * 3 + ["b-1B"] * 3, "step": [100, 200, 300] * 2})
    runs["arc_easy"] = [0.3, 0.35, 0.4, 0.31, 0.36, 0.41]
    tokens = [2.2, 4.4, 6.6] * 2
    scores = read_checkpoints(runs.assign(**{"Tokens (B)": tokens}))
    assert scores.to_frame()["tokens_t"].tolist() == pytest.approx([0.0022, 0.0044, 0.0066] * 2)
    with pytest.raises(DataError, match=r'"tokens_b" \(billions\)'):
        read_checkpoints(runs)


def checkpoints(**columns: object) -> pd.DataFrame:
    runs = pd.DataFrame({"run": ["a-1B"] * 3 + ["b-1B"] * 3, "step": [100, 200, 300] * 2})
    runs["tokens_b"], runs["arc_easy"] = runs["step"] / 45, [0.3, 0.35, 0.4, 0.31, 0.36, 0.41]
    return runs.assign(**columns)


def test_passes_of_several_attempts_are_one_task() -> None:
    rising = np.linspace(0.1, 0.3, 6)
    figures = {f"humaneval_pass@{k}": rising * (1 + k / 20) for k in (1, 4, 16)}
    info = read_checkpoints(checkpoints(**figures, **{"mbpp_pass@10": rising})).benchmark_info
    assert [info[name].attempts for name in figures] == [1, 4, 16]
    assert {info[name].task for name in figures} == {"humaneval"}
    assert (info["mbpp_pass@10"].attempts, info["mbpp_pass@10"].task) == (10, "")
    assert info["arc_easy"].attempts == 1


def test_a_learning_rate_that_falls_is_said_with_the_remedy() -> None:
    falling = read_checkpoints(checkpoints(lr=[3e-4, 2e-4, 3e-5] * 2))
    (finding,) = falling.audit.filter("falling-rate")
    assert finding.where == "lr" and "planned tokens" in finding.message
    assert not read_checkpoints(checkpoints(lr=[1e-4, 3e-4, 3e-4] * 2)).audit.filter("falling-rate")


def test_copies_of_a_model_are_named() -> None:
    base = np.linspace(30.0, 80.0, 8)
    frame = table(MMLU=base + 1, MATH=base + 2, HLE=base / 3)
    assert not read_published(frame).audit.filter("identical-models")
    frame.loc[3, ["GPQA", "MMLU", "MATH", "HLE"]] = frame.loc[6, ["GPQA", "MMLU", "MATH", "HLE"]]
    (finding,) = read_published(frame).audit.filter("identical-models")
    assert "1 model " in finding.message and '"Claude Opus 4.5 = GLM-5"' in finding.message


def test_rows_to_forecast_are_read_with_the_headings_of_hubs() -> None:
    frame = pd.DataFrame(
        {
            "Model": ["gpt-6-2026-10-20 (high)", "Claude Haiku 6"],
            "Organization": ["OpenAI", "Anthropic"],
            "Release date": ["2026-10-20", "Nov 2026"],
            "Reasoning": ["high", "no"],
            "Size class": ["large", "small"],
            "Price ($/M tokens)": ["$2.00", "$0.25"],
            "GPQA Diamond": ["93%", ""],
            "Chatbot Arena Elo": ["1,450", "1,390"],
            "METR time horizon (minutes)": ["12 hr 5 min", ""],
        }
    )
    rows = read_planned(frame)
    assert rows["family"].tolist() == ["gpt", "claude-haiku"]
    assert rows["released"].astype(str).tolist() == ["2026-10-20", "2026-11-15"]
    assert rows["reasoning"].tolist() == [1, 0]
    assert rows["size_class"].tolist() == ["large", "small"]
    assert "Price ($/M tokens)" not in rows
    scores = rows.filter(["GPQA Diamond", "Chatbot Arena Elo", "METR time horizon (minutes)"])
    assert scores.iloc[0].tolist() == [0.93, 1450, 725]
    assert scores.iloc[1].isna().tolist() == [True, False, True]
    ready = pd.DataFrame({"model": ["a-1b"], "family": ["a"], "params_b": [1.0]})
    pd.testing.assert_frame_equal(read_planned(ready), ready)
    with pytest.raises(DataError, match="in several rows"):
        read_planned(pd.concat([frame, frame]))


def test_settings_of_one_release_with_different_dates_are_named() -> None:
    names = ["gpt-5 (low)", "gpt-5 (high)", "o3 (low)", "o3 (high)", "Grok 4"]
    frame = pd.DataFrame({"Model": names})
    frame["Released"] = ["2025-08", "2025-08-07", "2025-04-16", "2025-04-16", "2025-07-09"]
    frame["GPQA"] = [60.0, 80.0, 70.0, 75.0, 79.0]
    (finding,) = read_published(frame).audit.filter("torn-releases")
    assert '"gpt-5 (low) and gpt-5 (high) (released)"' in finding.message
    assert "1 release " in finding.message
    frame.loc[0, "Released"] = "2025-08-07"
    assert not read_published(frame).audit.filter("torn-releases")
    copies = pd.DataFrame({"Model": ["a/Qwen2.5-7B-slerp", "b/Qwen2.5-7B-slerp"], "GPQA": [40, 50]})
    copies["Released"] = ["2025-01-01", "2025-05-01"]
    assert not read_published(copies).audit.filter("torn-releases")
