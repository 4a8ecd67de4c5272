"""CEILINGS.md: errors and coverage by variant, and paired differences to the recommended spec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.ceilings.splits import SPLITS
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.selection.run import TABLES

NEAR = ("mmlu", "mmlu_pro", "gsm8k")
"""Benchmarks on which the largest models come near an estimated ceiling."""
_SELECTION, _EVERY = "The selection's folds", "all of these"
_RESAMPLES = 2000
"""Resamples of families in the bootstrap: standard errors are then known to 2%."""
_MOST_FOLDS = 3
"""Folds of a table of the selection."""


def report(runs: Path, variants: tuple[str, ...], seed: int) -> str:
    """Return the report of the folds that all compared variants have."""
    notes = (runs.parent / "notes.md").read_text(encoding="utf-8").strip()
    parts = ["# Ceilings that no fitted model has reached", provenance(seed), notes]
    for title, names in ((_SELECTION, TABLES), ("The three splits", SPLITS)):
        made = {name: _of_all(runs, variants, name) for name in names}
        if title == _SELECTION:
            made[_EVERY] = _together(made)
        rows = [
            {"hidden": name, "variant": variant, **row(cells, of["recommended"], seed)}
            for name, of in made.items()
            for variant, cells in of.items()
        ]
        if rows:
            parts += [f"## {title}", markdown(pd.DataFrame(rows))]
    return "\n\n".join(parts) + "\n"


def row(cells: pd.DataFrame, reference: pd.DataFrame, seed: int) -> dict[str, str]:
    """Return figures of all cells and of the near benchmarks, and paired differences."""
    both = _figures(cells).merge(
        _figures(reference), on=["family", "model", "benchmark"], suffixes=("", "_by")
    )
    near = both["benchmark"].isin(NEAR)
    shown = {"cells": f"{len(both)}, {int(near.sum())}"}
    for label, part in (("", both), (" near", both[near])):
        shown[f"error{label}"] = f"{part['error'].mean():.2f}"
        shown[f"cover 90%{label}"] = f"{part['in_90'].mean():.0%}"
        shown[f"cover 50%{label}"] = f"{part['in_50'].mean():.0%}"
    covered = both.loc[near, "in_90"].astype(float)
    shown["cover 90% near"] += f" ± {_se(covered, both[near], seed):.0%}"
    shown["width"] = f"{both['width'].mean():.1f}"
    shown["above, below near"] = f"{int(both.loc[near, 'above'].sum())}, " + str(
        int(both.loc[near, "below"].sum())
    )
    for label, part, what in (
        ("error", both, "error"),
        ("CRPS", both, "crps"),
        ("error near", both[near], "error"),
    ):
        change = part[what] - part[f"{what}_by"]
        shown[f"{label}, difference"] = f"{change.mean():+.2f} ± {_se(change, part, seed):.2f}"
    return shown


def _figures(cells: pd.DataFrame) -> pd.DataFrame:
    """Return errors, widths, CRPS in points, and whether intervals contain the score, by cell."""
    figures = cells[["family", "model", "benchmark"]].copy()
    figures["error"] = 100 * (cells["median"] - cells["score"]).abs()
    figures["crps"] = 100 * cells["crps"]
    figures["width"] = 100 * (cells["upper"] - cells["lower"])
    figures["above"], figures["below"] = cells["pit"] > 0.95, cells["pit"] < 0.05
    figures["in_90"] = ~(figures["above"] | figures["below"])
    figures["in_50"] = (cells["pit"] - 0.5).abs() <= 0.25
    return figures


def _se(change: pd.Series, part: pd.DataFrame, seed: int) -> float:
    """Return the standard error of a mean over cells, by a bootstrap over families."""
    groups = change.groupby(part["family"]).agg(["sum", "size"]).to_numpy()
    rng = np.random.default_rng(seed)
    drawn = groups[rng.integers(len(groups), size=(_RESAMPLES, len(groups)))].sum(1)
    return float((drawn[:, 0] / drawn[:, 1]).std(ddof=1))


def _cells(runs: Path, variant: str, name: str) -> dict[str, pd.DataFrame]:
    """Return a variant's forecasts of a split, or of the folds of a table, by name."""
    found = [name, *(f"{name} {number}" for number in range(_MOST_FOLDS))]
    files = {fold: runs / f"{variant}, {fold}.csv" for fold in found}
    return {fold: pd.read_csv(file) for fold, file in files.items() if file.is_file()}


def _together(made: dict[str, dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Return forecasts of all tables by variant, for variants that every table has.

    A model that is hidden in several tables counts once for each, always in the same family.
    """
    parts = [of for of in made.values() if of]
    common = set.intersection(*map(set, parts)) if parts else set()
    return {
        variant: pd.concat(
            of[variant].assign(model=of[variant]["model"] + f" in {name}")
            for name, of in made.items()
            if of
        )
        for variant in (parts[0] if parts else {})
        if variant in common
    }


def _of_all(runs: Path, variants: tuple[str, ...], name: str) -> dict[str, pd.DataFrame]:
    """Return forecasts by variant, for the folds shared by all variants with any forecasts."""
    made = {variant: _cells(runs, variant, name) for variant in variants}
    made = {variant: folds for variant, folds in made.items() if folds}
    common = sorted(set.intersection(*(set(folds) for folds in made.values()))) if made else []
    return {v: pd.concat([folds[f] for f in common]) for v, folds in made.items() if common}
