"""Run the 73 leave-one-family-out splits of Sloth's experiment and write RESULTS.md.

Each split (../shared/protocols, read in place) hides all but one or two members of a family and
its tuned variants, fits the rest with sizes and tokens as published, and forecasts the hidden
members. Errors are compared with those that Sloth published on the same splits
(../shared/reference, arXiv:2412.06540). Finished folds are kept in the folder runs, so an
interrupted run resumes; RESULTS.md is rewritten after each spec.

    python -m benchmarks.accuracy.run --workers 2                 # all specs, all splits
    python -m benchmarks.accuracy.run latentscale --quick         # 12 splits, short chains
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pandas as pd

import latentscale as ls
from benchmarks.accuracy.tables import report
from latentscale.analysis.folds import Fold

HERE = Path(__file__).resolve().parent
ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
SPECS = ("latentscale", "family_flops", "pooled_flops", "family_size_tokens", "pooled_size_tokens")
METHOD = ls.NUTS(draws=250, tune=300, chains=2, cores=1)
QUICK = replace(METHOD, draws=150, tune=200)


def splits(quick: bool) -> list[dict]:
    """Return the splits; with `quick` the first two of each set and number of members seen."""
    source = SHARED / "protocols" / "leave_family_out.json"
    if not source.is_file():
        raise SystemExit(f"The splits are not here: {source} does not exist.")
    every = json.loads(source.read_text())
    if not quick:
        return every
    kept: dict[tuple[str, int], list[dict]] = {}
    for split in every:
        kept.setdefault((split["set"], split["n_seen"]), []).append(split)
    return [split for group in kept.values() for split in group[:2]]


def published(chosen: list[dict]) -> pd.DataFrame:
    """Return Sloth's published errors in points, columns split, set, n_seen, method, mae."""
    errors = pd.read_csv(SHARED / "reference" / "published_errors.csv")
    errors = errors[errors["split"].isin([split["id"] for split in chosen])]
    return errors.assign(mae=100 * errors["mae"])


def run(spec: ls.ModelSpec, chosen: list[dict], method: ls.NUTS, options: argparse.Namespace):
    """Return one row per hidden score over all splits, with set and n_seen."""
    table = ls.datasets.open_llm_leaderboard(corrected=False)
    parts = []
    for name in dict.fromkeys(split["set"] for split in chosen):
        group = [split for split in chosen if split["set"] == name]
        scores = table.select(benchmarks=group[0]["benchmarks"])
        folds = [Fold(s["id"], tuple(s["train"]), tuple(s["test"])) for s in group]
        of_set = ls.backtest(
            spec,
            scores,
            folds,
            method=method,
            seed=options.seed,
            workers=options.workers,
            folder=HERE / "runs",
        )
        parts.append(of_set.assign(set=name))
    cells = pd.concat(parts, ignore_index=True)
    seen = {split["id"]: split["n_seen"] for split in chosen}
    return cells.assign(n_seen=cells["fold"].map(seen))


def about(method: ls.NUTS, options: argparse.Namespace, chosen: list[dict], seconds: float) -> str:
    """Return how the figures were made, as Markdown."""
    named = {"python": platform.python_version()}
    named |= {name: version(name) for name in ("pymc", "pytensor", "nutpie", "numba", "numpy")}
    versions = ", ".join(f"{name} {number}" for name, number in named.items())
    command = "python -m benchmarks.accuracy.run" + (" --quick" if options.quick else "")
    return (
        f"`{command} --seed {options.seed}`: {len(chosen)} splits, {method.chains} chains of "
        f"{method.tune} + {method.draws} draws per fit; latentscale {version('latentscale')}, "
        f"{versions}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores; this run "
        f"took {seconds / 60:.0f} minutes (folds done earlier are read back)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "specs", nargs="*", help="shipped names or TOML files; all baselines if none"
    )
    parser.add_argument("--quick", action="store_true", help="12 splits and short chains")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None, help="RESULTS.md, or RESULTS-quick.md")
    options = parser.parse_args()
    chosen = splits(options.quick)
    method = QUICK if options.quick else METHOD
    suffix = "-quick" if options.quick else ""
    output = options.output or HERE / f"RESULTS{suffix}.md"
    start = time.perf_counter()
    cells: dict[str, pd.DataFrame] = {}
    for name in options.specs or SPECS:
        spec = ls.load_spec(name)
        cells[f"{spec.name} ({spec.digest})"] = run(spec, chosen, method, options)
        made = about(method, options, chosen, time.perf_counter() - start)
        output.write_text(report(cells, published(chosen), made))
        print(f"{name}: written to {output}", flush=True)


if __name__ == "__main__":
    main()
