"""The contents table of the Open LLM Leaderboard v2: its raw scores, never the normalised ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding, emit
from latentscale.data.benchmarks import Benchmark
from latentscale.data.columns import as_number
from latentscale.data.frames import as_pandas
from latentscale.data.readers.metadata import scores_with_metadata
from latentscale.data.readers.parquet import read_table
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed

RAW_COLUMNS: Final[Mapping[str, str]] = {
    "IFEval Raw": "ifeval",
    "BBH Raw": "bbh",
    "MATH Lvl 5 Raw": "math_lvl5",
    "GPQA Raw": "gpqa",
    "MUSR Raw": "musr",
    "MMLU-PRO Raw": "mmlu_pro",
}
"""Columns of raw scores, fractions, and the benchmarks that they are."""

_SIZE: Final = ("#Params (B)", "Params (B)")
_TEXT: Final = {"Base Model": "base_model", "Type": "type", "Architecture": "architecture"}
_PRECISIONS: Final = ("bfloat16", "float16")
_LINK: Final = re.compile(r"<[^>]*>")


def leaderboard_table(source: str | Path | pd.DataFrame) -> pd.DataFrame:
    """Read the contents table of the Open LLM Leaderboard v2.

    Parameters
    ----------
    source
        The table ``open-llm-leaderboard/contents``: a Parquet or CSV file, or a frame (which is
        not changed). `download_leaderboard` fetches it.

    Returns
    -------
    pandas.DataFrame
        One row a model: model (``fullname``), params_b (billions, NaN where the table has none),
        instruct (0 where the type says pretrained, 1 where it says chat, else NaN), released (the
        day of upload), base_model, type, architecture, precision, and one column of raw scores
        (fractions) a benchmark. Models that the leaderboard flagged are left out; of a model with
        several rows the one of 16-bit precision is kept, the latest submitted if there are more.

    Raises
    ------
    DataError
        If the table has no model names or no raw scores. The normalised scores (IFEval, BBH,
        ...) are never taken: they are rescaled, in some benchmarks subtask by subtask.

    Warns
    -----
    DataWarning
        If models were left out as flagged.
    """
    table, findings = _collected(source)
    emit(findings, about="The leaderboard's table was read")
    return table


def read_leaderboard(
    source: str | Path | pd.DataFrame,
    metadata: pd.DataFrame,
    *,
    drop_unmatched: bool = False,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from the contents table of the Open LLM Leaderboard v2, joined with metadata.

    Parameters
    ----------
    source
        As for `leaderboard_table`.
    metadata
        Columns ``model``, ``family`` and ``tokens_t`` (trillions, empty if undisclosed), which
        the leaderboard does not know; ``params_b``, ``instruct``, ``released`` and ``lineage``
        where they are to replace or complete the leaderboard's. Models are named as there
        (``fullname``), or by the part after the last slash.
    drop_unmatched
        Leave out models that the metadata lacks instead of refusing.
    benchmarks
        As for `Scores.from_frame`.

    Returns
    -------
    Scores
        Its audit also says what was found in the leaderboard's table.

    Raises
    ------
    DataError
        As `leaderboard_table` and `Scores.from_frame`, and if models lack metadata.

    Warns
    -----
    DataWarning
        As `Scores.from_frame`.
    """
    table, findings = _collected(source)
    wide = table.drop(columns=[*_TEXT.values(), "precision"], errors="ignore")
    return scores_with_metadata(
        wide, metadata, findings, drop_unmatched=drop_unmatched, benchmarks=benchmarks
    )


