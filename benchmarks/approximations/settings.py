"""Pathfinder's settings on half of the table's families; the table SETTINGS.md.

Run from the project's root:  python -m benchmarks.approximations.settings

Defaults are chosen here, on posteriors that `benchmarks.approximations.run` does not report. Each
row is the mean over seeds; distances are to NUTS, as there.
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
SEEDS = (1, 2, 3)
_BEFORE = {"paths": 4, "history": 6, "jitter": 1.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "4 paths, history 6, jitter 1": _BEFORE,
    "history 15": _BEFORE | {"history": 15},
    "jitter 2": _BEFORE | {"jitter": 2.0},
    "history 15, jitter 2": _BEFORE | {"history": 15, "jitter": 2.0},
    "8 paths, history 15, jitter 2 (the defaults)": {},
    "the same, jitter 3": {"jitter": 3.0},
    "the same, history 30": {"history": 30},
    "the same, 16 paths": {"paths": 16},
    "the same, 30 draws for the ELBO": {"elbo_draws": 30},
}


def main() -> None:
    """Run every setting on both posteriors and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=5, help="which half of the families")
    seed = parser.parse_args().seed
    warnings.simplefilter("ignore")
    scores = half_of_families(seed)
    lines = ["# Settings of Pathfinder", "", provenance(seed), "", f"On {scores!r}.", ""]
    for case in CASES:
        table = rows(case, scores)
        print(table.to_string(), flush=True)
        lines += [f"## {case}", "", markdown(table), ""]
    (HERE / "SETTINGS.md").write_text("\n".join(lines), encoding="utf-8")


def half_of_families(seed: int) -> ls.Scores:
    """Return the bundled table with a random half of its families."""
    table = ls.datasets.open_llm_leaderboard().to_frame()
    families = np.unique(table["family"])
    kept = np.random.default_rng(seed).permutation(families)[: len(families) // 2]
    return ls.Scores.from_frame(table[table["family"].isin(kept)])


def rows(case: str, scores: ls.Scores) -> pd.DataFrame:
    """Return one row a setting: processor seconds and distances, means over seeds."""
    spec = cases()[case]
    reference = ls.fit(spec, scores, method=NUTS, seed=1, progress=False).posterior
    ls.fit(spec, scores, method=ls.Laplace(draws=DRAWS), seed=1, progress=False)  # compiles
    table = []
    for name, settings in SETTINGS.items():
        method = replace(ls.Pathfinder(draws=DRAWS), **settings)
        each = []
        for seed in SEEDS:
            began = time.process_time()
            fit = ls.fit(spec, scores, method=method, seed=seed, progress=False)
            processor = time.process_time() - began
            own = {"processor": processor, "k": fit.status.pareto_k}
            each.append(own | distance(fit.posterior, reference))
        mean = pd.DataFrame(each).mean()
        table.append(
            {
                "settings": name,
                "processor s": f"{mean['processor']:.1f}",
                "median distance, sd": f"{mean['distance']:.2f}",
                "largest distance, sd": f"{mean['worst']:.2f}",
                "median width / NUTS": f"{mean['width']:.2f}",
                "Pareto k": f"{mean['k']:.2f}",
            }
        )
    return pd.DataFrame(table)


if __name__ == "__main__":
    main()
