"""New releases on the BenchPress matrix, with none or five of their scores given; RELEASES.md.

Models released before a date are fitted. Scores of later ones are forecast with none of their
scores given, and conditional on five of their scores chosen at random, model by model. They are
compared with the matrix completion that BenchPress describes, given the same five scores, also one
new model at a time. Benchmarks with at least three fitted scores count. Fits and forecasts are kept
in the folder runs.

    python -m benchmarks.benchpress.releases
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.benchpress.factorise import completed
from benchmarks.benchpress.run import SHARED, units
from benchmarks.common.by_model import forecast_by_model
from benchmarks.common.clusters import shown
from benchmarks.common.dated import before_and_after
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.analysis.backtest import training_scores
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from latentscale.files import replacing

HERE = Path(__file__).resolve().parent
CUTS = ("2025-08-01", "2025-11-01", "2026-02-01")
"""A quarter apart; the table ends in April 2026."""
FEWEST = 3
"""Fitted scores of a benchmark that is forecast."""
CHAINS = 4
"""With two chains, as the study first had, one can stay where it began: R-hat was up to 2.5."""
GIVEN = 5
"""Scores given for a new release, as in BenchPress."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", nargs="+", default=list(CUTS))
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--tune", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="then stop, to go on later")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    runs = HERE / "runs" / f"releases-{options.tune}+{options.draws}-{options.seed}"
    runs.mkdir(parents=True, exist_ok=True)
    tables = {cut: forecasts(cut, runs, options) for cut in options.cuts}
    if any(len(by_count) < 2 for by_count in tables.values()):
        print("Not all is there: run the command again.")
        return
    (HERE / "RELEASES.md").write_text(report(tables, options), encoding="utf-8")


def forecasts(cut: str, runs: Path, options: argparse.Namespace) -> dict[int, pd.DataFrame]:
    """Return forecasts by the number of given scores, with the baseline where some are."""
    scores, fold = before_and_after(ls.readers.read_benchpress(SHARED), cut, FEWEST)
    folds = {0: fold, GIVEN: ls.folds.with_given([fold], scores, GIVEN, seed=options.seed)[0]}
    path = runs / f"{cut}.nc"
    if not path.exists():
        fitted(scores, fold, path, options)
    tables = {}
    for count, fold in folds.items():
        file = runs / f"{cut}-{count}.csv"
        if not file.exists():
            kept = runs / f"{cut}-{count}"
            fit = ls.load(path)
            table = forecast_by_model(fit, scores, fold, kept, options.seed, options.minutes)
            if table is None:
                break
            if count:
                table = table.merge(completions(scores, fold, options.seed))
            with replacing(file, DataError) as fresh:
                table.to_csv(fresh, index=False)
        tables[count] = pd.read_csv(file)
        print(cut, count, row(tables[count]), flush=True)
    return tables


def fitted(scores: Scores, fold: ls.folds.Fold, path: Path, options: argparse.Namespace) -> None:
    """Fit `capabilities` to what a fold trains on, and save the fit."""
    method = ls.NUTS(draws=options.draws, tune=options.tune, chains=CHAINS, cores=1)
    began = time.time()
    train = training_scores(scores, fold)
    spec = ls.load_spec("capabilities")
    fit = ls.fit(spec, train, method=method, seed=options.seed, progress=False)
    print(f"{path.stem}: fitted in {time.time() - began:.0f} s: {fit.status.message}", flush=True)
    fit.save(path)


def completions(scores: Scores, fold: ls.folds.Fold, seed: int) -> pd.DataFrame:
    """Return the baseline's forecasts, each new model completed together with the fitted ones."""
    names = list(scores.benchmarks)
    raw = scores.to_frame().set_index("model")[names] * units().reindex(names)
    rows = []
    for model in fold.test:
        table = raw.loc[[*fold.train, model]].copy()
        given = [benchmark for name, benchmark in fold.given if name == model]
        hidden = [name for name in table if name not in given]
        table.loc[model, hidden] = np.nan
        filled = completed(table, seed).loc[model, hidden]
        rows.append(pd.DataFrame({"model": model, "benchmark": hidden, "completed": filled.values}))
    return pd.concat(rows, ignore_index=True)


