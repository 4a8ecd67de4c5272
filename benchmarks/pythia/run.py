"""Pythia: later checkpoints and the largest model, from other checkpoints; PYTHIA.md.

The published result files as one long table (../shared/tables/pythia, read in place: Apache-2.0,
EleutherAI/pythia) are read by `latentscale.readers.read_checkpoints`: a run is a family. Finished
forecasts are kept in the folder runs, so an interrupted run resumes. Variants of the shipped spec
are compared within the data that the two parts fit: on the checkpoints before half of every run,
and on the two 6.9b runs from smaller ones.

    python -m benchmarks.pythia.run later         # the second half of every run
    python -m benchmarks.pythia.run largest       # all checkpoints of the two 12b runs
    python -m benchmarks.pythia.run "inside largest" --variant "with the product"
    python -m benchmarks.pythia.run --report      # PYTHIA.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.data.scores import Scores

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "pythia" / "checkpoint_scores_long.csv"
TOKENS_PER_STEP = 2_097_152
"""Tokens per step of all runs except those that state another batch size (Biderman et al. 2023,
arXiv:2304.01373)."""
RUN = r"pythia-[\d.]+[mb](-deduped|-bf16)?"
"""The 16 runs of the suite: neither interventions nor other batch sizes."""
STEPS = (512, 1000, 3000, 13000, 23000, 43000, 63000, 83000, 103000, 123000, 143000)
"""Checkpoints in use: neighbouring ones are redundant, and before step 512 scores are at chance."""
HALF, EARLY = 71500, 13000
"""Half of the 143,000 steps of a run, and the last step that is shown within the first half."""
PARTS = {
    "inside later": "From step 13,000 to half of every run, from the checkpoints before",
    "inside largest": "All checkpoints of the 6.9b runs, from the runs up to 2.8b",
    "later": "The second half of every run, from the first halves of all",
    "largest": "All checkpoints of the 12b runs, from the runs up to 6.9b",
}
SIMPLE = {
    "inside later": "last shown checkpoint",
    "inside largest": "2.8b and its lead over 1.4b",
    "later": "last shown checkpoint",
    "largest": "6.9b and its lead over 2.8b",
}
"""The simple rule to which each part is compared."""
VARIANTS: dict[str, dict[str, object]] = {
    "checkpoints": {},
    "with run x benchmark effects": {"benchmarks.family_effect": True},
    "with the product": {"covariates": ["log_params", "log_tokens", "log_params:log_tokens"]},
    "with tokens per parameter": {
        "covariates": ["log_params", "log_tokens", "tokens_per_param"],
        "terms": [
            {"kind": "levelling", "names": ["log_params", "tokens_per_param"]},
            {"kind": "trend", "covariate": "log_tokens", "knots": 8},
        ],
    },
}
"""Changes of the shipped spec. In the last two the gain by tokens depends on size."""


@lru_cache
def scores() -> Scores:
    """Return the checkpoints in use on zero-shot benchmarks, as a user reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.DataWarning)
        read = ls.readers.read_checkpoints(SHARED, tokens_per_step=TOKENS_PER_STEP)
        names = [name for name in read.benchmarks if name.endswith("0-shot")]
        frame = read.to_frame()
        step = frame["model"].str.extract(r"@step(\d+)$")[0].astype(int)
        frame = frame[frame["family"].str.fullmatch(RUN) & step.isin(STEPS)]
        frame = frame[["model", "family", "lineage", "params_b", "tokens_t", *names]]
        frame["tokens_per_param"] = 1000 * frame["tokens_t"] / frame["params_b"]
        info = {name: read.benchmark_info[name] for name in names}
        features = [ls.Feature("tokens_per_param", transform="log")]
        return Scores.from_frame(frame, features=features, benchmarks=info)


def split(part: str) -> tuple[pd.Series, pd.Series]:
    """Return which rows are fitted and which are held out, by model; others are left out."""
    frame = scores().to_frame().set_index("model")
    step = frame["tokens_t"] * 1e12 / TOKENS_PER_STEP
    size = frame["family"].str.extract(r"pythia-([\d.]+[mb])")[0]
    if part == "later":
        return step <= HALF, step > HALF
    if part == "inside later":
        return step <= EARLY, (step > EARLY) & (step <= HALF)
    largest = size == ("12b" if part == "largest" else "6.9b")
    return ~largest & (size != "12b"), largest


def forecast(part: str, variant: str, seed: int) -> pd.DataFrame:
    """Fit the shown checkpoints and forecast the held-out ones."""
    (shown_rows, out), table = split(part), scores()
    began = time.time()
    spec = ls.load_spec("checkpoints").with_({"name": variant} | VARIANTS[variant])
    method = ls.NUTS(draws=300, tune=400, chains=2, cores=1)
    train = table.select(models=list(out.index[shown_rows]))
    fit = ls.fit(spec, train, method=method, seed=seed, progress=False)
    rows = table.to_frame().set_index("model", drop=False)[out.to_numpy()]
    ahead = ls.predict(fit, rows.drop(columns=list(table.benchmarks)), seed=seed).table(prob=0.9)
    return _measured(ahead, part).assign(
        max_rhat=fit.convergence().max_rhat, seconds=time.time() - began
    )


