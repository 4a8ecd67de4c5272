"""LiveBench's public tables: one CSV file per release, with one column per task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import is_aggregate
from latentscale.data.columns import is_missing
from latentscale.data.frames import AnyFrame, as_pandas, is_frame
from latentscale.data.problems import shown_cell
from latentscale.data.readers.cells import to_numbers, with_text_names
from latentscale.data.readers.documents import read_document
from latentscale.data.readers.measurements import (
    CELLS,
    Measurements,
    name_features,
    read_measurements,
    with_names,
)
from latentscale.data.readers.model_names import day_of
from latentscale.data.readers.parquet import read_table, tables_below
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed, nearest
from latentscale.files import expanded

SUITE: Final = "LiveBench"
Level = Literal["task", "category"]

_TABLE: Final = re.compile(r"table_(\d{4}_\d{2}_\d{2})\.(?:csv|parquet|pq)")
_CATEGORIES: Final[Mapping[str, str]] = {
    "Reasoning": """theory_of_mind zebra_puzzle spatial logic_with_navigation web_of_lies_v2
    web_of_lies_v3""",
    "Coding": "code_generation code_completion LCB_generation coding_completion",
    "Agentic Coding": "javascript typescript python",
    "Mathematics": "AMPS_Hard integrals_with_game math_comp olympiad",
    "Data Analysis": "consecutive_events tablejoin tablereformat cta",
    "Language": "connections plot_unscrambling typos",
    "IF": "paraphrase simplify story_generation summarize",
}
"""Tasks by category in the releases of 2024 to 2026, for tables without a file of categories."""
_FRAME: Final = "This table"
"""What messages call a table without a file."""
_INDEX: Final = re.compile(r"(Unnamed: \d+)?")
"""Names of columns that hold the row numbers of a table saved by pandas."""
_LARGEST: Final = 100.0
"""Scores are percentages."""


def read_livebench(
    path: str | Path | AnyFrame,
    *,
    release: str | None = None,
    level: Level = "task",
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from one of LiveBench's public tables.

    Parameters
    ----------
    path
        A file ``table_2025_05_30.csv`` of LiveBench's website (or Parquet, by its ending); a folder
        with such files, of which the latest is taken; or a frame of such a table (pandas, polars,
        arrow, ...). It has a column ``model``, and the others are tasks; scores are percentages,
        empty where not measured. Categories come from a file ``categories_2025_05_30.json`` next to
        it, an object of tasks by category, or else from the known tasks.
    release
        The day of the release to take from a folder, as ``"2025-05-30"``. With a frame, which has
        no file name, the release of its scores.
    level
        ``"task"`` for one benchmark per task, grouped by category; ``"category"`` for the mean of
        a category's tasks that a model has, as on the website.
    benchmarks
        Declarations that take precedence, by benchmark.

    Returns
    -------
    Scores
        Fractions (91.0 is read as 0.91). The table describes models only by their names. These give
        family, provider, which is also the lineage, reasoning, effort, size_class and, if a name
        states a day, released; the audit counts them.

    Raises
    ------
    DataError
        If the file or release does not exist, the table does not have columns of models and tasks,
        a cell is not a number from 0 to 100, or all are 1 or less; and as `Scores.from_long`.

    Warns
    -----
    DataWarning
        Once, about what looks wrong but can be used.

    Notes
    -----
    The format is that of the tables of 2024-06-24, 2024-11-25, 2025-05-30 and 2026-06-25 and the
    categories of 2024-07-26 and 2025-11-25; other releases are assumed to have it. Tables of costs
    (``cost_2026_01_08.csv``) have the same columns and are refused by name. Releases differ in
    their questions, so one release is read at a time.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["o3-high", "gpt-5"], "zebra_puzzle": [91.0, 93.5]})
    >>> table.to_csv("table_2025_05_30.csv", index=False)
    >>> ls.readers.read_livebench(".").to_frame()["zebra_puzzle"].tolist()
    [0.91, 0.935]
    """
    return read_measurements(livebench_measurements(path, release=release, level=level), benchmarks)


