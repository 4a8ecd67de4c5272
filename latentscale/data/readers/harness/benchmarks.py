"""Benchmarks in result files of lm-evaluation-harness: what the files state and what is assumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from latentscale.data.audit import Finding, Level
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark
from latentscale.data.readers.guessing import floor_for
from latentscale.data.readers.harness.candidates import Candidate
from latentscale.data.readers.harness.metrics import attempts_of
from latentscale.data.readers.harness.tasks import HarnessTask
from latentscale.data.readers.harness.unknown import ATTEMPTS
from latentscale.errors import listed


def described_by_files(rows: Sequence[Candidate]) -> dict[str, Benchmark]:
    """Return floors and item counts of the benchmarks that only the files describe.

    Item counts are for a complete run. Floors are what guessing among a task's choices reaches, if
    its name gives their number. Benchmarks of one task with several numbers of attempts form a
    group with that task.

    Parameters
    ----------
    rows
        The score of each model and benchmark that counts.
    """
    described = {}
    several = {row.benchmark for row in rows if ATTEMPTS in row.benchmark}
    groups = {name.partition(ATTEMPTS)[0] for name in several}
    for name in dict.fromkeys(row.benchmark for row in rows):
        if name in KNOWN_BENCHMARKS:
            continue
        own = [row for row in rows if row.benchmark == name]
        counts = [row.there for row in own if row.there >= 1]
        task = name.partition(ATTEMPTS)[0]
        group = task if task in groups else ""
        metrics = [attempts_of(row.metric) for row in own]
        described[name] = Benchmark(
            floor=_floor(name, own),
            n_items=int(max(counts)) if counts else None,
            basis="items counted by lm-evaluation-harness" if counts else "",
            group=group,
            attempts=max((k for k in metrics if k is not None), default=1),
            task=group,
        )
    return described


def _floor(name: str, rows: Sequence[Candidate]) -> float:
    """Return what guessing reaches on a benchmark, 0 if answers are, or may be, written."""
    if not all(row.metric.startswith("acc") for row in rows):  # others are of written answers
        return 0.0
    return floor_for(name, min(row.score for row in rows))


def assumed(
    rows: Sequence[Candidate], others: Mapping[str, HarnessTask], described: Collection[str]
) -> list[Finding]:
    """Return findings on what was assumed about undeclared benchmarks.

    Parameters
    ----------
    rows
        The score of each model and benchmark that counts.
    others
        Tasks that the package does not know, by benchmark.
    described
        Benchmarks that the caller declares.
    """
    own = [row for row in rows if row.benchmark not in described]
    floors = {name: benchmark.floor for name, benchmark in described_by_files(own).items()}
    chosen = [f"{name} ({floor:.3g})" for name, floor in floors.items() if floor]
    bare = [name for name, floor in floors.items() if not floor]
    taken = dict.fromkeys(
        f"{row.benchmark} ({row.metric.removesuffix(',none')})"
        for row in rows
        if row.benchmark in others
    )
    findings = []
    if chosen:
        message = (
            f"floors by the choices of tasks, from their names: {listed(chosen)}. benchmarks= says "
            "otherwise."
        )
        findings.append(Finding("info", "floor-by-choices", "benchmarks", message))
    if bare:
        message = (
            f"taken with floor 0: {listed(bare)}. Where guessing among "
            f'k choices reaches 1/k, say so with benchmarks={{"{bare[0]}": Benchmark(floor=...)}}.'
        )
        # The caller named the benchmarks of tasks=, but has not seen the others yet.
        level: Level = "warning" if any(name in others for name in bare) else "info"
        findings.append(Finding(level, "floor-assumed", "benchmarks", message))
    if taken:
        message = (
            f"{len(taken)} tasks unknown to the package were read by these metrics: "
            f"{listed(taken)}. To take another one, say so with "
            'tasks={"name": HarnessTask(("task",), ("metric",))}.'
        )
        findings.append(Finding("info", "unknown-tasks", "tasks", message))
    return findings
