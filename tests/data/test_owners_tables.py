"""Tables as their owners keep them: vendors' model cards, item logs, checkpoints in long tables."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import read_checkpoints, read_published, read_scores
from latentscale.data.readers.harness.tasks import HARNESS_TASKS
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from tests.data.published_tables import of_four, said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")

CARD = pd.DataFrame(
    {
        "Benchmark": ["GPQA Diamond", "AIME 2025", "SWE-bench Verified"],
        "GPT-5.2": ["92.4%", "100.0%", "80.0%"],
        "Claude Opus 4.5": ["87.0%", "n/a", "72.5% / 80.9%"],
    }
)


def scored(scores: Scores, benchmark: str) -> list[float]:
    return scores.dataset["score"].sel(benchmark=benchmark).values.tolist()


def long_checkpoints() -> pd.DataFrame:
    """Return two runs of seven billion parameters at three steps, one row a score."""
    rows = [
        (run, step, step * 0.00419, task, floor + better + step / 1e5)
        for run, better in (("orion-7b-v1", 0.0), ("orion-7b-v2", 0.02))
        for step in (1000, 5000, 20000)
        for task, floor in (("mmlu", 0.25), ("gsm8k", 0.02))
    ]
    return pd.DataFrame(rows, columns=["Run", "Step", "Tokens (B)", "Benchmark", "Score"])


LATE = [0.45, 0.47]
"""Scores of both runs on MMLU at their last step."""


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"Run": "model", "Step": "checkpoint", "Benchmark": "task", "Score": "value"},
        {"Run": "run", "Step": "global_step", "Benchmark": "metric", "Score": "Accuracy (%)"},
    ],
)
def test_checkpoints_with_one_row_a_score_are_not_averaged_over_benchmarks(
    tmp_path: Path, names: dict[str, str]
) -> None:
    long_checkpoints().rename(columns=names).to_csv(tmp_path / "runs.csv", index=False)
    scores = read_scores(tmp_path / "runs.csv")
    assert scores.benchmarks == ("mmlu", "gsm8k")
    assert scores.models[2] == "orion-7b-v1@step20000"
    assert scored(scores, "mmlu")[2::3] == pytest.approx(LATE)
    assert scores.dataset["tokens"].values[2::3] == pytest.approx([0.0838, 0.0838])
    assert scores.benchmark_info["mmlu"].floor == 0.25


def test_checkpoints_with_one_row_a_score_have_the_sizes_and_errors_of_their_columns() -> None:
    table = long_checkpoints().assign(Params="6.9B", metric="acc", stderr=0.01)
    scores = read_checkpoints(table)
    assert set(scores.dataset["params"].values.tolist()) == {6.9}
    assert set(scores.dataset["stderr"].values.ravel().tolist()) == {0.01}
    with pytest.raises(DataError, match=r"row 0, column \"Score\": '26%' is not a number. Write"):
        read_checkpoints(table.assign(Score=["26%", *table["Score"][1:]]))


def test_checkpoints_known_by_their_tokens_alone_are_not_averaged() -> None:
    scores = read_scores(long_checkpoints().drop(columns="Step"))
    assert scores.models[2] == "orion-7b-v1@83.8Btokens"
    assert scored(scores, "mmlu")[2::3] == pytest.approx(LATE)
    table = long_checkpoints().pivot_table(
        index=["Run", "Tokens (B)"], columns="Benchmark", values="Score"
    )
    assert scored(read_scores(table.reset_index()), "mmlu")[2::3] == pytest.approx(LATE)


def test_tokens_that_an_evaluation_used_are_not_those_of_training() -> None:
    table = of_four(total_tokens=[1e5, 2e5, 3e5, 4e5])
    assert len(read_scores(pd.concat([table, table.assign(total_tokens=9e5)])).models) == 4


def test_checkpoints_on_one_benchmark_have_its_name_and_floor() -> None:
    table = long_checkpoints()
    scores = read_scores(table[table["Benchmark"] == "mmlu"])
    assert scores.benchmarks == ("mmlu",)
    assert scores.benchmark_info["mmlu"].floor == 0.25


def test_a_dataset_that_a_run_was_trained_on_is_not_a_benchmark() -> None:
    table = long_checkpoints().query("Benchmark == 'mmlu'").drop(columns="Benchmark")
    wide = table.rename(columns={"Score": "accuracy"}).assign(dataset=table["Run"] + "-mix", loss=2)
    assert read_scores(wide).benchmarks == ("accuracy", "loss")


def test_scores_of_checkpoints_under_another_name_are_refused() -> None:
    with pytest.raises(DataError, match=r'"Benchmark" names several benchmarks.*to "score"'):
        read_scores(long_checkpoints().rename(columns={"Score": "Figure"}))


def test_percentages_of_known_benchmarks_are_read_at_checkpoints() -> None:
    table = long_checkpoints()
    scores = read_scores(table.assign(Score=100 * table["Score"]))
    assert scored(scores, "mmlu")[2::3] == pytest.approx(LATE)
    assert scores.dataset["floor"].sel(benchmark="mmlu") == 0.25


def test_a_card_with_models_in_columns_is_transposed() -> None:
    by_hand = read_published(CARD.set_index("Benchmark").T.reset_index(names="model"))
    for read in (read_scores, read_published):
        scores = read(CARD)
        assert scores.models == ("GPT-5.2", "Claude Opus 4.5")
        assert scores.dataset.equals(by_hand.dataset)
    assert '"Claude Opus 4.5: 72.5% / 80.9%"' in said(scores, "cell-unread")
    grouped = CARD.assign(Category="x")[["Category", *CARD.columns]]
    assert read_scores(grouped).dataset.equals(by_hand.dataset)
    assert 'Not used: "Category"' in said(read_scores(grouped), "transposed")


def test_a_card_with_a_benchmark_twice_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match=r'transpose it: frame\.set_index\("Benchmark"\)\.T'):
        read_scores(pd.concat([CARD, CARD]))


def test_titles_between_the_benchmarks_of_a_card_are_dropped() -> None:
    title = pd.DataFrame({"Benchmark": ["**Coding**"], "GPT-5.2": [""], "Claude Opus 4.5": [None]})
    titled = pd.concat([title, CARD], ignore_index=True)
    assert read_published(titled).benchmarks == read_published(CARD).benchmarks


def test_a_first_column_without_a_heading_is_named_with_both_remedies(tmp_path: Path) -> None:
    unnamed = CARD.rename(columns={"Benchmark": ""})
    unnamed.to_csv(tmp_path / "card.csv", index=False)
    assert read_scores(tmp_path / "card.csv").models == ("GPT-5.2", "Claude Opus 4.5")
    unknown = unnamed.rename(columns={"GPT-5.2": "ours", "Claude Opus 4.5": "theirs"})
    unknown.to_csv(tmp_path / "card.csv", index=False)
    with pytest.raises(DataError, match=r'names the models, call it "model".*transpose it'):
        read_scores(tmp_path / "card.csv")


def test_models_with_a_score_each_on_different_benchmarks_are_not_one_benchmark() -> None:
    table = pd.DataFrame({"model": ["GPT-5", "o3"], "benchmark": ["GPQA", "AIME"], "score": 0.8})
    scores = read_scores(table)
    assert scores.benchmarks == ("GPQA", "AIME")
    assert scored(scores, "GPQA") == pytest.approx([0.8, np.nan], nan_ok=True)
    one = read_scores(table.assign(benchmark="GPQA"))
    assert one.benchmarks == ("GPQA",) and one.benchmark_info["GPQA"].floor == 0.25
    # The task that a model is made for, next to other scores, is not a benchmark.
    beside = read_scores(table.rename(columns={"benchmark": "task"}).assign(MMLU=[0.7, 0.6]))
    assert set(beside.benchmarks) == {"score", "MMLU"}


def test_merged_cells_of_a_table_with_one_row_a_score_are_named_with_the_remedy() -> None:
    table = pd.DataFrame({"Model": ["GPT-5", "", "o3", ""], "Benchmark": ["GPQA", "AIME"] * 2})
    scores = read_scores(table.assign(Score=[85.7, 94.6, 83.3, 88.9]))
    assert scores.benchmarks == ("GPQA",)
    assert "merged, fill them down" in said(scores, "unnamed-rows")


def of_items() -> pd.DataFrame:
    """Return true and false of two models on four items; the worse one fails three."""
    right = {"o3": 4, "o1": 1}
    rows = [(name, "gpqa", item, item < n) for name, n in right.items() for item in range(4)]
    return pd.DataFrame(rows, columns=["model", "benchmark", "sample_id", "score"])


def test_rows_of_single_items_are_counted_and_do_not_lower_the_floor() -> None:
    scores = read_scores(of_items())
    assert scored(scores, "gpqa") == [1.0, 0.25]
    assert scores.item_counts.values.ravel().tolist() == [4, 4]
    assert scores.benchmark_info["gpqa"].floor == 0.25
    assert "8 rows are scores of single items" in said(scores, "items-read")
    twice = read_scores(pd.concat([of_items()] * 2))
    assert np.isnan(twice.item_counts.values).all()


def test_a_run_that_was_cut_off_has_the_items_that_it_finished() -> None:
    table = of_four(task="gpqa", score=0.8, total_samples=30).drop(columns="GPQA")
    table = table.assign(completed_samples=[30, 30, 12, 30])
    counts = read_scores(pd.concat([table, table.assign(task="aime")])).item_counts
    assert sorted(counts.sel(benchmark="gpqa").values.tolist()) == [12, 30, 30, 30]


@pytest.mark.parametrize(
    ("name", "member", "message"),
    [
        ("scores.xlsx", "[Content_Types].xml", "an Excel workbook. Save the sheet"),
        ("scores.ods", "content.xml", "a spreadsheet. Save the sheet"),
        ("2026.eval", "header.json", r"Inspect.*inspect_ai\.analysis\.evals_df"),
    ],
)
def test_archives_that_are_not_of_tables_are_named(
    tmp_path: Path, name: str, member: str, message: str
) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(member, "")
    with pytest.raises(DataError, match=message):
        read_scores(tmp_path / name)


def test_logs_of_inspect_are_named_with_the_remedy(tmp_path: Path) -> None:
    log = {"version": 2, "eval": {"model": "o3"}, "results": {}, "samples": [{"id": 1}]}
    (tmp_path / "log.json").write_text(json.dumps(log))
    for source in (tmp_path / "log.json", tmp_path):
        with pytest.raises(DataError, match=r"Inspect.*inspect_ai\.analysis\.evals_df"):
            read_scores(source)


def test_the_minus_of_typesetting_is_a_sign() -> None:
    cells = ["\u221212.4", "8.0", "\u22126.8", "3.1"]
    left = said(read_published(of_four(Delta=cells)), "ignored-column")
    assert '"Delta"' in left
    scores = read_published(of_four(Profit=["\u2212$12.40", "$8.00", "$1", "$2"]))
    assert "-12.4 to 8" in said(scores, "ignored-column")


def test_sizes_are_known_by_headings_of_other_languages() -> None:
    for heading in ("Parameter (B)", "Parameter (Mrd.)", "Parameter count"):
        scores = read_published(of_four(**{heading: [300.0, 200.0, 100.0, 32.8]}))
        assert scores.benchmarks == ("GPQA",)
        assert scores.dataset["params"].max() == 300.0


def test_subjects_at_checkpoints_without_steps_are_joined_at_each() -> None:
    subjects = HARNESS_TASKS["mmlu"].parts[0]
    rows = [("a-1b", b, task, "acc", b / 100) for b in (10.0, 20.0) for task in subjects]
    table = pd.DataFrame(rows, columns=["run", "tokens_b", "task", "metric", "value"])
    assert scored(read_checkpoints(table), "mmlu") == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("name", ["Quantization", "API Provider", "Served by"])
def test_variants_of_one_model_that_are_averaged_are_warned_of(name: str) -> None:
    table = pd.concat([of_four(**{name: "first"}), of_four(**{name: "second"})])
    assert f'"{name}"' not in said(read_published(of_four(**{name: "first"})), "settings-merged")
    (finding,) = read_published(table).audit.filter("settings-merged")
    assert (finding.where, finding.level) == (name, "warning")


def test_fractions_in_other_rows_of_a_model_are_not_averaged_with_percentages() -> None:
    rows = [("o3", 83.3), ("o3", 0.82), ("o1", 78.0), ("o1", 0.4), ("GPT-5", 85.7)]
    table = pd.DataFrame(rows, columns=["Model", "GPQA"])
    scores = read_published(table)
    by_name = dict(zip(scores.models, scored(scores, "GPQA"), strict=True))
    assert by_name == pytest.approx({"o3": 0.8265, "o1": 0.392, "GPT-5": 0.857})
    assert '"o3: 0.82"' in said(scores, "fractions-among-percentages")
    minutes = read_published(table.rename(columns={"GPQA": "Horizon (min)"}))
    assert min(scored(minutes, "Horizon (min)")) == pytest.approx(39.2)


def test_ends_of_intervals_with_a_unit_belong_to_the_score_beside_them() -> None:
    ends = {"95% CI Lower (min)": [20.0, 30, 40, 50], "95% CI Upper (min)": [80.0, 120, 160, 200]}
    table = of_four(**{"Horizon (min)": [40.0, 60, 80, 100], **ends, "MMLU": [80.0, 81, 82, 83]})
    stderr = read_published(table).dataset["stderr"].sel(benchmark="Horizon (min)").values
    expected = np.array([40.0, 60, 80, 100]) * np.log(2) / 1.96
    assert sorted(stderr) == pytest.approx(sorted(expected))
    one = read_published(of_four(**{"Horizon (min)": [40.0, 60, 80, 100], "95% CI (min)": "±5"}))
    assert set(one.dataset["stderr"].sel(benchmark="Horizon (min)").values) == {5 / 1.96}
    plain = of_four(**{"GPQA (min)": [80.0, 78, 75, 79], "GPQA (max)": [90.0, 88, 85, 89]})
    assert np.isfinite(read_published(plain).dataset["stderr"].values).all()


def test_printed_cells_in_a_table_with_families_are_refused_with_a_remedy_that_works() -> None:
    table = pd.DataFrame({"model": ["o3", "o1"], "family": "o", "gpqa": ["83.3%", "78.0%"]})
    with pytest.raises(DataError, match="read_published reads cells as hubs print them"):
        Scores.from_frame(table)
    assert scored(read_published(table), "gpqa") == pytest.approx([0.833, 0.78])
    with pytest.raises(DataError) as other:
        Scores.from_frame(table.assign(gpqa=["good", "better"]))
    assert "read_published" not in str(other.value)
