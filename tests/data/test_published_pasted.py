"""Published tables pasted from papers, flattened from JSON or YAML, or with names of fields."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from latentscale.data.column_names import is_neither
from latentscale.data.lower_by_name import is_lower, why_lower
from latentscale.data.readers import read_published, read_scores
from latentscale.data.readers.benchmark_names import group_of
from latentscale.data.readers.guessing import guessing
from latentscale.data.readers.model_names import parse_name, provider_of
from latentscale.data.readers.published.columns import unit_of_amount
from latentscale.data.readers.published.latex import without_latex
from latentscale.errors import DataError
from tests.data.published_tables import of_eight, of_four, said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def test_latex_is_removed_from_names_headings_and_cells() -> None:
    names = [
        r"\textbf{GPT-5}",
        r"o3$^\dagger$",
        r"\multirow{2}{*}{Claude Opus 4.1}",
        "Gemini 2.5 Pro",
    ]
    cells = [r"\textbf{\underline{85.7}}", r"83.3$_{\pm 1.0}$", r"80.0\%", "$84.0$"]
    table = pd.DataFrame({"Model": names, r"\textbf{GPQA} $\uparrow$": cells})
    scores = read_scores(table)
    assert scores.models == ("GPT-5", "o3", "Claude Opus 4.1", "Gemini 2.5 Pro")
    assert scores.dataset["family"].values[0] == "gpt"
    assert scores.benchmarks == ("GPQA ↑",)
    assert scores.dataset["score"].values.ravel().tolist() == [0.857, 0.833, 0.8, 0.84]
    assert scores.dataset["stderr"].values[1, 0] == pytest.approx(0.01 / 1.96)
    assert '"GPQA ↑"' in said(scores, "headings-cleaned")
    kept = read_published(table, benchmarks={r"\textbf{GPQA} $\uparrow$": _percent()})
    assert kept.benchmarks == (r"\textbf{GPQA} $\uparrow$",)


def _percent() -> object:
    from latentscale import Benchmark

    return Benchmark(scale="percent")


@pytest.mark.parametrize("text", ["$5,478", "$1.25 / $14.00", "C:\\models", "5 < 6", "GPT-5"])
def test_other_texts_are_left(text: str) -> None:
    assert without_latex(text) == text


def test_characters_of_no_width_are_removed_from_cells() -> None:
    scores = read_published(of_four(HLE=["\u200b24.8", "20.2\u200b", "\ufeff11.0", "21.6"]))
    assert scores.dataset["score"].sel(benchmark="HLE").values[0] == 0.248


def test_ends_of_intervals_are_known_by_the_names_of_fields() -> None:
    table = of_four(
        upperBound=[87.0, 85, 82, 86], lowerBound=[84.0, 82, 78, 82], costPerTask=[1.0] * 4
    )
    scores = read_published(table)
    assert scores.benchmarks == ("GPQA",)
    assert scores.dataset["stderr"].values[0, 0] == pytest.approx(0.015 / 1.96)


def test_flattened_json_keeps_floors_and_providers() -> None:
    assert guessing("evaluations.gpqa") == 0.25 and guessing("data.mmlu_pro") == 0.1
    assert guessing("leaderboard|mmlu:astronomy|5") == 0.25
    table = of_four(**{"evaluations.mmlu_pro": [0.9, 0.8, 0.8, 0.8], "model_creator.name": "Lab"})
    scores = read_published(table)
    assert set(scores.dataset["provider"].values) == {"Lab"}


def test_ids_of_data_sets_name_benchmarks() -> None:
    rows = [(m, d, 0.5) for m in ("GPT-5", "o3") for d in ("v1_Semi_Private", "v2_Semi_Private")]
    scores = read_scores(pd.DataFrame(rows, columns=["modelId", "datasetId", "score"]))
    assert scores.benchmarks == ("v1_Semi_Private", "v2_Semi_Private")


def test_data_sets_of_one_kind_of_task_are_not_averaged() -> None:
    rows = [
        (m, "Text Generation", d, v)
        for m in ("my-7b", "other-13b")
        for d, v in (("IFEval", 74.0), ("MATH", 9.5))
    ]
    columns = ["name", "task.name", "dataset.name", "metric.value"]
    scores = read_scores(pd.DataFrame(rows, columns=columns))
    assert scores.benchmarks == ("IFEval", "MATH")
    coarse = pd.DataFrame(
        [(m, t, "MMLU", 0.5) for m in ("GPT-5", "o3") for t in ("law", "history")],
        columns=["model", "task", "dataset", "score"],
    )
    assert read_scores(coarse).benchmarks == ("law", "history")


def test_tasks_of_one_benchmark_that_are_averaged_are_named() -> None:
    rows = [(m, "BBH", t, 0.5) for m in ("GPT-5", "o3") for t in ("dates", "objects")]
    scores = read_scores(pd.DataFrame(rows, columns=["model", "benchmark", "task", "score"]))
    (found,) = scores.audit.filter("settings-merged")
    assert found.where == "task" and "dates" in found.message


@pytest.mark.parametrize(
    "name",
    """GPQA std|GPQA (SD)|Format Sensitivity Standard Deviation|Format Sensitivity Max Delta|tok/s
    |pass_num_1|syntax_errors|error_outputs|user_asks|test_timeouts|total_tests|instance_calls
    |Average Summary Length (Words)|costPerTask""".replace("\n    ", "").split("|"),
)
def test_counts_and_spreads_of_runs_are_no_benchmarks(name: str) -> None:
    assert is_neither(name)
    scores = read_published(of_four(**{name: [40.0, 3, 2, 11]}))
    assert scores.benchmarks == ("GPQA",)


@pytest.mark.parametrize(
    "name",
    [
        "CostBench",
        "TimeQA",
        "MMLU-STD-Chinese",
        "Error detection",
        "Balanced accuracy",
        "Earnings22",
    ],
)
def test_benchmarks_with_such_words_stay(name: str) -> None:
    scores = read_published(of_four(**{name: [40.5, 30, 20, 11]}))
    assert name in scores.benchmarks
    assert scores.benchmark_table().set_index("benchmark").loc[name, "floor"] == 0.0


@pytest.mark.parametrize(
    "name",
    """Deception rate|Jailbreak success rate|Hallucinations (%)|bits per byte|BPB|Failure rate
    |Over-refusal rate|Reward hacking rate""".replace("\n    ", "").split("|"),
)
def test_rates_of_what_is_unwanted_fall(name: str) -> None:
    assert is_lower(name)


def test_what_may_be_unwanted_is_warned_of() -> None:
    assert why_lower("sycophancy") and why_lower("refusal rate (benign)")
    rising = (
        "jailbreak resistance",
        "non-hallucination rate",
        "hallucination detection",
        "harmbench",
    )
    assert not any(map(why_lower, rising))
    assert not any(map(is_lower, ["Non-deception rate", "Success rate", "Jailbreak resistance"]))


def test_a_mean_of_error_rates_says_that_its_parts_are_some() -> None:
    parts = {"AMI": [10.1, 9.1, 16.0, 12.2], "LS Clean": [1.6, 1.4, 2.0, 1.8]}
    mean = [sum(cells) / 2 for cells in zip(*parts.values(), strict=True)]
    models = ["canary-qwen-2.5b", "granite-speech-8b", "whisper-large-v3", "parakeet-1.1b"]
    table = pd.DataFrame({"Model": models, **parts, "Average WER": mean})
    scores = read_published(table)
    assert scores.benchmarks == ("AMI", "LS Clean")
    assert scores.benchmark_table()["better"].tolist() == ["lower", "lower"]
    other = read_published(table.assign(**{"Average WER": [5.0, 6.0, 8.0, 7.7]}))
    assert '"AMI", "LS Clean"' in said(other, "mean-falls")


def test_horizons_without_a_unit_are_amounts() -> None:
    names = "p50_horizon_length", "metrics.p80_horizon_length.estimate", "Time Horizon", "Horizon"
    assert [unit_of_amount(name) for name in names] == [""] * 4
    assert unit_of_amount("Long-Horizon Tasks") is None
    scores = read_published(of_four(**{"p80_horizon_length": [26.9, 55, 20, 30]}))
    assert scores.dataset["score"].sel(benchmark="p80_horizon_length").values[0] == 26.9


def test_durations_without_spaces_are_minutes() -> None:
    scores = read_published(of_four(Horizon=["6h34m", "1h30m", "2h", "35min"]))
    assert scores.dataset["score"].sel(benchmark="Horizon").values.tolist() == [394, 90, 120, 35]


def test_points_are_shares_of_a_maximum_that_is_named_first() -> None:
    scores = read_published(of_four(**{"USAMO 2025 (42 max)": [35.0, 30, 2, 28]}))
    read = scores.dataset["score"].sel(benchmark="USAMO 2025 (42 max)").values
    assert read[0] == pytest.approx(35 / 42)


def test_small_whole_numbers_among_percentages_are_named() -> None:
    (found,) = read_published(of_four(AP=[5, 5, 4, 3])).audit.filter("points-or-percentages")
    assert found.where == "AP" and "at most 5" in found.message
    for cells in ([5.5, 5, 4, 3], ["5%", "5%", "4%", "3%"], [12, 5, 4, 3]):
        assert not read_published(of_four(AP=cells)).audit.filter("points-or-percentages")


@pytest.mark.parametrize(
    ("name", "series", "number", "setting"),
    [
        ("claude-opus-4-20250514 (no think)", "claude-opus", "4", "none"),
        ("gemini-2.5-pro (32k think)", "gemini-pro", "2.5", "32k"),
        ("Claude-Opus-4-5-20251101 (FC)", "claude-opus", "4.5", ""),
        ("Gemini-3-Pro-Preview (Prompt)", "gemini-pro", "3", ""),
        ("openrouter/deepseek/deepseek-r1-0528:free", "deepseek-r", "1", ""),
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet", "4.5", ""),
        ("accounts/fireworks/models/deepseek-v3p1", "deepseek", "3.1", ""),
        ("Olmo-3-32B-Think", "olmo", "3", ""),
    ],
)
def test_names_of_routers_clouds_and_agents(
    name: str, series: str, number: str, setting: str
) -> None:
    parsed = parse_name(name)
    assert (parsed.series, parsed.number, parsed.setting) == (series, number, setting)
    assert provider_of(parsed)


def test_sizes_are_known_by_the_headings_of_embedding_boards() -> None:
    scores = read_published(of_four(**{"Number of Parameters (B)": [11.8, 7.5, None, 7.6]}))
    assert scores.dataset["params"].values[0] == 11.8


def test_groups_do_not_follow_from_letters_within_words() -> None:
    assert [group_of(n) for n in ("answer_rate", "claimed", "dropout", "athlete")] == [""] * 4
    assert [group_of(n) for n in ("swe_bench", "aime_25", "drop", "hle")] == [
        "code",
        "mathematics",
        "knowledge",
        "science",
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("raw.yml", "\n- model: gpt-5\n  pass_rate: 88.0\n"),
        ("README.md", "---\nlicense: mit\nmodel-index:\n- name: a\n---\n"),
    ],
)
def test_yaml_is_refused_with_the_remedy(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=r"this is YAML.*json_normalize"):
        read_scores(tmp_path / file)


def test_latex_files_are_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text("\\begin{tabular}{lr}\nModel & GPQA \\\\\n")
    with pytest.raises(DataError, match="this is LaTeX"):
        read_scores(tmp_path / "table.tex")


def test_columns_about_benchmarks_of_cards_are_dropped_with_a_finding_or_in_the_remedy() -> None:
    card = pd.DataFrame(
        {
            "dataset": ["mmlu", "math"],
            "version": ["-", "2b9d1e"],
            "metric": ["naive_average", "accuracy"],
            "mode": ["gen", "gen"],
            "qwen2.5-7b": [74.5, 73.9],
            "llama-3.1-8b": [68.4, 48.1],
        }
    )
    scores = read_scores(card)
    assert scores.models == ("qwen2.5-7b", "llama-3.1-8b") and scores.benchmarks == ("mmlu", "math")
    (finding,) = scores.audit.filter("transposed")
    assert finding.message.endswith('Not used: "version", "metric", "mode".')
    card = card.rename(columns={"qwen2.5-7b": "ours-7b", "llama-3.1-8b": "theirs-8b"})
    with pytest.raises(DataError) as refused:
        read_scores(card)
    call = str(refused.value).split("transpose it: ")[1].splitlines()[0].rstrip(".")
    scores = read_scores(eval(call, {"frame": card}))
    assert scores.models == ("ours-7b", "theirs-8b")
    about = card.rename(columns={"dataset": "Benchmark (Metric)", "version": "# Shots"})
    with pytest.raises(DataError, match=r"drop\(columns=\['# Shots', 'metric', 'mode'\]\)"):
        read_scores(about)


def test_successes_beside_trials_are_shares_with_items() -> None:
    scores = read_published(of_four(Correct=[28, 27, 26, 4], Total=[30] * 4))
    assert scores.benchmarks == ("GPQA", "Correct")
    right = scores.dataset["score"].sel(benchmark="Correct").values
    assert right.tolist() == pytest.approx([28 / 30, 0.9, 26 / 30, 4 / 30])
    assert scores.item_counts.sel(benchmark="Correct").values.tolist() == [30.0] * 4
    assert "28/30 is 93.33%" in said(scores, "counts-read")
    shares = read_published(of_four(Solved=[28.5, 27, 26, 4], Total=[30] * 4))
    assert shares.dataset["score"].sel(benchmark="Solved").values[0] == 0.285
    of = read_published(of_four(**{"Solved (of 500)": [380, 340, 404, 170]}))
    assert of.dataset["score"].sel(benchmark="Solved (of 500)").values[0] == 0.76


@pytest.mark.parametrize("name", ["HLE_sem", "HLE (SEM)", "HLE std. err."])
def test_standard_errors_by_other_names(name: str) -> None:
    scores = read_published(of_four(HLE=[24.8, 20.2, 11, 21.6], **{name: [0.8, 0.8, 0.4, 0.7]}))
    assert scores.benchmarks == ("GPQA", "HLE")
    assert scores.dataset["stderr"].sel(benchmark="HLE").values[0] == pytest.approx(0.008)


def test_half_widths_may_say_95_after_ci() -> None:
    scores = read_published(of_four(HLE=[24.8, 20.2, 11, 21.6], HLE_ci95=[1.8, 1.9, 2.1, 1.8]))
    read = scores.dataset["stderr"].sel(benchmark="HLE").values[0]
    assert read == pytest.approx(0.018 / 1.96)


@pytest.mark.parametrize("name", ["HLE #", "HLE Δ", "Δ vs prev", "Improvement (%)", "Delta"])
def test_ranks_and_differences_by_signs_are_no_benchmarks(name: str) -> None:
    assert read_published(of_four(**{name: [2.5, 3, 1, 4]})).benchmarks == ("GPQA",)


def test_headings_with_links_and_lines_are_plain() -> None:
    table = of_four(
        **{"[HLE](https://x.y)": [24.8, 20, 11, 21], "MMLU\n(5-shot)": [92.0, 91, 88, 90]}
    )
    assert read_published(table).benchmarks == ("GPQA", "HLE", "MMLU (5-shot)")


def test_a_heading_that_pandas_numbered_is_named() -> None:
    scores = read_published(of_four(**{"GPQA.1": [60.0, 61, 62, 63], "HLE": [24.8, 20, 11, 21]}))
    assert '"GPQA.1"' in said(scores, "headings-twice")
    assert not said(
        read_published(of_four(**{"v2.1": [1.5, 20, 11, 21], "v2": [9, 8, 7, 60.0]})),
        "headings-twice",
    )


def test_names_with_entities_and_typeset_hyphens_are_plain() -> None:
    table = of_four().assign(
        Model=["GPT&#8209;5", "o3", "Claude&nbsp;Opus\u00a04.1", "Gemini 2.5 Pro"]
    )
    scores = read_published(table)
    assert scores.models[0] == "GPT-5" and "Claude Opus 4.1" in scores.models
    assert scores.dataset["provider"].values[0] == "OpenAI"


def test_rows_of_one_model_by_several_hosts_are_named() -> None:
    names = ["openai/gpt-oss-120b", "groq/gpt-oss-120b", "o3", "gpt-oss-120b (high)"]
    scores = read_published(of_four().assign(Model=names))
    assert len(scores.models) == 4
    (found,) = scores.audit.filter("named-alike")
    assert '"openai/gpt-oss-120b and groq/gpt-oss-120b"' in found.message
    assert not read_published(of_four()).audit.filter("named-alike")


def test_checkpoints_in_names_are_named_with_the_reader() -> None:
    names = [f"OLMo-2-7B step{n}000-tokens{4 * n}B" for n in (1, 2, 3)]
    scores = read_published(of_four().assign(Model=[*names, "step-3"]))
    assert set(scores.dataset["family"].values[:3]) == {"olmo"}
    assert "read_checkpoints" in said(scores, "checkpoints-in-names")
    assert "3 names" in said(scores, "checkpoints-in-names")


def test_a_row_of_units_is_left_out_with_what_it_holds() -> None:
    table = of_four().assign(GPQA=["(%)", 85.7, 83.3, 80.0], Model=["", "GPT-5", "o3", "GLM-5"])
    assert '"(%)"' in said(read_published(table), "unnamed-rows")


def test_models_in_a_level_of_the_index_are_named_as_such() -> None:
    levels = pd.MultiIndex.from_arrays([["OpenAI"] * 2, ["GPT-5", "o3"]], names=["Lab", "Model"])
    frame = pd.DataFrame({"GPQA": [40.0, 50.0]}, index=levels)
    with pytest.raises(DataError, match=r"call frame\.reset_index\(\) first"):
        read_scores(frame)
    assert read_scores(frame.reset_index()).models == ("GPT-5", "o3")


def test_an_unknown_heading_of_models_is_refused_with_the_remedy() -> None:
    table = pd.DataFrame({"modelVersionSlug": ["gpt-5"], "GPQA": [0.5]})
    with pytest.raises(DataError, match='Call the column that names the models "model"'):
        read_scores(table)


def test_columns_left_out_are_all_named() -> None:
    scores = read_published(of_eight(**{f"price {n}": [1.0] * 8 for n in range(20)}))
    assert '"price 19"' in said(scores, "ignored-column")
