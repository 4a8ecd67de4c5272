"""Lineages held out by date, with and without the date of release; NEW_LINEAGES.md.

Each cut hides every lineage of the bundled table that began between it and the next cut, leaves out
those that began later, and forecasts the hidden lineages from the earlier ones. No score of a
hidden lineage is fitted, as for future lineages. The two cuts of 2023 served to choose between a
straight line in the date and a local linear trend; the five newest lineages, the test set, took no
part in the choice. Two further splits hide fifteen lineages at random, and the models that
`latentscale demo` hides (largest members of large families), where dates have little to add.
Forecasts are kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.new_lineages.run                         # all that is not there yet
    python -m benchmarks.new_lineages.run "from 2023-12" --specs latentscale_dated
    python -m benchmarks.new_lineages.run --report                # NEW_LINEAGES.md, fit nothing
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.analysis.folds import Fold
from latentscale.demo import built_on, hidden_models

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
SEED = 1
METHOD = ls.NUTS(draws=250, tune=300, chains=2, cores=1)
CUTS = {"from 2023-07": ("2023-07", "2023-12"), "from 2023-12": ("2023-12", "2024-04")}
"""Dates from which lineages are hidden, and from which they are left out of the table. From July
to November 2023 began Llama 2, Qwen and Yi; from December to March Gemma and Qwen1.5."""
NEWEST = 5
"""Number of lineages hidden by the last cut, as in the measurement that prompted the study."""
AT_RANDOM = 15
"""Number of lineages hidden at random, as in that measurement."""
SPLITS = (*CUTS, "five newest", "fifteen at random", "largest members")
TREND = "latentscale_dated, local linear trend"
SPECS = ("latentscale", "latentscale_dated", TREND, "pooled_flops")
BOOTSTRAP = 2000
"""Resamples of lineages: the standard error is then known to about 2%."""
CHOOSING = tuple(CUTS)
"""Splits on which the trend is compared with a straight line."""


def spec_of(name: str) -> ls.ModelSpec:
    """Return the spec of a row."""
    if name != TREND:
        return ls.load_spec(name)
    dated = ls.load_spec("latentscale_dated")
    terms = [term.model_dump() for term in dated.terms]
    return dated.with_({"terms": [*terms, {"kind": "trend", "covariate": "released"}]})


def split(name: str) -> tuple[ls.Scores, Fold]:
    """Return the table of a split, and the fold that hides its models."""
    scores = ls.datasets.open_llm_leaderboard(dated=True)
    frame = scores.to_frame().set_index("model")
    if name == "largest members":
        hidden = hidden_models(scores)
        out = set(hidden) | set(built_on(scores, hidden))
    else:
        lineages = _hidden_lineages(name, frame)
        hidden = tuple(frame.index[frame["lineage"].isin(lineages)])
        later = frame["released"] >= CUTS[name][1] if name in CUTS else frame["released"].isna()
        out = {*hidden, *frame.index[later]}
    return scores, Fold(name, tuple(model for model in scores.models if model not in out), hidden)


def _hidden_lineages(name: str, frame: pd.DataFrame) -> list[str]:
    began = frame.groupby("lineage")["released"].first()
    if name in CUTS:
        first, later = CUTS[name]
        return list(began.index[(began >= first) & (began < later)])
    if name == "five newest":
        # meta-llama-3 began nine days after recurrentgemma, in the same month.
        return list(began.drop("recurrentgemma").sort_values(kind="stable").index[-NEWEST:])
    return list(np.random.default_rng(SEED).choice(began.index, AT_RANDOM, replace=False))


def run(name: str, spec: str) -> None:
    """Fit a spec on a split, and keep its forecasts."""
    scores, fold = split(name)
    cells = ls.backtest(
        spec_of(spec), scores, (fold,), method=METHOD, seed=SEED, workers=1, folder=RUNS / "folds"
    )
    cells.to_csv(_file(name, spec), index=False)


def row(cells: pd.DataFrame, lineages: pd.Series) -> dict[str, str]:
    """Return the figures of some cells, with bootstrap standard errors over lineages."""
    by = cells.assign(family=cells["model"].map(lineages))
    summary = ls.studies.summarise(by, seed=SEED).iloc[0]
    each = (by["median"] - by["score"]).groupby(by["family"])
    bias = 100 * float((by["median"] - by["score"]).mean())
    totals, counts = each.sum().to_numpy(), each.size().to_numpy()
    rng = np.random.default_rng(SEED)
    picks = rng.integers(0, len(totals), (BOOTSTRAP, len(totals)))
    spread = 100 * float((totals[picks].sum(1) / counts[picks].sum(1)).std())

    def percent(column: str, digits: int = 0) -> str:
        return f"{100 * summary[column]:.{digits}f} ± {100 * summary[column + '_se']:.{digits}f}"

    return {
        "lineages": str(by["family"].nunique()),
        "cells": str(int(summary["cells"])),
        "error": percent("mae", 2),
        "bias": f"{bias:.1f} ± {spread:.1f}",
        "90%": percent("cover_90"),
        "50%": percent("cover_50"),
        "width": percent("width", 1),
        "crps": percent("crps", 2),
    }


def report() -> str:
    """Return NEW_LINEAGES.md from the files of finished runs."""
    lineages = ls.datasets.open_llm_leaderboard().to_frame().set_index("model")["lineage"]
    rows, each = [], []
    for name in SPLITS:
        for spec in SPECS:
            if not _file(name, spec).is_file():
                continue
            cells = pd.read_csv(_file(name, spec))
            rows.append({"hidden": name, "spec": spec} | row(cells, lineages))
            if name == "five newest" and spec.startswith("latentscale"):
                for benchmark, of_group in cells.groupby("benchmark"):
                    each.append({"spec": spec, "benchmark": benchmark} | row(of_group, lineages))
    notes = HERE / "notes.md"
    parts = [
        "# Lineages held out by date",
        f"{provenance(SEED)} {METHOD.chains} chains of {METHOD.tune} + {METHOD.draws} "
        "draws per fit.",
        " ".join(__doc__.split("\n\n")[1].split()),
        "Errors of the median, bias (forecast minus score), CRPS and widths of 90% intervals are "
        "in points, averaged over cells; coverage is in percent; ± one standard error, from a "
        "bootstrap over lineages, of which some splits have few.",
        markdown(pd.DataFrame(rows)),
        *([notes.read_text(encoding="utf-8").rstrip()] if notes.is_file() else []),
        "## The five newest, by benchmark",
        markdown(pd.DataFrame(each)),
    ]
    return "\n\n".join(parts) + "\n"


def _file(name: str, spec: str) -> Path:
    return RUNS / f"{spec}-{name}.csv".replace(" ", "-")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("splits", nargs="*", default=list(SPLITS), help=", ".join(SPLITS))
    parser.add_argument("--specs", nargs="*", default=list(SPECS), choices=SPECS)
    parser.add_argument("--report", action="store_true", help="write NEW_LINEAGES.md, fit nothing")
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    for name in () if options.report else options.splits:
        for spec in options.specs:
            if _file(name, spec).is_file() or (spec == TREND and name not in CHOOSING):
                continue
            run(name, spec)
            print(f"{name}, {spec}: done", flush=True)
    (HERE / "NEW_LINEAGES.md").write_text(report(), encoding="utf-8")


if __name__ == "__main__":
    main()
