"""Time and memory per gradient as tables grow, and whole fits by ADVI; writes GROWTH.md.

Run from the project's root:  python -m benchmarks.growth.run [--quick] [--advi] [--seed 1]

Fits are by mean-field ADVI, with all models at once and in batches. They do not see the last member
of every tenth family, whose scores are forecast and compared with the simulated ones.

Each size runs in a separate process, so that peak memory is measured separately. Times are
processor seconds, which load on the machine hardly changes. Tables are simulated: families of four,
lineages of two families, every score measured; the density is that of the recommended spec.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

SIZES = [(n, j) for j in (12, 100) for n in (200, 1000, 5000, 20_000)]
QUICK = [(200, 12), (1000, 12), (5000, 12)]
ADVI_CASES = ((5000, 12, None), (5000, 12, 500), (20_000, 12, 500))  # models, benchmarks, batch
SPEC = "latentscale"
MEMBERS = 4


def made_up(models: int, benchmarks: int, seed: int) -> pd.DataFrame:
    """Return a table with scores that rise with compute, a family's level and noise."""
    rng = np.random.default_rng(seed)
    family = np.arange(models) // MEMBERS
    families = int(family[-1]) + 1
    params = np.exp(rng.uniform(np.log(0.3), np.log(200), models))
    tokens = np.exp(rng.uniform(np.log(0.3), np.log(15), families))[family]
    flops = np.log(params * tokens)
    skill = 0.5 * flops + rng.normal(0, 0.7, families)[family]
    loading, level = rng.uniform(0.4, 1.2, benchmarks), rng.normal(-1, 0.7, benchmarks)
    own = rng.normal(0, 0.3, (families, benchmarks))[family]
    mean = 1 / (1 + np.exp(-(level + skill[:, None] * loading + own)))
    score = np.clip(rng.beta(80 * mean, 80 * (1 - mean)), 0.002, 0.998)
    return pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(models)],
            "family": [f"f{f}" for f in family],
            "lineage": [f"l{f // 2}" for f in family],
            "instruct": np.arange(models) % 2,
            "params_b": params,
            "tokens_t": tokens,
            **{f"b{j}": score[:, j] for j in range(benchmarks)},
        }
    )


