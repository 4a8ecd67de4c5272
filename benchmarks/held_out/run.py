"""Backtests on splits other than the published ones: whole families, largest members, cells.

On the bundled table (corrected sizes and tokens), the recommended spec and the baselines forecast
three kinds of held-out scores: whole families; the largest member of each family with three or
more members; and a tenth of the cells at random. Finished folds are kept in the folder runs, so an
interrupted run resumes. Writes HELD_OUT.md.

    python -m benchmarks.held_out.run --workers 2
    python -m benchmarks.held_out.run latentscale --only "whole families"
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.selection.run import V1, V2
from latentscale.analysis.folds import Fold

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
SEED = 1
METHOD = ls.NUTS(draws=250, tune=300, chains=2, cores=1)
SPECS = ("latentscale", "family_flops", "pooled_flops")
SCHEMES = ("whole families", "largest members", "random cells")
SUITES = {**dict.fromkeys(V1, "v1"), **dict.fromkeys(V2, "v2")}


def folds(scheme: str, scores: ls.Scores) -> tuple[Fold, ...]:
    """Return the folds of a scheme."""
    if scheme == "whole families":
        return ls.folds.k_fold_by_family(scores, n_folds=8, seed=SEED)
    if scheme == "largest members":
        return ls.folds.largest_member_out(scores, n_folds=3, seed=SEED)
    return ls.folds.random_cells_out(scores, share=0.1, n_folds=3, seed=SEED)


def run(spec: ls.ModelSpec, scheme: str, workers: int) -> pd.DataFrame:
    """Return one row per hidden score."""
    scores = ls.datasets.open_llm_leaderboard()
    return ls.backtest(
        spec,
        scores,
        folds(scheme, scores),
        method=METHOD,
        seed=SEED,
        workers=workers,
        folder=RUNS / "folds",
    )


def row(cells: pd.DataFrame) -> dict[str, str]:
    """Return the figures of some cells, with bootstrap standard errors over families."""
    summary = ls.studies.summarise(cells, seed=SEED).iloc[0]

    def percent(name: str, digits: int = 0) -> str:
        return f"{100 * summary[name]:.{digits}f} ± {100 * summary[name + '_se']:.{digits}f}"

    return {
        "families": str(int(summary["families"])),
        "cells": str(int(summary["cells"])),
        "error": percent("mae", 2),
        "crps": percent("crps", 2),
        "width": percent("width", 1),
        "50%": percent("cover_50"),
        "80%": percent("cover_80"),
        "90%": percent("cover_90"),
        "95%": percent("cover_95"),
        "log score": f"{summary['log_score']:.2f} ± {summary['log_score_se']:.2f}",
    }


def report() -> str:
    """Return HELD_OUT.md from the files of finished runs."""
    rows, by_benchmark = [], []
    for scheme in SCHEMES:
        for spec in SPECS:
            file = _file(spec, scheme)
            if not file.is_file():
                continue
            cells = pd.read_csv(file)
            cells["suite"] = cells["benchmark"].map(SUITES)
            for suite, of_group in [("all", cells), *cells.groupby("suite")]:
                rows.append({"hidden": scheme, "spec": spec, "benchmarks": suite} | row(of_group))
            if spec == SPECS[0] and scheme == SCHEMES[0]:
                for benchmark, of_group in cells.groupby("benchmark"):
                    by_benchmark.append({"benchmark": benchmark} | row(of_group))
    parts = [
        "# Held-out scores on other splits",
        "Written by `python -m benchmarks.held_out.run`; do not edit.",
        f"{provenance(SEED)} {METHOD.chains} chains of {METHOD.tune} + {METHOD.draws} "
        "draws per fit.",
        " ".join(__doc__.split("\n\n")[1].split()),
        "Errors of the median, CRPS and widths of 90% intervals are in points, averaged over "
        "cells; coverage is in percent; ± one standard error, from a bootstrap over families. The "
        "families of this table were also used to choose the spec (SELECTION.md).",
        markdown(pd.DataFrame(rows)),
    ]
    if by_benchmark:
        parts += [f"## {SPECS[0]}, {SCHEMES[0]}", markdown(pd.DataFrame(by_benchmark))]
    return "\n\n".join(parts) + "\n"


def _file(spec: str, scheme: str) -> Path:
    return RUNS / f"{spec}-{scheme.replace(' ', '-')}.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", default=list(SPECS), help=", ".join(SPECS))
    parser.add_argument("--only", nargs="*", default=list(SCHEMES), choices=SCHEMES)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    for scheme in options.only:
        for name in options.specs:
            run(ls.load_spec(name), scheme, options.workers).to_csv(
                _file(name, scheme), index=False
            )
            (HERE / "HELD_OUT.md").write_text(report())
            print(f"{name}, {scheme}: done", flush=True)


if __name__ == "__main__":
    main()
