"""Pythia: later checkpoints and the largest model, from other checkpoints; PYTHIA.md.

The published result files as one long table (../shared/tables/pythia, read in place: Apache-2.0,
EleutherAI/pythia) are read by `latentscale.readers.read_checkpoints`: a run is a family. Finished
forecasts are kept in the folder runs, so a run that was stopped goes on.

    python -m benchmarks.pythia.run later      # the second half of every run
    python -m benchmarks.pythia.run largest    # all checkpoints of the two 12b runs
    python -m benchmarks.pythia.run --report   # PYTHIA.md of all that is there
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
SPEC = HERE.parent / "olmo_ladder" / "checkpoints.toml"
TOKENS_PER_STEP = 2_097_152
"""Of all runs but those that state another batch (Biderman et al. 2023, arXiv:2304.01373)."""
RUN = r"pythia-[\d.]+[mb](-deduped|-bf16)?"
"""The 16 runs of the suite: neither interventions nor other batch sizes."""
STEPS = (512, 1000, 3000, 13000, 23000, 43000, 63000, 83000, 103000, 123000, 143000)
"""Checkpoints in use: near ones say the same, and before step 512 every score is that of chance."""
HALF = 71500
"""Half of the 143,000 steps of a run."""
POWER = 0.2
"""Exponent of size and tokens, as in the study of the OLMo ladder."""
PARTS = {
    "later": "The second half of every run, from the first halves of all",
    "largest": "All checkpoints of the 12b runs, from the runs up to 6.9b",
}


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
        frame = frame[["model", "family", "lineage", "params_b", "tokens_t", *names]].assign(
            size_term=-(frame["params_b"] ** -POWER), token_term=-(frame["tokens_t"] ** -POWER)
        )
        info = {name: read.benchmark_info[name] for name in names}
        return Scores.from_frame(frame, features=["size_term", "token_term"], benchmarks=info)


def hidden(part: str) -> pd.Series:
    """Return which rows are held out, by model."""
    frame = scores().to_frame().set_index("model")
    if part == "largest":
        return frame["family"].str.startswith("pythia-12b")
    return frame["tokens_t"] > HALF * TOKENS_PER_STEP / 1e12


def forecast(part: str, seed: int) -> pd.DataFrame:
    """Fit the shown checkpoints and forecast the held-out ones."""
    out, table = hidden(part), scores()
    began = time.time()
    spec = ls.load_spec(SPEC).with_({"covariates": ["size_term", "token_term"]})
    method = ls.NUTS(draws=300, tune=400, chains=2, cores=1)
    train = table.select(models=list(out.index[~out]))
    fit = ls.fit(spec, train, method=method, seed=seed, progress=False)
    rows = table.to_frame().set_index("model", drop=False)[out.to_numpy()]
    ahead = ls.predict(fit, rows.drop(columns=list(table.benchmarks)), seed=seed).table(prob=0.9)
    return _measured(ahead, part).assign(
        max_rhat=fit.convergence().max_rhat, seconds=time.time() - began
    )


def baseline(part: str) -> pd.DataFrame:
    """Forecast by a run's last shown checkpoint; 12b by 6.9b and its lead over 2.8b."""
    out = hidden(part)
    frame = scores().to_frame().set_index("model")
    names = list(scores().benchmarks)
    if part == "later":
        shown_rows = frame[~out].sort_values("tokens_t").groupby("family").last()
        values = shown_rows.loc[frame.loc[out, "family"], names].set_axis(frame.index[out])
    else:
        sizes = frame["family"].str.extract(r"pythia-([\d.]+b)")[0]
        means = frame.groupby([sizes, "tokens_t"])[names].mean()  # over both runs of a size
        steps = np.log(np.array([12.0, 6.9, 2.8]))
        ratio = (steps[0] - steps[1]) / (steps[1] - steps[2])
        ahead = means.loc["6.9b"] + ratio * (means.loc["6.9b"] - means.loc["2.8b"])
        values = ahead.loc[frame.loc[out, "tokens_t"]].set_axis(frame.index[out])
    long = values.rename_axis("model").reset_index().melt("model", names, "benchmark", "median")
    return _measured(long.dropna(), part)


def _measured(cells: pd.DataFrame, part: str) -> pd.DataFrame:
    rows = scores().to_frame()
    rows = rows[rows["model"].isin(hidden(part).index[hidden(part)])]
    truth = rows.melt(["model", "family"], list(scores().benchmarks), "benchmark", "score").dropna()
    merged = cells.merge(truth, on=["model", "benchmark"], suffixes=("_", ""))
    return merged[[c for c in (*truth.columns, "median", "lower", "upper") if c in merged]]


def figures(cells: pd.DataFrame) -> dict[str, str]:
    """Return error, bias and coverage in points, with standard errors between runs and tasks."""
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
        "Zero-shot accuracies of the 16 runs at 11 checkpoints; a run is a family, with the spec "
        "of the OLMo ladder's study without its share of the run. Points are percentage points; "
        "standard errors are between runs and benchmarks. On wsc all runs score 37 to 64%; its "
        "floor is 37%, what answers of the rarer class alone score.",
    ]
    simple = {"later": "last shown checkpoint", "largest": "6.9b and its lead over 2.8b"}
    for part, title in PARTS.items():
        path = runs / f"{part}.csv"
        if not path.exists():
            continue
        cells = {simple[part]: baseline(part), "latent skills": pd.read_csv(path)}
        rows = [{"forecast": name, **figures(table)} for name, table in cells.items()]
        each = [
            {"benchmark": name, "forecast": who, **figures(mine)}
            for name in scores().benchmarks
            for who, table in cells.items()
            if len(mine := table[table["benchmark"] == name])
        ]
        drop = ["max R-hat", "seconds"]
        parts += [f"## {title}", markdown(pd.DataFrame(rows))]
        parts += [markdown(pd.DataFrame(each).drop(columns=drop))]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=tuple(PARTS))
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
    path = runs / f"{options.part}.csv"
    if not path.exists():
        forecast(options.part, options.seed).to_csv(path, index=False)
    for name, cells in (("latent skills", pd.read_csv(path)), ("simple", baseline(options.part))):
        print(options.part, name, figures(cells), flush=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
