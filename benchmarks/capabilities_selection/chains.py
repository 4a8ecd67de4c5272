"""Where chains of `capabilities` end, and where they stay: CHAINS.md.

Three questions about its sampling. How many short chains end in states where the tails have most of
the weight, on the whole BenchPress matrix, with and without bounds (`largest_weight`,
`largest_precision`)? How long do chains stay in one place on small tables, by target acceptance?
And what happens if a column repeats another, with and without a bound on precisions? The tables are
subsets of public ones (../shared/tables/benchpress and epoch, read in place). Results of each fit
are kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.capabilities_selection.chains --seeds 1 2           # small tables
    python -m benchmarks.capabilities_selection.chains --tails --seeds 1     # the whole matrix
    python -m benchmarks.capabilities_selection.chains --report
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.scores import Scores
from latentscale.files import replacing

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs" / "chains"
SHARED = HERE.parents[1].parent / "shared" / "tables"
REJECTED = 0.05
"""Mean acceptance below which a transition hardly moves, as in `Fit.convergence`."""
FOR_TAILS = {"draws": 30, "tune": 300, "chains": 8}
"""Enough tuning for a chain to settle in a mode, and a few draws to identify the mode."""
FOR_TABLES = {"draws": 500, "tune": 400, "chains": 2}
UNBOUNDED = {"benchmarks.likelihood.largest_weight": 1.0, "benchmarks.largest_precision": None}
"""Changes that remove the spec's bounds on tails and precisions."""
SETTINGS: dict[str, tuple[float, dict[str, Any]]] = {
    "acceptance 0.8": (0.8, {}),
    "shipped": (0.95, {}),
    "unbounded": (0.95, UNBOUNDED),
}
"""Target acceptance, and changes of the spec."""
HIDDEN = 0.2
"""Share of each table's scores that is hidden and forecast."""
_SETTINGS = ("arc_agi", "arc_agi_2", "gpqa_diamond", "frontiermath", "simpleqa_verified")
"""Benchmarks on which Epoch's hub has several settings of a release."""


def _best_covered(scores: Scores, count: int, least: int) -> list[str]:
    """Return the benchmarks with most scores, among those with at least a few."""
    measured = scores.dataset["score"].notnull().sum("model").to_series()
    measured = measured[measured >= least].sort_values(ascending=False, kind="stable")
    return list(measured.index[:count])


def _of_agents() -> Scores:
    scores = ls.readers.read_benchpress(SHARED / "benchpress")
    of_agents = scores.dataset["group"].to_series() == "agents"
    scores = scores.select(benchmarks=list(of_agents.index[of_agents]))
    scores = scores.select(benchmarks=_best_covered(scores, 10, 8))
    return _with_scores(scores, 2)


def _of_one_provider() -> Scores:
    scores = ls.readers.read_benchpress(SHARED / "benchpress")
    provider = scores.dataset["provider"].to_series()
    scores = scores.select(models=list(provider.index[provider == "OpenAI"]))
    return _with_scores(scores.select(benchmarks=_best_covered(scores, 12, 5)), 1)


def _newest() -> Scores:
    scores = ls.readers.read_benchpress(SHARED / "benchpress")
    released = scores.dataset["released"].to_series().sort_values(kind="stable")
    scores = scores.select(models=list(released.index[-25:]))
    return _with_scores(scores.select(benchmarks=_best_covered(scores, 8, 3)), 1)


def _of_settings() -> Scores:
    scores = ls.readers.read_epoch(SHARED / "epoch")
    effort = scores.dataset["effort"].to_series()
    scores = scores.select(models=list(effort.index[effort != ""]), benchmarks=list(_SETTINGS))
    return _with_scores(scores, 2)


def _with_scores(scores: Scores, least: int) -> Scores:
    """Return the table without models that have fewer scores."""
    measured = scores.dataset["score"].notnull().sum("benchmark").to_series()
    return scores.select(models=list(measured.index[measured >= least]))


TABLES: dict[str, tuple[Callable[[], Scores], tuple[str, str]]] = {
    "benchmarks of agents": (_of_agents, ("acceptance 0.8", "shipped")),
    "models of OpenAI": (_of_one_provider, ("acceptance 0.8", "shipped")),
    "settings of releases": (_of_settings, ("acceptance 0.8", "shipped")),
    "25 newest models": (_newest, ("unbounded", "shipped")),
}
"""Small tables, and the settings that are compared on each. In the last one, GPQA and Humanity's
Last Exam each have two nearly identical columns."""


def of_table(name: str, setting: str, seed: int) -> dict[str, Any]:
    """Return how chains moved on a small table, and how they forecast its hidden scores."""
    scores = TABLES[name][0]()
    fold = ls.folds.random_cells_out(scores, share=HIDDEN, n_folds=1, seed=1)[0]
    train = training_scores(scores, fold)
    acceptance, changes = SETTINGS[setting]
    spec = ls.spec_for(train, "capabilities").spec.with_(changes)
    method = ls.NUTS(**FOR_TABLES, target_accept=acceptance, cores=1)
    began = time.process_time()
    fit = ls.fit(spec, train, method=method, seed=seed, progress=False)
    seconds = time.process_time() - began
    stats = fit.tree["sample_stats"].to_dataset()
    found = fit.convergence()
    cells = forecast_fold(fit, scores, fold, seed=1, prob=0.9)
    spread = scores.dataset["score"].std("model").to_series().reindex(cells["benchmark"]).to_numpy()
    inside = (cells["lower"] <= cells["score"]) & (cells["score"] <= cells["upper"])
    return {
        "models": len(scores.models),
        "benchmarks": len(scores.benchmarks),
        "rhat": found.max_rhat,
        "ess": found.min_ess,
        "divergences": found.divergences,
        "longest stay": longest_stay((stats["acceptance_rate"] < REJECTED).values),
        "gradients": float(stats["n_steps"].sum()),
        "seconds": seconds,
        "error": float(((cells["median"] - cells["score"]).abs() / spread).mean()),
        "inside": float(inside.mean()),
        "cells": len(cells),
    }