def baseline(part: str) -> pd.DataFrame:
    """Forecast by a run's last shown checkpoint; a size by the next smaller one and its lead."""
    fitted, out = split(part)
    frame = scores().to_frame().set_index("model")
    names = list(scores().benchmarks)
    if part.endswith("later"):
        last = frame[fitted].sort_values("tokens_t").groupby("family").last()
        values = last.loc[frame.loc[out, "family"], names].set_axis(frame.index[out])
    else:
        sizes = frame["family"].str.extract(r"pythia-([\d.]+b)")[0]
        means = frame.groupby([sizes, "tokens_t"])[names].mean()  # over both runs of a size
        ahead_of = ("12", "6.9", "2.8") if part == "largest" else ("6.9", "2.8", "1.4")
        steps = np.log(np.array([float(size) for size in ahead_of]))
        ratio = (steps[0] - steps[1]) / (steps[1] - steps[2])
        below, two_below = (means.loc[f"{size}b"] for size in ahead_of[1:])
        values = (below + ratio * (below - two_below)).loc[frame.loc[out, "tokens_t"]]
        values = values.set_axis(frame.index[out])
    long = values.rename_axis("model").reset_index().melt("model", names, "benchmark", "median")
    return _measured(long.dropna(), part)


def _measured(cells: pd.DataFrame, part: str) -> pd.DataFrame:
    rows = scores().to_frame()
    out = split(part)[1]
    rows = rows[rows["model"].isin(out.index[out])]
    truth = rows.melt(["model", "family"], list(scores().benchmarks), "benchmark", "score").dropna()
    merged = cells.merge(truth, on=["model", "benchmark"], suffixes=("_", ""))
    return merged[[c for c in (*truth.columns, "median", "lower", "upper") if c in merged]]


def figures(cells: pd.DataFrame) -> dict[str, str]:
    """Return error, bias and coverage in points, with standard errors between runs and tasks.

    They assume that a run's scores on a benchmark are independent of all others.
    """
    by = cells["family"] + cells["benchmark"]
    error = 100 * (cells["median"] - cells["score"])
    row = {
        "scores": str(len(cells)),
        "MAE": shown(error.abs(), by),
        "bias": shown(error, by),
    }
    if "lower" not in cells:
        return row | {"cover 90%": "", "width": "", "max R-hat": "", "seconds": ""}
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    return row | {
        "cover 90%": shown(inside.astype(float), by, 3),
        "width": f"{100 * (cells['upper'] - cells['lower']).median():.1f}",
        "max R-hat": f"{cells['max_rhat'].iloc[0]:.3f}",
        "seconds": f"{cells['seconds'].iloc[0]:.0f}",
    }


def report(runs: Path, seed: int) -> str:
    """Return PYTHIA.md of all kept forecasts."""
    parts = [
        "# Pythia",
        provenance(seed),
        "Zero-shot accuracies of the 16 runs at 11 checkpoints; a run is a family, with the "
        "shipped spec `checkpoints`. The first two splits use only data that are fitted for the "
        "other two. On these and on the 3B runs of the OLMo ladder the spec was chosen among some "
        "twenty, of which effects of runs on benchmarks (mixes worse, ahead on one of the three) "
        "and the product of size and tokens (worse on the ladder) are kept here. Skills that "
        "level off in tokens per parameter were tried later, when the errors on the 12b runs were "
        "known (see OLMO_LADDER.md). Seconds were measured with other work on the machine. Points "
        "are percentage points; standard errors are between pairs of a run and a benchmark, "
        "assumed independent. Errors of runs of one size and of benchmarks of one run are "
        "correlated, so these standard errors are too small. On wsc all runs score 37 to 64%; its "
        "floor is 37%, the score of always giving the rarer answer.",
    ]
    for part, title in PARTS.items():
        paths = {name: runs / f"{part}, {name}.csv" for name in VARIANTS}
        fits = {name: pd.read_csv(path) for name, path in paths.items() if path.exists()}
        if not fits:
            continue
        cells = {SIMPLE[part]: baseline(part)} | fits
        rows = [{"forecast": name, **figures(table)} for name, table in cells.items()]
        parts += [f"## {title}", markdown(pd.DataFrame(rows))]
        if part.startswith("inside"):
            continue
        each = [
            {"benchmark": name, "forecast": who, **figures(mine)}
            for name in scores().benchmarks
            for who, table in cells.items()
            if len(mine := table[table["benchmark"] == name])
        ]
        parts += [markdown(pd.DataFrame(each).drop(columns=["max R-hat", "seconds"]))]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=tuple(PARTS))
    parser.add_argument("--variant", choices=tuple(VARIANTS), default="checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write PYTHIA.md, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_file():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    if options.report or options.part is None:
        (HERE / "PYTHIA.md").write_text(report(runs, options.seed), encoding="utf-8")
        return
    path = runs / f"{options.part}, {options.variant}.csv"
    if not path.exists():
        forecast(options.part, options.variant, options.seed).to_csv(path, index=False)
    for name, cells in ((options.variant, pd.read_csv(path)), ("simple", baseline(options.part))):
        print(options.part, name, figures(cells), flush=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
