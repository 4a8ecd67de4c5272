"""One task of run.py, in a separate process: prints its results as one line of JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.speed.settings import CONTENDERS, KERNEL, Settings, Task


def main() -> None:
    """Do the task that the command line gives as JSON, with the time when its process began."""
    asked = json.loads(sys.argv[1])
    task = Task(**asked["task"] | {"settings": Settings(**asked["task"]["settings"])})
    warnings.simplefilter("ignore")
    print(json.dumps(found_by(task, asked["began"])))


def found_by(task: Task, began: float) -> dict[str, Any]:
    """Do a task in this process and return what it found; `began` as of `time.time()`."""
    settings = task.settings
    spec, scores = law(task.spec, settings.skills)
    result = asdict(task) | {"python": sys.version.split()[0], "skills": spec.skills.count}
    if task.contender == KERNEL:
        return result | _kernel(spec, scores, settings)
    module, kind, _ = CONTENDERS[task.contender]
    made = getattr(import_module(f"benchmarks.speed.peers.{module}"), kind)
    player = made(spec, scores, settings.seed, settings.chains)
    if task.task in ("cold", "warm"):
        player.first_draw(settings.seed + 100 * (task.task == "warm"))
        result["seconds"] = time.time() - began
    elif task.task == "agreement":
        result["difference"] = player.disagreement()
    elif task.task == "gradient":
        result["seconds"] = player.gradient_seconds(settings.gradients)
    else:
        result |= _sampled(player.sample(settings.draws, settings.tune, os.cpu_count() or 1))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 2**20 if sys.platform == "darwin" else 2**10
    result["peak_megabytes"], result["worker_megabytes"] = (use.ru_maxrss / unit for use in used)
    result["versions"] = {library: _version(library) for library in player.libraries}
    return result


def law(name: str, skills: int | None) -> tuple[Any, Any]:
    """Return a spec, with another number of skills if cai2025 is to have it, and the table."""
    import latentscale as ls

    spec = ls.load_spec(name)
    if name == "latentscale":
        spec = spec.with_({"terms": ()})  # the hand-written laws have no curvature of benchmarks
    if skills and name != "latentscale":
        spec = spec.with_({"skills.count": skills})
    return spec, ls.datasets.open_llm_leaderboard()


def _sampled(run: Any) -> dict[str, Any]:
    from latentscale.posterior.convergence import convergence

    statistics = convergence(run.posterior, None)
    least = statistics.table[["ess_bulk", "ess_tail"]].min(axis=1)
    worst = statistics.table.loc[least.idxmin()]
    return {
        "seconds": run.seconds,
        "steps_a_draw": float(run.steps.mean()),
        "least_ess": statistics.min_ess,
        "least_ess_of": f"{worst['variable']} {worst['where']}".strip(),
        "max_rhat": statistics.max_rhat,
        "divergences": run.divergences,
        "parameters": len(statistics.table),
    }


def _kernel(spec: Any, scores: Any, settings: Settings) -> dict[str, Any]:
    """Check the kernel against the package's density, and time its gradient."""
    import numpy as np

    from benchmarks.speed.peers.contender import Law
    from benchmarks.speed.peers.kernel import kernel
    from benchmarks.speed.peers.pymc_contenders import median_seconds

    target = Law.of(spec, scores)
    evaluate = kernel(target.model, target.data)
    start, density = target.target.start, target.target.evaluate
    rng = np.random.default_rng(settings.seed)
    values, gradients = [], []
    for _ in range(6):
        point = start + 0.3 * rng.standard_normal(len(start))
        ours, theirs = density(point), evaluate(point)
        values.append(ours[0] - theirs[0])
        gradients.append(np.abs(ours[1] - theirs[1]).max() / np.abs(ours[1]).max())
    near = start + 0.1 * rng.standard_normal((4, len(start)))
    return {
        "difference": float(np.ptp(values)),
        "gradient_difference": float(max(gradients)),
        "seconds": median_seconds(evaluate, near, settings.gradients),
        "package_seconds": median_seconds(density, near, settings.gradients),
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    main()
