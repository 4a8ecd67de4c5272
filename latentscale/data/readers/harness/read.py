"""Result files of lm-evaluation-harness, of every version, and of the leaderboard's v1 archive."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from latentscale.data.audit import SET_ASIDE, Finding, emit
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark
from latentscale.data.frames import as_pandas
from latentscale.data.readers.documents import read_document
from latentscale.data.readers.harness.benchmarks import assumed, described_by_files
from latentscale.data.readers.harness.candidates import Candidate, pool
from latentscale.data.readers.harness.choice import chosen
from latentscale.data.readers.harness.runs import Run, holds_results, read_run, run_of
from latentscale.data.readers.harness.settings import settings_text
from latentscale.data.readers.harness.tasks import HARNESS_TASKS, HarnessTask
from latentscale.data.readers.harness.unknown import unknown_tasks
from latentscale.data.readers.metadata import scores_with_metadata
from latentscale.data.readers.revisions import (
    TokensPerStep,
    checked_tokens,
    checkpoint_metadata,
    models_from_names,
)
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed
from latentscale.files import expanded

_COLUMNS: Final = (
    "model",
    "benchmark",
    "score",
    "task",
    "metric",
    "stderr",
    "n_shot",
    "n_items",
    "file",
    "settings",
)

_PACKED: Final = re.compile(r"\.json\.(gz|bz2|xz|zst|zip)$", re.IGNORECASE)
"""Endings of compressed result files."""


def harness_table(
    folder: str | Path, *, tasks: Mapping[str, HarnessTask] | None = None
) -> pd.DataFrame:
    """Read the result files of lm-evaluation-harness in a folder and its subfolders.

    Parameters
    ----------
    folder
        Folder that holds result files at any depth (``results*.json``, or other ``.json`` files
        with the same layout), or one such file. Files may come from lm-evaluation-harness 0.3
        (metrics named ``acc``) and 0.4 (``acc,none``), and from the archive of the Open LLM
        Leaderboard v1 (tasks named ``harness|arc:challenge|25``).
    tasks
        Which figures are benchmarks, by benchmark, in addition to `HARNESS_TASKS` or instead of
        them. Any other task whose metrics include an accuracy or another fraction is a benchmark
        with its own name, scored by ``acc_norm`` if most runs have it, else by ``acc``,
        ``exact_match`` and the like. A task with ``pass@k`` for several k is one benchmark for each
        k: ``"humaneval"`` for the first attempt and ``"humaneval pass@10"`` for ten.

    Returns
    -------
    pandas.DataFrame
        One row per model and benchmark: model, benchmark, score (fraction), task, metric, stderr
        (of the score, NaN if the file has none, as for the mean of two metrics), n_shot, n_items
        (NaN if the file does not state it), file (several are separated by ``"; "``) and settings
        (such as ``"chat template"``). A checkpoint that was named as a revision is a separate
        model, ``model@revision``. If a model has several runs, runs that were not quantised take
        precedence over quantised ones, then runs under the settings (chat template, system
        instruction, sampled answers by ``gen_kwargs``) of most of its benchmarks; under the same
        settings, complete runs take precedence over those cut by ``--limit``, then the latest.

    Raises
    ------
    DataError
        If there is no readable result file, or one has none of the desired metrics of a task;
        the file is named.

    Warns
    -----
    DataWarning
        Once, about files in a folder that are malformed or do not name a model and were set aside,
        about assumptions on tasks unknown to the package, and about runs that were cut short, are
        undated or incomplete, or differ in settings or numbers of examples.

    Examples
    --------
    >>> import json, os
    >>> os.makedirs("results/org__a-1b")
    >>> figures = {"gsm8k": {"exact_match,strict-match": 0.4}}
    >>> run = {"results": figures, "model_name": "org/a-1b", "date": 1.7e9}
    >>> with open("results/org__a-1b/results_2024-05-01.json", "w") as file:
    ...     json.dump(run, file)
    >>> ls.readers.harness_table("results")[["model", "benchmark", "score"]].values.tolist()
    [['org/a-1b', 'gsm8k', 0.4]]
    """
    table, findings = table_and_findings(folder, tasks)
    emit(findings, about="Result files were read")
    return table


def table_and_findings(
    folder: str | Path, tasks: Mapping[str, HarnessTask] | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Do what `harness_table` does, without issuing a warning."""
    rows, findings = _collected(expanded(folder, DataError), tasks, ())
    return _table(rows), findings


