"""Published tables: headings, layouts and cells in a hub's own format."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.readers import read_published, read_scores
from latentscale.errors import DataError
from tests.data.published_tables import of_first as named

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


@pytest.mark.parametrize(
    ("name", "error"), [("Metric", "Std. Error"), ("Test", "stderr"), ("Dataset Name", "SE")]
)
def test_a_long_table_with_other_headings_is_not_averaged_over_benchmarks(
    name: str, error: str
) -> None:
    table = pd.DataFrame(
        {
            "Model": ["a-1b", "a-1b", "b-2b", "b-2b"],
            name: ["mmlu", "gpqa", "mmlu", "gpqa"],
            "Value": ["70%", "30%", "80%", "40%"],
            error: [1.0, 2.0, 1.5, 2.5],
        }
    )
    scores = read_published(table)
    assert scores.benchmarks == ("mmlu", "gpqa")
    assert scores.dataset["score"].sel(model="a-1b").values.tolist() == [0.7, 0.3]
    assert scores.dataset["stderr"].sel(model="b-2b").values.tolist() == [0.015, 0.025]


@pytest.mark.parametrize(
    ("task", "score", "items"),
    [
        ("task", "score_headline", "total_samples"),  # evals_df of Inspect
        ("eval_name", "metric", "n_samples"),
    ],
)
def test_a_frame_of_evaluations_is_read(task: str, score: str, items: str) -> None:
    columns = {"model": ["openai/gpt-4o"] * 2 + ["x/b-7b"] * 2, task: ["mmlu", "gpqa_diamond"] * 2}
    values = {
        f"{score}_value": [0.87, 0.51, 0.6, 0.3],
        f"{score}_stderr": [0.003, 0.035, 0.004, 0.03],
    }
    scores = read_published(pd.DataFrame(columns | values | {items: [14042, 198] * 2}))
    assert scores.models == ("openai/gpt-4o", "x/b-7b")
    assert scores.dataset["stderr"].values.tolist() == [[0.003, 0.035], [0.004, 0.03]]
    assert scores.item_counts.values[0].tolist() == [14042.0, 198.0]


def test_the_metric_of_a_benchmark_says_its_scale_and_which_scores_are_better() -> None:
    rows = [
        ("mmlu", "accuracy", (65.2, 79.3, 70.1)),
        ("wikitext", "perplexity", (6.1, 3.6, 7.2)),
        ("novel task", "error rate", (0.3, 0.1, 0.2)),
        ("chess", "Elo", (800.0, 1500.0, 1100.0)),
    ]
    models = ("llama-3-8b", "llama-3-70b", "qwen2-7b")
    table = pd.DataFrame(
        [
            {"model": model, "task": task, "metric": metric, "value": value}
            for task, metric, values in rows
            for model, value in zip(models, values, strict=True)
        ]
    )
    scores = read_published(table)
    info = scores.benchmark_info
    assert (info["wikitext"].scale, info["wikitext"].lower_is_better) == ("positive", True)
    assert scores.to_frame()["wikitext"].tolist() == [6.1, 3.6, 7.2]
    assert (info["novel task"].scale, info["novel task"].lower_is_better) == ("fraction", True)
    assert (info["chess"].scale, info["chess"].unit) == ("real", "Elo")
    assert (info["mmlu"].floor, info["mmlu"].lower_is_better) == (0.25, False)
    assert not [f for f in scores.audit.findings if '"metric"' in f.message]


def test_models_that_differ_in_the_metric_of_a_benchmark_are_reported() -> None:
    table = pd.DataFrame(
        {
            "model": ["a-1b", "b-1b", "a-1b", "b-1b"],
            "task": ["arc", "arc", "mmlu", "mmlu"],
            "metric": ["acc", "acc_norm", "acc", "acc"],
            "value": [0.3, 0.4, 0.5, 0.6],
        }
    )
    (found,) = (f for f in read_published(table).audit.findings if f.code == "mixed-metrics")
    assert "arc (acc, acc_norm)" in found.message
    assert "mmlu" not in found.message


def test_several_metrics_of_one_benchmark_are_refused() -> None:
    table = pd.DataFrame(
        {
            "model": ["a-1b"] * 3,
            "task": ["arc", "arc", "mmlu"],
            "metric": ["acc", "acc_norm", "acc"],
            "value": [0.3, 0.4, 0.5],
        }
    )
    with pytest.raises(DataError, match=r'"metric" names several metrics of one benchmark \(a-1b'):
        read_published(table)
    kept = read_published(table[table["metric"] == "acc"])
    assert kept.benchmarks == ("arc", "mmlu")


def test_decimal_commas_are_named_with_the_remedy() -> None:
    table = named(GPQA=["40,5", "50,1", "45%"], MMLU=["0,812", "", "0,7"])
    found = read_published(table.assign(AIME=[50, 60, 70])).audit
    why = "numbers with a decimal comma; write them with a dot"
    assert f'"GPQA", "MMLU": {why}' in str(found.filter("ignored-column").table()["message"][0])
    with pytest.raises(DataError, match=why):
        read_published(table)
    mixed = read_published(named(GPQA=["40.5", "50.1", "45,2"]))
    assert "Write decimals with a dot." in str(mixed.audit.filter("cell-unread"))


@pytest.mark.parametrize("name", ["MT-Bench", "MT Bench (GPT-4 judge)", "Helpfulness (0-10)"])
def test_points_of_ten_are_not_percentages(name: str) -> None:
    scores = read_published(named(**{name: [9.1, 8.9, 7.5], "GPQA": [40.0, 50.0, 45.0]}))
    info = scores.benchmark_info[name]
    assert (info.scale, info.unit) == ("real", "points")
    assert scores.dataset["score"].sel(benchmark=name).values.tolist() == [9.1, 8.9, 7.5]
    again = read_published(named(**{name: [91.0, 89.0, 75.0]}))
    assert again.benchmark_info[name].scale == "fraction"  # percentages are kept as fractions


def test_models_in_the_index_are_named_as_such() -> None:
    table = named(GPQA=[40.0, 50.0, 45.0])
    with pytest.raises(DataError, match=r"reset_index"):
        read_scores(table.set_index(table.columns[0]))


def test_models_without_a_score_are_counted() -> None:
    table = named(GPQA=[40.0, None, 45.0], MMLU=[50.0, None, 55.0], Average=[45.0, 60.0, 50.0])
    table["Size"] = ["7B", "unk", "13B"]
    scores = read_published(table)
    (finding,) = scores.audit.filter("models-without-scores")
    assert finding.message.startswith("1 model without a score") and len(scores.models) == 2
    assert not list(scores.audit.filter("cell-unread"))


def test_a_table_whose_models_are_columns_is_transposed_or_refused_with_the_remedy() -> None:
    table = pd.DataFrame({"Benchmark": ["gpqa", "mmlu"], "gpt-5": [0.8, 0.9], "o3": [0.7, 0.8]})
    turned = read_scores(table)
    assert turned.models == ("gpt-5", "o3")
    assert turned.audit.filter("transposed")
    unknown = table.rename(columns={"gpt-5": "ours", "o3": "theirs"})
    with pytest.raises(DataError, match=r'the models are the columns.*set_index\("Benchmark"\)'):
        read_scores(unknown)
    with pytest.raises(DataError) as error:
        read_scores(table.assign(o3="text"))
    assert "are the columns" not in str(error.value)
    by_hand = read_published(table.set_index("Benchmark").T.reset_index(names="model"))
    assert by_hand.dataset.equals(turned.dataset)
    assert by_hand.benchmarks == (
        "gpqa",
        "mmlu",
    )


def test_sizes_and_tokens_are_known_by_their_headings_with_units() -> None:
    table = named(GPQA=[40.0, 50.0, 45.0]).assign(
        **{"Base family": ["x", "x", "y"], "Train tokens (T)": [0.3, 1.0, 2.0]}
    )
    data = read_published(table).dataset
    assert data["tokens"].values.tolist() == [0.3, 1.0, 2.0]
    assert data["family"].values.tolist() == ["x", "x", "y"]


@pytest.mark.parametrize(
    "name", ["First Chunk (s)", "Latency: First Answer Chunk (s)", "Total Response (ms)", "TTFT"]
)
def test_latencies_are_no_benchmarks(name: str) -> None:
    table = named(GPQA=[40.0, 50.0, 45.0], **{name: [0.4, 75.9, 1.7]})
    assert read_published(table).benchmarks == ("GPQA",)


def test_agents_have_the_features_of_their_models() -> None:
    agents = ["mini-SWE-agent + Claude 4 Opus", "mini-SWE-agent + GPT-5 mini", "agent + GPT-5"]
    table = pd.DataFrame({"Model": agents, "% Resolved": [67.6, 59.8, 65.0]})
    data = read_published(table).dataset
    assert data["family"].values.tolist() == ["claude-opus", "gpt-mini", "gpt"]
    assert data["size_class"].values.tolist() == ["large", "mini", "unknown"]
    assert data["provider"].values.tolist() == ["Anthropic", "OpenAI", "OpenAI"]


def test_compute_and_tokens_under_the_headings_of_papers_are_features() -> None:
    """The table of Ruan et al. 2024 counts FLOPs in 1e21, and has one token count in billions."""
    table = named(
        GPQA=[0.5, 0.6, 0.7],
        **{"Pretraining Data Size (T)": [2.0, 627.0, 15.0], "FLOPs (1E21)": [84.0, 156.0, 0.5]},
    )
    scores = read_published(table)
    assert scores.benchmarks == ("GPQA",)
    assert scores.dataset["flops"].values.tolist() == pytest.approx([8.4e22, 1.56e23, 5e20])
    assert scores.dataset["tokens"].isnull().values.tolist() == [False, True, False]
    (found,) = scores.audit.filter("cell-unread")
    assert "627 (above 100 trillion tokens)" in found.message
    for name in ("FLOPs (10^21)", "Training compute (1e21 FLOP)"):
        again = read_published(table.rename(columns={"FLOPs (1E21)": name}))
        assert again.dataset["flops"].values[0] == pytest.approx(8.4e22)
    with pytest.raises(DataError, match="looks like billions of tokens"):
        read_published(table.assign(**{"Pretraining Data Size (T)": [2000.0, 627.0, 15000.0]}))


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        ("bbh_salient_translation_error_detection_exact_match", False),
        ("Error Correction F1", False),
        ("Word Error Rate", True),
        ("Error", True),
    ],
)
def test_finding_errors_is_not_making_them(name: str, lower: bool) -> None:
    scores = read_published(named(**{name: [0.5, 0.6, 0.7]}))
    assert scores.benchmark_info[name].lower_is_better is lower


def test_systems_with_costs_and_footnotes_are_read() -> None:
    """ARC Prize's leaderboard: the model is an "AI System", and footnotes end names."""
    table = pd.DataFrame(
        {
            "AI System": ["o3-Preview (Low)*", "Gemini 3 Deep Think ²", "GPT-5.2 (X-High)"],
            "ARC-AGI-2": ["4.0%", "45.1%", "52.9%"],
            "Cost/Task": ["$200.00", "$77.16", "$1.90"],
        }
    )
    scores = read_published(table)
    assert scores.models == ("o3-Preview (Low)", "Gemini 3 Deep Think", "GPT-5.2 (X-High)")
    assert scores.benchmarks == ("ARC-AGI-2",)
    assert scores.dataset["effort"].values.tolist() == ["low", "", "xhigh"]


