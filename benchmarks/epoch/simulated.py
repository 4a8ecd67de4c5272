"""Are few-shot forecasts on Epoch's hub calibrated if the model is right? SIMULATED.md.

The study `run` forecasts later models given three of their scores, and its 90% intervals cover
less than 90%. Either conditioning on given scores is inexact, or the later models differ from what
the model expects. Here the scores of the later models are simulated from the predictive
distributions of that study's fits, with nothing given, so the model is right by construction. The
same three scores of each model are then given and the others forecast. Coverage below the nominal
level on simulated scores would be an error of conditioning. The fits are those of `run`, in its
folder runs; so are the simulated forecasts, so an interrupted run resumes.

    python -m benchmarks.epoch.simulated            # what is missing, then the report
    python -m benchmarks.epoch.simulated --report   # SIMULATED.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.epoch.report import SHIPPED
from benchmarks.epoch.run import GIVEN, SHARED, bounded, hub
from latentscale.analysis.backtest import forecast_fold
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.errors import DataError
from latentscale.files import replacing

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
KEPT = RUNS / "simulated" / "kept"
"""Deeper than the forecasts that EPOCH.md reads."""
CUTS = ("2024-07-01", "2025-01-01")
"""Cuts at which the chains of EPOCH.md's fit agree (R-hat below 1.1)."""
REPEATS = 3
"""Simulated tables for each cut: some sixty simulated models."""
SEED = 1
FEW_SHOT = ls.FewShot(degenerate="warn")
"""Degenerate weights are accepted, as in the study `run`."""


def simulated(fit: ls.Fit, scores: Scores, fold: ls.folds.Fold, rng: np.random.Generator) -> Scores:
    """Return the table with the fold's models simulated, each from a posterior draw of its own.

    Parameters
    ----------
    fit
        A fit of the fold's training scores.
    scores, fold
        The table, and the fold whose test models are simulated where they were measured.
    rng
        Source of random numbers.
    """
    names = list(fold.test)
    rows = scores.dataset.sel({MODEL: names, BENCHMARK: list(fit.scores.benchmarks)})
    blank = rows.assign(score=rows["score"].where(False))
    draws = forecast_rows(fit, blank, seed=int(rng.integers(2**31))).draws
    score = scores.dataset["score"].copy()
    for name in names:
        draw = int(rng.integers(draws.sizes[SAMPLE]))
        new = draws.sel({MODEL: name}).isel({SAMPLE: draw}, drop=True)
        own = score.sel({MODEL: name}, drop=True)
        score.loc[{MODEL: name}] = new.reindex_like(own).where(own.notnull())
    return Scores(scores.dataset.assign(score=score))


def forecasts(cut: str, repeat: int) -> pd.DataFrame:
    """Return forecasts of one simulated table, with nothing and with three scores given."""
    file = KEPT / f"{cut}-{repeat}.csv"
    if file.exists():
        return pd.read_csv(file)
    path = RUNS / SHIPPED / f"{cut}.nc"
    if not path.exists():
        raise SystemExit(f"{path} is not there: run python -m benchmarks.epoch.run {SHIPPED} {cut}")
    began = time.time()
    scores, later = hub(cut)
    given = ls.folds.with_given([later], scores, GIVEN, seed=SEED)[0].given
    models = tuple(dict.fromkeys(model for model, _ in given))
    fold = ls.folds.Fold(later.name, later.train, models)
    fit = ls.load(path)
    table = simulated(fit, scores, fold, np.random.default_rng([SEED, repeat]))
    tables = []
    for count, some in ((0, ()), (GIVEN, given)):
        one = replace(fold, given=some)
        made = forecast_fold(fit, table, one, seed=SEED + repeat, few_shot=FEW_SHOT)
        tables.append(made.assign(given=count))
    both = pd.concat(tables, ignore_index=True).assign(repeat=repeat)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file, DataError) as fresh:
        both.to_csv(fresh, index=False)
    print(f"{cut}, repeat {repeat}: {time.time() - began:.0f} s", flush=True)
    return both


def row(cells: pd.DataFrame, groups: pd.Series) -> dict[str, str]:
    """Return errors, coverage and widths of forecasts, with standard errors between groups."""
    error = 100 * (cells["median"] - cells["score"])
    half = (cells["pit"] - 0.5).abs() <= 0.25
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    return {
        "cells": str(len(cells)),
        "MAE": shown(error.abs(), groups),
        "bias": shown(error, groups),
        "cover 90%": shown(inside.astype(float), groups, 3),
        "cover 50%": shown(half.astype(float), groups, 3),
        "width": f"{100 * (cells['upper'] - cells['lower']).median():.1f}",
    }


def _rows_of(cut: str, done: list[pd.DataFrame]) -> list[dict[str, str]]:
    """Return the rows of a cut: simulated and measured scores, on the same cells."""
    scores, _ = hub(cut)
    fractions = bounded(scores)
    both = pd.concat(done, ignore_index=True)
    both = both[both["benchmark"].isin(fractions)]
    key = ["model", "benchmark"]
    cells = both.loc[both["given"] == GIVEN, key].drop_duplicates()
    lines = []
    for given in (0, GIVEN):
        some = both[both["given"] == given].merge(cells, on=key)
        about = {"cut": cut, "given": str(given)}
        simulated_models = some["model"] + some["repeat"].astype(str)
        lines.append({**about, "scores": "simulated", **row(some, simulated_models)})
        measured = pd.read_csv(RUNS / SHIPPED / f"{cut}-{given}.csv").merge(cells, on=key)
        lines.append({**about, "scores": "measured", **row(measured, measured["family"])})
    return lines


def report(kept: dict[str, list[pd.DataFrame]]) -> str:
    """Return SIMULATED.md."""
    rows = [line for cut, done in kept.items() for line in _rows_of(cut, done)]
    counts = ", ".join(f"{len(done)} at {cut}" for cut, done in kept.items())
    parts = [
        "# Epoch's hub: few-shot forecasts of simulated scores",
        provenance(SEED),
        "The fits are those of EPOCH.md. Scores of the models released after a cut are simulated "
        "from the forecasts with nothing given, each model from a randomly chosen posterior draw, "
        "on the benchmarks on which it was measured. The three scores of each model that EPOCH.md "
        "gives are then given, and the others forecast, model by model, with degenerate weights "
        f"accepted. Simulated tables: {counts}. `measured` are the forecasts of EPOCH.md on the "
        "same cells. Points are percentage points; standard errors are between simulated models, "
        "and between families for measured scores. Coverage on simulated scores shows whether "
        "conditioning on given scores is exact; coverage on measured scores also depends on "
        "whether later models behave as the model expects. (The draw that simulates a model is "
        "one of the draws that are weighted, which favours the forecast slightly.)",
        markdown(pd.DataFrame(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Simulate and forecast what is missing, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="of all that is there")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public hub in place.")
    kept: dict[str, list[pd.DataFrame]] = {}
    for cut in CUTS:
        for repeat in range(REPEATS):
            if not options.report or (KEPT / f"{cut}-{repeat}.csv").exists():
                kept.setdefault(cut, []).append(forecasts(cut, repeat))
    if not kept:
        raise SystemExit(f"No simulated forecasts in {KEPT} yet.")
    (HERE / "SIMULATED.md").write_text(report(kept), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
