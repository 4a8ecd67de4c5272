"""Speed of the package against the same posteriors on other engines; writes SPEED.md.

Run from the project's root:  python benchmarks/speed.py [--quick] [--seed 1]
PyStan and NumPyro come with:  pip install -c constraints.txt -e ".[peers]"

Contenders code the same posterior: the package, `pymc.sample` on its model, and the law written by
hand in NumPyro and in Stan. Each task runs in a process of its own, one after the other: the first
draw with empty caches, again with what the first left, the check that the log density is the
package's, and the run of NUTS. A hand-written numba kernel of the recommended law is the floor of
gradients. Results are kept in benchmarks/runs/speed as they come; --resume takes up where an
earlier run stopped, --report only writes the table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RUNS = Path(__file__).parent / "runs"
CONTENDERS = {
    "latentscale": ("pymc_contenders", "Latentscale", "latentscale"),
    "pymc": ("pymc_contenders", "PyMC", "pymc"),
    "pymc-own": ("pymc_contenders", "PyMCOwn", "pymc"),
    "numpyro": ("numpyro_contender", "NumPyro", "numpyro"),
    "stan": ("stan_contender", "Stan", "stan"),
}
DEFAULT = ("latentscale", "pymc", "numpyro", "stan")
TASKS = ("cold", "warm", "agreement", "gradient", "sample")
AGREEMENT_LIMIT = 1e-5  # nats, of log densities near 1e5


@dataclass(frozen=True)
class Settings:
    """How long to run."""

    draws: int
    tune: int
    chains: int
    gradients: int


FULL = Settings(draws=1000, tune=1000, chains=4, gradients=2000)
QUICK = Settings(draws=10, tune=10, chains=2, gradients=100)


def main() -> None:
    """Run what is asked for, one process after the other, and write the table after each."""
    options = _options()
    if options.task:
        warnings.simplefilter("ignore")
        print(json.dumps(_task(options)))
        return
    from speed_report import write

    folder = RUNS / ("speed-quick" if options.quick else "speed")
    out = options.out or (folder if options.quick else Path(__file__).parent) / "SPEED.md"
    if not (options.resume or options.report):
        shutil.rmtree(folder / "caches", ignore_errors=True)
        for old in folder.glob("*.json"):
            old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    plan = [] if options.report else _plan(options)
    for number, (spec, contender, task) in enumerate(plan, start=1):
        path = folder / f"{spec}.{contender}.{task}.json"
        if path.exists():
            continue
        print(f"{number}/{len(plan)}: {spec}, {contender}, {task}", flush=True)
        found = _in_process(options, folder, spec, contender, task)
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
        _refuse_another_posterior(found, spec, contender)
        write(folder, out)
    write(folder, out)
    print(f"Wrote {out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few draws, to see that it works")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--specs", nargs="+", default=["latentscale", "cai2025"])
    parser.add_argument("--skills", type=int, help="skills of cai2025 instead of its own count")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(DEFAULT))
    parser.add_argument("--resume", action="store_true", help="keep results that are there")
    parser.add_argument("--report", action="store_true", help="only write the table")
    parser.add_argument("--out", type=Path, help="where to write the table")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Return (spec, contender, task) in order; contenders whose library is missing are left out."""
    plan = []
    for spec in options.specs:
        for contender in options.contenders:
            library = CONTENDERS[contender][2]
            if find_spec(library) is None:
                print(f"{library} is not installed: {contender} is left out.", file=sys.stderr)
                continue
            plan += [(spec, contender, task) for task in TASKS]
        if spec == "latentscale":
            plan.append((spec, "kernel", "gradient"))
    return plan


