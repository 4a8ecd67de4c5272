"""Settings of one release on Epoch's hub, with and without a share in common; SETTINGS.md.

Of the models before a cut, releases that were run at several settings (reasoning efforts, thinking
budgets) are measured well at one setting and hardly at others. One setting of each release of three
or more is hidden whole, and a third of the scores of the remaining settings at random; both are
forecast by `capabilities` with `skills.release` and without, and with the reasoning effort as a
category besides. All of it lies inside the training
data of the study of forecasts in time (`run`). Fits and forecasts are kept in the folder runs.

    python -m benchmarks.epoch.settings            # all specs, then SETTINGS.md
    python -m benchmarks.epoch.settings --report   # SETTINGS.md, fit nothing
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.epoch.run import CHAINS, DRAWS, TUNE, bounded, hub
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.releases import features_of_models, release_of_rows
from latentscale.data.scores import Scores

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs" / "settings" / "kept"
CUT = "2025-07-01"
"""The last cut of the study of forecasts in time, with the most settings before it."""
SHARE = 1 / 3
"""Of the scores of settings, hidden; a row keeps one score."""
FEWEST = 3
"""Settings of a release of which one is hidden whole."""
SEED = 1
EFFORT = {"covariates": ["released", "reasoning", "size_class", "effort"]}
SPECS: dict[str, dict[str, Any]] = {
    "with a share in common": {},
    "with a share in common, effort": EFFORT,
    "without": {"skills.release": False},
}
"""Rows of the report: fields of the shipped spec that each replaces."""


def split() -> tuple[Scores, ls.folds.Fold]:
    """Return the models before the cut, and the fold that hides settings and single scores."""
    scores, later = hub(CUT)
    scores = training_scores(scores, later)
    release = pd.Series(release_of_rows(features_of_models(scores)), index=list(scores.models))
    sizes = release.map(release.value_counts())
    rng = np.random.default_rng(SEED)
    several = release[sizes >= FEWEST]
    test = [str(rng.choice(rows.index.to_numpy())) for _, rows in several.groupby(several)]
    rest = [str(model) for model in release.index[sizes > 1] if model not in test]
    frame = scores.to_frame().set_index("model")[list(scores.benchmarks)]
    cells = [(m, str(b)) for m in rest for b in frame.columns[frame.loc[m].notna()]]
    left = frame.loc[rest].notna().sum(axis=1)
    hidden: list[tuple[str, str]] = []
    for place in rng.permutation(len(cells)):
        model = cells[place][0]
        if len(hidden) < SHARE * len(cells) and left[model] > 1:
            hidden.append(cells[place])
            left[model] -= 1
    train = tuple(str(model) for model in scores.models if model not in test)
    return scores, ls.folds.Fold("settings", train, tuple(test), tuple(hidden))


def forecasts(name: str, scores: Scores, fold: ls.folds.Fold) -> pd.DataFrame:
    """Return the forecasts of a spec; from disk if there."""
    path, kept = RUNS / f"{name}.csv", RUNS / f"{name}.nc"
    if not path.exists():
        spec = ls.load_spec("capabilities").with_({"name": name, **SPECS[name]})
        if not kept.exists():
            method = ls.NUTS(draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1)
            began = time.time()
            train = training_scores(scores, fold)
            fitted = ls.fit(spec, train, method=method, seed=SEED, progress=False)
            print(f"{name}: {time.time() - began:.0f} s, {fitted.status.message}", flush=True)
            RUNS.mkdir(parents=True, exist_ok=True)
            fitted.save(kept)
        table = forecast_fold(ls.load(kept), scores, fold, seed=SEED)
        table.to_csv(path, index=False)
    return pd.read_csv(path)


def parts_of(table: pd.DataFrame, scores: Scores, fold: ls.folds.Fold) -> dict[str, pd.DataFrame]:
    """Return the forecasts of fractions, by what was hidden, in points."""
    cells = table[table["benchmark"].isin(bounded(scores))].copy()
    points = ["score", "median", "lower", "upper", "crps"]
    cells[points] *= 100
    whole = cells["model"].isin(fold.test)
    return {"single scores": cells[~whole], "whole settings": cells[whole]}


def row(cells: pd.DataFrame) -> dict[str, str]:
    """Return errors, coverage and widths of forecasts, with standard errors between models."""
    by = cells["model"]
    inside = ((cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])) * 1.0
    return {
        "cells": str(len(cells)),
        "MAE": shown((cells["median"] - cells["score"]).abs(), by),
        "CRPS": shown(cells["crps"], by),
        "cover 90%": shown(inside, by, 3),
        "width": f"{(cells['upper'] - cells['lower']).mean():.1f}",
        "max R-hat": f"{cells['max_rhat'].max():.2f}",
    }


def report(tables: dict[str, pd.DataFrame], scores: Scores, fold: ls.folds.Fold) -> str:
    """Return SETTINGS.md."""
    lines, other = [], parts_of(tables["without"], scores, fold)
    for name, table in tables.items():
        for part, cells in parts_of(table, scores, fold).items():
            both = cells.merge(other[part], on=["model", "benchmark"], suffixes=("", "_without"))
            less = shown(both["crps"] - both["crps_without"], both["model"])
            about = {"spec": name, "hidden": part, **row(cells)}
            lines.append({**about, "CRPS less": "" if name == "without" else less})
    fit = ls.load(RUNS / "with a share in common.nc")
    share = fit.posterior["release_share"]
    text = (
        f"Models released before {CUT} are fitted ({len(fold.train)}), but for one setting of each "
        f"release of {FEWEST} settings or more ({len(fold.test)}) and a third of the scores of the "
        f"other settings of releases run at several ({len(fold.cells)}). Points are percentage "
        "points; Elo and minutes are left out. Standard errors are between models; `CRPS less` is "
        "the CRPS less that without a share in common, by pairs of cells, negative is better. "
        f"NUTS, {CHAINS} chains of {TUNE} + {DRAWS} draws. The share that settings have in common "
        f"(`release_share`) is {float(share.mean()):.2f} ± {float(share.std()):.2f}."
    )
    parts = [
        "# Settings of one release on Epoch's hub",
        provenance(SEED),
        text,
        markdown(pd.DataFrame(lines)),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", choices=[*SPECS], help="this one alone, without a report")
    parser.add_argument("--report", action="store_true", help="write SETTINGS.md, fit nothing")
    options = parser.parse_args()
    scores, fold = split()
    if options.spec:
        forecasts(options.spec, scores, fold)
        return
    if options.report:
        missing = [name for name in SPECS if not (RUNS / f"{name}.csv").exists()]
        if missing:
            raise SystemExit(f"No forecasts yet of: {', '.join(missing)}.")
    tables = {name: forecasts(name, scores, fold) for name in SPECS}
    (HERE / "SETTINGS.md").write_text(report(tables, scores, fold))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
