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
from latentscale.data.columns import is_missing
from latentscale.data.dates import read_dates
from latentscale.data.features.base import Feature
from latentscale.data.frames import AnyFrame, as_pandas
from latentscale.data.problems import refuse_repeated
from latentscale.data.readers.cells import to_numbers, without_categoricals
from latentscale.data.readers.leaderboard.flags import (
    UNREAD,
    FlaggedReading,
    truth_of,
    without_flagged,
)
from latentscale.data.readers.leaderboard.models import completed, with_guessed_families
from latentscale.data.readers.metadata import scores_with_metadata
from latentscale.data.readers.parquet import read_table
from latentscale.data.readers.tuning import TUNING, instruct_of, tuning_of
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
"""Columns of raw scores, as fractions, and their benchmarks."""

_SIZE: Final = ("#Params (B)", "Params (B)")
_TEXT: Final = {"Base Model": "base_model", "Type": "type", "Architecture": "architecture"}
_TEMPLATE: Final = "Chat Template"
_UNUSED: Final = ("precision", "family_basis")
"""Columns of `leaderboard_table` that `Scores` does not use to describe models."""
_RANK: Final = {
    **dict.fromkeys(("bfloat16", "float16", "bf16", "fp16", "half"), 0),
    **dict.fromkeys(("float32", "fp32", "float"), 1),
    **dict.fromkeys(("", "?", "unknown", "auto", "nan"), 2),
}
"""Which row of a model counts: 16 bits, as the leaderboard runs by default, then 32, then those
whose precision is unknown."""
_QUANTISED: Final = 3
"""Rank of all other precisions: the last."""
_LINK: Final = re.compile(r"<[^>]*>")
_MARKDOWN: Final = re.compile(r"^\[([^\]]+)\]\([^)]*\).*$", re.DOTALL)
"""A link as Markdown writes it: [org/name](https://...)."""
_AMBIGUOUS_DATE: Final = re.compile(r"\s*\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b")
"""07/12/2024 is July 12 or December 7; the reader does not guess."""


def leaderboard_table(
    source: str | Path | AnyFrame, *, flagged: FlaggedReading = "auto"
) -> pd.DataFrame:
    """Read the contents table of the Open LLM Leaderboard v2.

    Parameters
    ----------
    source
        The table ``open-llm-leaderboard/contents``: a Parquet or CSV file, or a frame (pandas,
        polars, arrow, ...; it is not modified). `download_leaderboard` fetches it.
    flagged
        How to read the column ``Flagged``. In exports of 2024 it is inverted: True means not
        flagged. ``"auto"`` decides from the table: the leaderboard flagged few models, so if most
        rows are True, or a column ``Not_Merged`` shows that the columns are filters, it is
        inverted. ``"as-named"`` and ``"inverted"`` set the reading; ``"keep"`` keeps all rows.

    Returns
    -------
    pandas.DataFrame
        One row per model: model (``fullname``), family, lineage and family_basis (guessed from the
        chain of base models, else from names, else from the architecture with the size;
        family_basis states which), params_b (billions, NaN if the table has none), instruct (0 if
        the type says pretrained, 1 if it says chat, else NaN), released (the day of upload),
        base_model, type, tuning (pretrained, continued, fine-tuned, chat, merge or multimodal, by
        the type), architecture, precision, chat_template (1 if the model was run with one, else 0),
        and one column of raw scores (fractions) per benchmark. Models that the leaderboard flagged
        are left out. If a model has several rows, one with scores and 16-bit precision (bfloat16 or
        float16) is kept: the latest submitted, or the lowest in the table if the dates are equal.

    Raises
    ------
    DataError
        If the table has no model names or no raw scores, or the meaning of ``Flagged`` cannot be
        decided. The normalised scores (IFEval, BBH, ...) are never used: they are rescaled, in some
        benchmarks separately for each subtask.

    Warns
    -----
    DataWarning
        If models were left out as flagged (with the reading of the column), a model has only
        quantised rows, or sizes or dates cannot be read.

    Examples
    --------
    >>> contents = pd.DataFrame(
    ...     {
    ...         "fullname": ["Qwen/Qwen2-7B", "Qwen/Qwen2-7B-Instruct"],
    ...         "Type": ["pretrained", "chat"],
    ...         "#Params (B)": [7.6, 7.6],
    ...         "IFEval Raw": [0.31, 0.57],
    ...         "MMLU-PRO Raw": [0.39, 0.38],
    ...     }
    ... )
    >>> table = ls.readers.leaderboard_table(contents)
    >>> table[["family", "lineage", "tuning"]].iloc[1].tolist()
    ['qwen2-7b', 'qwen2', 'chat']
    """
    table, findings = contents_and_findings(source, flagged)
    emit(findings, about="The leaderboard's table was read")
    return table