def test_the_provider_is_the_models_and_not_the_agents() -> None:
    about = {"Agent Org": ["Factory", "JetBrains"], "Model Org": ["OpenAI", "Google"]}
    table = pd.DataFrame({"Agent": ["Droid", "Junie"], "Model": ["x-1", "y-2"]} | about)
    scores = read_published(table.assign(Accuracy=["64.9%± 2.8", "64.3%± 2.8"]))
    assert scores.dataset["provider"].values.tolist() == ["OpenAI", "Google"]


def test_questions_are_flags_and_sampling_settings_no_benchmarks() -> None:
    table = named(GPQA=[40.0, 50.0, 45.0], Temperature=[1, 0.7, 1])
    table = table.assign(**{"Open weights?": ["✗", "✗", "✓"], "Top-p": [0.9, 1, 1]})
    scores = read_published(table)
    assert scores.benchmarks == ("GPQA",)
    assert scores.dataset["open_weights"].values.tolist() == [0, 0, 1]


def test_what_a_heading_explains_in_brackets_hides_no_floor() -> None:
    name = "GPQA Diamond (Scientific Reasoning)"
    assert read_published(named(**{name: ["85%", "83%", "80%"]})).benchmark_info[name].floor == 0.25


def test_instruct_is_left_out_where_no_column_states_it(tmp_path) -> None:
    scores = read_published(named(GPQA=[40.0, 50.0, 45.0]))
    assert len(scores.audit.filter("instruct-unstated").findings) == 1
    again = [
        read_scores(scores.to_frame(), features=scores.features),
        scores.select(models=list(scores.models[:2])),
    ]
    scores.save(tmp_path / "t.csv")
    for table in (scores, *again, read_scores(tmp_path / "t.csv")):
        assert "instruct" not in {feature.name for feature in table.features}
        assert "instruct" not in {*table.to_frame(), *table.to_long()}
        assert "instruct" not in table.feature_table()["feature"].tolist()
        assert table.dataset["instruct"].values.tolist() == [0.0] * len(table.models)
    stated = read_published(named(GPQA=[40.0, 50.0, 45.0], Instruct=[1, 1, 0]))
    assert stated.to_frame()["instruct"].tolist() == [1, 1, 0]
    assert not stated.audit.filter("instruct-unstated").findings


