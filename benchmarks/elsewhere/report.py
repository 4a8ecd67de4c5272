"""ELSEWHERE.md: errors and coverage of every kept fold, and of baselines on the same cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.clusters import mean_and_error, shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.elsewhere.tables import TABLES, scores_of

PROMISED = 0.9
TOO_FAR = 2.0
"""Standard errors beyond 85 or 95% at which coverage is marked."""
EDGES = {"below 10": (-1.0, 10.0), "10 to 90": (10.0, 90.0), "above 90": (90.0, 101.0)}
"""Forecasts by extremity, in points."""
FITTED = (2, 5, 10)
"""Numbers of fitted scores up to which models are grouped."""
FEW = 5
"""Benchmarks per fold in the table of those furthest from nominal coverage."""


def report(runs: Path, seed: int) -> str:
    """Return ELSEWHERE.md of all folds in the folder runs."""
    folds = [
        (name, split, measured(runs, name, split))
        for name, table in TABLES.items()
        for split in table.splits
        if (runs / f"{name}-{split}.csv").exists()
    ]
    tables = [
        f"- **{name}**: {table.about}. {_size_of(name)}."
        for name, table in TABLES.items()
        if name in {fold[0] for fold in folds}
    ]
    notes = Path(__file__).with_name("notes.md")
    parts = [
        "# Elsewhere: tables that took no part in choosing the specs",
        provenance(seed),
        "Each table is read by `ls.readers.read_scores` (Pythia by `read_checkpoints`), with "
        "nothing declared by hand, and fitted with the spec that `ls.spec_for` returns: NUTS, 2 "
        "chains of 200 + 200 draws, through `ls.backtest`. The folds hide a random fifth of the "
        "scores (`cells`), the largest fifth of the models (`largest`), the latest fifth by date "
        "(`latest`), or the checkpoints after 44% of a run's tokens (`last tokens`). Errors are "
        "of predictive medians, in points, on benchmarks that are fractions; standard "
        "errors are between families. Nothing was tuned on these folds.",
        "\n".join(tables),
        markdown(pd.DataFrame([{"table": n, "split": s} | row(c) for n, s, c in folds])),
        "## Compared with baselines",
        "Mean absolute error of the spec minus that of a baseline on the same cells, ± its "
        "standard error between families; negative is better. `two-way`: a bias of model and "
        "benchmark on the logit scale, with a ridge penalty; `rank 2`: matrix completion as "
        "BenchPress describes it; `regression`: on whichever of size, tokens and date at least "
        "half of the models state, with slopes by benchmark shrunk to a common one and an offset "
        "by family; `last checkpoint`: the last fitted score of the run.",
        markdown(pd.DataFrame([{"table": n, "split": s} | beside(c) for n, s, c in folds])),
        *_others(runs, folds),
        "## By extremity of the forecast",
        markdown(pd.DataFrame([r for n, s, c in folds for r in by_extremity(n, s, c)])),
        "## By the number of fitted scores of the model",
        "For hidden cells.",
        markdown(pd.DataFrame([r for n, s, c in folds for r in by_fitted(n, s, c)])),
        "## Benchmarks furthest from 90%",
        f"For each fold, the {FEW} benchmarks with ten or more hidden scores whose coverage is "
        "furthest from 90%, in standard errors of a share.",
        markdown(pd.DataFrame([r for n, s, c in folds for r in furthest(n, s, c)])),
    ]
    if notes.exists():
        parts.append(notes.read_text(encoding="utf-8").strip())
    return "\n\n".join(parts) + "\n"


def _others(runs: Path, folds: list[tuple[str, str, pd.DataFrame]]) -> list[str]:
    """Return a section on specs fitted in addition to auto's."""
    rows = []
    for name, split, cells in folds:
        for path in sorted(runs.glob(f"{name}-{split}-as-*.csv")):
            other = measured(runs, name, split, path.stem.removeprefix(f"{name}-{split}"))
            rows.append({"table": name, "split": split} | row(other))
            common = other.merge(cells[["model", "benchmark"]], on=["model", "benchmark"])
            common.attrs = dict(other.attrs)
            if len(common) < len(other):
                rows.append({"table": name, "split": "those of auto's spec"} | row(common))
    if not rows:
        return []
    return ["## Other specs than auto's", markdown(pd.DataFrame(rows))]


def _size_of(name: str) -> str:
    scores = scores_of(name)
    count = int(scores.dataset["score"].notnull().sum())
    return f"{len(scores.models)} models, {len(scores.benchmarks)} benchmarks, {count} scores"


