"""The BenchPress matrix of closed and open models: a folder of three CSV files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.columns import is_missing
from latentscale.data.frames import refuse_frame
from latentscale.data.problems import numbered, shown_cell
from latentscale.data.readers.benchmark_names import group_of
from latentscale.data.readers.cells import to_numbers
from latentscale.data.readers.efforts import UNSTATED, effort_of
from latentscale.data.readers.guessing import guessing
from latentscale.data.readers.measurements import (
    CELLS,
    Measurements,
    name_features,
    read_measurements,
    with_names,
)
from latentscale.data.readers.parquet import read_table, table_of_name
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed, nearest
from latentscale.files import expanded

SUITE: Final = "BenchPress"
_UNBOUNDED: Final[Mapping[str, tuple[str, str]]] = {
    "chatbot_arena_elo": ("real", "Elo"),
    "codeforces_rating": ("real", "rating"),
    "gdpval_aa_elo": ("real", "Elo"),
    "swelancer_freelance_dollars": ("positive", "dollars"),
    "vending_bench_2": ("positive", "dollars"),
}
"""Scale and unit of the benchmarks that are not percentages."""
_LOWER: Final = ("factscore", "longfact_concepts", "longfact_objects")
"""Hallucination rates, in percent; for some models the table has the share of correct claims."""
_HIGHEST_RATE: Final = 50.0
"""Larger values are shares of correct claims: rates in the table reach 39, shares begin at 71."""
_DISTANCES: Final = ("omnidocbench",)
"""Normalised edit distances, from 0 to 1."""
_MIXED: Final = ("omnidocbench_1.5",)
"""Edit distances for some models and percentages of credit for others: kept as they are."""


def read_benchpress(
    path: str | Path, *, benchmarks: Mapping[str, Benchmark] | None = None
) -> Scores:
    """Read scores from the BenchPress matrix.

    Parameters
    ----------
    path
        A folder with ``scores.csv`` (columns model_id, benchmark_id, score; one row per score) and
        ``models.csv`` (model_id, and the features provider, reasoning, open_weights, release_date
        and effort). `benchpress_folds` reads ``folds.csv``. Each may be Parquet instead
        (``scores.parquet``).
    benchmarks
        Declarations that take precedence over the known ones, by benchmark.

    Returns
    -------
    Scores
        Models and benchmarks are named by their ids. Percentages become fractions (79.6 is 0.796);
        Elo and ratings (real) and dollars (positive) keep their units, and so do edit distances,
        which are fractions already. Hallucination rates and edit distances are lower for better
        models. If the table has the share of correct claims instead of a hallucination rate, the
        score is read as 100 minus it, which the audit reports. An unknown benchmark is a percentage
        if its scores are between 0 and 100, else real. Features: released, provider, reasoning,
        open_weights, effort, and size_class from names. The family is the series in the name, the
        lineage its provider.

    Raises
    ------
    DataError
        If a file or column is missing, a score belongs to a model that ``models.csv`` does not
        have, or is not a number; and as `Scores.from_long`.

    Warns
    -----
    DataWarning
        Once, about what looks wrong but can be used.

    Examples
    --------
    >>> scores = pd.DataFrame({"model_id": ["o3", "gpt-5"], "score": [83.3, 85.7]})
    >>> scores.assign(benchmark_id="gpqa").to_csv("scores.csv", index=False)
    >>> models = pd.DataFrame({"model_id": ["o3", "gpt-5"], "provider": "OpenAI"})
    >>> models = models.assign(reasoning=1, open_weights=0, effort="n/a")
    >>> models.assign(release_date="2025-04-16").to_csv("models.csv", index=False)
    >>> ls.readers.read_benchpress(".").to_frame()["gpqa"].tolist()
    [0.833, 0.857]
    """
    return read_measurements(benchpress_measurements(path), benchmarks)


def benchpress_measurements(path: str | Path) -> Measurements:
    """Read the BenchPress matrix, and return it before it becomes `Scores`.

    Parameters
    ----------
    path
        As for `read_benchpress`.

    Returns
    -------
    Measurements
        Scores, models and declarations of benchmarks.

    Raises
    ------
    DataError
        As `read_benchpress`.

    Examples
    --------
    >>> scores = pd.DataFrame({"model_id": ["o3", "gpt-5"], "score": [83.3, 85.7]})
    >>> scores.assign(benchmark_id="gpqa").to_csv("scores.csv", index=False)
    >>> models = pd.DataFrame({"model_id": ["o3", "gpt-5"], "provider": "OpenAI"})
    >>> models = models.assign(reasoning=1, open_weights=0, effort="n/a")
    >>> models.assign(release_date="2025-04-16").to_csv("models.csv", index=False)
    >>> ls.readers.benchpress_measurements(".").cells[["model", "score"]].values.tolist()
    [['o3', 83.3], ['gpt-5', 85.7]]
    """
    scores = _table(path, "scores.csv", ("model_id", "benchmark_id", "score"))
    models, findings = _models(path)
    ids = {name: _ids(scores[name], path, name) for name in ("model_id", "benchmark_id")}
    unknown = sorted(set(ids["model_id"]) - set(models["model"]))
    if unknown:
        raise DataError(
            f"{path}: scores.csv has {len(unknown)} models that models.csv does not have: "
            f"{listed(unknown)}.{nearest(unknown[0], models['model'])}"
        )
    values, unread = to_numbers(scores["score"])
    if unread:
        row = unread[0]
        cell = shown_cell(scores["score"].iloc[row])
        raise DataError(
            f"{path}: scores.csv, row {row}, column score: {cell} is not a "
            f"number ({len(unread)} such cells). Correct it, or leave the cell empty."
        )
    _refuse_repeated(pd.DataFrame(ids)[~np.isnan(values)], path)
    cells = pd.DataFrame(
        {
            "model": ids["model_id"],
            "benchmark": ids["benchmark_id"],
            "score": values,
            "stderr": np.nan,
            "n_items": np.nan,
            "source": "",
        }
    ).dropna(subset="score")[list(CELLS)]
    cells, turned = _as_rates(cells)
    info, more = _declarations(cells)
    return Measurements(
        cells=cells.reset_index(drop=True),
        models=models[models["model"].isin(cells["model"])].reset_index(drop=True),
        benchmarks=info,
        features=("released", "open_weights", *name_features()),
        audit=Audit((*findings, *turned, *more)),
    )


def _refuse_repeated(ids: pd.DataFrame, path: str | Path) -> None:
    """Refuse several scores of a model on a benchmark: it is not known which one counts."""
    several = ids[ids.duplicated(keep=False)]
    if len(several):
        groups = several.groupby(["model_id", "benchmark_id"], sort=False).groups
        said = [f"{m} on {b} (rows {numbered(rows)})" for (m, b), rows in groups.items()]
        raise DataError(
            f"{path}: scores.csv has several scores of a model on a benchmark: {listed(said, 6)}. "
            "Keep one each."
        )


def benchpress_folds(path: str | Path) -> pd.DataFrame:
    """Read the published folds of hidden scores.

    Parameters
    ----------
    path
        The folder, as for `read_benchpress`.

    Returns
    -------
    pandas.DataFrame
        One row per hidden score: seed, fold, model, benchmark.

    Raises
    ------
    DataError
        If the file or one of its columns is missing.

    Examples
    --------
    >>> hidden = pd.DataFrame({"seed": [42], "fold": [0], "model_id": ["o3"]})
    >>> hidden.assign(benchmark_id="gpqa").to_csv("folds.csv", index=False)
    >>> ls.readers.benchpress_folds(".").shape
    (1, 4)
    """
    folds = _table(path, "folds.csv", ("seed", "fold", "model_id", "benchmark_id"))
    return folds.rename(columns={"model_id": "model", "benchmark_id": "benchmark"})[
        ["seed", "fold", "model", "benchmark"]
    ]


def _ids(column: pd.Series, path: str | Path, name: str) -> pd.Series:
    """Return ids as text without spaces at their ends; refuse empty ones."""
    ids = ["" if is_missing(cell) else str(cell).strip() for cell in column]
    if "" in ids:
        raise DataError(f"{path}: row {ids.index('')}, column {name}: empty. Every row needs one.")
    return pd.Series(ids, column.index, dtype=object)


def _table(path: str | Path, name: str, columns: Sequence[str]) -> pd.DataFrame:
    refuse_frame(
        path,
        "the folder of scores.csv and models.csv",
        "a frame of scores of your own is taken by Scores.from_long",
    )
    folder = expanded(path, DataError)
    if not folder.is_dir():
        raise DataError(
            f"{path}: there is no such folder. Give the folder of scores.csv and models.csv."
        )
    file = table_of_name(folder, name.removesuffix(".csv"))
    if file is None:
        have = listed(sorted(file.name for file in folder.iterdir()))
        raise DataError(f"{path}: no {name} in it; it has {have or 'no file'}.")
    table = read_table(file)
    absent = [column for column in columns if column not in table]
    if absent:
        raise DataError(
            f"{file}: the columns {listed(absent)} are missing; it has {listed(table.columns)}."
        )
    return table


def _models(path: str | Path) -> tuple[pd.DataFrame, list[Finding]]:
    table = _table(path, "models.csv", ("model_id",))
    ids = _ids(table["model_id"], path, "model_id")
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise DataError(f"{path}: models.csv has several rows of {listed(repeated)}. Keep one.")
    findings: list[Finding] = []
    models = pd.DataFrame({"model": ids})
    for old, new in (
        ("release_date", "released"),
        ("provider", "provider"),
        ("reasoning", "reasoning"),
        ("open_weights", "open_weights"),
    ):
        if old in table:
            models[new] = table[old]
    if "released" in models:
        dates = models["released"]
        models["released"] = [None if pd.isna(cell) else _date(cell) for cell in dates]
        vague = [str(old) for old, new in zip(dates, models["released"], strict=True) if new != old]
        vague = [text for text in vague if len(text.strip()) < len("2025-01-01") and text != "nan"]
        if vague:
            message = f"{len(vague)} dates name a year or a month alone: its middle was taken."
            findings.append(Finding("info", "dates-completed", "released", message))
    if "effort" in table:
        texts = ["" if pd.isna(cell) else str(cell) for cell in table["effort"]]
        levels = [effort_of(text) for text in texts]
        models["effort"] = [None if level == UNSTATED else level for level in levels]
        unlike = {t: lv for t, lv in zip(texts, levels, strict=True) if t and t.casefold() != lv}
        if unlike:
            said = listed([f"{text} as {level}" for text, level in unlike.items()], 12)
            message = f"efforts were read as levels: {said}."
            findings.append(Finding("info", "effort-read", "effort", message))
    models, named = with_names(models)
    return models, [*findings, *named]


def _date(cell: object) -> str:
    """Return a date as text; a year or a month alone becomes its middle."""
    text = f"{cell:g}" if isinstance(cell, float) else str(cell).strip()
    if re.fullmatch(r"\d{4}", text):
        return f"{text}-07-01"
    return f"{text}-15" if re.fullmatch(r"\d{4}-\d{2}", text) else text


def _as_rates(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Return scores with shares of correct claims turned into rates of wrong ones, and which."""
    larger = (cells["score"] > _HIGHEST_RATE) & (cells["score"] <= 100.0)
    share = cells["benchmark"].isin(_LOWER) & larger
    findings = []
    for name, some in cells[share].groupby("benchmark", sort=False):
        message = (
            f"mixes directions: {len(some)} scores above {_HIGHEST_RATE:g} "
            f"({listed(list(some['model']))}) are taken as shares of correct claims and read as "
            "100 minus the score, a hallucination rate like the others. If one of them is a rate, "
            "leave the benchmark out."
        )
        findings.append(Finding("warning", "mixed-directions", str(name), message))
    return cells.assign(score=cells["score"].where(~share, 100.0 - cells["score"])), findings


