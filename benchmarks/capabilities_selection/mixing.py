"""How `capabilities` mixes with the shipped defaults on the whole BenchPress matrix: MIXING.md.

The table (../shared/tables/benchpress) is read in place. Fits are kept in the folder runs under a
label, the commit that made them. To compare with an earlier commit, run this file with its
checkout as PYTHONPATH. The quantities judged are those of `Fit.convergence` (for free skills,
linear predictors instead of loadings and skills) and intercepts, which it judged in earlier
versions. Rows of earlier commits stay in mixing.csv.

    python -m benchmarks.capabilities_selection.mixing --label now --seeds 1 2
    PYTHONPATH=../earlier python benchmarks/capabilities_selection/mixing.py --label earlier
    python -m benchmarks.capabilities_selection.mixing --report
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import pandas as pd

import latentscale as ls
from latentscale.posterior.convergence import convergence

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs" / "mixing"
SHARED = HERE.parents[1].parent / "shared" / "tables" / "benchpress"
ROWS = HERE / "mixing.csv"
"""Results of earlier commits, whose fits are not kept."""
INTERCEPT = "intercept"
KINDS = ("linear_predictor", INTERCEPT, "model_group")
"""Variables that a user reads and that mixed slowest when the study began."""
LIMIT = 1.05
"""Largest acceptable R-hat of a judged quantity."""


def fitted(label: str, seed: int) -> None:
    """Fit the whole table with the defaults of NUTS, unless already done."""
    path = RUNS / f"{label}-{seed}.nc"
    if path.exists():
        return
    scores = ls.readers.read_benchpress(SHARED)
    fit = ls.fit(
        ls.load_spec("capabilities"), scores, method=ls.NUTS(cores=1), seed=seed, progress=False
    )
    fit.save(path)
    print(label, seed, fit.status.message, flush=True)


def row(path: Path) -> dict[str, str]:
    """Return the mixing diagnostics of a kept fit."""
    fit = ls.load(path)
    label, seed = path.stem.rsplit("-", 1)
    judged = fit.convergence()
    own = convergence(fit.posterior[[INTERCEPT]], None).table
    table = pd.concat([judged.table[judged.table["variable"] != INTERCEPT], own])
    steps = float(fit.tree["sample_stats"].to_dataset()["n_steps"].sum())
    figures = {
        "commit": label,
        "seed": seed,
        "divergences": str(judged.divergences),
        "max R-hat": f"{table['rhat'].max():.3f}",
        f"share over {LIMIT}": f"{(table['rhat'] > LIMIT).mean():.1%}",
        "least ESS": f"{table['ess_bulk'].min():.0f}",
        "E-BFMI": f"{judged.ebfmi:.2f}",
    }
    for kind in KINDS:
        of = table[table["variable"] == kind]
        figures[f"{kind}: R-hat, ESS"] = f"{of['rhat'].max():.3f}, {of['ess_bulk'].min():.0f}"
    return figures | {
        "without intercepts: R-hat, ESS": f"{judged.max_rhat:.3f}, {judged.min_ess:.0f}",
        "gradients of kept draws": f"{steps:,.0f}",
        "least ESS of intercepts / 1,000": f"{1000 * own['ess_bulk'].min() / steps:.3f}",
    }


def report() -> str:
    """Return MIXING.md of all fits that are kept."""
    from benchmarks.common.markdown import markdown
    from benchmarks.common.provenance import provenance

    found = pd.read_csv(ROWS, dtype=str).to_dict("records")
    found += [row(path) for path in sorted(RUNS.glob("*.nc"), key=lambda p: p.stat().st_mtime)]
    rows = pd.DataFrame({(each["commit"], each["seed"]): each for each in found}.values())
    rows.to_csv(ROWS, index=False)
    parts = [
        "# Mixing of `capabilities` with the shipped defaults",
        provenance(1),
        "The whole BenchPress matrix (84 models, 133 benchmarks), NUTS with 4 chains of 400 + "
        "1,000 draws. R-hat and bulk ESS of every quantity that `Fit.convergence` judges and of "
        "intercepts; of the kinds that mix slowest; and of the quantities judged today, which "
        "exclude intercepts (ESS: the smaller of bulk and tail).",
        markdown(rows.fillna("")),
        (HERE / "mixing_notes.md").read_text(encoding="utf-8").strip(),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", default="now")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--report", action="store_true", help="write MIXING.md, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    RUNS.mkdir(parents=True, exist_ok=True)
    for seed in () if options.report else options.seeds:
        fitted(options.label, seed)
    if options.report:
        (HERE / "MIXING.md").write_text(report(), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