def longest_stay(rejected: np.ndarray) -> int:
    """Return the longest run of rejected transitions of any chain, of shape (chain, draw)."""
    longest = 0
    for chain in rejected:
        run = 0
        for stays in chain:
            run = run + 1 if stays else 0
            longest = max(longest, run)
    return longest


def of_tails(setting: str, seed: int) -> dict[str, Any]:
    """Return the weight of the tails at the end of each of some short chains."""
    scores = ls.readers.read_benchpress(SHARED / "benchpress")
    spec = ls.load_spec("capabilities").with_(SETTINGS[setting][1])
    method = ls.NUTS(**FOR_TAILS, target_accept=0.8, cores=1)  # as when first seen
    fit = ls.fit(spec, scores, method=method, seed=seed, progress=False)
    likelihood: Any = spec.benchmarks.likelihood
    weight = likelihood.largest_weight * fit.posterior["tail_weight"].mean("draw")
    precision = fit.posterior["precision_mean"].mean("draw")
    return {"weight": weight.values.tolist(), "log_precision": precision.values.tolist()}


def once(path: Path, work: Callable[..., dict[str, Any]], *what: Any) -> None:
    """Write the results of a fit, unless already done."""
    if path.exists():
        return
    found = {"what": list(what)} | work(*what)
    with replacing(path, ls.LatentscaleError) as fresh:
        fresh.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(path.stem, found, flush=True)


def report(seeds: list[int]) -> str:
    """Return CHAINS.md from all results."""
    tables = [json.loads(path.read_text("utf-8")) for path in sorted(RUNS.glob("table-*.json"))]
    tails = [json.loads(path.read_text("utf-8")) for path in sorted(RUNS.glob("tails-*.json"))]
    largest = ls.load_spec("capabilities").benchmarks.largest_precision
    parts = [
        "# Where chains of `capabilities` end, and where they stay",
        provenance(seeds[0]),
        "## Tails that describe the usual scores",
        "The whole BenchPress matrix; chains of {tune} + {draws} draws, steps tuned to an "
        "acceptance of 0.8. Shipped: the tails' weight w is bounded by one half "
        "(`largest_weight`) and precisions by {largest:,.0f} (`largest_precision`); unbounded: "
        "neither. Weight and mean log precision of each chain.".format(
            **FOR_TAILS, largest=largest
        ),
        markdown(_tails(tails)),
        "## Chains that stay in one place",
        "Subsets of public tables, with a fifth of the scores hidden; {chains} chains of {tune} + "
        "{draws} draws. Shipped: steps are tuned to an acceptance of 0.95, with the bounds above; "
        "unbounded: without them. In the table of the 25 newest models, GPQA and Humanity's Last "
        "Exam each have two nearly identical columns. Longest stay: the longest run of "
        "transitions with an acceptance below {rejected}, over chains. Error: mean over hidden "
        "scores, in standard deviations of their benchmark; inside: share of scores in 90% "
        "intervals.".format(**FOR_TABLES, rejected=REJECTED),
        markdown(_stays(tables)),
        (HERE / "chains_notes.md").read_text(encoding="utf-8").strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _tails(found: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        {
            "setting": each["what"][0],
            "seed": each["what"][1],
            "chains": len(each["weight"]),
            "chains with a weight above one half": sum(weight > 1 / 2 for weight in each["weight"]),
            "weights": ", ".join(f"{weight:.2f}" for weight in each["weight"]),
            "mean log precisions": ", ".join(f"{value:.1f}" for value in each["log_precision"]),
        }
        for each in found
    ]
    return pd.DataFrame(rows)


def _stays(found: list[dict[str, Any]]) -> pd.DataFrame:
    order = list(TABLES)
    found = sorted(found, key=lambda each: (order.index(each["what"][0]), *each["what"][:0:-1]))
    rows = [
        {
            "table": f"{each['what'][0]}, {each['models']} x {each['benchmarks']}",
            "seed": each["what"][2],
            "setting": each["what"][1],
            "max R-hat": f"{each['rhat']:.3f}",
            "least ESS": f"{each['ess']:.0f}",
            "divergences": each["divergences"],
            "longest stay": each["longest stay"],
            "gradients of kept draws": f"{each['gradients']:,.0f}",
            "core seconds": f"{each['seconds']:.0f}",
            "error": f"{each['error']:.3f}",
            "inside": f"{each['inside']:.1%}",
            "hidden": each["cells"],
        }
        for each in found
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tails", action="store_true", help="short chains on the whole matrix")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--report", action="store_true", help="write CHAINS.md, fit nothing")
    given = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads public tables in place.")
    RUNS.mkdir(parents=True, exist_ok=True)
    if given.report:
        (HERE / "CHAINS.md").write_text(report(given.seeds), encoding="utf-8")
        return
    for seed in given.seeds:
        for setting in ("unbounded", "shipped") if given.tails else ():
            once(RUNS / f"tails-{setting}-{seed}.json", of_tails, setting, seed)
        for name, (_, settings) in TABLES.items() if not given.tails else ():
            for setting in settings:
                path = RUNS / f"table-{name}-{setting}-{seed}.json"
                once(path, of_table, name, setting, seed)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