def _declarations(cells: pd.DataFrame) -> tuple[dict[str, Benchmark], list[Finding]]:
    """Return a declaration of each benchmark, and findings on those that are not percentages."""
    info: dict[str, Benchmark] = {}
    other: list[str] = []
    findings = []
    for name, scores in cells.groupby("benchmark", sort=False)["score"]:
        info[name] = _declared(str(name), float(scores.min()), float(scores.max()))
        if info[name].scale == "real" and name not in _UNBOUNDED:
            other.append(f"{name} ({scores.min():g} to {scores.max():g})")
        if name in _MIXED and scores.min() <= 1 < scores.max():
            count = int((scores <= 1).sum())
            message = (
                f"mixes units: {count} scores of at most 1 are edit distances and "
                f"{len(scores) - count} are percentages. They are kept as positive numbers; their "
                "forecasts mean little, so drop the benchmark or convert its scores."
            )
            findings.append(Finding("warning", "mixed-units", str(name), message))
    most = cells.groupby("benchmark", sort=False)["score"].max()
    tiny = [n for n, b in info.items() if b.scale == "percent" and 0 < most[n] <= 1]
    if tiny:
        message = (
            f"no score is above 1 on {len(tiny)} benchmarks, which are read as percentages: "
            f"{listed(tiny)}. If they are fractions, multiply them by 100, or say so with "
            "benchmarks=."
        )
        findings.append(Finding("warning", "scores-tiny", "benchmarks", message))
    lower = [name for name, benchmark in info.items() if benchmark.lower_is_better]
    if lower:
        message = f"lower is better on {len(lower)} benchmarks: {listed(lower)}."
        findings.append(Finding("info", "lower-is-better", "benchmarks", message))
    if other:
        message = (
            f"{len(other)} benchmarks that are not known leave 0 to 100 and are taken as real: "
            f"{listed(other)}. Say otherwise with benchmarks=."
        )
        findings.append(Finding("warning", "scale-assumed", "benchmarks", message))
    return info, findings


def _declared(name: str, low: float, high: float) -> Benchmark:
    group = group_of(name)
    if name in _UNBOUNDED:
        scale, unit = _UNBOUNDED[name]
        return Benchmark(scale=scale, unit=unit, group=group, suite=SUITE)
    if name in _MIXED and high > 1:
        return Benchmark(scale="positive", group=group, suite=SUITE)
    if name in _DISTANCES or name in _MIXED:
        return Benchmark(lower_is_better=True, unit="edit distance", group=group, suite=SUITE)
    if name in _LOWER:
        return Benchmark(scale="percent", lower_is_better=True, group=group, suite=SUITE)
    floor = 100 * guessing(name)
    if not floor and (low < 0 or high > 100):
        return Benchmark(scale="real", group=group, suite=SUITE)
    return Benchmark(scale="percent", floor=floor, group=group, suite=SUITE)
