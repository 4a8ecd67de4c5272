"""Pathfinder's settings on halves of the table's families; the table SETTINGS.md.

Run from the project's root:  python -m benchmarks.approximations.settings

Defaults are chosen here, on posteriors that `benchmarks.approximations.run` does not report. Each
row is the mean over halves and seeds; distances are to NUTS on the same half, as there.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.approximations.run import DRAWS, NUTS, cases, distance
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

HERE = Path(__file__).parent
CASES = ("pooled", "one skill")
HALVES = (5, 6, 7)
"""Seeds by which halves of the families are drawn."""
SEEDS = (1, 2)
_BEFORE = {"paths": 4, "history": 6, "jitter": 1.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "4 paths, history 6, jitter 1": _BEFORE,
    "history 15": _BEFORE | {"history": 15},
    "jitter 2": _BEFORE | {"jitter": 2.0},
    "history 15, jitter 2": _BEFORE | {"history": 15, "jitter": 2.0},
    "8 paths, history 15, jitter 2": {"jitter": 2.0},
    "8 paths, history 15, jitter 3 (the defaults)": {},
    "the same, jitter 4": {"jitter": 4.0},
    "the same, history 30": {"history": 30},
    "the same, 16 paths": {"paths": 16},
    "the same, 30 draws for the ELBO": {"elbo_draws": 30},
}

_ABOUT = (
    "Means over three random halves of the bundled table's families and two seeds; processor time "
    "without compilation, with other work on the machine. All rows resample over the paths' "
    "mixture."
)


def main() -> None:
    """Run every setting on both posteriors and write the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("ignore")
    lines = ["# Settings of Pathfinder", "", provenance(SEEDS[0]), "", _ABOUT]
    for case in CASES:
        table = rows(case)
        print(table.to_string(), flush=True)
        lines += ["", f"## {case}", "", markdown(table)]
    (HERE / "SETTINGS.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def half_of_families(seed: int) -> ls.Scores:
    """Return the bundled table with a random half of its families."""
    table = ls.datasets.open_llm_leaderboard().to_frame()
    families = np.unique(table["family"])
    kept = np.random.default_rng(seed).permutation(families)[: len(families) // 2]
    return ls.Scores.from_frame(table[table["family"].isin(kept)])


def rows(case: str) -> pd.DataFrame:
    """Return one row per setting: processor seconds and distances, means over halves and seeds."""
    each: dict[str, list[dict[str, float | None]]] = {name: [] for name in SETTINGS}
    for half in HALVES:
        spec, scores = cases()[case], half_of_families(half)
        reference = ls.fit(spec, scores, method=NUTS, seed=1, progress=False).posterior
        ls.fit(spec, scores, method=ls.Laplace(draws=DRAWS), seed=1, progress=False)  # compiles
        for name, settings in SETTINGS.items():
            method = replace(ls.Pathfinder(draws=DRAWS), **settings)
            for seed in SEEDS:
                began = time.process_time()
                fit = ls.fit(spec, scores, method=method, seed=seed, progress=False)
                used = {"processor": time.process_time() - began, "k": fit.status.pareto_k}
                each[name].append(used | distance(fit.posterior, reference))
    means = {name: pd.DataFrame(runs).mean() for name, runs in each.items()}
    return pd.DataFrame(
        {
            "settings": name,
            "processor s": f"{mean['processor']:.1f}",
            "median distance, sd": f"{mean['distance']:.2f}",
            "largest distance, sd": f"{mean['worst']:.2f}",
            "median width / NUTS": f"{mean['width']:.2f}",
            "Pareto k": f"{mean['k']:.2f}",
        }
        for name, mean in means.items()
    )


if __name__ == "__main__":
    main()
