"""Reading scores from files: tables, lm-evaluation-harness, leaderboards, hubs, checkpoints.

Result files and leaderboards have scores but not families and training tokens; their readers take
these from a table of metadata, or guess families from names and report it.
"""

from __future__ import annotations

from latentscale.data.features.category import SIZE_CLASSES
from latentscale.data.readers.benchmark_names import match_benchmarks, same_benchmark
from latentscale.data.readers.benchmarks import read_benchmarks
from latentscale.data.readers.benchpress import (
    benchpress_folds,
    benchpress_measurements,
    read_benchpress,
)
from latentscale.data.readers.checkpoints.read import checkpoint_measurements, read_checkpoints
from latentscale.data.readers.csv import read_csv
from latentscale.data.readers.efforts import effort, reasoning
from latentscale.data.readers.epoch.read import epoch_index, epoch_measurements, read_epoch
from latentscale.data.readers.harness.read import harness_table, read_harness
from latentscale.data.readers.harness.tasks import HARNESS_TASKS, HarnessTask
from latentscale.data.readers.leaderboard.flags import FlaggedReading
from latentscale.data.readers.leaderboard.hub import download_leaderboard
from latentscale.data.readers.leaderboard.read import leaderboard_table, read_leaderboard
from latentscale.data.readers.livebench import livebench_measurements, read_livebench
from latentscale.data.readers.measurements import Measurements
from latentscale.data.readers.metadata import join_metadata
from latentscale.data.readers.parquet import read_parquet, read_table
from latentscale.data.readers.planned_rows import read_planned
from latentscale.data.readers.published.read import published_measurements, read_published
from latentscale.data.readers.scores import read_scores
from latentscale.data.readers.size_classes import NameReading, size_class
from latentscale.data.readers.template import metadata_template

__all__ = [
    "HARNESS_TASKS",
    "SIZE_CLASSES",
    "FlaggedReading",
    "HarnessTask",
    "Measurements",
    "NameReading",
    "benchpress_folds",
    "benchpress_measurements",
    "checkpoint_measurements",
    "download_leaderboard",
    "effort",
    "epoch_index",
    "epoch_measurements",
    "harness_table",
    "join_metadata",
    "leaderboard_table",
    "livebench_measurements",
    "match_benchmarks",
    "metadata_template",
    "published_measurements",
    "read_benchmarks",
    "read_benchpress",
    "read_checkpoints",
    "read_csv",
    "read_epoch",
    "read_harness",
    "read_leaderboard",
    "read_livebench",
    "read_parquet",
    "read_planned",
    "read_published",
    "read_scores",
    "read_table",
    "reasoning",
    "same_benchmark",
    "size_class",
]


def __dir__() -> list[str]:
    return sorted(__all__)
