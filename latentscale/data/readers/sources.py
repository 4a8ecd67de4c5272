"""Recognising a published source from its path, so that one call and one command read all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from latentscale.data.benchmarks import Benchmark
from latentscale.data.readers.benchpress import read_benchpress
from latentscale.data.readers.checkpoints.columns import is_checkpoints
from latentscale.data.readers.checkpoints.read import read_checkpoints
from latentscale.data.readers.csv import content
from latentscale.data.readers.epoch.read import read_epoch
from latentscale.data.readers.harness.read import read_harness
from latentscale.data.readers.leaderboard.read import RAW_COLUMNS, read_leaderboard
from latentscale.data.readers.livebench import is_livebench, read_livebench
from latentscale.data.readers.parquet import table_of_name, tables_below
from latentscale.data.readers.records import INSPECT, is_table
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from latentscale.files import expanded

Read = Callable[[Path, Mapping[str, Benchmark] | None], Scores]

_KNOWN: Final = (
    "a table of scores (CSV, TSV or Parquet), the Open LLM Leaderboard's contents table, a folder "
    "or zip of Epoch's hub, a folder of BenchPress (scores.csv and models.csv), LiveBench's tables "
    "(table_2025_05_30.csv), or a folder of lm-evaluation-harness (results*.json). For logs of "
    "Inspect, give the table that inspect_ai.analysis.evals_df makes of them"
)


def reader_of_path(path: str | Path) -> Read | None:
    """Return the reader of a folder, a zip, or a table with a known name; None for other tables.

    Parameters
    ----------
    path
        A path that exists, or a file to be opened later.

    Raises
    ------
    DataError
        If no reader knows the folder.
    """
    where = expanded(path, DataError)
    if where.is_dir():
        return _of_folder(where)
    if where.is_file() and zipfile.is_zipfile(where):
        _refuse_other_archives(where)
        return _epoch
    return _livebench if where.is_file() and is_livebench(where) else None


def _refuse_other_archives(path: Path) -> None:
    """Refuse archives that are not zips of tables: a spreadsheet, or a log of Inspect."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    kinds = {
        "[Content_Types].xml": "an Excel workbook. Save the sheet with the scores as CSV",
        "content.xml": "a spreadsheet. Save the sheet with the scores as CSV",
        "header.json": INSPECT,
    }
    for member, kind in kinds.items():
        if member in names:
            raise DataError(f"{path}: this is {kind}.")


def is_harness(path: str | Path) -> bool:
    """Return whether a path holds results of lm-evaluation-harness: JSON that is not a table."""
    where = expanded(path, DataError)
    if where.is_dir():
        return _of_folder(where) is _harness
    return where.suffix.lower() == ".json" and not (where.is_file() and is_table(content(where)))


def reader_of_table(frame: pd.DataFrame) -> Callable[..., Scores] | None:
    """Return the reader of a leaderboard's table, by its columns; None for a table of scores."""
    if any(name in frame for name in RAW_COLUMNS):
        return read_leaderboard
    return read_checkpoints if is_checkpoints(frame) else None


def _of_folder(folder: Path) -> Read:
    if table_of_name(folder, "scores") and table_of_name(folder, "models"):
        return _benchpress
    if any(is_livebench(file) for file in tables_below(folder, "table_*")):
        return _livebench
    if any(folder.rglob("results*.json")):
        return _harness
    if tables_below(folder):
        return _epoch
    raise DataError(f"{folder}: no reader knows this folder. Known are {_KNOWN}.")


def _epoch(path: Path, benchmarks: Mapping[str, Benchmark] | None) -> Scores:
    return read_epoch(path, benchmarks=benchmarks)


def _benchpress(path: Path, benchmarks: Mapping[str, Benchmark] | None) -> Scores:
    return read_benchpress(path, benchmarks=benchmarks)


def _harness(path: Path, benchmarks: Mapping[str, Benchmark] | None) -> Scores:
    return read_harness(path, benchmarks=benchmarks)


def _livebench(path: Path, benchmarks: Mapping[str, Benchmark] | None) -> Scores:
    return read_livebench(path, benchmarks=benchmarks)
