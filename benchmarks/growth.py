"""Time and memory per gradient as tables grow, and a whole fit by ADVI; writes GROWTH.md.

Run from the project's root:  python benchmarks/growth.py [--quick] [--advi] [--seed 1]

Each size runs in a process of its own, so that its peak memory is its own. Times are processor
seconds, which a busy machine hardly changes. Tables are made up: families of four, lineages of
two families, every score measured; the density is that of the recommended spec.
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
ADVI_SIZE = (5000, 12)
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
    from latentscale.inference.posterior_density import posterior_density

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


def fit_by_advi(models: int, benchmarks: int, seed: int) -> dict[str, object]:
    """Fit a table by mean-field ADVI, and score its forecast of the fitted cells."""
    import latentscale as ls

    scores = ls.Scores.from_frame(made_up(models, benchmarks, seed))
    start, wall = time.process_time(), time.perf_counter()
    method = ls.ADVI(draws=200)
    fit = ls.fit(ls.load_spec(SPEC), scores, method=method, seed=seed, progress=False)
    return {
        "models": models,
        "benchmarks": benchmarks,
        "message": fit.status.message,
        "stages": fit.provenance.seconds,
        "processor": time.process_time() - start,
        "wall": time.perf_counter() - wall,
        "peak": peak_megabytes(),
    }


def in_process(kind: str, models: int, benchmarks: int, seed: int) -> dict:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", kind]
    command += [str(models), str(benchmarks), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{models} x {benchmarks} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def write(rows: list[dict], advi: dict | None, options: argparse.Namespace, path: Path) -> None:
    """Write the figures with the command, seed, versions and machine."""
    from latentscale.inference.versions import library_versions

    versions = ", ".join(f"{k} {v}" for k, v in library_versions().items())
    flags = " --quick" * options.quick + " --advi" * options.advi
    lines = [
        "# Growth: time and memory per gradient",
        "",
        f"Written by `python benchmarks/growth.py{flags} --seed {options.seed}`. Recommended spec; "
        "made-up tables, every score measured.",
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}; {versions}.",
        "Processor time on one thread, median over repeats; memory is the process's peak.",
        "",
        "| models | benchmarks | scores | parameters | ms a gradient | ns a score "
        "| compile s | peak MB | MB before compiling |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['models']} | {row['benchmarks']} | {row['cells']} | {row['parameters']} "
            f"| {row['milliseconds']:.2f} | {1e6 * row['milliseconds'] / row['cells']:.0f} "
            f"| {row['compile']:.0f} | {row['peak']:.0f} | {row['before']:.0f} |"
        )
    if advi:
        stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in advi["stages"].items())
        lines += [
            "",
            f"Mean-field ADVI on {advi['models']} models x {advi['benchmarks']} benchmarks: "
            f"{advi['processor']:.0f} s of processor time ({advi['wall']:.0f} s on the clock: "
            f"{stages}), peak {advi['peak']:.0f} MB. Its status: {advi['message']}.",
        ]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def main() -> None:
    """Measure each size and write GROWTH.md after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest tables")
    parser.add_argument("--advi", action="store_true", help="also fit 5,000 x 12 by ADVI")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("GROWTH.md"))
    parser.add_argument("--one", nargs=3, metavar=("KIND", "MODELS", "BENCHMARKS"))
    options = parser.parse_args()
    if options.one:
        warnings.simplefilter("ignore")
        kind, size = options.one[0], [int(text) for text in options.one[1:]]
        run = measure if kind == "gradient" else fit_by_advi
        print(json.dumps(run(*size, options.seed)))
        return
    rows: list[dict] = []
    for models, benchmarks in QUICK if options.quick else SIZES:
        rows.append(in_process("gradient", models, benchmarks, options.seed))
        print(rows[-1], flush=True)
        write(rows, None, options, options.out)
    if options.advi:
        write(rows, in_process("advi", *ADVI_SIZE, options.seed), options, options.out)


if __name__ == "__main__":
    main()
