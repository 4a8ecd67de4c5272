"""Hidden cells of the BenchPress matrix: the 30 published folds, forecast by a spec; BENCHPRESS.md.

A third of every model's scores is hidden in each fold (../shared/tables/benchpress, read in
place: MIT licence, microsoft/benchpress). Errors are in the units of the table. Finished folds are
kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.benchpress.run --folds 3            # the first three folds
    python -m benchmarks.benchpress.run capabilities         # all of them
    python -m benchmarks.benchpress.run --tune 150 --draws 150    # longer chains, to compare
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import scoringrules
import xarray as xr

import latentscale as ls
from benchmarks.common.provenance import provenance
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.errors import DataError
from latentscale.files import replacing
from latentscale.inference.method import Method

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "benchpress"
ACCEPTANCE = 0.8
"""Acceptance that steps are tuned to: at the package's 0.95 trees of depth 7 go half as far."""
PUBLISHED = [
    *(4.645, 4.191, 4.623, 4.435, 4.646, 4.642, 4.635, 4.781, 4.290, 4.483),
    *(5.062, 4.733, 4.667, 4.486, 4.649, 4.770, 4.299, 4.684, 4.265, 4.584),
    *(4.350, 4.806, 4.197, 5.035, 4.337, 4.307, 4.772, 4.562, 4.389, 4.947),
]
"""Median absolute error of BenchPress by fold, from a rerun of its code
(../shared/tables/README.md)."""
FIRST_SEED, FOLDS_A_SEED = 42, 3  # of the published folds
DISTANCE = "edit distance"
"""Unit of fractions that are fractions in the table too."""
LOW = 10.0
"""Forecasts below it are shown separately: there a symmetric interval under-covers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", nargs="?", default="capabilities", help="a spec's name or file")
    parser.add_argument("--folds", type=int, default=30)
    parser.add_argument("--draws", type=int, default=120)
    parser.add_argument("--tune", type=int, default=120)
    parser.add_argument("--depth", type=int, default=7, help="of NUTS's trees at most")
    parser.add_argument("--doublings", type=int, default=0, help="of trajectories that turned back")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, default=1e9, help="time after which no fold begins"
    )
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    spec = ls.load_spec(options.spec)
    method = ls.NUTS(
        draws=options.draws,
        tune=options.tune,
        chains=2,
        cores=options.cores,
        max_depth=options.depth,
        extra_doublings=options.doublings,
        target_accept=ACCEPTANCE,
    )
    sizes = f"{options.tune}+{options.draws}-depth{options.depth}-{options.seed}"
    doubled = f"-doublings{options.doublings}" if options.doublings else ""
    runs = HERE / "runs" / f"{spec.digest}-{sizes}{doubled}"
    runs.mkdir(parents=True, exist_ok=True)
    scores = ls.readers.read_benchpress(SHARED)
    folds = pd.read_csv(SHARED / "folds.csv")
    keys = list(folds.groupby(["seed", "fold"], sort=True).groups)
    began = time.time()
    for place, key in enumerate(keys[: options.folds]):
        path = runs / f"{key[0]}-{key[1]}.csv"
        if not path.exists():
            if time.time() - began > options.seconds:
                break
            hidden = folds[(folds["seed"] == key[0]) & (folds["fold"] == key[1])]
            cells = forecast_hidden(spec, scores, hidden, method, options.seed)
            with replacing(path, DataError) as fresh:
                cells.to_csv(fresh, index=False)
        cells = pd.read_csv(path)
        line = "  ".join(f"{name} {value:.3f}" for name, value in figures(cells).items())
        print(f"{key}: {line}  published {PUBLISHED[place]:.3f}", flush=True)
    (HERE / "BENCHPRESS.md").write_text(report(spec, runs, options), encoding="utf-8")


def forecast_hidden(
    spec: ModelSpec,
    scores: Scores,
    hidden: pd.DataFrame,
    method: Method,
    seed: int,
    also: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Fit what is left and forecast the hidden cells: score, quantiles, CRPS, R-hat of the mean.

    Cells of `also` are neither fitted nor forecast.
    """
    table = scores.dataset
    gone = xr.zeros_like(table["score"], dtype=bool)
    for cells in [hidden] if also is None else [hidden, also]:
        for model, benchmark in zip(cells["model_id"], cells["benchmark_id"], strict=True):
            gone.loc[{"model": model, "benchmark": benchmark}] = True
    left = Scores(table.assign(score=table["score"].where(~gone)), scores.audit)
    began = time.time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ls.fit(spec, left, method=method, seed=seed, progress=False)
        rows = left.to_frame().drop(columns=list(left.benchmarks))
        forecast = ls.predict(fit, rows, seed=seed)
    drawn = forecast.draws
    quantiles = drawn.quantile([0.05, 0.25, 0.5, 0.75, 0.95], "sample")
    known = set(map(str, drawn["benchmark"].values))
    cells = hidden[hidden["benchmark_id"].isin(known)].reset_index(drop=True)
    at = {
        "model": xr.DataArray(cells["model_id"].to_numpy(str), dims="cell"),
        "benchmark": xr.DataArray(cells["benchmark_id"].to_numpy(str), dims="cell"),
    }
    at_cells = quantiles.sel(at).transpose("cell", "quantile").values
    expected = forecast.mean_draws.sel(at)
    chains = fit.posterior.sizes["chain"]
    agree = split_rhat(expected.transpose("sample", "cell").values, chains)
    stats = fit.tree["sample_stats"].to_dataset() if "sample_stats" in fit.tree else {}
    measured = table["score"].sel(at)
    return cells[["model_id", "benchmark_id"]].assign(
        score=measured.values,
        crps=scoringrules.crps_ensemble(
            measured.values, drawn.sel(at).transpose("cell", "sample").values
        ),
        **dict(zip(("lower", "lower_50", "median", "upper_50", "upper"), at_cells.T, strict=True)),
        expected=expected.median("sample").values,
        mean=drawn.sel(at).mean("sample").values,
        rhat=agree,
        seconds=time.time() - began,
        divergences=int(stats["diverging"].sum()) if "diverging" in stats else 0,
    )


