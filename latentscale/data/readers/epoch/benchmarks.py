"""The known files of Epoch AI's benchmarking hub: columns, scales, floors, groups.

Only for the hub's reader (`epoch`), which reads other files by a general rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from latentscale.data.benchmarks import Benchmark


@dataclass(frozen=True)
class HubFile:
    """One file of the hub.

    Parameters
    ----------
    score
        Column of its main score; empty for the first column of numbers after the model's.
    benchmark
        Floor, group, scale and the like; a bounded score with a range other than 0 to 1 is divided
        by `most` first.
    stderr
        Column of standard errors, empty for the one that the rule finds; None if its values cannot
        be standard errors of the score.
    most
        Largest possible score, if it is neither 1 nor 100.
    interval
        Columns of the lower and upper end of a 95% interval, if these are given instead.
    half_width
        Column of text such as "+12/-9", if a 95% interval is given in this form.
    """

    benchmark: Benchmark
    score: str = ""
    stderr: str | None = ""
    most: float | None = None
    interval: tuple[str, str] | None = None
    half_width: str = ""


def _fraction(group: str, floor: float = 0.0, n_items: int | None = None) -> HubFile:
    return HubFile(Benchmark(floor=floor, n_items=n_items, group=group, suite=SUITE))


SUITE: Final = "Epoch AI Benchmarking Hub"
INDEX_FILE: Final = "epoch_capabilities_index"
"""The hub's own index of all benchmarks, which is not a benchmark."""

HUB_FILES: Final[Mapping[str, HubFile]] = {
    "adversarial_nli": _fraction("commonsense", 1 / 3),  # three labels
    "aider_polyglot": HubFile(
        Benchmark(scale="percent", group="coding", n_items=225, suite=SUITE), "Percent correct"
    ),
    "apex_agents": _fraction("agents"),
    "arc_agi": _fraction("puzzles"),
    "arc_agi_2": _fraction("puzzles"),
    "arc_ai2": _fraction("knowledge", 0.25, 1172),  # the challenge set, four choices
    "balrog": _fraction("agents"),
    "bbh": _fraction("reasoning"),
    "bool_q": _fraction("commonsense", 0.5, 3270),
    "cad_eval": _fraction("coding", n_items=50),
    "chess_puzzles": _fraction("puzzles"),
    "common_sense_qa_2": _fraction("commonsense", 0.5, 2541),
    "cybench": _fraction("agents"),
    "deepresearchbench": _fraction("agents"),
    "fictionlivebench": _fraction("long context"),
    "frontiermath": _fraction("mathematics"),
    "frontiermath_tier_4": _fraction("mathematics"),
    "gdpval": _fraction("agents"),
    "geobench": HubFile(
        Benchmark(group="vision", suite=SUITE), "ACW Avg Score", stderr=None, most=5000.0
    ),  # a guess of a place has 0 to 5000 points
    "gpqa_diamond": _fraction("science", 0.25, 198),
    "gsm8k": _fraction("mathematics", n_items=1319),
    "gso": _fraction("coding"),
    "hella_swag": _fraction("commonsense", 0.25, 10042),
    "hle": _fraction("science"),
    "lambada": _fraction("commonsense", n_items=5153),
    "lech_mazur_writing": HubFile(
        Benchmark(group="writing", suite=SUITE), "Mean score", stderr=None, most=10.0
    ),  # marks from 0 to 10
    "live_bench": HubFile(Benchmark(scale="percent", group="mixed", suite=SUITE), "Global average"),
    "math_level_5": _fraction("mathematics", n_items=1324),
    "metr_time_horizons": HubFile(
        Benchmark(scale="positive", unit="minutes", group="agents", suite=SUITE),
        "Time horizon",
        interval=("CI_low", "CI_high"),
    ),
    "mmlu": _fraction("knowledge", 0.25, 14042),
    "open_book_qa": _fraction("commonsense", 0.25, 500),
    "os_world": HubFile(Benchmark(scale="percent", group="agents", suite=SUITE), "Score"),
    "otis_mock_aime_2024_2025": _fraction("mathematics", n_items=45),
    "piqa": _fraction("commonsense", 0.5, 1838),
    "posttrainbench": _fraction("agents"),
    "science_qa": _fraction("science"),
    "simplebench": _fraction("reasoning", 1 / 6),  # six choices
    "simpleqa_verified": _fraction("knowledge", n_items=1000),
    "superglue": _fraction("commonsense"),
    "swe_bench_bash": _fraction("coding", n_items=500),
    "swe_bench_verified": _fraction("coding"),
    "terminalbench": _fraction("agents"),
    "the_agent_company": _fraction("agents"),
    "trivia_qa": _fraction("knowledge"),
    "video_mme": _fraction("vision", 0.25, 2700),
    "vpct": _fraction("vision", 1 / 3),  # three buckets
    "webdev_arena": HubFile(
        Benchmark(scale="real", unit="Elo", group="coding", suite=SUITE),
        "Arena Score",
        half_width="Score 95% CI",
    ),
    "weirdml": HubFile(
        # The column "Accuracy SE" holds about 1e-4, a hundredth of the accuracy's own spread.
        Benchmark(group="coding", suite=SUITE),
        "Accuracy",
        stderr=None,
    ),
    "wino_grande": _fraction("commonsense", 0.5, 1267),
}
"""Files by their name without "_external.csv": floors by the number of choices."""
