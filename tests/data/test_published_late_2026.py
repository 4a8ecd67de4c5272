"""Published tables in formats of late 2026: windows, durations, agents, runs of a lab."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentscale.data.column_names import is_neither
from latentscale.data.lower_by_name import is_lower, why_lower
from latentscale.data.readers import read_checkpoints, read_published, read_scores
from latentscale.data.readers.guessing import floor_for, guessing
from latentscale.data.readers.model_names import parse_name, provider_of
from latentscale.errors import DataError
from tests.data.published_tables import EIGHT as MODELS
from tests.data.published_tables import of_eight as table

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def test_rules_of_dashes_and_dots_are_empty_cells() -> None:
    column = ["40%", "--", "—", "...", "---", "50%", "60%", "70%"]
    scores = read_published(table(HLE=column))
    assert np.isfinite(scores.dataset["score"].sel(benchmark="HLE")).sum() == 4
    assert not scores.audit.filter("cell-unread")


def test_a_licence_beside_other_words_is_closed() -> None:
    scores = read_published(table(License=["OpenAI · Proprietary"] * 4 + ["Z.ai · MIT"] * 4))
    assert scores.dataset["open_weights"].values.tolist() == [0.0] * 4 + [1.0] * 4


@pytest.mark.parametrize("agent", ["Claude Code", "Codex CLI", "Gemini CLI", "OpenHands"])
def test_an_agent_named_like_a_series_leaves_the_model_its_own(agent: str) -> None:
    parsed = parse_name(f"{agent} + GPT-5.2 (high)")
    assert (parsed.series, parsed.number, parsed.setting) == ("gpt", "5.2", "high")


@pytest.mark.parametrize(
    "name",
    """lr|learning_rate|weight_decay|wall_hours|GPU hours|data_mix_code_share|Avg. steps|Avg. time
    |Time per task (min)|Age (days)|Release Year|Usage share|Std Dev|Elo change|VRAM (GB)
    |truncated|Tool calls""".replace("\n    ", "").split("|"),
)
def test_settings_clocks_and_spreads_are_no_benchmarks(name: str) -> None:
    scores = read_published(table(**{name: np.linspace(5.0, 50.0, 8)}))
    assert scores.benchmarks == ("GPQA",)


@pytest.mark.parametrize(
    "name",
    """Time horizon (minutes)|p50_horizon_minutes|50% time horizon|MMLU-Pro|TimeQA|Tau-bench
    |Vending-Bench net worth|StepGame|GAP|Stars-Arena""".replace("\n    ", "").split("|"),
)
def test_benchmarks_named_alike_stay(name: str) -> None:
    assert not is_neither(name)


def test_directions_of_errors_of_calibration_and_of_hallucination() -> None:
    falling = "ECE (10-bin)", "Brier score", "Hallucination Rate", "Attack success rate"
    assert [is_lower(name) for name in falling] == [True] * 4
    rising = "Non-Hallucination Rate", "Nonhallucination rate", "ECEval"
    assert [is_lower(name) for name in rising] == [False] * 3
    assert why_lower("non-hallucination rate") is None


def test_a_mean_over_windows_with_gaps_is_left_out() -> None:
    random = np.random.default_rng(0)
    windows = random.uniform(20, 90, (8, 5)).round(1)
    windows[random.random((8, 5)) < 0.2] = np.nan
    windows[:, :2] = random.uniform(20, 90, (8, 2)).round(1)
    named = {f"2026-0{n + 1}": windows[:, n] for n in range(5)}
    mean = np.nanmean(np.column_stack([*named.values(), np.linspace(40.0, 80.0, 8)]), axis=1)
    scores = read_published(table(**named, **{"Overall Pass@1": mean.round(1)}))
    assert scores.benchmarks == ("GPQA", *named)
    other = table(**named, **{"Overall Pass@1": random.uniform(20, 90, 8)})
    kept = read_published(other)
    assert "Overall Pass@1" in kept.benchmarks
    (finding,) = kept.audit.filter("mean-kept")
    assert "Overall Pass@1" in finding.message


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), (0.2, 0.5, 0.3)])
def test_a_mean_named_by_what_its_parts_share_is_left_out(
    weights: tuple[float, ...],
) -> None:
    random = np.random.default_rng(1)
    parts = random.uniform(20, 90, (8, 3)).round(1)
    names = [f"{level}-Pass@1" for level in ("Easy", "Medium", "Hard")]
    columns = dict(zip(names, parts.T, strict=True))
    scores = read_published(table(**columns, **{"Pass@1": (parts @ weights).round(1)}))
    assert scores.benchmarks == ("GPQA", *names)
    own = read_published(table(**columns, **{"Pass@1": random.uniform(20, 90, 8)}))
    assert "Pass@1" in own.benchmarks


def test_durations_are_minutes() -> None:
    cells = ["2 hr 17 min", "35 min", "4h", "12 sec", "1.5 hours", "3h 5m", "90 minutes", "n/a"]
    scores = read_published(table(**{"50% time horizon": cells}))
    horizon = scores.dataset["score"].sel(benchmark="50% time horizon").values
    assert horizon[:7].tolist() == pytest.approx([137, 35, 240, 0.2, 90, 185, 90])
    assert scores.benchmark_table().set_index("benchmark").loc["50% time horizon", "unit"] == (
        "minutes"
    )
    ends = ["1 hr 17 min – 3 hr 17 min", "[25 min, 45 min]", "3h to 5h", "12 sec", "", "x", "", ""]
    stated = read_published(table(**{"50% time horizon": cells, "95% CI": ends}))
    errors = stated.dataset["stderr"].sel(benchmark="50% time horizon").values * 1.96
    # Half the intervals' lengths in logarithms, which is how minutes are modelled.
    halves = [137 * np.log(197 / 77) / 2, 35 * np.log(45 / 25) / 2, 240 * np.log(5 / 3) / 2]
    assert errors[:3].tolist() == pytest.approx(halves) and np.isnan(errors[3:]).all()
    mixed = read_published(table(Horizon=["35 min", *"1234567"]))
    assert mixed.benchmarks == ("GPQA",)


def test_rows_of_one_score_under_several_settings_are_named() -> None:
    rows = [(m, "mmlu", shots, 0.5 + shots / 100) for m in MODELS for shots in (0, 5)]
    long = pd.DataFrame(rows, columns=["model", "task", "n_shot", "value"])
    (finding,) = read_published(long).audit.filter("settings-merged")
    assert finding.level == "warning" and '("0", "5"), 8 times' in finding.message
    once = read_published(long[long["n_shot"] == 5])
    assert not once.audit.filter("settings-merged")
    seeds = read_published(long.rename(columns={"n_shot": "seed"}))
    assert not seeds.audit.filter("settings-merged")


def test_tasks_by_language_and_metric_have_their_floor() -> None:
    names = "mmlu_de", "global_mmlu_sw", "MMMLU_FR-FR", "ARC-DE", "hellaswag_acc", "copa_et"
    assert [guessing(name) for name in names] == [0.25, 0.25, 0.25, 0.25, 0.25, 0.5]
    assert [guessing(name) for name in ("ARC-AGI", "mgsm_de", "mmlu_pro")] == [0.0, 0.0, 0.1]
    assert floor_for("mmlu_yo", 9.0, 100.0) == 0.0


def test_sizes_in_millions_and_tokens_in_billions() -> None:
    lab = table(**{"Params (M)": [50, 405_000] * 4, "tokens_b": [80, "36 trillion"] * 4})
    scores = read_published(lab)
    assert scores.dataset["params"].values[:2].tolist() == pytest.approx([0.05, 405.0])
    assert scores.dataset["tokens"].values[:2].tolist() == pytest.approx([0.08, 36.0])
    assert scores.benchmarks == ("GPQA",)


def test_runs_of_a_lab_with_settings_and_losses_in_units() -> None:
    rows = [
        (run, step, step * 0.002, size, 30.0, 0.3, 3.5 - step / 1e5, 3.7 - step / 1e5, 30 + step)
        for run, size in (("base", 150.0), ("wide", 400.0))
        for step in (5, 20, 40)
    ]
    names = "run step tokens_b params_m wall_hours data_mix_share val_loss c4|(nats) arc_acc"
    columns = [name.replace("c4|", "c4_loss ") for name in names.split()]
    lab = pd.DataFrame(rows, columns=columns).assign(step=lambda t: t["step"] * 1000)
    scores = read_checkpoints(lab.assign(tokens_b=lab["step"] * 0.002))
    assert scores.benchmarks == ("val_loss", "c4_loss (nats)", "arc_acc")
    about = scores.benchmark_table().set_index("benchmark")
    assert about["better"].tolist() == ["lower", "lower", "higher"]
    assert scores.dataset["score"].sel(benchmark="c4_loss (nats)").min() > 3
    assert sorted(set(scores.dataset["params"].values.tolist())) == [0.15, 0.4]


def test_rows_of_people_guessing_and_statistics_are_no_models() -> None:
    names = ["Average", "Human expert", "Random guess (25%)", "Median", "Avg. Human", "human panel"]
    rows = pd.DataFrame({"Model": names, "GPQA": [61.0, 69.7, 25.0, 60.0, 50.0, 80.0]})
    scores = read_published(pd.concat([table(), rows], ignore_index=True))
    assert scores.models == MODELS
    (finding,) = scores.audit.filter("rows-of-no-model")
    assert all(name in finding.message for name in names)
    kept = [
        "Human-Like-LLama3-8B",
        "Random-Mistral-7B",
        "MiniMax M2",
        "Mean-Qwen 7B",
        "average-joe",
    ]
    alike = pd.DataFrame({"Model": kept, "GPQA": [40.0, 50.0, 60.0, 45.0, 55.0]})
    assert read_published(alike).models == tuple(kept)


def test_families_that_only_some_rows_state_are_warned_of() -> None:
    merged = table(Family=["OpenAI", "", "", "Anthropic", "Google", "xAI", "Zhipu", "Moonshot"])
    (finding,) = read_published(merged).audit.filter("families-partly-stated")
    assert "2 of 8 models" in finding.message and '"GPT-5", "o3"' in finding.message
    whole = table(Family=["OpenAI"] * 3 + ["Anthropic", "Google", "xAI", "Zhipu", "Moonshot"])
    assert not read_published(whole).audit.filter("families-partly-stated")


def test_models_in_an_index_and_columns_of_several_levels_are_refused_with_the_remedy() -> None:
    frame = pd.DataFrame({"GPQA": [40.0, 50.0], "HLE": [4.0, 9.0]}, index=["GPT-5", "o3"])
    with pytest.raises(DataError, match=r'reset_index\(names="model"\)'):
        read_scores(frame)
    assert read_scores(frame.reset_index(names="model")).models == ("GPT-5", "o3")
    levels = frame.reset_index(names="model").T.set_index([["", "x", "x"]], append=True).T
    with pytest.raises(DataError, match=r"frame\.columns = "):
        read_scores(levels)
    with pytest.raises(DataError) as numbered:
        read_scores(frame.reset_index(drop=True))
    assert "reset_index" not in str(numbered.value)


@pytest.mark.parametrize(
    "column", ["Bits", "bpw", "Zero-shot", "Embedding Dimensions", "Memory Usage (MB)"]
)
def test_what_is_known_of_a_model_is_no_benchmark(column: str) -> None:
    scores = read_published(table(**{column: [99, 80, 64, 50, 16, 8, 8.5, 4.8]}))
    assert scores.benchmarks == ("GPQA",)


def test_headings_that_only_hold_such_words_stay_benchmarks() -> None:
    assert not any(map(is_neither, ["MMLU (zero-shot)", "Few-shot CoT MMLU", "Bits and Bytes QA"]))


@pytest.mark.parametrize(
    "end", ["BF16", "FP8", "Q8_0", "Q4_K_M", "IQ2_XXS", "MXFP4", "4bit", "W4A16", "qat-q4_0"]
)
def test_quantised_variants_are_of_one_series(end: str) -> None:
    parsed = parse_name(f"Llama-3.3-70B-Instruct-{end}")
    assert (parsed.series, parsed.number, parsed.size_b) == ("llama", "3.3", 70.0)
    assert parse_name(f"gpt-oss-120b-{end}").series == "gpt-oss"


def test_merged_agents_are_said_with_the_way_to_keep_them_apart() -> None:
    twice = pd.concat([table(Agent="OpenHands"), table(Agent="mini-SWE-agent")])
    (found,) = read_published(twice).audit.filter("merged-sources").findings
    assert 'sources="apart"' in found.message
    assert len(read_published(twice, sources="apart").benchmarks) == 2


def test_an_index_below_zero_is_left_out_with_its_scale() -> None:
    index = [-20.0, -10, -5, 0, 5, 10, 12, 14]
    (found,) = read_published(table(Omniscience=index)).audit.filter("ignored-column").findings
    assert 'scale="real"' in found.message


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("CodeLlama-34B", "Meta"),
        ("LFM2-8B-A1B", "Liquid AI"),
        ("ERNIE 4.5 300B A47B", "Baidu"),
        ("Devstral-Small-2507", "Mistral AI"),
    ],
)
def test_series_of_more_providers_are_known(name: str, provider: str) -> None:
    assert provider_of(parse_name(name)) == provider