def test_features_printed_as_figures_are_numbers() -> None:
    table = named(GPQA=[40.0, 50.0, 45.0], Context=["400k", "1m", "N/A"])
    table = table.assign(**{"Input Price": ["$2.00", "$0.5", "$1,200"], "Type": ["a", "b", "a"]})
    features = [ls.Feature("Context", transform="log"), "Input Price", "Type"]
    scores = read_published(table, features=features)
    data = scores.dataset
    assert data["Context"].values[:2].tolist() == [400e3, 1e6] and np.isnan(data["Context"][2])
    assert data["Input Price"].values.tolist() == [2.0, 0.5, 1200.0]
    assert {f.name: f.kind for f in scores.features}["Type"] == "category"
    assert "400k is 400000" in scores.audit.filter("figures-read").findings[0].message
    odd = table.assign(Context=["400k", "long", "8k"])
    with pytest.raises(DataError, match=r'"Context" is declared as numbers.*"long"'):
        read_published(odd, features=features)


@pytest.mark.parametrize(
    "heading", ["95% Confidence", "95% Confidence Interval", "Confidence (95%)"]
)
def test_intervals_of_confidence_belong_to_the_score_beside_them(heading: str) -> None:
    table = named(Score=["38.30", "35.40"], **{heading: ["+1.96 / -1.96", "+3.92 / -3.92"]})
    data = read_published(table).dataset
    assert data["stderr"].values.ravel() == pytest.approx([0.01, 0.02])


