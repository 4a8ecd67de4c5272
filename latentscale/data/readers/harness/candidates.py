"""Scores of each run: what every result file gives for a benchmark, before one is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, isnan, nan

import numpy as np

from latentscale.data.benchmarks import KNOWN_BENCHMARKS
from latentscale.data.readers.harness.runs import Run
from latentscale.data.readers.harness.tasks import HarnessTask
from latentscale.errors import listed


@dataclass(frozen=True)
class Candidate:
    """A model's score on a benchmark from one run, or from several runs of subtasks together.

    Parameters
    ----------
    model, benchmark, settings
        What was measured, and under which settings of the run.
    score
        Fraction, NaN where the file holds NaN.
    task, metric
        Where it comes from in the file.
    stderr
        Standard error of the score from the files, NaN if they do not give it.
    n_shot
        Examples in the prompt, NaN where unknown or mixed.
    version
        Version of the task, or of each subtask if they differ; empty if unknown.
    done, there
        Items scored and items in total; NaN where unknown.
    cut
        Whether the run was limited to some of the items.
    date
        When it was run, seconds since 1970; 0 where unknown.
    files
        The files from which it comes.
    """

    model: str
    benchmark: str
    settings: tuple[str, ...]
    score: float
    task: str
    metric: str
    stderr: float
    n_shot: float
    version: str
    done: float
    there: float
    cut: bool
    date: float
    files: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether there is a score at all."""
        return not isnan(self.score)

    @property
    def order(self) -> tuple[bool, bool, float, tuple[str, ...]]:
        """The rank of a candidate: the greatest takes precedence."""
        return self.known, not self.cut, self.date, self.files


@dataclass
class Pool:
    """All candidates, and figures that could not become one.

    Parameters
    ----------
    candidates
        In the order of the runs.
    partial
        By model and benchmark, which subtasks are present and which are missing.
    unfit
        By model and benchmark, the figures of a task that has none of the desired ones.
    """

    candidates: list[Candidate] = field(default_factory=list)
    partial: dict[tuple[str, str], str] = field(default_factory=dict)
    unfit: dict[tuple[str, str], str] = field(default_factory=dict)


def pool(runs: Sequence[Run], tasks: Mapping[str, HarnessTask]) -> Pool:
    """Return the candidates that runs give for benchmarks.

    Runs of one model under the same settings complete each other: if none of them has a
    benchmark, its subtasks are taken from all of them.
    """
    scores = Pool()
    alike: dict[tuple[str, tuple[str, ...]], list[Run]] = {}
    for run in runs:
        alike.setdefault((run.model, run.settings), []).append(run)
    for together in alike.values():
        for benchmark, task in tasks.items():
            whole = list(_whole(together, benchmark, task, scores))
            if not any(candidate.known and not candidate.cut for candidate in whole):
                whole += _joined(together, benchmark, task, scores)
            scores.candidates += whole
    return scores


def _whole(
    runs: Sequence[Run], benchmark: str, task: HarnessTask, scores: Pool
) -> Iterator[Candidate]:
    """Yield the scores of a benchmark that single runs have."""
    for run in runs:
        name = next((name for name in task.tasks if run.figures.get(name)), None)
        if name is not None:
            read = _figure(run, name, task)
            if read is None:
                scores.unfit[run.model, benchmark] = _unfit(run, name, task)
            else:
                subtasks = _counted_parts(run, name, task)
                error = _error(run, name, task)
                at = [(run, subtask) for subtask in subtasks]
                yield _candidate([run], benchmark, *read, error, name, at)
            continue
        for subtasks in task.parts:
            if all(run.figures.get(subtask) for subtask in subtasks):
                mean = _mean([run] * len(subtasks), benchmark, task, subtasks, scores)
                if mean is not None:
                    yield mean
                break


def _joined(
    runs: Sequence[Run], benchmark: str, task: HarnessTask, scores: Pool
) -> Iterator[Candidate]:
    """Yield the score of a benchmark whose subtasks were run one by one."""
    best: tuple[list[str], tuple[str, ...]] = ([], ())
    for subtasks in task.parts:
        source = {subtask: _latest(runs, subtask, task) for subtask in subtasks}
        have = [run for run in source.values() if run is not None]
        if len(have) == len(subtasks):
            if len(set(map(id, have))) == 1:
                return  # one run has them all, and its score already
            mean = _mean(have, benchmark, task, subtasks, scores)
            if mean is not None:
                yield mean
            return
        there = [subtask for subtask in subtasks if source[subtask] is not None]
        if len(there) > len(best[0]):
            best = there, subtasks
    there, subtasks = best
    if there:
        missing = [subtask for subtask in subtasks if subtask not in there]
        scores.partial[runs[0].model, benchmark] = (
            f"{len(there)} of {len(subtasks)} subtasks are there, missing are {listed(missing, 4)}"
        )


def _latest(runs: Sequence[Run], subtask: str, task: HarnessTask) -> Run | None:
    """Return the run that counts for a subtask: the latest complete one with a figure."""

    def order(run: Run) -> tuple[bool, bool, float, str]:
        read = _figure(run, subtask, task)
        cut = _count(run, subtask, "")[2]
        return read is not None and not isnan(read[0]), not cut, run.date, str(run.path)

    having = [run for run in runs if run.figures.get(subtask)]
    return max(having, key=order) if having else None


