"""Largest members of lineages of fine-tunes, hidden; FINE_TUNES.md.

The Open LLM Leaderboard v2 (../shared/tables/open_llm_leaderboard_v2, read in place) is a table of
community fine-tunes and merges. Lineages with several sizes are split into two folds; a fold hides
all models of the largest size of each of its lineages, and forecasts them from the rest. Forecasts
are kept in the folder runs, fold by fold, so an interrupted run resumes.

    python -m benchmarks.fine_tunes.run date       # one spec, both folds
    python -m benchmarks.fine_tunes.run date --method subsampled
    python -m benchmarks.fine_tunes.run --report   # FINE_TUNES.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.common.recalibrated import WANTED
from benchmarks.elsewhere.baselines import baseline_table
from benchmarks.leaderboard.report import row
from benchmarks.leaderboard.specs import CHOSEN, VARIANTS, spec_of, table_of
from benchmarks.leaderboard.split import SHARED
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.scores import Scores

HERE = Path(__file__).resolve().parent
BEFORE = "2024-11-01"
"""The table has the models uploaded before this date."""
MEMBERS = 5
"""Fewest models of smaller sizes with which a lineage's largest size can be hidden."""
LIKE = 2
"""Fewest models of one family for its size to count as the lineage's largest, which excludes
one-off enlarged merges."""
APART = 1.3
"""A smaller size is one that the largest exceeds by this factor: sizes of one family differ by
less, as a model grows by some layers or tokens."""
METHODS = {
    "advi": ls.ADVI(batch=500),
    "nuts": ls.NUTS(draws=200, tune=300, chains=2, cores=1),
    "subsampled": ls.methods.Subsampled(models=400, draws=500, tune=500),
}
SHOWN = f"{CHOSEN}, advi"
"""Shown by benchmark and by lineage."""
FOLDS = 2
"""Half of the lineages keep their largest models, so that the table has large ones."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", nargs="?", choices=VARIANTS, default="date")
    parser.add_argument("--method", choices=tuple(METHODS), default="advi")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write FINE_TUNES.md, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_file():
        raise SystemExit(f"{SHARED} is not there: the study reads the published table in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    if options.report:
        (HERE / "FINE_TUNES.md").write_text(report(runs, options.seed), encoding="utf-8")
        return
    scores, folds = hidden(options.seed)
    families = scores.to_frame().set_index("model")["family"]
    table = table_of(options.variant, scores)
    for number, fold in enumerate(folds, start=1):
        path = runs / f"{options.variant}, {options.method}, {number}.csv"
        if not path.exists():
            began = time.time()
            fit = ls.fit(
                spec_of(options.variant),
                training_scores(table, fold),
                method=METHODS[options.method],
                seed=options.seed,
                progress=False,
            )
            seconds = time.time() - began
            cells = forecast_fold(fit, table, fold, seed=options.seed)
            # Standard errors are between families as read, whatever the spec uses as families.
            cells["family"] = cells["model"].map(families)
            cells.assign(seconds=seconds).to_csv(path, index=False)
        print(options.variant, options.method, number, row(pd.read_csv(path)), flush=True)


@lru_cache
def hidden(seed: int) -> tuple[Scores, tuple[ls.folds.Fold, ...]]:
    """Return the table, and folds that hide the largest models of half the lineages each."""
    scores = ls.readers.read_leaderboard(SHARED)
    frame = scores.to_frame()
    kept = frame["params_b"].notna() & (frame["tuning"] != "multimodal")
    kept &= frame["released"] < pd.Timestamp(BEFORE)
    frame = frame[kept]
    # An architecture alone does not define a lineage: anyone may train such a model.
    named = frame[~frame["lineage"].str.contains("architecture")]
    largest = {}
    for lineage, members in named.groupby("lineage", sort=True):
        counts = members["family"].value_counts()
        several = members[members["family"].map(counts) >= LIKE]
        top = members["params_b"] > several["params_b"].max() / APART
        if (~top).sum() >= MEMBERS:
            largest[str(lineage)] = tuple(members.loc[top, "model"])
    order = np.random.default_rng(seed).permutation(sorted(largest))
    folds = []
    for number in range(FOLDS):
        test = tuple(model for name in order[number::FOLDS] for model in largest[str(name)])
        train = tuple(model for model in frame["model"] if model not in set(test))
        folds.append(ls.folds.Fold(f"largest/{number + 1}", train, test))
    return scores.select(models=list(frame["model"])), tuple(folds)


def kept(runs: Path) -> dict[str, list[pd.DataFrame]]:
    """Return the kept forecasts of specs that were run on both folds, by spec and method."""
    found = {}
    for variant, method in product(VARIANTS, METHODS):
        paths = [runs / f"{variant}, {method}, {number}.csv" for number in range(1, FOLDS + 1)]
        if all(path.exists() for path in paths):
            found[f"{variant}, {method}"] = [pd.read_csv(path) for path in paths]
    return found


def beside_baselines(tables: dict[str, list[pd.DataFrame]], seed: int) -> pd.DataFrame:
    """Return errors of simple forecasts of the same scores, and the specs' errors minus theirs."""
    scores, folds = hidden(seed)
    simple = pd.concat([baseline_table(scores, fold) for fold in folds])
    rows = []
    for name, cells in simple.groupby("baseline", sort=False):
        error = 100 * (cells["median"] - cells["score"]).abs()
        about = {"baseline": name, "MAE": shown(error, cells["family"])}
        for spec, parts in tables.items():
            both = pd.concat(parts).merge(cells, on=["model", "benchmark"], validate="one_to_one")
            ours, theirs = ((both[f"median_{k}"] - both["score_x"]).abs() for k in "xy")
            about[f"{spec}, less"] = shown(100 * (ours - theirs), both["family_x"])
        rows.append(about)
    return pd.DataFrame(rows)


