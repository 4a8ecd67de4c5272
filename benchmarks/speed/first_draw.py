"""The first draw of this checkout and of an earlier one, in turn; writes FIRST_DRAW.md.

Run from the project's root:  python -m benchmarks.speed.first_draw --earlier ../before
The other checkout comes from ``git worktree add --detach ../before 47f84f7``.

Both fit the same spec, the earlier checkout's file, on the bundled table: one warm-up draw and one
draw of one chain, in a separate process, with every cache empty (cold) and with the caches that the
cold run left (warm); then the log density with its gradient. Processor times are compared, and the
two take turns, because other work on a machine lengthens processor time too. Results are kept in
the folder runs/first_draw, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUNS = HERE / "runs" / "first_draw"
OUT = HERE / "FIRST_DRAW.md"
TASKS = {"cold": "processor", "warm": "processor", "gradient": "milliseconds"}
"""What each task measures of a process."""
_UNITS = {"cold": "s", "warm": "s", "gradient": "ms"}
_ABOUT = (
    "Processor seconds from the start of a process to one draw of one chain, with imports, the "
    "table and compilation, with empty caches (cold) and with the caches that the cold run left "
    "(warm); milliseconds of one log density with its gradient, the median of 1,000. One core; "
    "the two checkouts take turns. The ratio is the later commit's figure over the earlier one's "
    "within a turn: median (least, largest)."
)


def main() -> None:
    """Make the missing measurements, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--earlier", type=Path, required=True, help="checkout to compare with")
    parser.add_argument("--specs", nargs="+", default=["latentscale"])
    parser.add_argument("--repeats", type=int, default=3, help="turns of each task")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    checkouts = {_commit(path): path.resolve() for path in (options.earlier, ROOT)}
    for repeat in range(options.repeats):
        for spec in options.specs:
            for task in TASKS:
                for commit, checkout in checkouts.items():
                    file = options.earlier.resolve() / "model_specs" / f"{spec}.toml"
                    _measure(spec, task, repeat, commit, checkout, file, options.seed)
    _write(options.specs, *checkouts, options.repeats, options.seed)


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _path(spec: str, task: str, repeat: int, commit: str) -> Path:
    return RUNS / f"{spec}.{task}.{repeat}.{commit}.json"


def _measure(
    spec: str, task: str, repeat: int, commit: str, checkout: Path, file: Path, seed: int
) -> None:
    """Run a task in a fresh process, with caches that belong to this turn of this checkout."""
    path = _path(spec, task, repeat, commit)
    if path.exists():
        return
    caches = RUNS / "caches" / f"{spec}.{repeat}.{commit}"
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "OMP_NUM_THREADS": "1",
        "LATENTSCALE_ENGINE": "fast",
    }
    asked = {"spec": spec, "file": str(file), "contender": "fast", "seed": seed + repeat}
    asked |= {"task": "gradient" if task == "gradient" else "first", "began": time.time()}
    command = [sys.executable, "-W", "ignore", str(HERE / "engine_task.py"), json.dumps(asked)]
    done = subprocess.run(
        command, env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(done.stdout.splitlines()[-1], encoding="utf-8")
    print(f"{path.stem}: {json.loads(path.read_text())[TASKS[task]]:.3f}", flush=True)


def _write(specs: list[str], earlier: str, here: str, repeats: int, seed: int) -> None:
    rows = []
    for spec in specs:
        for task, measured in TASKS.items():
            before, after = (
                [_read(_path(spec, task, repeat, commit))[measured] for repeat in range(repeats)]
                for commit in (earlier, here)
            )
            ratios = sorted(b / a for a, b in zip(before, after, strict=True))
            least, largest = ratios[0], ratios[-1]
            row = {"spec": spec, "task": f"{task}, {_UNITS[task]}"}
            row |= {f"commit {earlier}": _listed(before), f"commit {here}": _listed(after)}
            rows.append(
                row | {"ratio": f"{pd.Series(ratios).median():.2f} ({least:.2f}, {largest:.2f})"}
            )
    lines = ["# The first draw", "", provenance(seed), "", _ABOUT]
    OUT.write_text("\n".join([*lines, "", markdown(pd.DataFrame(rows))]) + "\n", encoding="utf-8")
    print(f"Wrote {OUT}")


def _read(path: Path) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return measured


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


if __name__ == "__main__":
    main()