def row(table: pd.DataFrame) -> dict[str, str]:
    """Return error and coverage in the table's units, with standard errors between models."""
    unit = units().reindex(table["benchmark"]).to_numpy()
    error = (table["median"] - table["score"]).abs() * unit
    inside = (table["score"] >= table["lower"]) & (table["score"] <= table["upper"])
    figures = {
        "cells": str(len(table)),
        "MedAE": f"{error.median():.2f}",
        "cover 90%": shown(inside.astype(float), table["model"], 3),
        "width": f"{((table['upper'] - table['lower']) * unit).median():.1f}",
        "max R-hat": f"{table['max_rhat'].max():.2f}",
    }
    if "completed" in table:
        theirs = (table["completed"] - table["score"] * unit).abs()
        low, high = np.quantile(_differences(error, theirs, table["model"]), [0.05, 0.95])
        figures["completion MedAE"] = f"{theirs.median():.2f}"
        figures["less completion (90%)"] = (
            f"{error.median() - theirs.median():.2f} ({low:.2f} to {high:.2f})"
        )
    return figures


def _differences(ours: pd.Series, theirs: pd.Series, models: pd.Series) -> np.ndarray:
    """Return the difference of median errors in 2,000 bootstrap samples of models."""
    rng = np.random.default_rng(0)
    cells = [np.flatnonzero(models == name) for name in models.unique()]
    both = np.stack([ours.to_numpy(), theirs.to_numpy()])
    samples = (
        np.concatenate([cells[place] for place in rng.integers(len(cells), size=len(cells))])
        for _ in range(2000)
    )
    return np.array([np.subtract(*np.median(both[:, sample], axis=1)) for sample in samples])


def report(tables: dict[str, dict[int, pd.DataFrame]], options: argparse.Namespace) -> str:
    """Return RELEASES.md."""
    rows = [
        {"released from": cut, "given": str(count), **row(table)}
        for cut, by_count in tables.items()
        for count, table in by_count.items()
    ]
    for count in (0, GIVEN) if len(tables) > 1 else ():
        every = pd.concat([by_count[count] for by_count in tables.values()])
        rows.append({"released from": "all", "given": str(count), **row(every)})
    medians = [
        f"{np.median([float(row(by_count[count])['MedAE']) for by_count in tables.values()]):.2f} "
        f"with {count} given"
        for count in (0, GIVEN)
    ]
    parts = [
        "# BenchPress: new releases",
        provenance(options.seed),
        "Models of the BenchPress matrix released before a date are fitted by `capabilities` "
        f"(NUTS, {CHAINS} chains of {options.tune} + {options.draws} draws; max R-hat is the "
        "largest among expected scores). Scores of later models are forecast on benchmarks with at "
        f"least {FEWEST} fitted scores: with no score of the model given, and conditional on "
        f"{GIVEN} of its scores at random, one model at a time, even where the importance weights "
        'of posterior draws are degenerate (`FewShot(degenerate="warn")`). Median absolute errors '
        "and widths are in the table's units. `completion` is rank-2 matrix completion as "
        "described by BenchPress, with the same five scores given "
        "(`benchmarks/benchpress/factorise.py`, which prints its errors on the published folds "
        "next to the published ones). Differences have 90% bootstrap intervals over models. In "
        "the rows `all` a model counts once for each date that it follows.",
        markdown(pd.DataFrame(rows).fillna("")),
        f"The median over dates of the median absolute error is {', '.join(medians)}. On its own "
        "dates and cells, which differ from these, BenchPress reports 6.1 with five given; a "
        "prototype had 5.05, and 10.5 with none given.",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