def read_harness(
    folder: str | Path,
    metadata: pd.DataFrame | None = None,
    *,
    tasks: Mapping[str, HarnessTask] | None = None,
    tokens_per_step: TokensPerStep | None = None,
    drop_unmatched: bool = False,
    set_aside: bool = False,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from result files of lm-evaluation-harness, joined with metadata if given.

    Parameters
    ----------
    folder, tasks
        As for `harness_table`.
    metadata
        What the files do not state: columns ``model``, ``family``, ``params_b`` (billions),
        ``tokens_t`` (trillions, empty if undisclosed), optionally ``lineage``, ``instruct``,
        ``released``. Models are named as in the files, or by the part after the last slash. A
        checkpoint (``model@step3000``) may have its own row; otherwise it has its model's row, with
        the tokens that it has seen. Without metadata, families, lineages and sizes are read from
        names, which the audit counts; the checkpoints of a model are a family of their own.
    tokens_per_step
        Tokens of one training step, one number or by model, for checkpoints without a row; not
        needed for revisions such as ``step1000-tokens4B``.
    drop_unmatched
        Leave out models that are not in the metadata instead of refusing.
    set_aside
        Leave out every row that cannot be used (no metadata, an empty family, a size that is not a
        number, a score outside its range) instead of refusing; the audit has one finding
        ``set-aside`` per model, with the reason.
    benchmarks
        As for `Scores.from_frame`.

    Returns
    -------
    Scores
        The audit includes findings on the files. A benchmark unknown to the package has the item
        count of the files, and the floor that follows from its task's number of choices if the name
        gives it, else 0; `benchmarks` overrides this. Scores of runs cut short by ``--limit`` keep
        their own item counts, and all scores keep the standard errors in the files.

    Raises
    ------
    DataError
        As `harness_table` and `Scores.from_frame`, and if models are not in the metadata.

    Warns
    -----
    DataWarning
        As `Scores.from_frame`.

    Examples
    --------
    >>> import json, os
    >>> os.makedirs("results/org__a-1b")
    >>> figures = {"gsm8k": {"exact_match,strict-match": 0.4}}
    >>> run = {"results": figures, "model_name": "org/a-1b", "date": 1.7e9}
    >>> with open("results/org__a-1b/results_2024-05-01.json", "w") as file:
    ...     json.dump(run, file)
    >>> known = pd.DataFrame({"model": ["org/a-1b"], "family": ["a"], "params_b": [1.0]})
    >>> ls.readers.read_harness("results", known).benchmarks
    ('gsm8k',)
    """
    checked_tokens(tokens_per_step)
    rows, findings = _collected(expanded(folder, DataError), tasks, benchmarks or {})
    table = _table(rows)
    wide = table.pivot(index="model", columns="benchmark", values="score")
    order = list(dict.fromkeys(table["benchmark"]))
    wide = wide.loc[list(dict.fromkeys(table["model"])), order].reset_index()
    wide.columns.name = None
    if metadata is None:
        metadata, more = models_from_names(wide["model"].tolist(), tokens_per_step)
        findings += more
    else:
        metadata = _with_checkpoints(wide["model"].tolist(), metadata, tokens_per_step)
    described = {**described_by_files(rows), **(benchmarks or {})}
    return scores_with_metadata(
        wide,
        metadata,
        findings,
        drop_unmatched=drop_unmatched,
        set_aside=set_aside,
        benchmarks=described,
        n_items=_own_items(rows, described, benchmarks or {}),
        stderr=_own_errors(table),
    )


def _with_checkpoints(
    models: Sequence[str], metadata: pd.DataFrame, tokens_per_step: TokensPerStep | None
) -> pd.DataFrame:
    """Return metadata with rows of checkpoints; unchanged if it has no column of models."""
    frame = as_pandas(metadata, "This table of metadata")
    if "model" not in frame:
        return metadata
    return checkpoint_metadata(models, frame, tokens_per_step)


def _own_errors(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the standard errors of scores, one row per model; None if the files have none."""
    known = table[table["stderr"].notna()]
    if known.empty:
        return None
    wide = known.pivot(index="model", columns="benchmark", values="stderr").reset_index()
    wide.columns.name = None
    return wide


def _wanted(tasks: Mapping[str, HarnessTask] | None) -> dict[str, HarnessTask]:
    for name, task in (tasks or {}).items():
        if not isinstance(task, HarnessTask):
            raise DataError(
                f'tasks["{name}"] must be a HarnessTask, such as HarnessTask(("humaneval",), '
                f'("pass@1,create_test",)); got {task!r}.'
            )
    return {**HARNESS_TASKS, **(tasks or {})}


def _collected(
    folder: Path, tasks: Mapping[str, HarnessTask] | None, described: Collection[str]
) -> tuple[list[Candidate], list[Finding]]:
    """Return the score of each model and benchmark that counts, and findings on all runs."""
    known = _wanted(tasks)
    runs, findings = _runs(folder)
    others, left_out = unknown_tasks(runs, known)
    pooled = pool(runs, {**known, **others})
    rows, more = chosen(pooled)
    order = {name: place for place, name in enumerate([*known, *sorted(others)])}
    rows.sort(key=lambda row: (row.model, order[row.benchmark]))
    scored = {(row.model, row.benchmark) for row in rows}
    measured = {(candidate.model, candidate.benchmark) for candidate in pooled.candidates}
    wrong = {
        cell: message
        for cell, message in pooled.unfit.items()
        if cell[1] in known and cell not in measured
    }
    if wrong and not rows:
        raise DataError(next(iter(wrong.values())))
    findings += [
        Finding("warning", SET_ASIDE, f"{model} on {benchmark}", f"the score was set aside: {said}")
        for (model, benchmark), said in wrong.items()
    ]
    unfit = {cell: said for cell, said in pooled.unfit.items() if cell not in scored}
    findings += [*more, *left_out, *assumed(rows, others, described)]
    findings += [*_mixed_shots(_table(rows)), *_other_metrics(unfit, others), *_outside(rows)]
    if not rows:
        seen = sorted({name for run in runs for name in run.figures})
        said = " ".join(f.message for f in findings if f.level == "warning")
        remedy = 'Say which figure is a benchmark with tasks={"name": HarnessTask(("task",), '
        remedy = "" if "tasks={" in said else f'{remedy}("metric",))}}.'
        message = f"{folder}: no task there can be read as a benchmark. The files hold "
        message += f"{listed(seen)}. {said or 'None of them has a figure.'} {remedy}"
        raise DataError(message.rstrip())
    return rows, findings


def _table(rows: list[Candidate]) -> pd.DataFrame:
    cells = [
        (
            row.model,
            row.benchmark,
            row.score,
            row.task,
            row.metric,
            row.stderr,
            row.n_shot,
            row.done,
            "; ".join(row.files),
            settings_text(row.settings),
        )
        for row in rows
    ]
    return pd.DataFrame(cells, columns=list(_COLUMNS))


def _runs(folder: Path) -> tuple[list[Run], list[Finding]]:
    """Read every result file below a folder, whatever its name; earlier runs first.

    A file that cannot be read does not prevent reading the others.
    """
    if not folder.is_dir():
        if not folder.exists():
            raise DataError(f"{folder}: there is no such folder or file. Check the path.")
        return [read_run(folder)], []
    runs: list[Run] = []
    others: list[str] = []
    unread: dict[Path, DataError] = {}
    for path in _documents(folder):
        if _PACKED.search(path.name):
            unread[path] = DataError(f"{path}: it is compressed, and was not read. Unpack it.")
            continue
        # The harness takes another name from --output_path if that ends in .json.
        named = path.name.casefold().startswith("results")
        try:
            document = None if named else read_document(path)
            if named or holds_results(document):
                runs.append(read_run(path) if document is None else run_of(document, path))
            else:
                others.append(path.name)
        except DataError as error:
            if named:
                unread[path] = error
            else:
                others.append(f"{path.name} ({_reason(error, path).partition('.')[0]})")
    if not runs:
        if unread:
            raise next(iter(unread.values()))
        raise DataError(
            f"{folder}: no result file (results*.json) in it or below. Give the folder that "
            "lm_eval wrote with --output_path."
        )
    runs.sort(key=lambda run: run.date)
    findings = [
        Finding("warning", SET_ASIDE, str(path), f"the file was set aside: {_reason(error, path)}")
        for path, error in unread.items()
    ]
    if others:
        message = f"{len(others)} other .json files hold no results: {listed(others)}."
        findings.append(Finding("info", "other-files", "files", message))
    return runs, findings


def _documents(folder: Path) -> list[Path]:
    """Return the JSON files below a folder and compressed results, sorted by path."""
    paths = []
    for path in sorted(folder.rglob("*")):
        packed = path.name.casefold().startswith("results") and _PACKED.search(path.name)
        # Editors and file systems keep copies under names that begin with a dot.
        hidden = any(name.startswith(".") for name in path.relative_to(folder).parts)
        if (packed or path.suffix.casefold() == ".json") and not hidden and not path.is_dir():
            paths.append(path)
    return paths


def _reason(error: DataError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _other_metrics(
    unfit: Mapping[tuple[str, str], str], others: Mapping[str, HarnessTask]
) -> list[Finding]:
    """Return a finding on models that have a task without the metric that others have."""
    cells = [
        f"{model} on {benchmark} ({others[benchmark].metrics[0].removesuffix(',none')})"
        for model, benchmark in unfit
        if benchmark in others
    ]
    if not cells:
        return []
    message = (
        f"{len(cells)} scores are missing, since the runs have another metric: {listed(cells)}."
    )
    return [Finding("warning", "other-metric", "scores", message)]


def _outside(rows: list[Candidate]) -> list[Finding]:
    """Find scores outside 0 to 1."""
    cells = [
        f"{row.model} on {row.benchmark}: {row.score:g}" for row in rows if not 0 <= row.score <= 1
    ]
    if not cells:
        return []
    message = (
        f"{len(cells)} scores are not fractions from 0 to 1: {listed(cells)}. The harness writes "
        "fractions: divide percentages by 100 in the files, or leave these files out."
    )
    return [Finding("warning", "score-out-of-range", "scores", message)]


def _mixed_shots(table: pd.DataFrame) -> list[Finding]:
    mixed = []
    for name, rows in table.groupby("benchmark", sort=False):
        counts = rows["n_shot"].dropna().value_counts()
        if len(counts) > 1:
            numbers = ", ".join(f"{shots:g} ({count} models)" for shots, count in counts.items())
            mixed.append(f"{name}: {numbers}")
    if not mixed:
        return []
    message = (
        f"models were given different numbers of examples on {len(mixed)} benchmarks: "
        f"{listed(mixed)}. Such scores do not compare; run them alike, or drop some."
    )
    return [Finding("warning", "mixed-shots", "benchmarks", message)]


def _own_items(
    rows: list[Candidate], described: Mapping[str, Benchmark], given: Collection[str]
) -> pd.DataFrame:
    """Return the item counts of scores that differ from their benchmark's, by model.

    If the caller states a benchmark's item count, only runs that were cut have their own.
    """
    items: dict[str, dict[str, float]] = {}
    for row in rows:
        of_all = {**KNOWN_BENCHMARKS, **described}[row.benchmark].n_items
        if row.done >= 1 and row.done != of_all and (row.cut or row.benchmark not in given):
            items.setdefault(row.benchmark, {})[row.model] = row.done
    return pd.DataFrame(items, dtype=float)