def livebench_measurements(
    path: str | Path | AnyFrame, *, release: str | None = None, level: Level = "task"
) -> Measurements:
    """Read one of LiveBench's public tables, and return it before it becomes `Scores`.

    Parameters
    ----------
    path, release, level
        As for `read_livebench`.

    Returns
    -------
    Measurements
        Scores, models and declarations of benchmarks.

    Raises
    ------
    DataError
        As `read_livebench`.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["o3-high", "gpt-5"], "zebra_puzzle": [91.0, 93.5]})
    >>> table.to_csv("table_2025_05_30.csv", index=False)
    >>> ls.readers.livebench_measurements(".").cells["score"].tolist()
    [91.0, 93.5]
    """
    if level not in ("task", "category"):
        raise DataError(f'level="{level}" is not known; allowed are "task" and "category".')
    if release is not None and not isinstance(release, str):
        raise DataError(f'release= is the day of a release, as "2025-05-30"; got {release!r}.')
    if is_frame(path):
        file, table = None, as_pandas(path, _FRAME)
        source = (release or "").replace("-", "_")
    else:
        file = _file(path, release)
        table, source = read_table(file), file.stem.removeprefix("table_")
    what = str(file or _FRAME)
    table = with_text_names(table, what)
    if "model" not in table or len(table.columns) < 2:
        raise DataError(
            f'{what}: not a LiveBench table. These have a column "model" and one per task; this '
            f"has {listed(table.columns)}."
        )
    table = _named(table, what)
    repeated = table["model"][table["model"].duplicated()]
    if len(repeated):
        raise DataError(f"{what}: models with several rows: {listed(repeated)}. Keep one each.")
    means = [str(name) for name in table.columns if is_aggregate(str(name))]
    tasks = [name for name in table.columns if name != "model" and str(name) not in means]
    wide = pd.DataFrame({name: _percentages(table, name, what) for name in tasks})
    _refuse_fractions(wide, what)
    category_of, findings = _categories(file, tasks)
    findings += _left_out(means) + _tiny(wide)
    if level == "category":
        wide, category_of = _by_category(wide, category_of, what), {}
    wide.insert(0, "model", table["model"])
    cells = wide.melt(id_vars="model", var_name="benchmark", value_name="score")
    cells = cells.dropna(subset="score").assign(stderr=np.nan, n_items=np.nan, source=source)
    models = pd.DataFrame({"model": list(dict.fromkeys(cells["model"]))})
    models["released"] = [day_of(name) for name in models["model"]]
    dated = int(models["released"].notna().sum())
    message = f"{dated} of {len(models)} names state a day, which is taken as the release date."
    findings.append(Finding("info", "dates-from-names", "released", message))
    models, named = with_names(models)
    names = dict.fromkeys(cells["benchmark"])
    return Measurements(
        cells=cells[list(CELLS)].reset_index(drop=True),
        models=models,
        benchmarks={
            name: Benchmark(scale="percent", group=category_of.get(name, ""), suite=SUITE)
            for name in names
        },
        features=("released", *name_features()),
        audit=Audit((*findings, *named)),
    )


def _by_category(wide: pd.DataFrame, category_of: Mapping[str, str], what: str) -> pd.DataFrame:
    """Return the mean of the tasks of each category that a model has."""
    if not category_of:
        raise DataError(
            f"{what}: no task has a category that is known, so there is none to average. Read it "
            'with level="task".'
        )
    tasks: dict[str, list[str]] = {}
    for task, category in category_of.items():
        tasks.setdefault(category, []).append(task)
    return pd.DataFrame({category: wide[names].mean(axis=1) for category, names in tasks.items()})


def is_livebench(file: Path) -> bool:
    """Return whether a file is named as LiveBench names its tables."""
    return _TABLE.fullmatch(file.name) is not None