def measured(runs: Path, name: str, split: str, spec: str = "") -> pd.DataFrame:
    """Return the forecasts of a fold, on benchmarks that are fractions, with all baselines."""
    cells = pd.read_csv(runs / f"{name}-{split}{spec}.csv")
    hidden = pd.read_csv(runs / f"{name}-{split}-baselines.csv")
    wide = hidden.pivot(index=["model", "benchmark"], columns="baseline", values="median")
    theirs = wide[list(dict.fromkeys(hidden["baseline"]))].add_prefix("by ").reset_index()
    both = theirs.merge(cells, on=["model", "benchmark"], how="left", validate="one_to_one")
    both.attrs["hidden"] = len(both)
    both = both.dropna(subset=["median"])
    inside = (both["score"] >= both["lower"]) & (both["score"] <= both["upper"])
    return both.assign(
        error=100 * (both["median"] - both["score"]),
        inside=inside.astype(float),
        half=both["pit"].between(0.25, 0.75).astype(float),
        width=100 * (both["upper"] - both["lower"]),
    )


def row(cells: pd.DataFrame) -> dict[str, str]:
    """Return error, coverage and width of one fold."""
    by = cells["family"]
    return {
        "spec": str(cells["spec"].iloc[0]),
        "forecast": f"{len(cells)} of {cells.attrs['hidden']}",
        "MAE": shown(cells["error"].abs(), by),
        "MedAE": f"{cells['error'].abs().median():.2f}",
        "bias": shown(cells["error"], by),
        "CRPS": f"{100 * cells['crps'].mean():.2f}",
        "cover 90%": shown(cells["inside"], by, 3) + _mark(cells),
        "cover 50%": shown(cells["half"], by, 3),
        "width": f"{cells['width'].median():.1f}",
        "max R-hat": f"{cells['max_rhat'].iloc[0]:.2f}",
        "processor s": f"{cells['seconds'].iloc[0]:.0f}",
    }


def _mark(cells: pd.DataFrame) -> str:
    share, error = mean_and_error(cells["inside"], cells["family"])
    beyond = max(0.85 - share, share - 0.95)
    return " (!)" if beyond > TOO_FAR * error else ""


def beside(cells: pd.DataFrame) -> dict[str, str]:
    """Return the mean absolute error minus each baseline's, paired by cell."""
    less = {}
    for name in ("mean", "two-way", "rank 2", "regression", "last checkpoint"):
        less[name] = ""
        if f"by {name}" in cells:
            theirs = 100 * (cells[f"by {name}"] - cells["score"]).abs()
            less[name] = shown(cells["error"].abs() - theirs, cells["family"])
    return less


def by_extremity(name: str, split: str, cells: pd.DataFrame) -> list[dict[str, str]]:
    """Return errors and coverage of low, middle and high forecasts."""
    rows = []
    for label, (low, high) in EDGES.items():
        some = cells[(100 * cells["median"]).between(low, high, inclusive="left")]
        if len(some):
            rows.append(
                {
                    "table": name,
                    "split": split,
                    "forecast, points": label,
                    "cells": str(len(some)),
                    "MAE": shown(some["error"].abs(), some["family"]),
                    "cover 90%": shown(some["inside"], some["family"], 3),
                    "cover 50%": shown(some["half"], some["family"], 3),
                    "width": f"{some['width'].median():.1f}",
                }
            )
    return rows


def by_fitted(name: str, split: str, cells: pd.DataFrame) -> list[dict[str, str]]:
    """Return errors and coverage of a fold of cells by how many scores of the model are fitted."""
    scores = scores_of(name)
    fold = TABLES[name].splits[split](scores)
    if not fold.cells:
        return []
    measured_of = scores.dataset["score"].notnull().sum("benchmark").to_series()
    hidden_of = pd.Series([model for model, _ in fold.cells]).value_counts()
    fitted = cells["model"].map(measured_of.sub(hidden_of, fill_value=0))
    bins = pd.cut(fitted, [0, *FITTED, np.inf])
    return [
        {
            "table": name,
            "split": split,
            "fitted scores": f"{some_fitted.min():.0f} to {some_fitted.max():.0f}",
            "cells": str(len(some)),
            "MAE": shown(some["error"].abs(), some["family"]),
            "cover 90%": shown(some["inside"], some["family"], 3),
            "width": f"{some['width'].median():.1f}",
        }
        for _, some in cells.groupby(bins, observed=True)
        for some_fitted in [fitted[some.index]]
    ]


def furthest(name: str, split: str, cells: pd.DataFrame) -> list[dict[str, str]]:
    """Return the benchmarks of a fold whose coverage is furthest from nominal."""
    rows = []
    for benchmark, some in cells.groupby("benchmark"):
        if len(some) >= 10:
            far = (some["inside"].mean() - PROMISED) / np.sqrt(
                PROMISED * (1 - PROMISED) / len(some)
            )
            rows.append((abs(far), str(benchmark), some))
    return [
        {
            "table": name,
            "split": split,
            "benchmark": benchmark,
            "cells": str(len(some)),
            "MAE": f"{some['error'].abs().mean():.1f}",
            "bias": f"{some['error'].mean():+.1f}",
            "cover 90%": f"{some['inside'].mean():.2f}",
            "width": f"{some['width'].median():.1f}",
        }
        for _, benchmark, some in sorted(rows, key=lambda r: -r[0])[:FEW]
    ]
