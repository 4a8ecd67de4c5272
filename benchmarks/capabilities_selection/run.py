"""Compare candidates for `capabilities` on splits inside training data: the record SELECTION.md.

The table is the BenchPress matrix (../shared/tables/benchpress, read in place: MIT licence). Only
the cells that a published fold leaves visible are used: a random quarter of every model's visible
scores is hidden again and forecast from the rest. The cells that the fold hides are neither fitted
nor used. (In that protocol each of them is visible in other folds, so a choice made here is blind
only to the hidden cells of its own fold, not to the table.) Errors and scores are in the units of
the table; CRPS and mean absolute error are over percentages only.

    python -m benchmarks.capabilities_selection.run base "two skills" --first 1 --splits 2
    python -m benchmarks.capabilities_selection.run        # write SELECTION.md of what is there
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.benchpress.run import SHARED, figures, forecast_hidden, units
from benchmarks.common.clusters import mean_and_error
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.gibbs.run import without_floors
from latentscale.errors import DataError
from latentscale.files import replacing
from latentscale.inference.method import Method

HERE = Path(__file__).resolve().parent
CELLS = HERE / "runs"
RECORD = HERE / "results" / "selection.csv"
BASE = "base"
SEED = 20261127
SHARE = 1 / 4
"""Share of a model's visible scores that is hidden again: some 400 cells per split, enough to
distinguish errors that differ by a tenth."""

TERMS: list[dict[str, Any]] = [
    {"kind": "model-group"},
    {"kind": "trend", "covariate": "released"},
]

_FIRST = {
    "covariates": ["released", "reasoning"],
    "optional": ["released", "reasoning"],
    "benchmarks.family_effect": True,
    "benchmarks.likelihood": {"kind": "contaminated-beta"},
    "benchmarks.largest_precision": None,
    "skills.identify": {"kind": "free"},
    "skills.release": False,
    "family.lineage": True,
}
"""The spec before these comparisons."""
SECOND = "no family x benchmark"
_SECOND = {"benchmarks.family_effect": False, "family.lineage": True}
"""The candidate from which the second round continues."""

RARE = f"{SECOND}, rare outliers"
HEAVY = f"{SECOND}, heavy tails"
_HEAVY = _SECOND | {"benchmarks.likelihood": {"kind": "heavy-tailed-beta"}}
SHIPPED = "shipped"
_SHIPPED = {
    "covariates": ["released", "reasoning", "size_class"],
    "optional": ["released", "reasoning", "size_class"],
    "benchmarks.family_effect": False,
    "benchmarks.likelihood": {"kind": "heavy-tailed-beta", "largest_weight": 0.5},
    "benchmarks.largest_precision": 1e4,
    "skills.release": True,
}
"""The spec at the time when shared spreads of skills were compared."""
SHARED_SCALES = f"{SHIPPED}, shared scales"
_SHARED_SCALES = _SHIPPED | {"skills.identify": {"kind": "free", "scales": "shared"}}
# Each candidate is the first spec with fields replaced; those of the second round, named with a
# comma, are the spec without effects of families on single benchmarks with fields replaced.
CANDIDATES: dict[str, dict[str, Any]] = {
    BASE: {},
    SECOND: _SECOND,
    f"{SECOND}, no lineages": _SECOND | {"family.lineage": False},
    f"{SECOND}, noise by model": _SECOND | {"terms": [*TERMS, {"kind": "model-precision"}]},
    f"{SECOND}, no model x group": _SECOND | {"terms": TERMS[1:]},
    RARE: _SECOND | {"priors": {"outlier_share": ls.Prior("Beta", alpha=2, beta=98)}},
    HEAVY: _HEAVY,
    f"{HEAVY}, size class": _HEAVY | {"covariates": ["released", "reasoning", "size_class"]},
    f"{HEAVY}, effort": _HEAVY | {"covariates": ["released", "reasoning", "effort"]},
    SHIPPED: _SHIPPED,
    SHARED_SCALES: _SHARED_SCALES,
    f"{SHARED_SCALES}, ceilings": _SHARED_SCALES | {"benchmarks.ceiling": "estimated"},
    f"{SHARED_SCALES}, open ceilings": _SHARED_SCALES
    | {"benchmarks.ceiling": "estimated", "benchmarks.ceiling_open": 0.25},
    "two skills": {"skills.count": 2},
    "four skills": {"skills.count": 4},
    "noise by model": {"terms": [*TERMS, {"kind": "model-precision"}]},
    "no model x group": {"terms": TERMS[1:]},
    "no trend": {"terms": TERMS[:1]},
    "no lineages": {"family.lineage": False},
    "beta": {"benchmarks.likelihood": {"kind": "beta"}},
    "student-t": {"benchmarks.likelihood": {"kind": "student-t"}},
    "benchmarks not pooled": {"benchmarks.pooled": False},
}


def candidate(name: str, base: str, method: Method) -> ls.ModelSpec:
    """Return a candidate spec by name; under Gibbs sampling, with noise that it supports."""
    noise = {"benchmarks.likelihood": {"kind": "student-t"}}
    own = noise if isinstance(method, ls.methods.Gibbs) else {}
    return ls.load_spec(base).with_({"name": name, **_FIRST, **own, **CANDIDATES[name]})


def split(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells that a fold hides, and those of its visible ones that are hidden again.

    Parameters
    ----------
    number
        Number of the fold, in the order of the published seeds and folds.
    """
    scores = pd.read_csv(SHARED / "scores.csv")
    folds = pd.read_csv(SHARED / "folds.csv")
    seed, fold = sorted(set(zip(folds["seed"], folds["fold"], strict=True)))[number]
    outer = folds[(folds["seed"] == seed) & (folds["fold"] == fold)]
    names = ["model_id", "benchmark_id"]
    gone = set(zip(outer["model_id"], outer["benchmark_id"], strict=True))
    left = scores[[pair not in gone for pair in zip(*(scores[n] for n in names), strict=True)]]
    rng = np.random.default_rng([SEED, number])
    drawn = [
        rows.iloc[rng.permutation(len(rows))[: round(SHARE * len(rows))]]
        for _, rows in left.groupby("model_id", sort=True)
    ]
    return outer[names], pd.concat(drawn)[names].reset_index(drop=True)


