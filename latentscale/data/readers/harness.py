"""Result files of lm-evaluation-harness, of every version, and of the leaderboard's v1 archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding, emit
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark
from latentscale.data.readers.metadata import scores_with_metadata
from latentscale.data.readers.runs import Run, read_run
from latentscale.data.readers.tasks import HARNESS_TASKS, HarnessTask
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed, nearest

_COLUMNS: Final = (
    "model",
    "benchmark",
    "score",
    "task",
    "metric",
    "n_shot",
    "n_items",
    "file",
)


def harness_table(
    folder: str | Path, *, tasks: Mapping[str, HarnessTask] | None = None
) -> pd.DataFrame:
    """Read the result files of lm-evaluation-harness below a folder.

    Parameters
    ----------
    folder
        Folder that holds ``results*.json`` files at any depth (or other ``.json`` files, if none
        is named so), or one such file. Files of
        lm-evaluation-harness 0.3 (metrics named ``acc``) and 0.4 (``acc,none``), and of the
        archive of the Open LLM Leaderboard v1 (tasks named ``harness|arc:challenge|25``).
    tasks
        Where further benchmarks stand in the files, or where known ones do instead of as in
        `HARNESS_TASKS`; by benchmark.

    Returns
    -------
    pandas.DataFrame
        One row a model and benchmark, the latest run of each: model, benchmark, score
        (fraction), task, metric, n_shot, n_items (NaN where the file does not say) and file. A
        model's checkpoint that was named as a revision is a model of its own, ``model@revision``.

    Raises
    ------
    DataError
        If there is no result file, or a file is malformed, names no model, or has none of the
        metrics wanted for a task; the file is named.

    Warns
    -----
    DataWarning
        Once, about runs cut short, mixed numbers of examples, and groups that lack subtasks.
    """
    table, findings = _collected(Path(folder), _wanted(tasks))
    emit(findings, about="Result files were read")
    return table


def read_harness(
    folder: str | Path,
    metadata: pd.DataFrame,
    *,
    tasks: Mapping[str, HarnessTask] | None = None,
    drop_unmatched: bool = False,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from result files of lm-evaluation-harness, joined with metadata.

    Parameters
    ----------
    folder, tasks
        As for `harness_table`.
    metadata
        What the files do not say: columns ``model``, ``family``, ``params_b`` (billions),
        ``tokens_t`` (trillions, empty if undisclosed), optionally ``lineage``, ``instruct``,
        ``released``. Models are named as in the files, or by the part after the last slash.
    drop_unmatched
        Leave out models that the metadata lacks instead of refusing.
    benchmarks
        As for `Scores.from_frame`.

    Returns
    -------
    Scores
        Its audit also says what was found in the files. A benchmark unknown to the package has
        floor 0 and the item count of the files, unless `benchmarks` says otherwise.

    Raises
    ------
    DataError
        As `harness_table` and `Scores.from_frame`, and if models lack metadata.

    Warns
    -----
    DataWarning
        As `Scores.from_frame`.
    """
    table, findings = _collected(Path(folder), _wanted(tasks))
    wide = table.pivot(index="model", columns="benchmark", values="score")
    order = list(dict.fromkeys(table["benchmark"]))
    wide = wide.loc[list(dict.fromkeys(table["model"])), order].reset_index()
    wide.columns.name = None
    return scores_with_metadata(
        wide,
        metadata,
        findings,
        drop_unmatched=drop_unmatched,
        benchmarks={**_counted(table), **(benchmarks or {})},
    )


def _wanted(tasks: Mapping[str, HarnessTask] | None) -> dict[str, HarnessTask]:
    for name, task in (tasks or {}).items():
        if not isinstance(task, HarnessTask):
            raise DataError(
                f'tasks["{name}"] must be a HarnessTask, such as HarnessTask(("humaneval",), '
                f'("pass@1,create_test",)); got {task!r}.'
            )
    return {**HARNESS_TASKS, **(tasks or {})}


