"""The bundled figures: equal to their source, corrected as stated, without warnings."""

from __future__ import annotations

import csv
import warnings
from importlib import resources
from pathlib import Path

import pytest

from latentscale.data import KNOWN_BENCHMARKS
from latentscale.data.datasets import open_llm_leaderboard

SOURCE = Path(__file__).resolve().parents[3] / "shared" / "figures"
needs_source = pytest.mark.skipif(
    not (SOURCE / "open_llm_leaderboard.csv").is_file(),
    reason="the source figures (../shared/figures beside the project) are not on this machine",
)


def source_rows(name: str) -> list[dict[str, str]]:
    with (SOURCE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_size_and_facts():
    scores = open_llm_leaderboard()
    assert (len(scores.models), len(scores.benchmarks)) == (194, 12)
    assert set(scores.benchmarks) == set(KNOWN_BENCHMARKS)
    observed = scores.dataset["score"].notnull()
    v1 = ["arc", "hellaswag", "mmlu", "truthfulqa", "winogrande", "gsm8k"]
    assert int(observed.sel(benchmark=v1).all("benchmark").sum()) == 168
    assert int(observed.sel(benchmark="gpqa").sum()) == 105
    assert int(observed.all("benchmark").sum()) == 79


@pytest.mark.parametrize("corrected", [True, False])
def test_loading_is_quiet(corrected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = open_llm_leaderboard(corrected=corrected)
    assert scores.audit.codes == ("two-lineages", "exact-bounds")
    assert [f.where for f in scores.audit.warnings] == ["wizardlm-v1.0"]


def test_corrections_touch_forty_cells_and_no_score():
    right, published = open_llm_leaderboard().to_frame(), open_llm_leaderboard(False).to_frame()
    changed = right[["params_b", "tokens_t"]] != published[["params_b", "tokens_t"]]
    assert int(changed.to_numpy().sum()) == 40
    same = [name for name in right if name not in ("params_b", "tokens_t")]
    assert right[same].equals(published[same])
    by_name = right.set_index("model")
    assert by_name.loc["gemma-2-9b", "tokens_t"] == 8
    assert by_name.loc["gemma-7b", "params_b"] == 8.5


def test_dates_are_those_of_lineages_and_change_nothing_else():
    plain, dated = open_llm_leaderboard(), open_llm_leaderboard(dated=True)
    released = resources.files("latentscale.data.datasets").joinpath("figures/released.csv")
    rows = list(csv.DictReader(released.read_text(encoding="utf-8").splitlines()))
    months = {row["lineage"]: row["released"] for row in rows}
    frame = dated.to_frame()
    assert set(months) == set(plain.to_frame()["lineage"])
    assert (frame["released"].dt.strftime("%Y-%m") == frame["lineage"].map(months)).all()
    assert frame.drop(columns="released").equals(plain.to_frame())
    assert all(row["source"] for row in rows)
    began = frame.groupby("lineage")["released"].first()
    # A base model is older than models built on it, whatever the sources of the dates.
    assert began["llama"] < began["llama-2"] < began["meta-llama-3"]
    assert began["qwen"] < began["qwen1.5"] < began["qwen2"]
    assert began["gemma"] < began["gemma-2"] and began["yi"] < began["yi-1.5"]


def test_floors_and_item_counts():
    info = open_llm_leaderboard().benchmark_info
    floors = {name: benchmark.floor for name, benchmark in info.items()}
    assert floors == {
        "arc": 0.25,
        "hellaswag": 0.25,
        "mmlu": 0.25,
        "truthfulqa": 0.31,
        "winogrande": 0.5,
        "gsm8k": 0,
        "ifeval": 0,
        "bbh": 0.2885,
        "math_lvl5": 0,
        "gpqa": 0.25,
        "musr": 0.3433,
        "mmlu_pro": 0.1,
    }
    assert all(benchmark.n_items and benchmark.basis for benchmark in info.values())
    assert {benchmark.suite for benchmark in info.values()} == {
        "Open LLM Leaderboard v1",
        "Open LLM Leaderboard v2",
    }


def test_composed_floors_follow_from_their_subtasks():
    musr = (250 / 2 + 256 / 5 + 250 / 3) / 756
    assert round(musr, 4) == KNOWN_BENCHMARKS["musr"].floor
    # Choices of the 21 subtasks of BBH with 250 items; the other three are listed with their items.
    choices = [2, 3, 2, 6, 18, 19, 7, 5, 3, 11, 2, 5, 7, 2, 2, 4, 3, 6, 6, 6, 2]
    chance = sum(250 / n for n in choices) + 187 / 2 + 178 / 2 + 146 / 5
    items = 250 * len(choices) + 187 + 178 + 146
    assert items == KNOWN_BENCHMARKS["bbh"].n_items
    assert round(chance / items, 4) == KNOWN_BENCHMARKS["bbh"].floor


@needs_source
@pytest.mark.parametrize("corrected", [True, False])
def test_figures_equal_their_source_cell_by_cell(corrected):
    rows = source_rows("open_llm_leaderboard.csv")
    if corrected:
        fixes = {(r["model"], r["field"]): r["corrected"] for r in source_rows("corrections.csv")}
        rows = [{k: fixes.get((r["model"], k), v) for k, v in r.items()} for r in rows]
    frame = open_llm_leaderboard(corrected).to_frame()
    assert list(frame.columns) == list(rows[0])
    assert len(frame) == len(rows)
    for ours, theirs in zip(frame.to_dict("records"), rows, strict=True):
        for name, text in theirs.items():
            value = ours[name]
            if name in ("model", "family", "lineage"):
                assert value == text
            elif text == "":
                assert value != value
            else:
                assert value == float(text)
