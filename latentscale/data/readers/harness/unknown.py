"""Tasks of the harness that the package does not know: each becomes a benchmark of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isnan
from typing import Final

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS
from latentscale.data.layout import METADATA
from latentscale.data.readers.harness.metrics import attempts_of, rank_of
from latentscale.data.readers.harness.runs import Run
from latentscale.data.readers.harness.tasks import HarnessTask
from latentscale.errors import listed

ATTEMPTS: Final = " pass@"
"""In a benchmark with several attempts, the part of its name between task and their number."""
_ALIKE: Final = 3
"""A group whose tasks share this many first letters is one benchmark (mmlu_...)."""


def unknown_tasks(
    runs: Sequence[Run], known: Mapping[str, HarnessTask]
) -> tuple[dict[str, HarnessTask], list[Finding]]:
    """Return the other benchmarks of result files, by their task's name.

    Parameters
    ----------
    runs
        The result files.
    known
        Benchmarks to read in any case; their tasks and subtasks are skipped.

    Returns
    -------
    tuple
        One entry per task that has an accuracy or another fraction, with the metric that most runs
        have (the preferred one if tied), one more for each further k of a task with ``pass@k``,
        and a finding on the tasks that have none.
    """
    used = {name for task in known.values() for name in (*task.tasks, *sum(task.parts, ()))}
    leaves_of: dict[str, tuple[str, ...]] = {}
    for run in runs:
        children = {child for below in run.groups.values() for child in below}
        for name in run.figures:
            if name not in children:
                for task in _expanded(run, name, used, set()):
                    leaves = run.leaves(task)
                    leaves_of[task] = () if leaves == (task,) else leaves
    inside = {leaf for leaves in leaves_of.values() for leaf in leaves}
    tasks, left_out = {}, []
    for task in (task for task in leaves_of if task not in inside):
        metric = _metric(runs, task)
        if metric is not None:
            below = (leaves_of[task],) if leaves_of[task] else ()
            tasks[_free_name(task, known)] = HarnessTask((task,), (metric,), parts=below)
            for attempts, other in _other_attempts(runs, task, metric).items():
                name = f"{_free_name(task, known)}{ATTEMPTS}{attempts}"
                tasks[name] = HarnessTask((task,), (other,), parts=below)
        else:
            left_out.append(task)
    return tasks, _left_out(runs, left_out)


def _expanded(run: Run, name: str, used: Collection[str], seen: set[str]) -> list[str]:
    """Return the tasks that are benchmarks: single tasks, and groups of tasks of one kind."""
    if name in used or name in seen:
        return []
    seen.add(name)
    below = run.groups.get(name, ())
    if not below:
        return [name] if run.figures.get(name) else []
    leaves = run.leaves(name)
    alike = len({leaf[:_ALIKE] for leaf in leaves}) == 1
    if run.figures.get(name) and alike and not any(leaf in used for leaf in leaves):
        return [name]
    return [task for child in below for task in _expanded(run, child, used, seen)]


def _metric(runs: Sequence[Run], task: str) -> str | None:
    """Return the fraction that most runs give for a task, None if there is none."""
    values: dict[str, list[float]] = {}
    for run in runs:
        for key, value in run.figures.get(task, {}).items():
            if rank_of(key) is not None and (task, key.partition(",")[0]) not in run.lower:
                values.setdefault(key, []).append(value)
    fractions = {
        key: sum(not isnan(value) for value in of_runs)
        for key, of_runs in values.items()
        if all(isnan(value) or 0 <= value <= 1 for value in of_runs)
    }
    if not fractions:
        return None
    return min(fractions, key=lambda key: (-fractions[key], rank_of(key) or (0, 0)))


def _other_attempts(runs: Sequence[Run], task: str, metric: str) -> dict[int, str]:
    """Return the ``pass@k`` metrics of a task by k, except its main metric."""
    first = attempts_of(metric)
    keys = {key: None for run in runs for key in run.figures.get(task, {})}
    metric_of: dict[int, str] = {}
    for key in keys:
        attempts = attempts_of(key)
        if first is not None and attempts is not None and attempts != first:
            metric_of.setdefault(attempts, key)
    return dict(sorted(metric_of.items()))


def _free_name(task: str, known: Mapping[str, HarnessTask]) -> str:
    """Return the task's name, unless it already means another protocol or a column."""
    taken = task in known or task in KNOWN_BENCHMARKS or task in METADATA
    return f"{task} (harness task)" if taken else task


def _left_out(runs: Sequence[Run], tasks: Sequence[str]) -> list[Finding]:
    if not tasks:
        return []
    shown = []
    for task in tasks:
        keys = {key: None for run in runs for key in run.figures.get(task, {})}
        metrics = dict.fromkeys(key.removesuffix(",none") for key in keys)
        shown.append(f"{task} ({', '.join(metrics)})")
    message = (
        f"{len(tasks)} tasks were left out, since none of their metrics is known to be a fraction "
        f"of 0 to 1 where higher is better: {listed(shown)}. To read one, say which figure is its "
        'score with tasks={"name": HarnessTask(("task",), ("metric",))}.'
    )
    return [Finding("warning", "unread-tasks", "tasks", message)]
