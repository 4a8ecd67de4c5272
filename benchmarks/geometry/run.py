"""Measure how well NUTS mixes on the bundled data, coding by coding; write GEOMETRY.md.

Each case is a spec with some fields replaced, and settings of the sampler. The report covers the
parameters that a user reads (no raw effects): the largest R-hat, the smallest bulk and tail ESS,
divergences, E-BFMI, leapfrog steps, and the smallest ESS per thousand steps, which depends on the
geometry alone and not on the load of the machine. Finished cases are kept in its folder runs.

    python -m benchmarks.geometry.run                  # what has not been run yet, then the table
    python -m benchmarks.geometry.run recommended "K=4, cai2025"
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

import latentscale as ls
from latentscale.declare.io import spec_from_dict

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
SEED = 1
SHORT = {"draws": 300, "tune": 400, "chains": 2}
FULL = {"draws": 1000, "tune": 400, "chains": 4}

# name: (shipped spec, fields replaced, settings of NUTS)
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "recommended": ("latentscale", {}, FULL),
    "recommended, short": ("latentscale", {}, SHORT),
    "target 0.65": ("latentscale", {}, SHORT | {"target_accept": 0.65}),
    "depth 7": ("latentscale", {}, SHORT | {"max_depth": 7}),
    "target 0.65, depth 7": ("latentscale", {}, SHORT | {"target_accept": 0.65, "max_depth": 7}),
    "low-rank metric": ("latentscale", {}, SHORT | {"adaptation": "low_rank"}),
    "unit = family": ("latentscale", {"skills.identify.unit": "family"}, SHORT),
    "independent skills": ("latentscale", {"family.correlated": False}, SHORT),
    "no lineage": ("latentscale", {"family.lineage": False}, SHORT),
    "no residual": ("latentscale", {"skills.residual": False}, SHORT),
    "logistic link": ("latentscale", {"benchmarks.link.kind": "logistic"}, SHORT),
    **{f"K={count}, cai2025": ("cai2025", {"skills.count": count}, FULL) for count in range(1, 6)},
    "K=6, cai2025": ("cai2025", {"skills.count": 6}, FULL | {"draws": 2500, "target_accept": 0.97}),
    "K=4, cai2025, heteroscedastic": ("cai2025_heteroscedastic", {}, FULL),
    "K=4, cai2025, chains begin around the priors": (
        "cai2025",
        {},
        FULL | {"start": ls.methods.PriorStart()},
    ),
}


def spec_of(name: str, changes: Mapping[str, Any]) -> ls.ModelSpec:
    """Return a shipped spec with fields replaced, by path."""
    document = ls.load_spec(name).to_dict()
    for path, value in changes.items():
        place = document
        *parents, last = path.split(".")
        for parent in parents:
            place = place[parent]
        place[last] = value
    return spec_from_dict(document)


def case(name: str) -> tuple[ls.ModelSpec, ls.NUTS]:
    """Return the spec and the method of a case."""
    base, changes, settings = CASES[name]
    return spec_of(base, changes), ls.NUTS(**settings, cores=2)


def is_done(name: str, file: Path) -> bool:
    """Return whether a file holds this case with today's spec and settings."""
    if not file.is_file():
        return False
    kept = json.loads(file.read_text())
    spec, method = case(name)
    same = kept["digest"] == spec.digest and kept["settings"] == method.settings
    return bool(same and kept["case"] == name)


def measure(name: str) -> dict[str, Any]:
    """Fit one case and return its figures."""
    spec, method = case(name)
    fit = ls.fit(spec, ls.datasets.open_llm_leaderboard(), method=method, seed=SEED)
    diagnosis = fit.convergence()
    steps = float(fit.tree["sample_stats"]["n_steps"].sum())
    draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    least = diagnosis.min_ess
    return {
        "case": name,
        "digest": spec.digest,
        "settings": method.settings,
        "chains x draws": f"{method.chains} x ({method.tune} + {method.draws})",
        "max R-hat": round(diagnosis.max_rhat, 3),
        "min ESS": round(least),
        "divergences": int(diagnosis.divergences),
        "E-BFMI": round(diagnosis.ebfmi, 2),
        "steps per draw": round(steps / draws),
        "min ESS per 1,000 steps": round(1000 * least / steps, 2),
        "sampling s": round(fit.provenance.seconds["sample"]),
    }


def write(rows: list[dict[str, Any]]) -> None:
    """Write GEOMETRY.md: how it was run, the table and the notes."""
    frame = pd.DataFrame(rows).drop(columns="settings")
    head = "| " + " | ".join(frame.columns) + " |\n" + "|---" * len(frame.columns) + "|"
    body = ["| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False)]
    libraries = ", ".join(f"{n} {version(n)}" for n in ("pymc", "nutpie", "numba", "arviz"))
    made = (
        f"`python -m benchmarks.geometry.run`, seed {SEED}; latentscale {version('latentscale')}, "
        f"{libraries}, Python {platform.python_version()}; {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores. Seconds depend on what else the "
        "machine does: compare steps."
    )
    notes = (HERE / "notes.md").read_text()
    text = "\n\n".join(["# Geometry", made, "\n".join([head, *body]), notes.strip()])
    (HERE / "GEOMETRY.md").write_text(text + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=", ".join(CASES))
    names = parser.parse_args().names or list(CASES)
    RUNS.mkdir(parents=True, exist_ok=True)
    for name in names:
        file = RUNS / f"{list(CASES).index(name):02d}.json"
        if not is_done(name, file):
            file.write_text(json.dumps(measure(name)))
        print(file.read_text(), flush=True)
    write([json.loads(file.read_text()) for file in sorted(RUNS.glob("*.json"))])


if __name__ == "__main__":
    main()
