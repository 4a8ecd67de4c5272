"""BenchPress's protocol for new releases: each model forecast from all that came before it.

BenchPress (arXiv:2606.24020, section 5.3) takes as targets the models released from DeepSeek-R1 to
GPT-5.1 with more than 20 scores; each is forecast from the models released before it, with some of
its own scores given. `releases` has three dates for all models, so up to months between what is
fitted and what is forecast. Here a fit is made for each of the targets' release dates. Fits and
forecasts are kept in the folder runs, so a run that was stopped goes on. LANDMARKS.md.

    python -m benchmarks.benchpress.landmarks
    python -m benchmarks.benchpress.landmarks --report   # of all that is there
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.benchpress.releases import CHAINS, GIVEN, completions, fitted, row
from benchmarks.benchpress.run import SHARED
from benchmarks.common.by_model import forecast_by_model
from benchmarks.common.dated import before_and_after
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from latentscale.files import replacing

HERE = Path(__file__).resolve().parent
FIRST, LAST, MORE_THAN = "2025-01-20", "2025-11-13", 20
"""Release dates and number of scores of a target, as in BenchPress."""
FEWEST = 2
"""Fitted scores of a benchmark that is forecast: completion needs a standard deviation."""
REPEATS = 3
"""Random choices of the given scores; BenchPress has ten."""
PUBLISHED = {GIVEN: (6.8, 27)}
"""Median over targets of the median absolute error of hidden scores, and the number of targets, by
scores given: the table of hidden cells in BenchPress's code, experiment temporal_deployment."""


def targets(scores: Scores) -> pd.Series:
    """Return release dates by target, in order of dates."""
    frame = scores.to_frame().set_index("model")
    counts = frame[list(scores.benchmarks)].notna().sum(axis=1)
    between = (frame["released"] >= FIRST) & (frame["released"] <= LAST)
    return frame.loc[between & (counts > MORE_THAN), "released"].sort_values()


def forecasts(
    date: str, models: tuple[str, ...], runs: Path, options: argparse.Namespace
) -> pd.DataFrame | None:
    """Return forecasts of the targets of one date, with nothing and with five scores given."""
    every, fold = before_and_after(ls.readers.read_benchpress(SHARED), date, FEWEST)
    fold = replace(fold, test=models)
    path = runs / f"{date}.nc"
    if not path.exists():
        fitted(every, fold, path, options)
    fit, tables = ls.load(path), []
    for repeat in range(REPEATS + 1):
        file = runs / f"{date}-{repeat}.csv"
        if not file.exists():
            seed = options.seed + repeat
            one = ls.folds.with_given([fold], every, GIVEN, seed=seed)[0] if repeat else fold
            kept = runs / f"{date}-{repeat}"
            table = forecast_by_model(fit, every, one, kept, options.seed, options.minutes)
            if table is None:
                return None
            if repeat:
                table = table.merge(completions(every, one, options.seed))
            with replacing(file, DataError) as fresh:
                table.assign(repeat=repeat, fitted=len(fold.train)).to_csv(fresh, index=False)
        tables.append(pd.read_csv(file))
        print(date, repeat, row(tables[-1]), flush=True)
    return pd.concat(tables, ignore_index=True)


def report(table: pd.DataFrame, missing: list[str], options: argparse.Namespace) -> str:
    """Return LANDMARKS.md, which says what release dates are missing."""
    rows, lines = [], []
    nothing = table[table["repeat"] == 0].drop(columns="completed")
    for given, part in ((0, nothing), (GIVEN, table[table["repeat"] > 0])):
        by_model = {str(name): row(cells) for name, cells in part.groupby("model", sort=False)}
        figures = row(part) | {
            "median over targets": f"{_middle(by_model, 'MedAE'):.2f}",
            "targets": str(len(by_model)),
        }
        if given:
            figures["completion, over targets"] = f"{_middle(by_model, 'completion MedAE'):.2f}"
            fitted_models = part.groupby("model")["fitted"].first()
            rows = [
                {"model": name, "fitted models": str(fitted_models[name]), **_of_one(cells)}
                for name, cells in by_model.items()
            ]
        lines.append({"given": str(given), **figures})
    published, number = PUBLISHED[GIVEN]
    parts = [
        "# BenchPress: each new release from those before it",
        provenance(options.seed),
        f"Targets are the models of the BenchPress matrix released from {FIRST} to {LAST} with "
        f"more than {MORE_THAN} scores (BenchPress's rule). Each is forecast from the models "
        f"released before it, on benchmarks with at least {FEWEST} fitted scores. For each release "
        f"date `capabilities` is fitted by NUTS with {CHAINS} chains of {options.tune} + "
        f"{options.draws} draws; max R-hat is the largest among expected scores. Forecasts are "
        f"made with no score of the target given, and conditional on {GIVEN} of its scores at "
        f"random, {REPEATS} times (even where the importance weights of posterior draws are "
        "degenerate). Errors and widths are in the table's units. `completion` is rank-2 matrix "
        "completion as described by BenchPress, with the same scores given "
        "(`benchmarks/benchpress/factorise.py`). Standard errors and 90% bootstrap intervals are "
        "between models.",
        markdown(pd.DataFrame(lines).fillna("")),
        f"Published: a median over {number} targets of {published} with {GIVEN} given, other "
        "random choices of the given scores.",
        *_unfinished(missing),
        f"## By model, {GIVEN} given",
        markdown(pd.DataFrame(rows).fillna("")),
    ]
    return "\n\n".join(parts) + "\n"


def _unfinished(missing: list[str]) -> list[str]:
    if not missing:
        return []
    return [
        f"**Not finished**: targets of {len(missing)} release dates have not been run, "
        f"{', '.join(missing)}. Which ones were run did not depend on what they gave."
    ]


def _of_one(figures: dict[str, str]) -> dict[str, str]:
    """Return a model's figures without what is between models."""
    shown = {**figures, "cover 90%": figures["cover 90%"].split(" ")[0]}
    shown.pop("less completion (90%)")
    return shown


def _middle(by_model: dict[str, dict[str, str]], figure: str) -> float:
    return float(np.median([float(cells[figure]) for cells in by_model.values()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--tune", type=int, default=300)
    parser.add_argument("--until", default=LAST, help="only targets released up to this date")
    parser.add_argument("--report", action="store_true", help="write LANDMARKS.md, fit nothing")
    parser.add_argument("--since", default=FIRST, help="only targets released from this date")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="then stop, to go on later")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    runs = HERE / "runs" / f"landmarks-{options.tune}+{options.draws}-{options.seed}"
    runs.mkdir(parents=True, exist_ok=True)
    dates = targets(ls.readers.read_benchpress(SHARED))
    for date, models in dates.groupby(dates.dt.date.astype(str)):
        if not options.report and options.since <= str(date) <= options.until:
            forecasts(str(date), tuple(str(model) for model in models.index), runs, options)
    wanted = sorted(set(dates.dt.date.astype(str)))
    done = [date for date in wanted if (runs / f"{date}-{REPEATS}.csv").exists()]
    tables = [pd.read_csv(runs / f"{d}-{r}.csv") for d in done for r in range(REPEATS + 1)]
    missing = [date for date in wanted if date not in done]
    text = report(pd.concat(tables), missing, options)
    (HERE / "LANDMARKS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