def test_a_benchmark_that_is_probably_the_other_way_round_is_named() -> None:
    """Error rates whose heading does not say so, among accuracies."""
    skill = np.arange(12.0)
    columns = {"GPQA": 30 + 4 * skill, "AIME": 10 + 6 * skill, "LibriSpeech": 20 - 1.5 * skill}
    table = pd.DataFrame({"Model": [f"model-{k}" for k in range(12)]} | columns)
    (found,) = read_published(table).audit.filter("against-others").findings
    assert "LibriSpeech (-1.00)" in found.message and "GPQA" not in found.message
    falling = {"LibriSpeech": ls.Benchmark(scale="percent", lower_is_better=True, floor=100)}
    again = read_published(table, benchmarks=falling)
    assert not again.audit.filter("against-others").findings
    assert not read_published(table.head(7)).audit.filter("against-others").findings


def test_a_mean_by_another_name_is_no_benchmark_where_it_follows_from_the_others() -> None:
    table = named(Retail=[81.1, 82.4, 73.9], Airline=[62.6, 56.0, 52.0], Telecom=[96.7, None, 58.2])
    mean = table.assign(**{"Avg Pass^1": [80.1, 69.2, 61.4]})
    assert read_published(mean).benchmarks == ("Retail", "Airline", "Telecom")
    other = table.assign(**{"Avg Pass^1": [70.0, 69.2, 41.4]})
    assert "Avg Pass^1" in read_published(other).benchmarks
    declared = read_published(mean, benchmarks={"Avg Pass^1": ls.Benchmark(scale="percent")})
    assert "Avg Pass^1" in declared.benchmarks