def peak_megabytes() -> float:
    """Return the largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def measure(models: int, benchmarks: int, seed: int) -> dict[str, float]:
    """Compile the density of one table and time its gradient."""
    import latentscale as ls
    from latentscale.inference.tools.posterior_density import posterior_density

    scores = ls.Scores.from_frame(made_up(models, benchmarks, seed))
    before = peak_megabytes()
    start = time.process_time()
    density = posterior_density(ls.build(ls.load_spec(SPEC), scores))
    rng = np.random.default_rng(seed)
    points = density.start + 0.1 * rng.standard_normal((4, density.size))
    density.value_and_gradient(points[0])
    compiled = time.process_time()
    count = max(3, min(200, 2_000_000 // (models * benchmarks)))
    each = []
    for index in range(count):
        begun = time.process_time()
        density.value_and_gradient(points[index % 4])
        each.append(time.process_time() - begun)
    return {
        "models": models,
        "benchmarks": benchmarks,
        "cells": models * benchmarks,
        "parameters": density.size,
        "compile": compiled - start,
        "milliseconds": 1e3 * float(np.median(each)),
        "before": before,
        "peak": peak_megabytes(),
    }


def fit_by_advi(models: int, benchmarks: int, seed: int, batch: int | None) -> dict[str, object]:
    """Fit a table by mean-field ADVI, and score its forecast of models that it did not see."""
    import latentscale as ls

    frame = made_up(models, benchmarks, seed)
    hidden = np.arange(models) % (10 * MEMBERS) == MEMBERS - 1
    scores = ls.Scores.from_frame(frame[~hidden])
    wall, start = time.perf_counter(), time.process_time()
    method = ls.ADVI(draws=200, batch=batch)
    fit = ls.fit(ls.load_spec(SPEC), scores, method=method, seed=seed, progress=False)
    seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - start}
    names = [name for name in frame if name.startswith("b")]
    rows = frame[hidden].drop(columns=names)
    told = ls.predict(fit, rows, seed=seed).table().set_index(["model", "benchmark"])
    measured = frame[hidden].set_index("model")[names].stack()
    measured.index.names = ["model", "benchmark"]
    told = told.assign(score=measured)
    inside = told["score"].between(told["lower"], told["upper"])
    return {
        "models": models,
        "benchmarks": benchmarks,
        "batch": batch,
        "message": fit.status.message,
        "stages": fit.provenance.seconds,
        **seconds,
        "peak": peak_megabytes(),
        "hidden": len(told),
        "error": 100 * float((told["median"] - told["score"]).abs().mean()),
        "width": 100 * float((told["upper"] - told["lower"]).mean()),
        "covered": 100 * float(inside.mean()),
    }


def in_process(kind: str, models: int, benchmarks: int, seed: int, batch: int = 0) -> dict:
    """Run one measurement in a separate process; a batch of 0 is the whole table."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", kind]
    command += [str(models), str(benchmarks), str(batch), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{models} x {benchmarks} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def write(rows: list[dict], fits: list[dict], options: argparse.Namespace, path: Path) -> None:
    """Write the figures with the command, seed, versions and machine."""
    from latentscale.inference.tools.versions import library_versions

    versions = ", ".join(f"{k} {v}" for k, v in library_versions().items())
    flags = " --quick" * options.quick + " --advi" * options.advi
    lines = [
        "# Growth: time and memory per gradient",
        "",
        f"Written by `python -m benchmarks.growth.run{flags} --seed {options.seed}`. Recommended "
        "spec; simulated tables without missing scores.",
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}; {versions}.",
        "Processor time on one thread, median over repeats; memory is the process's peak. The "
        "first table compiles if caches are empty; the others use its cache.",
        "",
        "| models | benchmarks | scores | parameters | ms per gradient | ns per score "
        "| compile s | peak MB | MB before compiling |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['models']} | {row['benchmarks']} | {row['cells']} | {row['parameters']} "
            f"| {row['milliseconds']:.2f} | {1e6 * row['milliseconds'] / row['cells']:.0f} "
            f"| {row['compile']:.0f} | {row['peak']:.0f} | {row['before']:.0f} |"
        )
    if fits:
        lines += ["", *_fits(fits)]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _fits(fits: list[dict]) -> list[str]:
    lines = [
        "## Fits by mean-field ADVI",
        "",
        "With all models at once, or in batches (`ls.ADVI(batch=500)`). Compilation times depend "
        "on the state of the caches. Forecasts are for the last member of every tenth family, "
        "which no fit saw: error of the median, width and coverage of 90% intervals.",
        "",
        "| models | benchmarks | batch | wall-clock minutes | compile s | approximate s "
        "| peak MB | hidden scores | error, points | width, points | covered at 90% |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for fit in fits:
        stages = fit["stages"]
        lines.append(
            f"| {fit['models']} | {fit['benchmarks']} | {fit['batch'] or 'all'} "
            f"| {fit['wall'] / 60:.1f} | {stages['compile']:.0f} | {stages['approximate']:.0f} "
            f"| {fit['peak']:.0f} | {fit['hidden']} | {fit['error']:.2f} | {fit['width']:.1f} "
            f"| {fit['covered']:.0f}% |"
        )
    lines += ["", "Their statuses:", ""]
    lines += [
        f"- {fit['models']} models, batch {fit['batch'] or 'all'}: {fit['message']}."
        for fit in fits
    ]
    return lines


def main() -> None:
    """Measure each size and write GROWTH.md after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest tables")
    parser.add_argument("--advi", action="store_true", help="also fit tables by ADVI")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("GROWTH.md"))
    parser.add_argument("--one", nargs=4, metavar=("KIND", "MODELS", "BENCHMARKS", "BATCH"))
    options = parser.parse_args()
    if options.one:
        warnings.simplefilter("ignore")
        kind, (models, benchmarks, batch) = options.one[0], map(int, options.one[1:])
        row = (
            measure(models, benchmarks, options.seed)
            if kind == "gradient"
            else fit_by_advi(models, benchmarks, options.seed, batch or None)
        )
        print(json.dumps(row))
        return
    rows: list[dict] = []
    fits: list[dict] = []
    for models, benchmarks in QUICK if options.quick else SIZES:
        rows.append(in_process("gradient", models, benchmarks, options.seed))
        print(rows[-1], flush=True)
        write(rows, fits, options, options.out)
    for models, benchmarks, batch in ADVI_CASES if options.advi else ():
        fits.append(in_process("advi", models, benchmarks, options.seed, batch or 0))
        print(fits[-1], flush=True)
        write(rows, fits, options, options.out)


if __name__ == "__main__":
    main()