def run(name: str, base: str, number: int, method: Method) -> pd.DataFrame:
    """Return a candidate's forecasts of the hidden cells of one split; from disk if there."""
    spec = candidate(name, base, method)
    path = path_of(spec, method, number)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        outer, inner = split(number)
        scores = ls.readers.read_benchpress(SHARED)
        if isinstance(method, ls.methods.Gibbs):
            scores = without_floors(scores)
        cells = forecast_hidden(spec, scores, inner, method, SEED, also=outer)
        with replacing(path, DataError) as fresh:
            cells.to_csv(fresh, index=False)
    return pd.read_csv(path)


def path_of(spec: ls.ModelSpec, method: Method, number: int) -> Path:
    """Return where the forecasts of one split are kept."""
    return CELLS / f"{spec.digest}-{described(method)}-{number}.csv"


def described(method: Method) -> str:
    """Return a method and its settings as the record names them."""
    sizes = (getattr(method, name) for name in ("chains", "tune", "draws"))
    return "{} {}x{}+{}".format(type(method).__name__, *sizes)


def figures_of(cells: pd.DataFrame) -> dict[str, float]:
    """Return error, proper score, coverage and width of the cells of some splits, and its seconds.

    Seconds are per split, the mean over splits.
    """
    unit = units().reindex(cells["benchmark_id"]).to_numpy()
    percent = unit == 100
    numbers = figures(cells)
    error = unit * (cells["median"] - cells["score"]).abs()
    chosen = ("MedAE", "cover90", "cover50", "width90", "cover90_low")
    return {
        "MedAE": numbers["MedAE"],
        "MAE": float(error[percent].mean()),
        "CRPS": float((unit * cells["crps"])[percent].mean()),
        **{name: numbers[name] for name in chosen[1:]},
        "seconds": float(cells.groupby("split")["seconds"].first().mean()),
    }