def _file(path: object, release: str | None) -> Path:
    """Return the table to read: the file itself, or a folder's latest or requested release."""
    where = expanded(path, DataError)
    if not where.exists():
        raise DataError(f"{path}: there is no such file or folder. Check the path.")
    if where.is_file():
        if where.name.startswith("cost_"):
            raise DataError(f"{path}: a table of costs; give the table of scores, table_*.csv.")
        match = _TABLE.fullmatch(where.name)
        if release is not None and (match is None or match[1].replace("_", "-") != release):
            raise DataError(
                f'{path}: not named as the table of the release "{release}". Give the folder with '
                "the releases, or leave release= out."
            )
        return where
    files = {}
    for file in tables_below(where, "table_*"):
        match = _TABLE.fullmatch(file.name)
        if match:
            files[match[1].replace("_", "-")] = file
    if not files:
        raise DataError(
            f"{path}: no table of LiveBench (table_2025_05_30.csv and the like) in it or below."
        )
    if release is not None and release not in files:
        raise DataError(
            f'{path}: no table of the release "{release}".{nearest(release, files)} It has '
            f"{listed(files, 20)}."
        )
    return files[release or max(files)]


def _named(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the table with names as text without spaces at their ends, without a row index.

    Rows are renumbered, because scores and names are joined by row.
    """
    table = table.reset_index(drop=True)
    names = ["" if is_missing(cell) else str(cell).strip() for cell in table["model"]]
    if "" in names:
        raise DataError(
            f'{what}: row {names.index("")}, column "model": empty. Every row names a model.'
        )
    index = [name for name in table.columns if _INDEX.fullmatch(str(name))]
    return table.drop(columns=index).assign(model=pd.Series(names, table.index, dtype=object))


def _refuse_fractions(wide: pd.DataFrame, what: str) -> None:
    """Refuse a table without scores, or whose scores are all at most 1, which are fractions."""
    highest = np.nanmax(wide.to_numpy(dtype=float), initial=-np.inf)
    if not np.isfinite(highest):
        raise DataError(f"{what}: no score in it.")
    if 0 < highest <= 1:
        raise DataError(
            f"{what}: no score is above {highest:g}, and LiveBench's are percentages from 0 to "
            "100. If they are fractions, multiply them by 100."
        )


def _left_out(means: Sequence[str]) -> list[Finding]:
    message = f"columns that are means or indices of others were left out: {listed(means)}."
    return [Finding("info", "ignored-column", "columns", message)] if means else []


def _tiny(wide: pd.DataFrame) -> list[Finding]:
    """Find tasks whose scores look like fractions in a table of percentages."""
    tiny = [str(name) for name, scores in wide.items() if 0 < scores.max() <= 1]
    if not tiny:
        return []
    message = (
        f"no score is above 1 on {listed(tiny)}, which are read as percentages. If they are "
        "fractions, multiply them by 100."
    )
    return [Finding("warning", "scores-tiny", "benchmarks", message)]


def _percentages(table: pd.DataFrame, name: str, what: str) -> np.ndarray:
    values, unread = to_numbers(table[name])
    outside = np.flatnonzero((values < 0) | (values > _LARGEST)).tolist()
    bad = [*unread, *outside]
    if bad:
        row = bad[0]
        raise DataError(
            f'{what}: row {row} (model "{table["model"].iloc[row]}"), column "{name}": '
            f"{shown_cell(table[name].iloc[row])}. Scores are percentages from 0 to 100; "
            "correct it, or leave the cell empty."
        )
    return values


def _categories(file: Path | None, tasks: list[str]) -> tuple[dict[str, str], list[Finding]]:
    """Return the category of each task that has one, and findings on those without."""
    name = file.name.replace("table_", "categories_") if file else ""
    beside = file.with_name(name).with_suffix(".json") if file else None
    if beside is not None and beside.is_file() and beside != file:
        document = read_document(beside)
        if not isinstance(document, dict) or not all(
            isinstance(names, list) for names in document.values()
        ):
            raise DataError(f"{beside}: must be an object with a list of tasks a category.")
        category_of = {str(task): str(c) for c, names in document.items() for task in names}
        source = beside.name
    else:
        category_of = {task: c for c, names in _CATEGORIES.items() for task in names.split()}
        source = "the known tasks"
    bare = [task for task in tasks if task not in category_of]
    known = {task: category_of[task] for task in tasks if task in category_of}
    message = f"categories of {len(known)} tasks are those of {source}."
    findings = [Finding("info", "categories", "benchmarks", message)]
    if bare:
        message = f"{len(bare)} tasks have no category: {listed(bare)}."
        findings.append(Finding("warning", "task-without-category", "benchmarks", message))
    return known, findings
