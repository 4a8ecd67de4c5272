"""Writing a table of scores so that `latentscale.readers.read_scores` restores all of it.

What does not fit into cells is written next to the table: descriptions of benchmarks to
``NAME.benchmarks.json``, declarations of features to ``NAME.features.json``, and findings on the
table's source to ``NAME.audit.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from latentscale.data.audit import Audit
from latentscale.data.audit_file import AUDIT_ENDING, audit_document, found_once
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark, known_name
from latentscale.data.empty import EMPTY_CELLS
from latentscale.data.features.base import Feature
from latentscale.data.known_features import features_of
from latentscale.data.score_table import OF_CELLS, ScoreTable
from latentscale.data.table_files import (
    NAME_COLUMNS,
    PARQUET_ENDINGS,
    checked_table_path,
    write_table,
)
from latentscale.errors import DataError
from latentscale.files import expanded, is_stream, replacing

BENCHMARKS_ENDING = ".benchmarks.json"
FEATURES_ENDING = ".features.json"
Reading = Callable[[pd.DataFrame, Sequence[Feature], Mapping[str, Benchmark]], Audit]


def beside(path: Path, ending: str) -> Path:
    """Return the file next to a table: ``scores.csv`` has ``scores.benchmarks.json``."""
    return path.with_name(path.stem + ending)


def save_scores(scores: ScoreTable, path: str | Path, read: Reading) -> tuple[Path, ...]:
    """Do what `Scores.save` does.

    Parameters
    ----------
    scores, path
        The table, and where to write it.
    read
        Returns the audit of a table as read again, given its features and benchmarks.
    """
    path = checked_table_path(expanded(path, DataError))
    frame = scores.to_frame() if is_wide(scores) else scores.to_long()
    _refuse_lost(frame, path)
    benchmarks = {n: b for n, b in scores.benchmark_info.items() if not _would_be_taken(n, b)}
    features = [feature.to_dict() for feature in features_of(scores.dataset)]
    written = [path]
    again = read(frame, features_of(scores.dataset), benchmarks) if scores.audit else Audit()
    findings = found_once(scores.audit, again)
    documents: dict[str, Any] = {
        BENCHMARKS_ENDING: {name: _plain(benchmark) for name, benchmark in benchmarks.items()},
        FEATURES_ENDING: features,
    }
    # All are written before any is renamed: a full disk leaves the older table and descriptions.
    with ExitStack() as unfinished:
        table = unfinished.enter_context(replacing(path, DataError))
        write_table(frame, table)
        if is_stream(path):
            return (path,)
        if findings:
            documents[AUDIT_ENDING] = audit_document(findings, table.read_bytes())
        for ending, document in documents.items():
            file = beside(path, ending)
            # An older file would otherwise describe this table.
            if document or file.exists():
                aside = unfinished.enter_context(replacing(file, DataError))
                aside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
                written.append(file)
    if not findings:
        beside(path, AUDIT_ENDING).unlink(missing_ok=True)  # of an older table
    return tuple(written)


def _refuse_lost(frame: pd.DataFrame, path: Path) -> None:
    """Refuse levels of categories that would be read from a text file as another level or none."""
    if path.suffix.lower() in PARQUET_ENDINGS:
        return
    for name in frame.columns.difference(NAME_COLUMNS, sort=False):
        texts = [cell for cell in frame[name].unique() if isinstance(cell, str)]
        truths = {text.casefold() for text in texts} <= {"true", "false"}
        lost = next((text for text in texts if truths or _is_lost(text)), None)
        if lost is not None:
            raise DataError(
                f'{path}: column "{name}" has the level "{lost}", which is read from a text file '
                "as an empty cell, a number or a truth value. Write the table as Parquet "
                "(.parquet), or rename the level."
            )


def _is_lost(text: str) -> bool:
    """Return whether a reader takes a text for an empty cell, or for a number written otherwise."""
    if text in EMPTY_CELLS:
        return True
    try:
        number = float(text)
    except ValueError:
        return False
    return not number.is_integer() or str(int(number)) != text


def is_wide(scores: ScoreTable) -> bool:
    """Return whether a wide table can hold everything that belongs to single scores."""
    of_cells = any(name in scores.dataset for name in OF_CELLS.values())
    looks_long = {"benchmark", "score"} <= set(scores.benchmarks)
    return not (of_cells or looks_long)


def _would_be_taken(name: str, benchmark: Benchmark) -> bool:
    """Return whether a reader would recognise this benchmark without a description."""
    if name in KNOWN_BENCHMARKS:
        return KNOWN_BENCHMARKS[name] == benchmark
    return known_name(name) is None and benchmark == Benchmark()


def _plain(benchmark: Benchmark) -> Mapping[str, Any]:
    default = asdict(Benchmark())
    return {name: value for name, value in asdict(benchmark).items() if value != default[name]}
