"""Tables of scores, wide or long, from CSV, TSV or Parquet files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from latentscale.data.audit import SCORES_READ, Audit, Finding, emit
from latentscale.data.audit_file import AUDIT_ENDING, BESIDE, findings_beside
from latentscale.data.benchmarks import Benchmark
from latentscale.data.feature_declarations import features_of_file
from latentscale.data.features.base import Feature
from latentscale.data.frames import AnyFrame, as_pandas, is_frame
from latentscale.data.readers.benchmark_names import match_benchmarks
from latentscale.data.readers.benchmarks import read_benchmarks
from latentscale.data.readers.parquet import read_table
from latentscale.data.readers.published.read import is_published, read_published
from latentscale.data.readers.sources import reader_of_path, reader_of_table
from latentscale.data.saving import BENCHMARKS_ENDING, FEATURES_ENDING, beside
from latentscale.data.scores import Scores, scores_from_frame, scores_from_long
from latentscale.errors import DataError, LatentscaleError, listed
from latentscale.files import expanded
from latentscale.validate import truth


def read_scores(
    path: str | Path | AnyFrame,
    *,
    features: Sequence[str | Feature] | None = None,
    benchmarks: Mapping[str, Benchmark] | None = None,
    match_names: bool = True,
) -> Scores:
    """Read scores from a table, or from a published source that is recognised by its files.

    A table is long if it has the columns ``benchmark`` and ``score``.

    Parameters
    ----------
    path
        A CSV or TSV file in UTF-8, or a Parquet file (by its ending). Or the Open LLM
        Leaderboard's contents table (as `read_leaderboard` reads it without metadata), a folder
        or zip of Epoch's hub (`read_epoch`), a folder of BenchPress (`read_benchpress`),
        LiveBench's tables (`read_livebench`), or a folder of lm-evaluation-harness's result
        files (`read_harness`). A table that names models, but has no column ``family``, is read as
        a hub's table (`read_published`). A frame of a table (pandas, polars, arrow, ...) may be
        given instead of its file; Epoch's hub and BenchPress consist of several tables and are read
        from files.
    features
        As for `Scores.from_frame`; a hub's reader knows its own. By default the features in the
        file ``NAME.features.json`` that `Scores.save` writes next to a table, if it exists.
    benchmarks
        As for `Scores.from_frame`. A benchmark described here keeps its name. By default the
        benchmarks in ``NAME.benchmarks.json``, if it exists. The audit reports that files next to
        the table were read, and begins with the findings in ``NAME.audit.json``, if it exists.
    match_names
        Whether a benchmark whose name is another spelling of a known one (``"ARC-Challenge"``,
        ``"MMLU-PRO"``) takes the known name, and so its floor and item count. The audit reports
        each.

    Returns
    -------
    Scores
        As `Scores.from_frame` or `Scores.from_long` returns them.

    Raises
    ------
    DataError
        As `read_csv`, `read_parquet`, `Scores.from_frame` and the reader of the source.

    Warns
    -----
    DataWarning
        As `Scores.from_frame`.

    Examples
    --------
    >>> table = pooled.scores.to_frame()
    >>> table.to_csv("scores.csv", index=False)
    >>> ls.readers.read_scores("scores.csv").n_observed
    282
    """
    match_names = truth(match_names, "match_names", error=DataError)
    file: Path | None = None
    if is_frame(path):
        frame = as_pandas(path, _FRAME)
    else:
        file = expanded(path, DataError)
        read_path = reader_of_path(file)
        if read_path is not None:
            _refuse_features(file, features)
            return read_path(file, benchmarks)
        frame = read_table(file)
    try:
        return _scores_of_table(frame, file, features, benchmarks, match_names)
    except LatentscaleError as error:
        raise type(error)(_naming(file, str(error))) from None


def _naming(file: Path | None, message: str) -> str:
    """Return a message with the file that a table was read from, if any."""
    if file is None or str(file) in message:
        return message
    if message.startswith(_FRAME):
        return f"{file}{message.removeprefix(_FRAME)}"
    return f"{file}: {message}"


def _scores_of_table(
    frame: pd.DataFrame,
    file: Path | None,
    features: Sequence[str | Feature] | None,
    benchmarks: Mapping[str, Benchmark] | None,
    match_names: bool,
) -> Scores:
    """Read scores from a table in memory, and from the files next to its own."""
    frame = frame.rename(columns=_without_spaces)
    read_source = reader_of_table(frame)
    if read_source is not None:
        _refuse_features(file or _FRAME, features)
        return read_source(frame, benchmarks=benchmarks)
    if is_published(frame):
        return read_published(frame, features=features, benchmarks=benchmarks)
    beside_it: list[Finding] = []
    if file is not None:
        features, benchmarks, beside_it = _described(file, features, benchmarks)
    findings = list(beside_it)
    if match_names:
        own = [feature if isinstance(feature, str) else feature.name for feature in features or ()]
        frame, renamed = match_benchmarks(frame, keep=[*(benchmarks or {}), *own])
        findings += renamed
    long = set(frame.columns) >= _SCORED
    read = scores_from_long if long else scores_from_frame
    try:
        scores = read(frame, features=features, benchmarks=benchmarks)
    except LatentscaleError as error:
        if not beside_it:
            raise
        about = listed([f.where for f in beside_it])
        raise type(error)(
            f"{error} (With the table {about} was read, which lies beside it.)"
        ) from None
    every = (*findings, *scores.audit.findings)
    audit = Audit((*_of_the_source(file, every), *every))
    # Past this function and `read_scores`, to the line that calls it.
    emit(audit.findings, about=SCORES_READ, stacklevel=4)
    return Scores(scores.dataset, audit)


_FRAME: Final = "This table"
"""What messages call a table that was not read from a file."""
_SCORED: Final = {"benchmark", "score"}
"""Columns of a table with one row a score."""


def _without_spaces(name: object) -> object:
    """Return the known name of a long table's column; other names unchanged."""
    short = name.strip() if isinstance(name, str) else name
    return short if short in _SCORED else name


def _described(
    path: Path,
    features: Sequence[str | Feature] | None,
    benchmarks: Mapping[str, Benchmark] | None,
) -> tuple[Sequence[str | Feature] | None, Mapping[str, Benchmark] | None, list[Finding]]:
    """Return stated features and benchmarks, or else those in files next to the table."""
    findings = []

    def stated(ending: str) -> Path | None:
        file = beside(path, ending)
        if not file.is_file():
            return None
        message = "was read with the table; pass features= or benchmarks= for others."
        findings.append(Finding("info", BESIDE, file.name, message))
        return file

    if features is None and (file := stated(FEATURES_ENDING)):
        features = features_of_file(file)
    if benchmarks is None and (file := stated(BENCHMARKS_ENDING)):
        benchmarks = read_benchmarks(file)
    return features, benchmarks, findings


def _of_the_source(file: Path | None, found: Sequence[Finding]) -> list[Finding]:
    """Return findings in the file next to a table, except those on the table itself."""
    path = None if file is None else beside(file, AUDIT_ENDING)
    if file is None or path is None or not path.is_file():
        return []
    said = {(one.code, one.where) for one in found}
    return [one for one in findings_beside(path, file) if (one.code, one.where) not in said]


def _refuse_features(path: str | Path, features: Sequence[str | Feature] | None) -> None:
    if features:
        raise DataError(
            f"{path} is a hub's file, whose reader knows its features; leave features out."
        )