def _collected(source: str | Path | pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    named = isinstance(source, str | Path)
    what = str(source) if named else "This table"
    frame = read_table(source) if named else as_pandas(source, what)
    raw = [name for name in RAW_COLUMNS if name in frame]
    if not raw:
        raise DataError(
            f"{what}: none of the columns {listed(RAW_COLUMNS)} is there; it has "
            f"{listed(frame.columns)}. The columns without "
            '"Raw" are normalised so that guessing is zero and cannot be used; take the table '
            "open-llm-leaderboard/contents, which has both."
        )
    frame = frame.assign(model=_names(frame, what)).reset_index(drop=True)
    frame, findings = _kept(frame)
    columns: dict[str, object] = {"model": frame["model"]}
    size = next((name for name in _SIZE if name in frame), None)
    if size is not None:
        columns["params_b"] = _sizes(frame[size])
    if "Type" in frame:
        columns["instruct"] = [_instruct(kind) for kind in frame["Type"]]
    if "Upload To Hub Date" in frame:
        columns["released"] = pd.to_datetime(frame["Upload To Hub Date"], errors="coerce")
    columns |= {new: frame[old] for old, new in _TEXT.items() if old in frame}
    if "Precision" in frame:
        columns["precision"] = frame["Precision"]
    columns |= {RAW_COLUMNS[name]: frame[name] for name in raw}
    lacking = [name for name in RAW_COLUMNS if name not in frame]
    if lacking:
        message = f"the table has no {listed(lacking)}."
        findings.append(Finding("warning", "benchmark-without-score", "columns", message))
    return pd.DataFrame(columns), findings


def _names(frame: pd.DataFrame, what: str) -> list[str]:
    """Return model names: ``fullname``, or ``Model``, which the leaderboard writes as a link."""
    column = next((name for name in ("fullname", "Model") if name in frame), None)
    if column is None:
        raise DataError(
            f'{what}: no column "fullname" with the models; it has {listed(frame.columns)}.'
        )
    cells = [cell if isinstance(cell, str) else "" for cell in frame[column]]
    if column == "Model":
        cells = [_LINK.sub("", cell).partition("📑")[0] for cell in cells]
    names = [cell.strip() for cell in cells]
    empty = [str(row) for row, name in enumerate(names) if not name]
    if empty:
        raise DataError(
            f'{what}: column "{column}" is empty in row {listed(empty)}; every row '
            "needs a model name."
        )
    return names


def _kept(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Leave out flagged models, and all rows of a model but one."""
    findings = []
    if "Flagged" in frame:
        flagged = frame["Flagged"].map(lambda cell: str(cell).strip().casefold() == "true")
        if flagged.any():
            named = listed(frame.loc[flagged, "model"])
            message = f"{int(flagged.sum())} rows that it flags were left out: {named}."
            findings.append(Finding("warning", "flagged-model", "rows", message))
            frame = frame[~flagged]
    precision = frame["Precision"] if "Precision" in frame else pd.Series("", frame.index)
    rank = precision.map(lambda name: _PRECISIONS.index(name) if name in _PRECISIONS else 9)
    sent = frame["Submission Date"] if "Submission Date" in frame else pd.Series("", frame.index)
    when = pd.to_datetime(sent, errors="coerce").fillna(pd.Timestamp(0))
    ranked = pd.DataFrame({"model": frame["model"], "rank": rank, "when": -when.astype("int64")})
    best = ranked.sort_values(["rank", "when"], kind="stable").drop_duplicates("model").index
    repeated = frame["model"][frame["model"].duplicated()].unique()
    if len(repeated):
        message = (
            f"{len(repeated)} models have several rows, of which the 16-bit one that was submitted "
            f"last was kept: {listed(repeated)}."
        )
        findings.append(Finding("info", "repeated-model", "rows", message))
    if not len(best):
        raise DataError("The leaderboard's table has no row that can be used.")
    return frame.loc[sorted(best)].reset_index(drop=True), findings


def _sizes(column: pd.Series) -> list[float]:
    """Return sizes in billions; the leaderboard writes -1 or 0 where it has none."""
    numbers = [as_number(cell) for cell in column]
    return [np.nan if number is None or number <= 0 else number for number in numbers]


def _instruct(kind: object) -> float:
    text = str(kind).casefold()
    return 1.0 if "chat" in text else 0.0 if "pretrained" in text else np.nan
