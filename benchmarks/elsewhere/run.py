"""Shipped specs on tables that took no part in choosing them; ELSEWHERE.md.

Each table is read as a user reads it, fitted with the spec that `ls.spec_for` returns, and its
hidden scores are forecast through `ls.backtest` and by simple baselines. The tables are read in
place (../shared/tables). Finished folds are kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.elsewhere.run "base models" cells   # one fold
    python -m benchmarks.elsewhere.run                       # all that are not there
    python -m benchmarks.elsewhere.run agents cells --spec capabilities   # another spec in addition
    python -m benchmarks.elsewhere.run --report              # ELSEWHERE.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import pandas as pd

import latentscale as ls
from benchmarks.elsewhere.baselines import baseline_table
from benchmarks.elsewhere.report import report
from benchmarks.elsewhere.tables import SHARED, TABLES, scores_of
from latentscale.declare import ModelSpec
from latentscale.errors import DataError
from latentscale.files import replacing
from latentscale.model.spec_for import AUTO

HERE = Path(__file__).resolve().parent
CHAINS, TUNE, DRAWS = 2, 200, 200
"""Short chains: a minute or two a fold on one core. R-hat is in the report."""


def spec_of(name: str, spec: str = AUTO) -> ModelSpec:
    """Return a shipped spec as fitted to a table; with AUTO the table determines the spec."""
    return ls.spec_for(scores_of(name), spec).spec


def forecast(name: str, split: str, seed: int, named: str = AUTO) -> pd.DataFrame:
    """Fit the visible part of a split, forecast the hidden part, and compare."""
    scores = scores_of(name)
    method = ls.NUTS(draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1)
    fold = TABLES[name].splits[split](scores)
    spec = spec_of(name, named)
    began = time.process_time()
    table = ls.backtest(spec, scores, [fold], method=method, seed=seed, progress=False)
    return table.assign(spec=spec.name, seconds=time.process_time() - began)


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path, DataError) as fresh:
        table.to_csv(fresh, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", choices=[*TABLES])
    parser.add_argument("split", nargs="?")
    parser.add_argument("--spec", default=AUTO, help="a shipped spec in addition to auto's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write ELSEWHERE.md, fit nothing")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="time after which no fold begins"
    )
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public tables in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    began = time.time()
    for name in [options.table] if options.table else TABLES:
        for split in [options.split] if options.split else TABLES[name].splits:
            other = "" if options.spec == AUTO else f"-as-{options.spec}"
            place = runs / f"{name}-{split}{other}.csv"
            simple = runs / f"{name}-{split}-baselines.csv"
            if not simple.exists():
                scores = scores_of(name)
                _write(baseline_table(scores, TABLES[name].splits[split](scores)), simple)
            if options.report or place.exists() or time.time() - began > 60 * options.minutes:
                continue
            _write(forecast(name, split, options.seed, options.spec), place)
            print(name, split, f"{time.time() - began:.0f} s", flush=True)
    if options.report:
        (HERE / "ELSEWHERE.md").write_text(report(runs, options.seed), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
