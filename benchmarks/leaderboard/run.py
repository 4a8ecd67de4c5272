"""The Open LLM Leaderboard v2 whole: random cells, and models uploaded after a cut; LEADERBOARD.md.

The leaderboard's contents table is read in place as published, with families and base models from
names (../shared/tables/open_llm_leaderboard_v2). Models uploaded before the cut are fitted, except
for a random tenth of their scores; those, and all scores of later models, are forecast. Forecasts
are kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.leaderboard.run date       # one spec
    python -m benchmarks.leaderboard.run --report   # LEADERBOARD.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings

import pandas as pd

import latentscale as ls
from benchmarks.leaderboard.report import METHODS, parts_of, report, row
from benchmarks.leaderboard.specs import VARIANTS, spec_of, table_of
from benchmarks.leaderboard.split import (
    AT_RANDOM,
    CUT,
    EARLIER,
    EARLIEST,
    HERE,
    SEED,
    SHARED,
    leaderboard,
)
from latentscale.analysis.backtest import forecast_fold, training_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", nargs="?", choices=VARIANTS, default="date")
    parser.add_argument("--method", choices=METHODS, default="advi")
    parser.add_argument("--seed", type=int, default=SEED, help="of the fit and its forecasts")
    parser.add_argument("--cut", choices=(EARLIEST, EARLIER, CUT, AT_RANDOM), default=CUT)
    parser.add_argument("--report", action="store_true", help="write LEADERBOARD.md, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_file():
        raise SystemExit(f"{SHARED} is not there: the study reads the published table in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    if options.report:
        (HERE / "LEADERBOARD.md").write_text(report(runs, options.seed), encoding="utf-8")
        return
    how = options.method if options.seed == SEED else f"{options.method}, seed {options.seed}"
    path = runs / f"{options.variant}, {how}, {options.cut}.csv"
    if not path.exists():
        scores, fold = leaderboard(SEED, options.cut)
        began = time.time()
        method: ls.ADVI | ls.NUTS = ls.ADVI(batch=500)
        if options.method == "nuts":
            method = ls.NUTS(draws=100, tune=200, chains=2, cores=1)
        table = table_of(options.variant, scores)
        fit = ls.fit(
            spec_of(options.variant),
            training_scores(table, fold),
            method=method,
            seed=options.seed,
            progress=False,
        )
        seconds = time.time() - began
        forecasts = forecast_fold(fit, table, fold, seed=options.seed)
        # Standard errors are between families as read, whatever the spec uses as families.
        family = scores.to_frame().set_index("model")["family"]
        forecasts["family"] = forecasts["model"].map(family)
        forecasts.assign(seconds=seconds).to_csv(path, index=False)
    table = pd.read_csv(path)
    for part, cells in parts_of(table, options.cut).items():
        print(options.variant, options.cut, part, row(cells), flush=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
