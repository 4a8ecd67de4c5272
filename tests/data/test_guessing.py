"""Guessing floors by names of tasks: one table for all readers."""

from __future__ import annotations

import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.readers.guessing import floor_for, guessing

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("ARC-C", 0.25),
        ("arc_easy 0-shot", 0.25),
        ("ARC (25-shot)", 0.25),
        ("Winograd", 0.5),
        ("XWinograd", 0.5),
        ("MMLU-Pro - COT correct", 0.1),
        ("GPQA Diamond (Scientific Reasoning)", 0.25),
        ("wsc", 38 / 104),
        ("ARC-AGI", 0.0),
        ("MMLU (generative)", 0.0),
        ("mmlu_gen", 0.0),
        ("TruthfulQA", 0.0),
        ("GSM8K", 0.0),
        ("GPQA (0-shot CoT)", 0.25),
        ("GPQA Diamond (pass@1)", 0.25),
        ("GPQA Diamond, no tools", 0.25),
        ("GPQA maj@32", 0.25),
        ("GPQA pass@10", 0.0),  # the best of ten guesses
        ("GPQA (pass@10)", 0.0),
        ("MMLU (0-shot, CoT)", 0.25),
        ("MMLU Pro 0-shot CoT", 0.1),
        ("WinoGrande 5-shot acc", 0.5),
        ("HellaSwag (0-shot, Acc Norm)", 0.25),
        ("mmlu_social_sciences", 0.25),
        ("mmlu_pro_math", 0.1),
        ("MMLU-ProX de", 0.1),
        ("MUSR Raw", 0.3433),  # names on leaderboards for scores not corrected for guessing
        ("MMLU-PRO Raw", 0.1),
        ("MuSR (0-shot)", 0.3433),
        ("BBH (3-shot, CoT)", 0.0),  # written answers
        ("GPQA Diamond¹", 0.25),
        ("GPQA Q1 2026", 0.25),
        ("GPQA Diamond 2026Q1 (0-shot)", 0.25),
        ("gpqa_diamond_2026-01", 0.25),
        ("GPQA (5-shot) Jan 2026", 0.25),
        ("MMLU-Pro 2025", 0.1),
        ("MMLU Pro v1.1", 0.1),
        ("MMLU-Redux-2.0", 0.25),
        ("WinoGrande 20240723", 0.5),
        ("WSC Q1 2026", 38 / 104),
        ("LongBench v2", 0.25),
        ("LongBench v1", 0.0),  # another benchmark, with written answers
        ("ARC-AGI-2", 0.0),
        ("ARC 2", 0.0),
        ("ARC-AGI 2026", 0.0),
        ("SuperGPQA 2026", 0.0),
        ("GPQA Q1 2026 pass@10", 0.0),
    ],
)
def test_the_floor_of_a_task_follows_from_its_choices(name: str, floor: float) -> None:
    assert guessing(name) == pytest.approx(floor, abs=5e-5)


def test_a_score_below_guessing_contradicts_the_floor() -> None:
    assert floor_for("Winograd", 48.0, 100.0) == 50.0
    assert floor_for("Winograd", 30.0, 100.0) == 0.0


def test_a_published_table_says_which_floors_it_took() -> None:
    table = pd.DataFrame({"Model": ["a-7b", "b-7b", "c-7b"], "ARC-C": [50, 60, 70.0]})
    table = table.assign(XWinograd=[60, 70, 80.0], PIQA=[20, 70, 80.0], GSM8K=[1, 20, 30.0])
    read = ls.readers.read_published(table)
    floors = {name: about.floor for name, about in read.benchmark_info.items()}
    assert floors == {"ARC-C": 0.25, "XWinograd": 0.5, "PIQA": 0.0, "GSM8K": 0.0}
    (said,) = (finding.message for finding in read.audit.filter("scales-assumed"))
    assert '"ARC-C (0.25)", "XWinograd (0.5)", else 0' in said


def test_a_dated_version_of_a_known_benchmark_is_named_where_floors_are_declared() -> None:
    table = pd.DataFrame({"model": ["a", "b"], "family": "f", "MMLU-Pro Q1 2026": [0.4, 0.6]})
    scores = ls.Scores.from_frame(table)
    (finding,) = scores.audit.filter("near-known-benchmark")
    assert 'known benchmark "mmlu_pro" (floor 0.1)' in finding.message
    read = ls.readers.read_published(table.rename(columns={"family": "Version"}))
    assert read.benchmark_info["MMLU-Pro Q1 2026"].floor == 0.1