def _mean(
    runs: Sequence[Run], benchmark: str, task: HarnessTask, subtasks: tuple[str, ...], scores: Pool
) -> Candidate | None:
    """Return the mean of subtasks, each from the run at its place."""
    read = []
    for run, subtask in zip(runs, subtasks, strict=True):
        figure = _figure(run, subtask, task)
        if figure is None:
            scores.unfit[run.model, benchmark] = _unfit(run, subtask, task)
            return None
        read.append(figure)
    at = list(zip(runs, subtasks, strict=True))
    # Complete subtasks are weighted by their total items, even if a run was cut short.
    weights = [_count(run, subtask, "")[1] for run, subtask in at]
    weights = [1.0] * len(subtasks) if np.isnan(weights).any() else weights
    value = float(np.average([value for value, _ in read], weights=weights))
    shares = np.array(weights) / np.sum(weights)
    # Subtasks have items of their own, so that their sampling errors are independent.
    error = float(
        np.sqrt(np.sum((shares * [_error(run, subtask, task) for run, subtask in at]) ** 2))
    )
    sources = list({id(run): run for run in runs}.values())
    name = f"mean of {len(subtasks)} subtasks"
    return _candidate(sources, benchmark, value, read[0][1], error, name, at)


def _figure(run: Run, name: str, task: HarnessTask) -> tuple[float, str] | None:
    """Return the desired figure of a task and the name of its metric, None if absent."""
    figures = run.figures[name]
    wanted = [metric if "," in metric else f"{metric},none" for metric in task.metrics]
    if task.average:
        if not all(metric in figures for metric in wanted):
            return None
        value = float(np.mean([figures[metric] for metric in wanted]))
        return value, "mean of " + " and ".join(task.metrics)
    there = [
        (figures[key], m) for m, key in zip(task.metrics, wanted, strict=True) if key in figures
    ]
    return next((pair for pair in there if not isnan(pair[0])), there[0] if there else None)


def _error(run: Run, name: str, task: HarnessTask) -> float:
    """Return the standard error of the desired figure, NaN if the file has none.

    The mean of several metrics of the same items has none: their covariance is not given.
    """
    figure = _figure(run, name, task)
    if figure is None or task.average:
        return nan
    key = figure[1] if "," in figure[1] else f"{figure[1]},none"
    return run.errors.get(name, {}).get(key, nan)


def _unfit(run: Run, name: str, task: HarnessTask) -> str:
    return (
        f'{run.path}: task "{name}" has no {"complete " if task.average else ""}figure '
        f"{listed(task.metrics)}; it has {listed(run.figures[name])}. Say which one to take with "
        'tasks={"benchmark": HarnessTask(("task",), ("metric",))}.'
    )


def _candidate(
    runs: Sequence[Run],
    benchmark: str,
    value: float,
    metric: str,
    stderr: float,
    name: str,
    tasks: Sequence[tuple[Run, str]],
) -> Candidate:
    counts = [_count(run, task, benchmark if len(tasks) == 1 else "") for run, task in tasks]
    shots = {run.shots[task] for run, task in tasks if task in run.shots}
    versions = {v for run, task in tasks if (v := _version(run, name, task))}
    return Candidate(
        model=runs[0].model,
        benchmark=benchmark,
        settings=runs[0].settings,
        score=value,
        task=name,
        metric=metric,
        stderr=stderr,
        n_shot=float(shots.pop()) if len(shots) == 1 else nan,
        version=" and ".join(sorted(versions)),
        done=sum(done for done, _, _ in counts),
        there=sum(there for _, there, _ in counts),
        cut=any(cut for _, _, cut in counts),
        date=min(run.date for run in runs),
        files=tuple(str(run.path) for run in runs),
    )


def _version(run: Run, group: str, task: str) -> str:
    """Return the version of a task, or of the group in which it is scored if that has one."""
    return run.versions.get(group) or run.versions.get(task, "")


def _counted_parts(run: Run, name: str, task: HarnessTask) -> tuple[str, ...]:
    """Return the tasks whose items a figure counts."""
    leaves = run.leaves(name)
    if leaves == (name,) and name in run.groups:
        # An early file lists no tasks of a group: those known, if they are there.
        parts = [parts for parts in task.parts if all(p in run.figures for p in parts)]
        return parts[0] if parts else leaves
    return leaves


def _count(run: Run, task: str, benchmark: str) -> tuple[float, float, bool]:
    """Return how many items of a task were scored, how many there are, and whether it was cut.

    If the file does not count items, they follow from the limit and, for a benchmark that is one
    task, from its known number of items.
    """
    if task in run.items:
        done, there = run.items[task]
        return done, there, done < there
    if run.limit is None:
        return nan, nan, False
    known = KNOWN_BENCHMARKS.get(benchmark)
    there = float(known.n_items) if known is not None and known.n_items else nan
    # As the harness does: a share of the items below 1, else their number.
    done = float(ceil(there * run.limit)) if run.limit < 1 and there > 0 else run.limit
    if run.limit < 1 and isnan(there):
        return nan, nan, True
    done = done if isnan(there) else min(done, there)
    return done, there, isnan(there) or done < there
