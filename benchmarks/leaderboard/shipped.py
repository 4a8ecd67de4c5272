"""The Open LLM Leaderboard v2 as a user fits it: the spec that `ls.spec_for` returns; SHIPPED.md.

Tables, cuts and hidden scores are those of `benchmarks.leaderboard.run`, whose specs use what the
leaderboard records about tuning; here nothing is chosen by hand. The report compares simple
forecasts of the same scores. Forecasts are kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.leaderboard.shipped   # all cuts, then SHIPPED.md
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.elsewhere.baselines import baseline_table
from benchmarks.leaderboard.report import parts_of, row
from benchmarks.leaderboard.split import CUT, EARLIER, EARLIEST, HERE, SEED, SHARED, leaderboard
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from latentscale.files import replacing

CUTS = (EARLIEST, EARLIER, CUT)
BATCH = 500
"""Models per batch of ADVI, as docs/which_method.md advises for thousands of models."""


def forecasts(cut: str, runs: Path, seed: int) -> pd.DataFrame:
    """Return the forecasts of a cut's hidden scores; from disk if there."""
    path = runs / f"shipped, {cut}.csv"
    if not path.exists():
        scores, fold = leaderboard(SEED, cut)
        train = training_scores(scores, fold)
        began = time.perf_counter()
        choice = ls.spec_for(train)
        method = ls.ADVI(batch=BATCH)
        fit = ls.fit(choice.spec, train, method=method, seed=seed, progress=False)
        seconds = time.perf_counter() - began
        table = forecast_fold(fit, scores, fold, seed=seed)
        about = {"seconds": seconds, "spec": choice.spec.name, "fitted": len(fit.scores.models)}
        about["covariates"] = ", ".join(choice.spec.covariates)
        with replacing(path, DataError) as fresh:
            table.assign(**about).to_csv(fresh, index=False)
    return pd.read_csv(path)


def simple(cut: str) -> pd.DataFrame:
    """Return simple forecasts of a cut's hidden scores: of later models, and of single cells."""
    scores, fold = leaderboard(SEED, cut)
    early = scores.select(models=list(fold.train))
    cells = ls.folds.Fold("cells", fold.train, (), fold.cells)
    later = baseline_table(scores, replace(fold, cells=()))
    return pd.concat([later, _family_mean(scores, fold, later), baseline_table(early, cells)])


def _family_mean(scores: Scores, fold: ls.folds.Fold, later: pd.DataFrame) -> pd.DataFrame:
    """Forecast later models by their family's mean fitted score, or else the benchmark's mean."""
    long = (
        training_scores(scores, fold)
        .to_frame()
        .melt(["model", "family"], list(scores.benchmarks), "benchmark", "score")
    )
    of_all = long.groupby("benchmark")["score"].mean().rename("all")
    of_family = long.groupby(["family", "benchmark"])["score"].mean().rename("own")
    cells = later[later["baseline"] == "mean"].join(of_all, on="benchmark")
    cells = cells.join(of_family, on=["family", "benchmark"])
    cells["median"] = cells["own"].fillna(cells["all"])
    return cells.drop(columns=["own", "all"]).assign(baseline="family mean")


def beside(cells: pd.DataFrame, baselines: pd.DataFrame) -> list[dict[str, str]]:
    """Return errors of each baseline on some cells, and the spec's minus theirs."""
    rows = []
    for name, theirs in baselines.groupby("baseline", sort=False):
        both = cells.merge(theirs, on=["model", "benchmark"], suffixes=("", "_simple"))
        if both.empty:
            continue
        ours, other = ((both[f"median{end}"] - both["score"]).abs() for end in ("", "_simple"))
        by = both["family"]
        difference = shown(100 * (ours - other), by)
        rows.append({"baseline": str(name), "MAE": shown(100 * other, by), "spec less": difference})
    return rows


def report(tables: dict[str, pd.DataFrame], seed: int) -> str:
    """Return SHIPPED.md of the forecasts by cut."""
    errors, differences = [], []
    for cut, table in tables.items():
        baselines = simple(cut)
        for part, cells in parts_of(table, cut).items():
            about = {"cut": cut, "held out": part}
            errors.append({**about, "fitted models": str(table["fitted"].iloc[0]), **row(cells)})
            differences += [{**about, **line} for line in beside(cells, baselines)]
    specs = {f"`{t['spec'].iloc[0]}` on {t['covariates'].iloc[0]}" for t in tables.values()}
    seconds = [table["seconds"].iloc[0] for table in tables.values()]
    parts = [
        "# The Open LLM Leaderboard v2, by the spec that `ls.spec_for` returns",
        provenance(seed),
        "Models uploaded before a cut are fitted, except for a random tenth of their scores; "
        "these and all scores of later models are forecast by the predictive median. Families and "
        "lineages are read from base models and names; nothing is declared by hand. `ls.spec_for` "
        f"returns {' or '.join(sorted(specs))}. ADVI in batches of {BATCH} models takes "
        f"{min(seconds):.0f} to {max(seconds):.0f} s of wall time, from one run each; the first "
        "fit on a machine compiles, and later ones read the cache. Points are percentage points; "
        "standard errors are between families as read. The specs of LEADERBOARD.md use more of "
        "what the leaderboard records about tuning.",
        markdown(pd.DataFrame(errors)),
        "## Compared with simple forecasts",
        "Simple forecasts of the same scores, on the logit scale. For all: `mean`, the "
        "benchmark's mean. For later models: `family mean`, the mean of the family's fitted "
        "scores (not of logits; if none is fitted, the benchmark's mean), and `regression` on "
        "size and date, with slopes by benchmark shrunk to common ones and an offset by family. "
        "For single cells: `two-way`, a bias of model and benchmark, and `rank 2`, matrix "
        "completion (`benchmarks/elsewhere/baselines.py`). `spec less`: the error of the spec "
        "minus theirs; negative is better.",
        markdown(pd.DataFrame(differences)),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of the fits and their forecasts")
    options = parser.parse_args()
    if not SHARED.is_file():
        raise SystemExit(f"{SHARED} is not there: the study reads the published table in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    tables = {cut: forecasts(cut, runs, options.seed) for cut in CUTS}
    (HERE / "SHIPPED.md").write_text(report(tables, options.seed), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