def split_rhat(draws: np.ndarray, chains: int) -> np.ndarray:
    """Return split R-hat of each column of draws (sample, cell), chain after chain."""
    halves = np.array_split(draws, 2 * chains)
    size = min(len(half) for half in halves)
    stack = np.stack([half[:size] for half in halves])
    within = stack.var(axis=1, ddof=1).mean(axis=0)
    between = stack.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((size - 1) / size + between / np.where(within > 0, within, 1.0))


@lru_cache
def units() -> pd.Series:
    """Return the factor from a score here to the table's unit: 100 for percentages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warned about when the study reads the table
        info = ls.readers.read_benchpress(SHARED).benchmark_info
    percent = {n: b.scale == "fraction" and b.unit != DISTANCE for n, b in info.items()}
    return pd.Series({name: 100.0 if own else 1.0 for name, own in percent.items()})


def figures(cells: pd.DataFrame) -> dict[str, float]:
    """Return the error and coverage of one fold's cells, in the table's units."""
    unit = units().reindex(cells["benchmark_id"]).to_numpy()
    error = (cells["median"] - cells["score"]).abs() * unit
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    half = (cells["score"] >= cells["lower_50"]) & (cells["score"] <= cells["upper_50"])
    low = cells["median"] * unit < LOW
    sized = cells["score"].abs() > 1e-6  # BenchPress leaves them out too
    return {
        "MedAE": float(error.median()),
        "MedAPE": float((100 * error / (cells["score"].abs() * unit))[sized].median()),
        "cover90": float(inside.mean()),
        "cover50": float(half.mean()),
        "width90": float(((cells["upper"] - cells["lower"]) * unit).median()),
        "cover90_low": float(inside[low].mean()),
        "within5": float((error <= 5).mean()),
        "rhat_95": float(cells["rhat"].quantile(0.95)),
        "max_rhat": float(cells["rhat"].max()),
        "seconds": float(cells["seconds"].iloc[0]),
    }


def report(spec: ModelSpec, runs: Path, options: argparse.Namespace) -> str:
    """Return BENCHPRESS.md: means over folds with standard errors, next to the published ones."""
    paths = sorted(runs.glob("*.csv"), key=fold_of)
    table = pd.DataFrame([figures(pd.read_csv(path)) for path in paths])
    theirs = np.array([PUBLISHED[place_of(path)] for path in paths])
    less = table["MedAE"].to_numpy() - theirs
    error = less.std(ddof=1) / np.sqrt(len(less)) if len(less) > 1 else float("nan")
    summary = pd.DataFrame({"median": table.median(), "mean": table.mean(), "sd": table.std()})
    rows = [
        f"| {name} | {row['median']:.3f} | {row['mean']:.3f} | {row['sd']:.3f} |"
        for name, row in summary.iterrows()
    ]
    parts = [
        "# BenchPress: hidden cells",
        provenance(options.seed),
        f"Spec {spec.name} ({spec.digest}); {len(paths)} of the 30 published folds; "
        f"NUTS, 2 chains of {options.tune} + {options.draws} draws, trees of depth at most "
        f"{options.depth}, {options.doublings} extra doublings, steps tuned to an acceptance of "
        f"{ACCEPTANCE:g}. Errors in the table's units "
        "(percentages, except for seven benchmarks). "
        "rhat_95 and max_rhat are the 95th centile and the largest of the split R-hat of expected "
        "scores of hidden cells; seconds are per fold, on a machine with other work.",
        "\n".join(
            ["| figure | median over folds | mean | sd between folds |", "|---|---|---|---|", *rows]
        ),
        "BenchPress itself, from a rerun of its code, on the same folds: median "
        f"{np.median(theirs):.3f} (on all thirty {np.median(PUBLISHED):.3f}). Median absolute "
        f"error minus BenchPress's, paired by fold: {less.mean():.3f}. Its standard error would be "
        f"{error:.3f} if folds were independent, but they share cells. Three benchmarks of "
        "hallucination rates also hold shares of correct claims (16 of the 2,604 scores); the "
        "reader converts these to rates, and BenchPress does not.",
        "The structure comes from a prototype that was compared on folds of this table, so "
        "this is not an out-of-sample test of the choice. Chains this short have not converged: "
        "see max_rhat.",
    ]
    parts += [beside(runs, other) for other in sorted(runs.parent.glob(f"{spec.digest}-*"))]
    return "\n\n".join(part for part in parts if part) + "\n"


def beside(runs: Path, other: Path) -> str:
    """Return a section on other chains: their figures minus these, paired by fold; or nothing."""
    names = sorted({p.name for p in runs.glob("*.csv")} & {p.name for p in other.glob("*.csv")})
    if other == runs or len(names) < 2:
        return ""
    ours, theirs = (
        pd.DataFrame([figures(pd.read_csv(folder / name)) for name in names])
        for folder in (runs, other)
    )
    less = theirs - ours
    error = less.std() / np.sqrt(len(names))
    rows = [
        f"| {name} | {ours[name].median():.3f} | {theirs[name].median():.3f} | "
        f"{less[name].mean():.3f} | {error[name]:.3f} |"
        for name in ours
        if name != "seconds"  # depends on what else the machine did
    ]
    _, sizes, *settings = other.name.split("-")
    named = [re.sub(r"(\D)(\d)", r"\1 \2", text) for text in settings if not text.isdigit()]
    return "\n\n".join(
        [
            f"## Chains of {sizes.replace('+', ' + ')} draws"
            + (f" ({', '.join(named)})" if named else ""),
            f"On {len(names)} folds, compared with the chains above on the same folds. The mean "
            "difference is paired by fold, with its standard error if folds were independent.",
            "\n".join(
                [
                    "| figure | median above | median | mean difference | se |",
                    "|---|---|---|---|---|",
                    *rows,
                ]
            ),
        ]
    )


def fold_of(path: Path) -> tuple[int, int]:
    """Return the seed and the number of a fold, from the name of its file."""
    seed, fold = path.stem.split("-")
    return int(seed), int(fold)


def place_of(path: Path) -> int:
    """Return a fold's place among the published ones: three folds per seed, in order of seeds."""
    seed, fold = fold_of(path)
    return (seed - FIRST_SEED) * FOLDS_A_SEED + fold


if __name__ == "__main__":
    main()