def _collected(
    folder: Path, tasks: Mapping[str, HarnessTask]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the latest score of each model and benchmark, and findings on all runs."""
    runs = sorted((read_run(path) for path in _files(folder)), key=lambda run: run.date)
    rows, findings = [], []
    for run in runs:
        for benchmark, task in tasks.items():
            found, finding = _score(run, benchmark, task)
            rows += [found] if found is not None else []
            findings += [finding] if finding is not None else []
    if not rows:
        seen = sorted({name for run in runs for name in run.figures})
        hint = nearest(seen[0], [t for task in tasks.values() for t in task.tasks]) if seen else ""
        raise DataError(
            f"{folder}: no task there is a benchmark known here. The files hold {listed(seen)}."
            f"{hint} Say which figure is a benchmark with "
            'tasks={"name": HarnessTask(("task",), ("metric",))}.'
        )
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    latest = table.drop_duplicates(["model", "benchmark"], keep="last")
    findings += _superseded(table, latest) + _mixed_shots(latest) + _unread(runs, tasks)
    order = {name: place for place, name in enumerate(tasks)}
    latest = latest.sort_values(
        ["model", "benchmark"], key=lambda c: c.map(order) if c.name == "benchmark" else c
    )
    return latest.reset_index(drop=True), findings


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder or file. Check the path.")
    # The harness takes another name from --output_path if that ends in .json.
    paths = list(folder.rglob("results*.json")) or list(folder.rglob("*.json"))
    if not paths:
        raise DataError(
            f"{folder}: no result file (results*.json) in it or below. Give the folder that "
            "lm_eval wrote with --output_path."
        )
    return sorted(paths)


def _score(
    run: Run, benchmark: str, task: HarnessTask
) -> tuple[dict[str, object] | None, Finding | None]:
    """Return one run's row of a benchmark, None if the run does not have it."""
    for name in task.tasks:
        figures = run.figures.get(name)
        if figures:
            value, metric = _figure(run, name, task)
            return _row(run, benchmark, value, name, metric, run.groups.get(name) or (name,))
    for parts in task.parts:
        there = [part for part in parts if run.figures.get(part)]
        if len(there) == len(parts):
            found = [_figure(run, part, task) for part in parts]
            weights = [run.items.get(part, (np.nan, np.nan))[0] for part in parts]
            weights = [1.0] * len(parts) if np.isnan(weights).any() else weights
            value = float(np.average([value for value, _ in found], weights=weights))
            name = f"mean of {len(parts)} subtasks"
            return _row(run, benchmark, value, name, found[0][1], parts)
        if there:
            lacking = [part for part in parts if part not in there]
            message = (
                f"{run.model}: {len(there)} of {len(parts)} subtasks are there, so no score was "
                f"made of them; lacking are {listed(lacking, 4)} ({run.path})."
            )
            return None, Finding("warning", "partial-benchmark", benchmark, message)
    return None, None


def _figure(run: Run, name: str, task: HarnessTask) -> tuple[float, str]:
    """Return the figure of a task that is wanted, and the name of its metric."""
    figures = run.figures[name]
    wanted = [metric if "," in metric else f"{metric},none" for metric in task.metrics]
    if task.average and all(metric in figures for metric in wanted):
        value = float(np.mean([figures[metric] for metric in wanted]))
        return value, "mean of " + " and ".join(task.metrics)
    for metric, key in zip(task.metrics, wanted, strict=True):
        if key in figures and not task.average:
            return figures[key], metric
    raise DataError(
        f'{run.path}: task "{name}" has no {"complete " if task.average else ""}figure '
        f"{listed(task.metrics)}; it has {listed(figures)}. Say which one to take with "
        'tasks={"benchmark": HarnessTask(("task",), ("metric",))}.'
    )


def _row(
    run: Run, benchmark: str, value: float, name: str, metric: str, parts: tuple[str, ...]
) -> tuple[dict[str, object], Finding | None]:
    counted = [run.items[part] for part in parts if part in run.items]
    whole = len(counted) == len(parts)
    shots = {run.shots[part] for part in parts if part in run.shots}
    row = {
        "model": run.model,
        "benchmark": benchmark,
        "score": value,
        "task": name,
        "metric": metric,
        "n_shot": float(shots.pop()) if len(shots) == 1 else np.nan,
        "n_items": float(sum(done for done, _ in counted)) if whole else np.nan,
        "file": str(run.path),
    }
    done, there = (sum(pair[k] for pair in counted) for k in (0, 1))
    if done < there or run.limited:
        size = f" ({done:g} of {there:g} items)" if done < there else ""
        message = (
            f"{run.model}: the run was cut short by --limit{size}, so its score is noisier than "
            f"the others' ({run.path})."
        )
        return row, Finding("warning", "limited-run", benchmark, message)
    return row, None


def _superseded(table: pd.DataFrame, latest: pd.DataFrame) -> list[Finding]:
    older = table.drop(latest.index)
    if older.empty:
        return []
    named = listed(
        [f"{m} on {b}" for m, b in older[["model", "benchmark"]].drop_duplicates().values]
    )
    message = f"{len(older)} scores of earlier runs were passed over for later ones: {named}."
    return [Finding("info", "superseded-run", "rows", message)]


def _mixed_shots(table: pd.DataFrame) -> list[Finding]:
    findings = []
    for name, rows in table.groupby("benchmark", sort=False):
        counts = rows["n_shot"].dropna().value_counts()
        if len(counts) > 1:
            said = ", ".join(f"{shots:g} ({count} models)" for shots, count in counts.items())
            message = (
                f"models were given different numbers of examples: {said}. Such scores do not "
                "compare; run them alike, or drop some."
            )
            findings.append(Finding("warning", "mixed-shots", str(name), message))
    return findings


def _unread(runs: list[Run], tasks: Mapping[str, HarnessTask]) -> list[Finding]:
    used = {name for task in tasks.values() for name in (*task.tasks, *sum(task.parts, ()))}
    groups = {group for run in runs for group in run.groups}
    unread = sorted({name for run in runs for name in run.figures} - used - groups)
    if not unread:
        return []
    message = (
        f"{len(unread)} tasks were not read: {listed(unread)}. To read one, say which figure is "
        'its score with tasks={"name": HarnessTask(("task",), ("metric",))}.'
    )
    return [Finding("info", "unread-tasks", "tasks", message)]


def _counted(table: pd.DataFrame) -> dict[str, Benchmark]:
    """Return item counts of the benchmarks that only the files describe."""
    counts = table.groupby("benchmark")["n_items"].agg(["min", "max"])
    return {
        str(name): Benchmark(n_items=int(low), basis="items counted by lm-evaluation-harness")
        for name, (low, high) in counts.iterrows()
        if name not in KNOWN_BENCHMARKS and low == high and low >= 1
    }
