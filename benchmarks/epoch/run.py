"""Forecasts in time on Epoch's benchmarking hub: models released after a cut; EPOCH.md.

Models released before a cut are fitted, and every later score on a benchmark with at least 8 fitted
scores is forecast: with no score of the model given, with three of its scores, with three of every
later model of its family, and with three scores of every later model fitted as well. The hub is
read in place (../shared/tables/epoch: CC BY 4.0, Epoch AI). Fits and forecasts are kept in the
folder runs, so an interrupted run resumes; EPOCH.md is written from all that are there.

    python -m benchmarks.epoch.run capabilities 2025-01-01 --given  # one fit
    python -m benchmarks.epoch.run capabilities 2025-01-01 --by-family  # forecasts by family
    python -m benchmarks.epoch.run capabilities 2025-01-01 --fitted # one with the given scores
    python -m benchmarks.epoch.run --report                         # EPOCH.md
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

import latentscale as ls
from benchmarks.common.by_model import forecast_by_family, forecast_by_model
from benchmarks.common.dated import before_and_after
from benchmarks.epoch.baselines import baseline_table
from benchmarks.epoch.report import BY_FAMILY, GIVEN_FITTED, SHIPPED, write_report
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "epoch"
FEWEST = 8
"""Fitted scores of a benchmark that is forecast, as in the prototype that the report compares."""
GIVEN = 3
"""Scores given for a model, as in the prototype."""
CHAINS, TUNE, DRAWS = 4, 400, 400
"""Chains, and the warm-up and kept draws of each. With two short chains, as the study first had,
one can stay where it began: R-hat was up to 1.9, and up to 1.56 with four chains of 200 + 200
draws."""

VARIANTS: dict[str, dict[str, Any]] = {
    SHIPPED: {},
    "no size class": {"covariates": ["released", "reasoning"]},
    "settings apart": {"skills.release": False},
    "ceilings": {"benchmarks.ceiling": "estimated"},
    "open ceilings": {"benchmarks.ceiling": "estimated", "benchmarks.ceiling_open": 0.25},
    "effort": {"covariates": ["released", "reasoning", "size_class", "effort"]},
    "provider trends": {
        "covariates": ["released", "reasoning", "size_class", "provider"],
        "family.lineage": False,  # lineages of the hub are its providers
        "terms": [
            {"kind": "model-group"},
            {"kind": "trend", "covariate": "released"},
            {"kind": "category-trend", "covariate": "released", "category": "provider"},
        ],
    },
}
"""Fields of the shipped spec that a variant replaces."""


def hub(cut: str) -> tuple[Scores, ls.folds.Fold]:
    """Return the dated models on benchmarks of enough scores before the cut, and the fold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the audit repeats the reader's warnings about names
        scores = ls.readers.read_epoch(SHARED)
    return before_and_after(scores, cut, FEWEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", nargs="?", choices=[*VARIANTS], default=SHIPPED)
    parser.add_argument("cut", nargs="?", default="2025-01-01")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--tune", type=int, default=TUNE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="then stop, to go on later")
    parser.add_argument("--report", action="store_true", help="write EPOCH.md, fit nothing")
    parser.add_argument("--given", action="store_true", help="forecast with three given as well")
    parser.add_argument(
        "--fitted", action="store_true", help="fit three scores of every later model as well"
    )
    parser.add_argument(
        "--by-family", action="store_true", help="forecast a family's models with three of each"
    )
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public hub in place.")
    if options.report:
        write_report(HERE, SHARED, options.seed)
        return
    scores, fold = hub(options.cut)
    if options.fitted:
        given_fitted(scores, fold, options)
        return
    runs = HERE / "runs" / options.variant
    runs.mkdir(parents=True, exist_ok=True)
    folds = {0: fold}
    if options.given or options.by_family:
        folds[GIVEN] = ls.folds.with_given([fold], scores, GIVEN, seed=options.seed)[0]
    spec = ls.load_spec(SHIPPED).with_({"name": options.variant, **VARIANTS[options.variant]})
    fit = fitted(spec, scores, fold, runs / f"{options.cut}.nc", options)
    if options.by_family:
        table = forecast_by_family(fit, scores, folds[GIVEN], options.seed)
        (HERE / "runs" / BY_FAMILY).mkdir(exist_ok=True)
        table.to_csv(HERE / "runs" / BY_FAMILY / f"{options.cut}-{GIVEN}.csv", index=False)
        print(BY_FAMILY, options.cut, GIVEN, _line(table, scores), flush=True)
        return
    for count, one in folds.items():
        path = runs / f"{options.cut}-{count}.csv"
        baselines = HERE / "runs" / f"baselines-{options.cut}-{count}.csv"
        if not baselines.exists():
            baseline_table(scores, one).to_csv(baselines, index=False)
        if not path.exists():
            began = time.time()
            kept = runs / f"{options.cut}-{count}"
            table = forecast_by_model(fit, scores, one, kept, options.seed, options.minutes)
            if table is None:
                return
            table.to_csv(path, index=False)
            print(f"forecast in {time.time() - began:.0f} s", flush=True)
        print(options.variant, options.cut, count, _line(pd.read_csv(path), scores), flush=True)


def given_fitted(scores: Scores, fold: ls.folds.Fold, options: argparse.Namespace) -> None:
    """Fit what was released before the cut and the given scores of all later models together."""
    runs = HERE / "runs" / GIVEN_FITTED
    (runs / "fits").mkdir(parents=True, exist_ok=True)
    given = ls.folds.with_given([fold], scores, GIVEN, seed=options.seed)[0].given
    later = list(dict.fromkeys(model for model, _ in given))
    measured = scores.dataset["score"].sel(model=later).notnull().to_series()
    hidden = [cell for cell in measured.index[measured] if cell not in set(given)]
    every = ls.folds.Fold(fold.name, train=(*fold.train, *later), cells=tuple(hidden))
    path = runs / "fits" / f"{options.cut}.nc"
    fit = fitted(ls.load_spec(SHIPPED), scores, every, path, options)
    table = forecast_fold(fit, scores, every, seed=options.seed)
    table.to_csv(runs / f"{options.cut}-{GIVEN}.csv", index=False)
    print(GIVEN_FITTED, options.cut, GIVEN, _line(table, scores), flush=True)


def fitted(
    spec: ModelSpec, scores: Scores, fold: ls.folds.Fold, path: Path, options: argparse.Namespace
) -> ls.Fit:
    """Return a fit to what a fold trains on; from disk if there.

    Parameters
    ----------
    spec, scores, fold
        What is fitted.
    path
        Where the fit is kept.
    options
        With draws, tune and seed; all other settings are the defaults of NUTS.
    """
    if path.exists():
        return ls.load(path)
    method = ls.NUTS(draws=options.draws, tune=options.tune, chains=CHAINS, cores=1)
    began = time.time()
    fit = ls.fit(
        spec, training_scores(scores, fold), method=method, seed=options.seed, progress=False
    )
    print(f"fitted in {time.time() - began:.0f} s: {fit.status.message}", flush=True)
    fit.save(path)
    return fit


def _line(table: pd.DataFrame, scores: Scores) -> str:
    cells = table[table["benchmark"].isin(bounded(scores))]
    error = 100 * (cells["median"] - cells["score"])
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    width = 100 * (cells["upper"] - cells["lower"]).median()
    return (
        f"n {len(cells)} MAE {error.abs().mean():.2f} bias {error.mean():+.2f} "
        f"cover {inside.mean():.3f} width {width:.1f} rhat {cells['max_rhat'].max():.2f}"
    )


def bounded(scores: Scores) -> list[str]:
    """Return the benchmarks whose scores are fractions: errors are in points there."""
    data = scores.dataset
    return [str(b) for b in data["benchmark"].values[(data["scale"] == "fraction").values]]


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