def recalibrated_coverage(tables: list[pd.DataFrame]) -> dict[str, str]:
    """Return each fold's coverage, with the nominal probability chosen from the other fold."""
    shares: dict[str, list[pd.Series]] = {f"cover {prob:.0%} recalibrated": [] for prob in WANTED}
    for cells, other in zip(tables, tables[::-1], strict=True):
        nominal = ls.studies.nominal_for(other, WANTED, seed=1)["nominal"]
        central = (2 * (cells["pit"] - 0.5)).abs()
        for inside, prob in zip(shares.values(), nominal, strict=True):
            inside.append((central <= prob) * 1.0)
    families = pd.concat(tables)["family"]
    return {name: shown(pd.concat(inside), families, 3) for name, inside in shares.items()}


def report(runs: Path, seed: int) -> str:
    """Return FINE_TUNES.md of all kept forecasts."""
    scores, folds = hidden(seed)
    lineages = scores.to_frame().set_index("model")["lineage"]
    about = [
        f"fold {number}: {', '.join(sorted(set(lineages[list(fold.test)])))}"
        f" ({len(fold.test)} models)"
        for number, fold in enumerate(folds, start=1)
    ]
    rows, recalibrated, each, by_lineage = [], [], [], []
    for variant, tables in kept(runs).items():
        both = pd.concat(tables)
        for name, table in zip(("1", "2", "both"), (*tables, both), strict=True):
            worst = table["max_rhat"].max()
            rhat = {"max R-hat": "" if np.isnan(worst) else f"{worst:.2f}"}
            rows.append({"spec": variant, "fold": name, **row(table), **rhat})
        recalibrated.append({"spec": variant, **recalibrated_coverage(tables)})
        if variant == SHOWN:
            for benchmark, cells in both.groupby("benchmark"):
                each.append({"benchmark": benchmark, **row(cells)})
            for lineage, cells in both.groupby(both["model"].map(lineages)):
                by_lineage.append({"lineage": lineage, **row(cells)})
    parts = [
        "# Largest members of lineages of fine-tunes",
        provenance(seed),
        f"{len(scores.models)} models uploaded before {BEFORE}, {len(scores.families)} families. "
        f"A fold hides the largest size of half of the lineages with {MEMBERS} smaller models or "
        f"more ({'; '.join(about)}). The specs were chosen in the study of the whole "
        "leaderboard (benchmarks/leaderboard); no fold here took part in the choice. Points are "
        "percentage points, forecasts are medians, standard errors are between families. NUTS, "
        "where it was run, has 2 chains of 300 + 200 draws. `subsampled` has 2 of 500 + 500 on "
        "series of some 400 models, and then draws the latents of all others given these. A row "
        "whose max R-hat, over parameters, is far from 1 does not describe the posterior.",
        markdown(pd.DataFrame(rows)),
        "Simple forecasts of the same scores, on the logit scale: `mean`, the benchmark's mean; "
        "`regression` on size and date, with slopes by benchmark shrunk to common ones and an "
        "offset by family (`benchmarks/elsewhere/baselines.py`). `less`: the error of a spec "
        "minus that of the baseline; negative is better.",
        markdown(beside_baselines(kept(runs), seed)),
        "Each fold with the nominal probability of intervals chosen from the other fold "
        "(`ls.studies.nominal_for`). These rows were added after forecasts of the folds had been "
        "seen:",
        markdown(pd.DataFrame(recalibrated)),
        f"`{SHOWN}` by benchmark:",
        markdown(pd.DataFrame(each)),
        "The same by lineage, without a standard error where one family is hidden:",
        markdown(pd.DataFrame(by_lineage)).replace(" ± nan", ""),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