def contents_and_findings(
    source: str | Path | AnyFrame, flagged: FlaggedReading
) -> tuple[pd.DataFrame, list[Finding]]:
    """Do what `leaderboard_table` does, without issuing a warning."""
    table, findings = _collected(source, flagged)
    guessed, _ = with_guessed_families(table)  # the column family_basis says what was guessed
    return guessed, findings


def read_leaderboard(
    source: str | Path | AnyFrame,
    metadata: AnyFrame | None = None,
    *,
    flagged: FlaggedReading = "auto",
    drop_unmatched: bool = False,
    set_aside: bool = False,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from the contents table of the Open LLM Leaderboard v2.

    Parameters
    ----------
    source
        As for `leaderboard_table`.
    metadata
        Columns ``model``, ``family`` and ``tokens_t`` (trillions, empty if undisclosed), which the
        leaderboard does not have; also ``params_b``, ``instruct``, ``released`` and ``lineage`` to
        replace or complete the leaderboard's. Models are named as there (``fullname``), or by the
        part after the last slash. Without metadata, families and lineages are guessed as in
        `leaderboard_table`, tokens are not known, and a model whose type does not decide it is
        instruction-tuned if its name says so (instruct, chat, it) or if it was run with a chat
        template. The audit counts guesses.
    flagged
        As for `leaderboard_table`.
    drop_unmatched
        Leave out models that are not in the metadata instead of refusing.
    set_aside
        As for `read_harness`.
    benchmarks
        As for `Scores.from_frame`.

    Returns
    -------
    Scores
        The audit includes findings on the leaderboard's table.

    Raises
    ------
    DataError
        As `leaderboard_table` and `Scores.from_frame`, and if models are not in the metadata.

    Warns
    -----
    DataWarning
        As `Scores.from_frame`.

    Examples
    --------
    >>> contents = pd.DataFrame(
    ...     {
    ...         "fullname": ["Qwen/Qwen2-7B", "Qwen/Qwen2-7B-Instruct"],
    ...         "Type": ["pretrained", "chat"],
    ...         "#Params (B)": [7.6, 7.6],
    ...         "IFEval Raw": [0.31, 0.57],
    ...         "MMLU-PRO Raw": [0.39, 0.38],
    ...     }
    ... )
    >>> ls.readers.read_leaderboard(contents).benchmarks
    ('ifeval', 'mmlu_pro')
    """
    table, findings = _collected(source, flagged)
    if metadata is None:
        table, more = with_guessed_families(table)
        findings += more
        table, more = completed(table)
        findings += more
    dropped = [*_TEXT.values(), *_UNUSED]
    wide = table.drop(columns=dropped, errors="ignore")
    return scores_with_metadata(
        wide,
        metadata,
        findings,
        drop_unmatched=drop_unmatched,
        set_aside=set_aside,
        benchmarks=benchmarks,
        features=[feature for feature in _features() if feature.name in wide],
    )


def _features() -> tuple[Feature, ...]:
    """Return declarations of the leaderboard's features of models and runs.

    A function, because a declaration looks up the kinds of features, including plug-ins.
    """
    levels = ("pretrained", *dict.fromkeys(v for v in TUNING.values() if v != "pretrained"))
    return (
        Feature("chat_template", kind="flag"),
        Feature("tuning", kind="category", coding="reference", missing="level", levels=levels),
    )


def _collected(
    source: str | Path | AnyFrame, reading: FlaggedReading
) -> tuple[pd.DataFrame, list[Finding]]:
    named = isinstance(source, str | Path)
    what = str(source) if named else "This table"
    frame = read_table(source) if named else as_pandas(source, what)
    refuse_repeated(frame.columns, what)
    raw = [name for name in RAW_COLUMNS if name in frame]
    if not raw:
        raise DataError(
            f"{what}: none of the columns {listed(RAW_COLUMNS)} is there; it has "
            f"{listed(frame.columns)}. The columns without "
            '"Raw" are normalised so that guessing is zero and cannot be used; take the table '
            "open-llm-leaderboard/contents, which has both."
        )
    frame = without_categoricals(frame).assign(model=_names(frame, what)).reset_index(drop=True)
    frame, findings = without_flagged(frame, reading, what)
    frame, more = _one_row_a_model(frame, raw)
    table, unread = _columns(frame, raw)
    missing = [name for name in RAW_COLUMNS if name not in frame]
    if missing:
        message = f"the table has no {listed(missing)}."
        unread.append(Finding("warning", "benchmark-without-score", "columns", message))
    return table, [*findings, *more, *unread]


def _columns(frame: pd.DataFrame, raw: list[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the columns that the readers give, and findings on cells that cannot be read."""
    models = frame["model"].tolist()
    findings: list[Finding] = []
    columns: dict[str, object] = {"model": frame["model"]}
    size = next((name for name in _SIZE if name in frame), None)
    if size is not None:
        numbers, unread = to_numbers(frame[size])
        findings += _unread(models, size, frame[size], unread, "sizes", "a number of billions")
        # The leaderboard writes -1 or 0 where it has no size.
        columns["params_b"] = np.where(numbers > 0, numbers, np.nan)
    if "Type" in frame:
        columns["instruct"] = [instruct_of(kind) for kind in frame["Type"]]
        columns["tuning"] = [tuning_of(kind) for kind in frame["Type"]]
    if "Upload To Hub Date" in frame:
        columns["released"], more = _dates(frame, "Upload To Hub Date")
        findings += more
    columns |= {new: frame[old] for old, new in _TEXT.items() if old in frame}
    if "Precision" in frame:
        columns["precision"] = frame["Precision"]
    if _TEMPLATE in frame:
        said = [truth_of(cell) for cell in frame[_TEMPLATE]]
        columns["chat_template"] = [float(cell) if type(cell) is bool else np.nan for cell in said]
        odd = [row for row, cell in enumerate(said) if cell == UNREAD]
        findings += _unread(models, _TEMPLATE, frame[_TEMPLATE], odd, "cells", "True or False")
    for name in raw:
        numbers, unread = to_numbers(frame[name])
        findings += _unread(models, name, frame[name], unread, "scores", "a fraction")
        findings += _outside(models, name, numbers)
        columns[RAW_COLUMNS[name]] = numbers
    return pd.DataFrame(columns), findings


def _unread(
    models: list[str], name: str, column: pd.Series, rows: list[int], what: str, wanted: str
) -> list[Finding]:
    """Return one finding on the cells of a column that cannot be read."""
    if not rows:
        return []
    cells = listed([f"{models[row]}: {column.iloc[row]}" for row in rows])
    message = f"{len(rows)} {what} cannot be read and are left empty ({cells}); write {wanted}."
    return [Finding("warning", "cell-unread", name, message)]


def _outside(models: list[str], name: str, scores: np.ndarray) -> list[Finding]:
    """Return one finding on scores outside 0 to 1."""
    rows = np.flatnonzero((scores < 0) | (scores > 1)).tolist()
    if not rows:
        return []
    cells = listed([f"{models[row]}: {scores[row]:g}" for row in rows])
    message = (
        f"{len(rows)} scores are not fractions from 0 to 1: {cells}. Raw scores are fractions: "
        "divide percentages by 100."
    )
    return [Finding("warning", "score-out-of-range", name, message)]


def _dates(frame: pd.DataFrame, name: str) -> tuple[np.ndarray, list[Finding]]:
    """Return a column of dates cell by cell, whatever the spelling, in UTC; NaT where unread."""
    unclear = [isinstance(c, str) and bool(_AMBIGUOUS_DATE.match(c)) for c in frame[name]]
    blank = [isinstance(c, str) and not c.strip() for c in frame[name]]
    cells = frame[name].astype(object).where(~(np.array(unclear) | np.array(blank)), None)
    models = frame["model"].tolist()
    values, problems = read_dates(cells, models, name)
    rows = sorted({*np.flatnonzero(unclear).tolist(), *(problem.row for problem in problems)})
    return values, _unread(models, name, frame[name], rows, "dates", "them as 2024-07-23")


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
    names = [_MARKDOWN.sub(r"\1", cell.strip()).strip() for cell in cells]
    empty = [str(row) for row, name in enumerate(names) if not name]
    if empty:
        raise DataError(
            f'{what}: column "{column}" is empty in row {listed(empty)}; every row '
            "needs a model name."
        )
    return names


def _one_row_a_model(frame: pd.DataFrame, raw: list[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Keep one row of each model: with scores, of 16 bits if there is one, then the latest."""
    findings: list[Finding] = []
    rank = np.zeros(len(frame))
    if "Precision" in frame:
        rank = np.array([_rank(cell) for cell in frame["Precision"]])
    # An unknown date sorts before every known one.
    when = np.full(len(frame), np.iinfo(np.int64).min)
    if "Submission Date" in frame:
        sent, findings = _dates(frame, "Submission Date")
        when = sent.astype("datetime64[ns]").astype("int64")
    scored = pd.DataFrame({name: np.isfinite(to_numbers(frame[name])[0]) for name in raw})
    # A run that failed has a row without scores: it comes after every other.
    rank = np.where(scored.any(axis="columns"), rank, rank + _QUANTISED + 1)
    ranked = pd.DataFrame({"model": frame["model"], "rank": -rank, "when": when})
    # Stable, so that the last of a model's sorted rows is also the lowest where dates are equal.
    best = ranked.sort_values(["rank", "when"], kind="stable").drop_duplicates("model", keep="last")
    kept = sorted(best.index)
    findings += _scores_of_other_rows(frame, scored, kept)
    repeated = ranked["model"][ranked["model"].duplicated()].unique().tolist()
    if repeated:
        findings.append(_several(frame, repeated, _tied(ranked)))
    low = [row for row in kept if rank[row] == _QUANTISED]
    if low:
        named = listed([f"{frame['model'][row]} ({frame['Precision'][row]})" for row in low])
        message = (
            f"{len(low)} models have only quantised rows: {named}. Quantisation lowers scores; "
            "leave them out if the others are of 16 bits."
        )
        findings.append(Finding("warning", "quantised-model", "Precision", message))
    return frame.loc[kept].reset_index(drop=True), findings


def _scores_of_other_rows(
    frame: pd.DataFrame, scored: pd.DataFrame, kept: list[int]
) -> list[Finding]:
    """Find scores that only a row not used has: the scores of one run stay together."""
    somewhere = scored.groupby(frame["model"]).any()
    cells = [
        f"{frame['model'][row]} on {RAW_COLUMNS[name]}"
        for row in kept
        for name in scored.columns[~scored.loc[row] & somewhere.loc[frame["model"][row]]]
    ]
    if not cells:
        return []
    message = (
        f"{len(cells)} scores are missing in the row that was kept of a model, and another row "
        f"has them: {listed(cells)}. Fill them in, or leave the kept row out of the table."
    )
    return [Finding("warning", "score-in-other-row", "rows", message)]


def _tied(ranked: pd.DataFrame) -> list[str]:
    """Return the models whose best rows dates do not distinguish."""
    best = ranked["rank"] == ranked.groupby("model")["rank"].transform("max")
    last = ranked[best].groupby("model")["when"].transform("max")
    tops = ranked[best][ranked[best]["when"] == last]
    return tops["model"][tops["model"].duplicated()].unique().tolist()


def _several(frame: pd.DataFrame, repeated: list[str], tied: list[str]) -> Finding:
    message = (
        f"{len(repeated)} models have several rows, of which the 16-bit one that was submitted "
        f"last was kept: {listed(repeated)}."
    )
    if tied:
        message += f" Of {len(tied)} no date says which is the last, so the lowest: {listed(tied)}."
    if _TEMPLATE in frame:
        rows = frame[frame["model"].isin(repeated)]
        kinds = rows[_TEMPLATE].astype(str).groupby(rows["model"], sort=False).nunique()
        both = kinds.index[kinds > 1].tolist()
        if both:
            message += (
                f" {len(both)} of them have rows with and without a chat template: {listed(both)}."
            )
    return Finding("info", "repeated-model", "rows", message)


def _precision(cell: object) -> str:
    return "" if is_missing(cell) else str(cell).strip().casefold().removeprefix("torch.")


def _rank(cell: object) -> int:
    return _RANK.get(_precision(cell), _QUANTISED)