def _in_process(
    options: argparse.Namespace, folder: Path, spec: str, contender: str, task: str
) -> dict[str, Any]:
    """Run one task in a fresh process, with caches of its own for each spec and contender."""
    caches = folder / "caches" / f"{spec}.{contender}"
    environment = os.environ | {
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "JAX_COMPILATION_CACHE_DIR": str(caches / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XDG_CACHE_HOME": str(caches / "xdg"),
        "LATENTSCALE_BENCHMARK_STAN": str(folder / "caches" / "httpstan"),
        "OMP_NUM_THREADS": "1",
    }
    if contender == "stan":
        _repair_httpstan(folder / "caches" / "httpstan")
    command = [sys.executable, "-W", "ignore", __file__, "--task", spec, contender, task]
    command += ["--seed", str(options.seed), *["--quick"] * options.quick]
    if options.skills:
        command += ["--skills", str(options.skills)]
    command += ["--began", repr(time.time())]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{spec}, {contender}, {task} failed with code {done.returncode}.")
    return json.loads(done.stdout.splitlines()[-1])


def _repair_httpstan(folder: Path) -> None:
    """Compile Stan's services before the clock runs, where the wheel's do not fit this Python."""
    from peers.stan_laws import load_pystan

    load_pystan(folder)


def _task(options: argparse.Namespace) -> dict[str, Any]:
    """Do one task in this process and return what it found."""
    name, contender, task = options.task
    settings = QUICK if options.quick else FULL
    found: dict[str, Any] = {"spec": name, "contender": contender, "task": task}
    found |= {"seed": options.seed, "settings": asdict(settings), "python": sys.version.split()[0]}
    spec, scores = _law(name, options.skills)
    found["skills"] = spec.skills.count
    if contender == "kernel":
        return found | _kernel(spec, scores, options.seed, settings)
    module, kind, _ = CONTENDERS[contender]
    made = getattr(import_module(f"peers.{module}"), kind)
    player = made(spec, scores, options.seed, settings.chains)
    if task in ("cold", "warm"):
        player.first_draw(options.seed + 100 * (task == "warm"))
        found["seconds"] = time.time() - options.began
    elif task == "agreement":
        found["difference"] = player.disagreement()
    elif task == "gradient":
        found["seconds"] = player.gradient_seconds(settings.gradients)
    else:
        found |= _sampled(player.sample(settings.draws, settings.tune, os.cpu_count() or 1))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 2**20 if sys.platform == "darwin" else 2**10
    found["peak_megabytes"], found["worker_megabytes"] = (use.ru_maxrss / unit for use in used)
    found["versions"] = {library: _version(library) for library in player.libraries}
    return found


def _law(name: str, skills: int | None) -> tuple[Any, Any]:
    import latentscale as ls

    spec = ls.load_spec(name)
    if skills and name != "latentscale":
        record = spec.skills.model_copy(update={"count": skills})
        spec = spec.model_copy(update={"skills": record})
    return spec, ls.datasets.open_llm_leaderboard()


def _sampled(run: Any) -> dict[str, Any]:
    from latentscale.posterior.convergence import convergence

    found = convergence(run.posterior, None)
    least = found.table[["ess_bulk", "ess_tail"]].min(axis=1)
    worst = found.table.loc[least.idxmin()]
    return {
        "seconds": run.seconds,
        "steps_a_draw": float(run.steps.mean()),
        "least_ess": found.min_ess,
        "least_ess_of": f"{worst['variable']} {worst['where']}".strip(),
        "max_rhat": found.max_rhat,
        "divergences": run.divergences,
        "parameters": len(found.table),
    }


def _kernel(spec: Any, scores: Any, seed: int, settings: Settings) -> dict[str, Any]:
    """Check the kernel against the package's density, and time its gradient."""
    import numpy as np
    from peers.contender import Law
    from peers.kernel import kernel
    from peers.pymc_contenders import median_seconds

    law = Law.of(spec, scores)
    evaluate = kernel(law.model, law.data)
    rng = np.random.default_rng(seed)
    values, gradients = [], []
    for _ in range(6):
        point = law.target.start + 0.3 * rng.standard_normal(law.target.size)
        ours, theirs = law.target.evaluate(point), evaluate(point)
        values.append(ours[0] - theirs[0])
        gradients.append(np.abs(ours[1] - theirs[1]).max() / np.abs(ours[1]).max())
    near = law.target.start + 0.1 * rng.standard_normal((4, law.target.size))
    return {
        "difference": float(np.ptp(values)),
        "gradient_difference": float(max(gradients)),
        "seconds": median_seconds(evaluate, near, settings.gradients),
    }


def _refuse_another_posterior(found: dict[str, Any], spec: str, contender: str) -> None:
    differences = [found[key] for key in ("difference", "gradient_difference") if key in found]
    if not all(each <= AGREEMENT_LIMIT for each in differences):  # so not a number is refused
        raise SystemExit(
            f"{contender} does not code the posterior of {spec}: its log density or gradient "
            f"differs from the package's: {differences}. Its timings count for nothing."
        )
    if "difference" in found:
        print(f"    the same log density but for a constant: within {found['difference']:.1e}")


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    main()
