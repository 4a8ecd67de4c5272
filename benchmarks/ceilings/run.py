"""Ceilings that no fitted model has reached: do intervals of the largest models cover?

The recommended spec with its estimated ceilings, the same with ceilings at 1, mixtures of both fits
(`latentscale.stack`), and the recommended fit with a share of its draws opened after the fit
(`benchmarks.ceiling_open`) are compared on folds of the selection (`--halves`), where the share is
chosen. They are then compared on three splits that hide the largest models: of the demo, of
families with two or three base models, and of lineages with community fine-tunes (which reads
../shared/tables/open_llm_leaderboard_v2 in place). Fits and forecasts are kept in the folder runs,
so an interrupted run resumes; a mixture needs both fits, an opened fit only the recommended one.

    python -m benchmarks.ceilings.run "ceilings at 1" --halves largest
    python -m benchmarks.ceilings.run "a quarter open" --splits demo "two or three"
    python -m benchmarks.ceilings.run "a quarter opened after the fit" --splits demo
    python -m benchmarks.ceilings.run --report   # CEILINGS.md of all that is there
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

import latentscale as ls
from benchmarks.ceilings.report import report
from benchmarks.ceilings.splits import SPLITS, split
from benchmarks.selection.run import METHOD as SHORT
from benchmarks.selection.run import TABLES, folds, tables
from latentscale.analysis.backtest import forecast_fold, score_forecast, training_scores
from latentscale.analysis.folds import Fold
from latentscale.dims import OPENED as GROUP
from latentscale.model.open_ceilings import open_curves

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
SEED = 3
METHOD = ls.NUTS(draws=250, tune=300, chains=2, cores=1)

_SLOPE = {"dist": "Normal", "mu": 0.5, "sigma": 0.5}  # as shipped; the prior of ceilings is unused
CLOSED: dict[str, Any] = {"benchmarks.ceiling_open": 0.0}
AT_ONE: dict[str, Any] = {"benchmarks.ceiling": "fixed", "priors": {"slope": _SLOPE}}
SPECS: dict[str, dict[str, Any]] = {"recommended": CLOSED, "ceilings at 1": CLOSED | AT_ONE}
NEAR = "a quarter open near ceilings"
MIXTURES = {"a quarter open": 0.25, "half open": 0.5, NEAR: 0.25}
"""Share of draws from `ceilings at 1`, the rest from `recommended`: `latentscale.stack`."""
OPENED = {"a quarter opened after the fit": 0.25, "half opened after the fit": 0.5}
"""Share of the draws of the recommended fit whose ceilings are opened, without another fit."""
REACH = 0.9
"""`NEAR` mixes where the recommended fit expects at least this share of the way from floor to
ceiling (median over draws); below it both fits have seen scores, and the better one is used
alone."""
VARIANTS = (*SPECS, *MIXTURES, *OPENED)


def spec_of(variant: str) -> ls.ModelSpec:
    """Return the recommended spec with a variant's changes."""
    return ls.load_spec("latentscale").with_({"name": variant, **SPECS[variant]})


def cells_of(variant: str, name: str, scores: ls.Scores, fold: Fold, method: ls.NUTS) -> Path:
    """Fit and forecast one fold unless already done; return the file of its forecasts."""
    file = RUNS / f"{variant}, {name}.csv"
    if file.exists():
        return file
    if variant in MIXTURES:
        table = _mixed(MIXTURES[variant], name, scores, fold)
        if variant == NEAR:
            table = _only_near(table, name, scores, fold)
    elif variant in OPENED:
        fit = opened(ls.load(RUNS / f"recommended, {name}.nc"), OPENED[variant])
        table = forecast_fold(fit, scores, fold, seed=SEED)
    else:
        fit = ls.fit(
            spec_of(variant),
            training_scores(scores, fold),
            method=method,
            seed=SEED,
            progress=False,
        )
        fit.save(file.with_suffix(".nc"))
        table = forecast_fold(fit, scores, fold, seed=SEED)
    table.to_csv(file, index=False)
    return file


def opened(fit: ls.Fit, share: float) -> ls.Fit:
    """Return the fit with a share of its draws opened; density and sampled draws are the same."""
    spec = fit.spec.with_({"benchmarks.ceiling_open": share})
    curves = open_curves(spec, fit.design, fit.posterior)
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    tree = xr.DataTree.from_dict({**groups, f"/{GROUP}": curves})
    return replace(fit, spec=spec, tree=tree)


def _mixed(share: float, name: str, scores: ls.Scores, fold: Fold) -> pd.DataFrame:
    """Return a fold's forecasts by both fits, which must exist, stacked."""
    weights = {"recommended": 1 - share, "ceilings at 1": share}
    fits = {part: ls.load(RUNS / f"{part}, {name}.nc") for part in weights}
    table = scores.to_frame()
    names = list(scores.benchmarks)
    rows = table[table["model"].isin(fold.test)].drop(columns=names)
    forecast = ls.stack(fits, rows, weights, seed=SEED)
    truth = scores.dataset["score"].sel(model=list(fold.test))
    cells = score_forecast(forecast, truth, scores.item_counts)
    families = dict(zip(table["model"], table["family"], strict=True))
    rhat = max(fit.convergence().max_rhat for fit in fits.values())
    return cells.assign(family=cells["model"].map(families), max_rhat=rhat)


def _only_near(mixed: pd.DataFrame, name: str, scores: ls.Scores, fold: Fold) -> pd.DataFrame:
    """Return the mixture's forecasts of cells near their ceilings, and the recommended others."""
    fit = ls.load(RUNS / f"recommended, {name}.nc")
    table = scores.to_frame()
    rows = table[table["model"].isin(fold.test)].drop(columns=list(scores.benchmarks))
    mean = ls.predict(fit, rows, seed=SEED).mean_draws
    floor, ceiling = fit.scores.dataset["floor"], fit.samples["ceiling"]
    reach = ((mean - floor) / (ceiling - floor)).median("sample").to_series()
    near = set(reach.index[reach > REACH])
    bounded = pd.read_csv(RUNS / f"recommended, {name}.csv")
    parts = []
    for cells, wanted in ((mixed, True), (bounded, False)):
        names = zip(cells["model"], cells["benchmark"], strict=True)
        parts.append(cells[[(name in near) == wanted for name in names]])
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", nargs="?", choices=VARIANTS, default="recommended")
    parser.add_argument("--halves", nargs="*", default=[], choices=list(TABLES))
    parser.add_argument("--splits", nargs="*", default=[], choices=SPLITS)
    parser.add_argument("--fold", type=int, help="only this fold of the halves")
    parser.add_argument("--report", action="store_true", help="write CEILINGS.md, fit nothing")
    options = parser.parse_args()
    RUNS.mkdir(exist_ok=True)
    for table in options.halves:
        scores = tables()[table]
        for number, fold in enumerate(folds(table, scores)):
            if options.fold in (None, number):
                file = cells_of(options.variant, f"{table} {number}", scores, fold, SHORT)
                print(file.name, flush=True)
    for name in options.splits:
        print(cells_of(options.variant, name, *split(name), METHOD).name, flush=True)
    if options.report:
        (HERE / "CEILINGS.md").write_text(report(RUNS, VARIANTS, SEED), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
