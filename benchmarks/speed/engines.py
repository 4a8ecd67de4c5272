"""The fast engine against the stock one, nutpie's own compiler and an earlier commit; ENGINES.md.

Run from the project's root:  python -m benchmarks.speed.engines [--earlier ../base590]

Each task runs in a separate process on one core and contenders take turns, so that other work on
the machine affects all equally. Besides wall time, processor time is recorded, which does not
include waiting. All fit one spec, the earlier commit's if there is one, because later ones have
more terms. Results are kept in the folder runs/engines, so an interrupted run resumes.
``--report`` only writes the table. An earlier commit's checkout comes from ``git worktree add
--detach ../base590 590bc21``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUNS = HERE / "runs" / "engines"
OUT = HERE / "ENGINES.md"
SPECS = ("latentscale", "cai2025")
CONTENDERS = ("fast", "stock", "nutpie", "earlier")
TASKS = ("cold", "warm", "gradient", "sample")
# Long enough to estimate effective sample sizes, short enough for a piece to take some minutes.
DRAWS, TUNE, CHAINS = 250, 300, 2
"""Kept draws and warm-up draws of each chain, and chains, one after the other."""
_OF_NUTS = ("runs", "NUTS s", "steps per draw", "least ESS", "ESS/s", "R-hat")
_NAMES = {
    "fast": "fast engine",
    "stock": "stock engine",
    "nutpie": "nutpie's own compiler on our model",
    "earlier": "commit 590bc21",
}


@dataclass(frozen=True)
class Task:
    """What one process measures."""

    spec: str
    contender: str
    task: str
    repeat: int

    @property
    def path(self) -> Path:
        """Where its result goes."""
        return RUNS / f"{self.spec}.{self.contender}.{self.task}.{self.repeat}.json"


def main() -> None:
    """Make the missing measurements, and write the table."""
    options = _options()
    RUNS.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    for task in _plan(options):
        if options.report or task.path.exists():
            continue
        if time.monotonic() - begun > 60 * options.minutes:
            print("The time is up; run again to go on.")
            break
        print(f"{task.spec}, {task.contender}, {task.task}, {task.repeat}", flush=True)
        measured = _in_process(task, options)
        task.path.write_text(json.dumps(measured, indent=1), encoding="utf-8")
        print(f"    {measured['clock']:.0f} s, processor {measured['processor']:.0f} s", flush=True)
    write(options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--earlier", type=Path, help="checkout of an earlier commit")
    parser.add_argument("--specs", nargs="+", choices=SPECS, default=["latentscale"])
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--repeats", type=int, default=1, help="runs of each task")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=7, help="no task begins after so long")
    parser.add_argument("--report", action="store_true", help="only write the table")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> list[Task]:
    """Return the tasks: contenders in turn, so that pairs run next to each other."""
    contenders = [c for c in options.contenders if c != "earlier" or options.earlier]
    return [
        Task(spec, contender, task, repeat)
        for spec in options.specs
        for repeat in range(options.repeats)
        for task in options.tasks
        for contender in contenders
    ]


def _in_process(task: Task, options: argparse.Namespace) -> dict[str, Any]:
    """Run a task in a fresh process, with the contender's own caches, empty for a cold start."""
    caches = RUNS / "caches" / f"{task.spec}.{task.contender}.{task.repeat}"
    checkout = options.earlier if task.contender == "earlier" else ROOT
    environment = os.environ | {
        "PYTHONPATH": str(checkout.resolve()),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "OMP_NUM_THREADS": "1",
        "LATENTSCALE_ENGINE": "stock" if task.contender == "stock" else "fast",
    }
    asked = {
        "spec": task.spec,
        "file": str((options.earlier or ROOT).resolve() / "model_specs" / f"{task.spec}.toml"),
        "contender": task.contender,
        "task": "first" if task.task in ("cold", "warm") else task.task,
        "draws": DRAWS,
        "tune": TUNE,
        "chains": CHAINS,
        "seed": options.seed + 100 * task.repeat + (task.task == "warm"),
        "began": time.time(),
    }
    command = [sys.executable, "-W", "ignore", str(HERE / "engine_task.py"), json.dumps(asked)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{task} failed with code {done.returncode}.")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def write(seed: int) -> None:
    """Write ENGINES.md from the available results."""
    lines = [
        "# The engines side by side",
        "",
        provenance(seed),
        "",
        f"One run on the bundled leaderboard; NUTS with {CHAINS} chains of {TUNE} warm-up draws "
        f"and {DRAWS} draws, one after the other on one core. First draw: from the start of the "
        "process to one draw of one chain, with empty caches (cold) or the caches that the cold "
        "run left (warm). Times are wall / processor seconds: other work on the machine lengthens "
        "the former, hardly the latter. If a task ran several times, the table has the shortest. "
        "Runs of NUTS differ in their seeds: processor seconds of a fit with compiled functions, "
        "steps and least ESS are means over runs; effective draws per second are the sum of the "
        "runs' least ESS divided by the sum of their seconds, ± one jackknife standard error; "
        "R-hat is the largest.",
    ]
    notes = HERE / "engines_notes.md"
    if notes.exists():
        lines += ["", notes.read_text(encoding="utf-8").strip()]
    for spec in SPECS:
        rows = [row for contender in CONTENDERS if (row := _row(spec, contender))]
        if rows:
            lines += ["", f"## {spec}", "", markdown(pd.DataFrame(rows))]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Wrote {OUT}")


def _row(spec: str, contender: str) -> dict[str, str]:
    """Return a row of the table; empty where nothing was measured."""
    by_task = {task: _results(spec, contender, task) for task in TASKS}
    if not any(by_task.values()):
        return {}

    def seconds(task: str) -> str:
        results = by_task[task]
        if not results:
            return "–"
        clock, processor = (min(r[key] for r in results) for key in ("clock", "processor"))
        return f"{clock:.0f} / {processor:.0f}"

    row = {"engine": _NAMES[contender], "cold s": seconds("cold"), "warm s": seconds("warm")}
    times = [r["milliseconds"] for r in by_task["gradient"] if "milliseconds" in r]
    row["gradient ms"] = f"{min(times):.3f}" if times else "–"
    if not by_task["sample"]:
        return row | dict.fromkeys(_OF_NUTS, "–")
    runs = pd.DataFrame(by_task["sample"])[["seconds", "steps", "ess", "rhat"]]
    mean = runs.mean()
    return row | {
        "runs": str(len(runs)),
        "NUTS s": f"{mean['seconds']:.0f}",
        "steps per draw": f"{mean['steps']:.0f}",
        "least ESS": f"{mean['ess']:.0f}",
        "ESS/s": _rate(runs),
        "R-hat": f"{runs['rhat'].max():.3f}",
    }


def _rate(runs: pd.DataFrame) -> str:
    """Return effective draws per second over all runs, with a jackknife standard error."""
    rate = runs["ess"].sum() / runs["seconds"].sum()
    if len(runs) < 2:
        return f"{rate:.2f}"
    rest = runs.sum() - runs
    left_out = rest["ess"] / rest["seconds"]
    error = np.sqrt((len(runs) - 1) * left_out.var(ddof=0))
    return f"{rate:.2f} ± {error:.2f}"


def _results(spec: str, contender: str, task: str) -> list[dict[str, Any]]:
    paths = sorted(RUNS.glob(f"{spec}.{contender}.{task}.*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


if __name__ == "__main__":
    main()