def less_base(cells: pd.DataFrame, base: pd.DataFrame) -> tuple[float, float]:
    """Return the mean CRPS minus the base's, and its standard error over models."""
    keys = ["model_id", "benchmark_id", "split"]
    unit = units().reindex(cells["benchmark_id"]).to_numpy()
    both = cells[unit == 100].merge(base, on=keys, suffixes=("", "_base"), validate="1:1")
    return mean_and_error(100 * (both["crps"] - both["crps_base"]), both["model_id"])


def record(names: list[str], base: str, splits: list[int], method: Method) -> None:
    """Run candidates on splits, and keep a row of figures for each."""
    for name in names:
        cells = gathered(name, base, splits, method)
        row: dict[str, Any] = {
            "candidate": name,
            "method": described(method),
            "splits": " and ".join(map(str, splits)),
            **figures_of(cells),
        }
        other = next(
            (one for one in (HEAVY, SECOND, SHARED_SCALES, SHIPPED) if name.startswith(f"{one},")),
            BASE,
        )
        there = all(path_of(candidate(other, base, method), method, k).exists() for k in splits)
        if name != other and there:
            mean, error = less_base(cells, gathered(other, base, splits, method))
            row |= {"against": other, "CRPS less it": mean, "se": error}
        keep(row)
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


def gathered(name: str, base: str, splits: list[int], method: Method) -> pd.DataFrame:
    """Return the hidden cells of several splits, with the column split."""
    return pd.concat([run(name, base, k, method).assign(split=k) for k in splits])


def keep(row: dict[str, Any]) -> None:
    """Store a row of figures, replacing that of an earlier run of the same candidate."""
    fresh = pd.DataFrame([row])
    if RECORD.is_file():
        kept = pd.read_csv(RECORD, dtype={"splits": str})
        keys = ["candidate", "method", "splits"]
        again = (kept[keys] == fresh[keys].iloc[0]).all(axis=1)
        fresh = pd.concat([kept[~again], fresh])
    RECORD.parent.mkdir(exist_ok=True)
    with replacing(RECORD, DataError) as path:
        fresh.sort_values(["method", "splits", "CRPS"]).round(4).to_csv(path, index=False)


def write() -> None:
    """Write SELECTION.md: the method, the table of runs, and the conclusions."""
    table = pd.read_csv(RECORD, dtype={"splits": str}).round(3)
    notes = (HERE / "notes.md").read_text(encoding="utf-8").strip()
    about = __doc__.split("\n\n")[1]
    title = "# How the spec `capabilities` was chosen"
    text = "\n\n".join(
        [title, about, provenance(SEED), markdown(table.astype(object).fillna("")), notes]
    )
    (HERE / "SELECTION.md").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CANDIDATES)}")
    parser.add_argument("--base", default="capabilities", help="a spec's name or file")
    parser.add_argument("--splits", type=int, default=1, help="how many folds' training data")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--nuts", type=int, default=0, help="draws, and as many of warm-up")
    parser.add_argument("--depth", type=int, default=7, help="of NUTS's trees at most")
    parser.add_argument("--draws", type=int, default=600, help="of Gibbs sampling, without --nuts")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CANDIDATES]
    if unknown:
        parser.error(f"no candidate is called {unknown}; there are {list(CANDIDATES)}")
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    method: Method = ls.methods.Gibbs(draws=options.draws, tune=400, chains=2, cores=1)
    if options.nuts:
        method = ls.NUTS(
            draws=options.nuts, tune=options.nuts, chains=2, cores=1, max_depth=options.depth
        )
    splits = list(range(options.first, options.first + options.splits))
    record(options.names, options.base, splits, method)
    write()


if __name__ == "__main__":
    main()
