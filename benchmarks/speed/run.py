"""Speed of the package against the same posteriors on other engines; writes SPEED.md.

Run from the project's root:  python -m benchmarks.speed.run [--quick] [--seed 1]
A shorter run:                python -m benchmarks.speed.run --draws 300 --tune 300 --chains 2
PyStan and NumPyro come with: pip install -c constraints.txt -e ".[peers]"

Contenders code the same posterior: the package, `pymc.sample` on its model, and the law written by
hand in NumPyro and in Stan. Each task runs in a separate process, one after the other: the first
draw with empty caches, again with what the first left, the check that the log density is the
package's, and the run of NUTS. A hand-written numba kernel of each law is a lower bound on the time
of gradients. Results are kept in the folder runs, separately for each length of run, seed and
number of skills; --resume continues an interrupted run, --report only writes the table. The table
of the full length goes to SPEED.md, others next to their results.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.speed.report import write
from benchmarks.speed.settings import (
    CONTENDERS,
    DEFAULT,
    HERE,
    KERNEL,
    RUNS,
    SPECS,
    Settings,
    Task,
    folder_of,
    preset,
    table_of,
)

TASKS = ("cold", "warm", "agreement", "gradient", "sample")
AGREEMENT_LIMIT = 1e-5  # nats, of log densities near 1e5


class TaskError(Exception):
    """A task that failed, or whose timings are meaningless."""


def main() -> None:
    """Run the requested tasks, one process after the other, and write the table after each."""
    options = _options()
    settings = _settings(options)
    folder, out = folder_of(settings), options.out or table_of(settings)
    if not (options.resume or options.report):
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    plan = [] if options.report else _plan(options, settings)
    failed: dict[tuple[str, str], str] = {}
    for number, task in enumerate(plan, start=1):
        path = folder / f"{task.spec}.{task.contender}.{task.task}.json"
        if path.exists() or (task.spec, task.contender) in failed:
            continue
        print(f"{number}/{len(plan)}: {task.spec}, {task.contender}, {task.task}", flush=True)
        begun = time.perf_counter()
        try:
            result = _in_process(task, folder)
        except TaskError as error:
            failed[task.spec, task.contender] = str(error)
            print(f"{error} What is left of it is skipped.", file=sys.stderr, flush=True)
        else:
            path.write_text(json.dumps(result, indent=1), encoding="utf-8")
        write(folder, out)
        print(f"    {time.perf_counter() - begun:.0f} s", flush=True)
    if not write(folder, out):
        raise SystemExit(f"There are no results in {folder}: run without --report first.")
    print(f"Wrote {out}")
    if failed:
        raise SystemExit("\n".join(failed.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few draws, to see that it works")
    parser.add_argument("--draws", type=int, help="kept draws of each chain")
    parser.add_argument("--tune", type=int, help="warm-up draws of each chain")
    parser.add_argument("--chains", type=int, help="chains, 2 or more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--specs", nargs="+", choices=SPECS, default=list(SPECS))
    parser.add_argument("--skills", type=int, help="skills of cai2025 instead of its own count")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(DEFAULT))
    parser.add_argument("--resume", action="store_true", help="keep results that are there")
    parser.add_argument("--report", action="store_true", help="only write the table")
    parser.add_argument("--out", type=Path, help="where to write the table")
    options = parser.parse_args()
    least = {"draws": 4, "tune": 1, "chains": 2, "skills": 1}  # ESS and R-hat need that many
    for name, bound in least.items():
        value = getattr(options, name)
        if value is not None and value < bound:
            parser.error(f"--{name} must be at least {bound}; got {value}.")
    return options


def _settings(options: argparse.Namespace) -> Settings:
    asked = {name: getattr(options, name) for name in ("draws", "tune", "chains", "skills")}
    given = {name: value for name, value in asked.items() if value is not None}
    return replace(preset(options.quick), seed=options.seed, **given)


def _plan(options: argparse.Namespace, settings: Settings) -> list[Task]:
    """Return the tasks in order; contenders whose library is missing are left out."""
    missing = {c for c in options.contenders if find_spec(CONTENDERS[c][2]) is None}
    for contender in sorted(missing):
        library = CONTENDERS[contender][2]
        print(f"{library} is not installed: {contender} is left out.", file=sys.stderr)
    plan = []
    for spec in options.specs:
        for contender in options.contenders:
            if contender not in missing:
                plan += [Task(spec, contender, task, settings) for task in TASKS]
        plan.append(Task(spec, KERNEL, "gradient", settings))
    return plan


def _in_process(task: Task, folder: Path) -> dict[str, Any]:
    """Run one task in a fresh process, with separate caches for each spec and contender.

    Checks take the package's density from caches that they share: nothing is timed there.
    """
    own = folder / "caches" / f"{task.spec}.{task.contender}"
    checks = task.task == "agreement" or task.contender == KERNEL
    ours = folder / "caches" / f"{task.spec}.checks" if checks else own
    environment = os.environ | {
        "PYTENSOR_FLAGS": f"base_compiledir={ours / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(ours / "numba"),
        "JAX_COMPILATION_CACHE_DIR": str(own / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XDG_CACHE_HOME": str(own / "xdg"),
        "LATENTSCALE_BENCHMARK_STAN": str(RUNS / "httpstan"),
        "OMP_NUM_THREADS": "1",
    }
    if task.contender == "stan":
        _repair_httpstan(RUNS / "httpstan")
    asked = json.dumps({"task": asdict(task), "began": time.time()})
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.task", asked]
    done = subprocess.run(
        command,
        env=environment,
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TaskError(
            f"{task.spec}, {task.contender}, {task.task} failed with code {done.returncode}."
        )
    row = json.loads(done.stdout.splitlines()[-1])
    try:
        refuse_another_posterior(row)
    except TaskError:
        for path in folder.glob(f"{task.spec}.{task.contender}.*.json"):
            path.unlink()
        raise
    return row


def _repair_httpstan(folder: Path) -> None:
    """Compile Stan's services before timing begins, where the wheel's do not fit this Python."""
    from benchmarks.speed.peers.stan_laws import load_pystan

    load_pystan(folder)


def refuse_another_posterior(result: dict[str, Any]) -> None:
    """Refuse a contender whose log density or gradient is not the package's.

    Raises
    ------
    TaskError
        If they differ by more than `AGREEMENT_LIMIT`, or are not numbers.
    """
    differences = [result[key] for key in ("difference", "gradient_difference") if key in result]
    if not all(each <= AGREEMENT_LIMIT for each in differences):  # so that NaN is refused
        raise TaskError(
            f"{result['contender']} does not code the posterior of {result['spec']}: its log "
            f"density or gradient differs from the package's: {differences}. "
            "Its timings count for nothing."
        )
    if "difference" in result:
        print(f"    the same log density but for a constant: within {result['difference']:.1e}")


if __name__ == "__main__":
    main()
