"""Compare candidate specs on families of the bundled table, halved: the record of SELECTION.md.

On each table (v1: the six benchmarks of the Open LLM Leaderboard v1; v2; and the models that have
all twelve) the families with two members or more are split at random into two halves. A fold
hides every member except the smallest of each family in one half, and forecasts them from the
rest. This is harder than Sloth's leave-one-family-out, which hides one family at a time, and six
fits judge a spec on every family. Three more folds hide the largest member of each family with
three or more members ("largest", all models and benchmarks). Sizes and tokens are the corrected
ones.

    python -m benchmarks.selection.run base no_ceiling --workers 1
    python -m benchmarks.selection.run                  # write SELECTION.md from the runs so far
"""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import latentscale as ls
from latentscale.analysis.folds import Fold
from latentscale.declare.io import spec_from_dict

HERE = Path(__file__).parent
FOLDER = HERE / "runs"
RECORD = HERE / "results" / "selection.csv"  # what SELECTION.md shows
SEED = 20261122
V1 = ("arc", "hellaswag", "mmlu", "truthfulqa", "winogrande", "gsm8k")
V2 = ("ifeval", "bbh", "math_lvl5", "gpqa", "musr", "mmlu_pro")
LARGEST = "largest"
TABLES = {"v1": V1, "v2": V2, "v1+v2": V1 + V2, LARGEST: V1 + V2}
METHOD = ls.NUTS(draws=300, tune=300, chains=1, cores=1)

# The candidates' starting point: the shipped spec before these comparisons.
BASE: dict[str, Any] = {
    "covariates": ["log_flops"],
    "family.slopes": [],
    "benchmarks.family_slopes": ["log_flops"],
    "benchmarks.instruct.slopes": ["log_flops"],
    "benchmarks.ceiling_open": 0.0,
    "priors.slope": {"dist": "Normal", "mu": 1, "sigma": 1},
    "priors.ceiling": {"dist": "Beta", "alpha": 18, "beta": 2},
    "terms": [],
}

LOWER_CEILINGS: dict[str, Any] = {"priors.ceiling": {"dist": "Beta", "alpha": 9, "beta": 1.5}}
SIZE_AND_TOKENS: dict[str, Any] = {
    "covariates": ["log_params", "log_tokens"],
    "benchmarks.family_slopes": ["log_params"],
    "benchmarks.instruct.slopes": ["log_params"],
}
FAMILY_SLOPES = SIZE_AND_TOKENS | LOWER_CEILINGS | {"family.slopes": ["log_params"]}
PRODUCT = FAMILY_SLOPES | {"covariates": ["log_params", "log_tokens", "log_params:log_tokens"]}
NARROWER: dict[str, Any] = {"priors.slope": {"dist": "Normal", "mu": 0.5, "sigma": 0.5}}
CURVED = PRODUCT | NARROWER | {"terms": [{"kind": "curvature", "squares": ["log_params"]}]}
BENT = (
    PRODUCT
    | NARROWER
    | {"terms": [{"kind": "curvature", "squares": ["log_params"], "of_each": "benchmark"}]}
)
OPEN: dict[str, Any] = {"priors.ceiling": {"dist": "Beta", "alpha": 9, "beta": 1}}
SQUARE = PRODUCT | NARROWER | {"covariates": [*PRODUCT["covariates"], "log_params:log_params"]}

# Each candidate is the base with some fields replaced, by path.
CANDIDATES: dict[str, dict[str, Any]] = {
    "base": {},
    "ceiling at 1": {"benchmarks.ceiling": "fixed"},
    "no family slopes": {"benchmarks.family_slopes": []},
    "no residual": {"skills.residual": False},
    "K=1": {"skills.count": 1, "family.correlated": False},
    "K=3": {"skills.count": 3},
    "benchmark slopes": {"benchmarks.slopes": ["log_flops"]},
    "size and tokens": SIZE_AND_TOKENS,
    "size and tokens, benchmark slopes": {
        "covariates": ["log_params", "log_tokens"],
        "benchmarks.slopes": ["log_params", "log_tokens"],
        "benchmarks.family_slopes": ["log_params"],
        "benchmarks.instruct.slopes": ["log_params"],
    },
    "size and tokens, lower ceilings": SIZE_AND_TOKENS | LOWER_CEILINGS,
    "size and tokens, lower ceilings, Student-t": SIZE_AND_TOKENS
    | LOWER_CEILINGS
    | {"benchmarks.likelihood": {"kind": "student-t", "shared": False}},
    "size and tokens, lower ceilings, precision by size": SIZE_AND_TOKENS
    | LOWER_CEILINGS
    | {"benchmarks.precision_covariates": ["log_params"]},
    "size and tokens, lower ceilings, skill family slopes": FAMILY_SLOPES,
    "product": PRODUCT,
    "product, K=3": PRODUCT | {"skills.count": 3},
    "product, no skill family slopes": PRODUCT | {"family.slopes": []},
    "product, slopes 0.5 and 1": PRODUCT
    | {"priors.slope": {"dist": "Normal", "mu": 0.5, "sigma": 1}},
    "product, narrower slopes": PRODUCT | NARROWER,  # shipped in 0.1
    "size squared": SQUARE,
    "size and tokens squared": PRODUCT
    | NARROWER
    | {"covariates": [*PRODUCT["covariates"], *(f"{c}:{c}" for c in ("log_params", "log_tokens"))]},
    "curvature of size": CURVED,
    "curvature of size, ceilings open": CURVED | OPEN,
    "curvature of benchmarks": BENT,  # shipped
    "curvature of benchmarks, ceilings open": BENT | OPEN,
    "curvature of benchmarks, wide": BENT
    | {"priors.benchmark_curvature": {"dist": "Normal", "mu": 0, "sigma": 0.3}},
    "curvature of size and tokens": PRODUCT
    | NARROWER
    | {"terms": [{"kind": "curvature", "squares": ["log_params", "log_tokens"]}]},
    "size squared by family": SQUARE | {"family.slopes": ["log_params", "log_params:log_params"]},
    "size squared, ceilings near 1": SQUARE
    | {"priors.ceiling": {"dist": "Beta", "alpha": 30, "beta": 1}},
    "size squared, ceilings open": SQUARE | OPEN,
    "product, narrower slopes, no skill family slopes": PRODUCT | NARROWER | {"family.slopes": []},
    "lower ceilings, Student-t": LOWER_CEILINGS
    | {"benchmarks.likelihood": {"kind": "student-t", "shared": False}},
    "flops and tokens": {"covariates": ["log_flops", "log_tokens"]},
    "logistic link": {"benchmarks.link.kind": "logistic"},
    "lower ceilings": LOWER_CEILINGS,
    "precision by size": {"benchmarks.precision_covariates": ["log_flops"]},
    "wider family slopes": {
        "priors.family_benchmark_slope_scale": {"dist": "HalfNormal", "sigma": 0.6}
    },
    "no instruct slope": {"benchmarks.instruct.slopes": []},
    "skill family slopes": {"family.slopes": ["log_flops"]},
}


def candidate(name: str, base: str) -> ls.ModelSpec:
    """Return a candidate spec by name."""
    document = ls.load_spec(base).to_dict()
    for path, value in {**BASE, **CANDIDATES[name]}.items():
        place = document
        *parents, last = path.split(".")
        for parent in parents:
            place = place[parent]
        place[last] = value
    document["name"] = name
    return spec_from_dict(document)


def tables() -> dict[str, ls.Scores]:
    """Return the tables; v1+v2 holds the models that have every score, the last one all models."""
    every = ls.datasets.open_llm_leaderboard()
    made = {}
    for name, benchmarks in TABLES.items():
        if name == LARGEST:
            made[name] = every
            continue
        known = every.dataset["score"].sel(benchmark=list(benchmarks)).notnull().all("benchmark")
        known = known & every.dataset["tokens"].notnull()
        models = [str(m) for m in every.dataset["model"].values[known.values]]
        made[name] = every.select(models=models, benchmarks=list(benchmarks))
    return made


def folds(table: str, scores: ls.Scores) -> list[Fold]:
    """Return the folds of a table: halves, or a third of the largest members at a time."""
    if table == LARGEST:
        return list(ls.folds.largest_member_out(scores, n_folds=3, seed=SEED))
    return halves(scores)


def halves(scores: ls.Scores, seed: int = SEED) -> list[Fold]:
    """Return two folds, each hiding all but the smallest member of half of the families."""
    frame = scores.to_frame().sort_values(["params_b", "model"], kind="stable")
    members = {family: list(rows["model"]) for family, rows in frame.groupby("family", sort=True)}
    several = [family for family, names in members.items() if len(names) > 1]
    order = np.random.default_rng(seed).permutation(len(several))
    folds = []
    for half in (0, 1):
        hidden = {m for i in order[half::2] for m in members[several[i]][1:]}
        train = tuple(m for m in scores.models if m not in hidden)
        folds.append(Fold(f"half {half}", train, tuple(m for m in scores.models if m in hidden)))
    return folds


def run(
    names: list[str], base: str, only: list[str], *, workers: int = 1, cluster: str | None = None
) -> None:
    for name in names:
        spec = candidate(name, base)
        for table, scores in tables().items():
            if table not in only:
                continue
            cells = ls.backtest(
                spec,
                scores,
                folds(table, scores),
                method=METHOD,
                seed=SEED,
                workers=workers,
                cluster=cluster,
                folder=FOLDER / "folds",
                progress=False,
            )
            record(cells, {"base": base, "candidate": name, "table": table})
            print(name, table, line(cells), flush=True)


def line(cells: pd.DataFrame) -> str:
    """Return one run's figures as a line of text."""
    return "  ".join(f"{key} {value:.3f}" for key, value in figures(cells).items())


def figures(cells: pd.DataFrame) -> dict[str, float]:
    """Return errors in points (mean over families), coverage, width and proper scores."""
    error = 100 * (cells["median"] - cells["score"]).abs()
    by_family = error.groupby(cells["family"]).mean()
    inside = {p: (cells["pit"] - 0.5).abs() <= p / 2 for p in (0.5, 0.9)}
    return {
        "mae": by_family.mean(),
        "se": by_family.std(ddof=1) / np.sqrt(len(by_family)),
        "cover90": inside[0.9].mean(),
        "cover50": inside[0.5].mean(),
        "width": 100 * (cells["upper"] - cells["lower"]).mean(),
        "crps": 100 * cells["crps"].groupby(cells["family"]).mean().mean(),
        "log score": cells["log_score"].mean(),
    }


def record(cells: pd.DataFrame, about: dict[str, str]) -> None:
    """Store the figures of one run, replacing those of an earlier run of the same kind."""
    row = pd.DataFrame([about | figures(cells)])
    if RECORD.is_file():
        kept = pd.read_csv(RECORD)
        again = (kept[list(about)] == pd.Series(about)).all(axis=1)
        row = pd.concat([kept[~again], row])
    RECORD.parent.mkdir(exist_ok=True)
    row.sort_values(["table", "mae"]).round(4).to_csv(RECORD, index=False)


def table() -> str:
    """Return the runs so far as a Markdown table."""
    frame = pd.read_csv(RECORD).sort_values(["table", "mae"])
    head = "| " + " | ".join(frame.columns) + " |\n|" + "---|" * len(frame.columns)
    body = [
        "| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |"
        for row in frame.itertuples(index=False)
    ]
    return "\n".join([head, *body])


def write() -> None:
    """Write SELECTION.md: the method, the table of runs, and the conclusions."""
    made = (
        f"`python -m benchmarks.selection.run <candidates>`, seed {SEED}; {METHOD.chains} chain of "
        f"{METHOD.tune} + {METHOD.draws} draws per fit; latentscale {version('latentscale')}, pymc "
        f"{version('pymc')}, nutpie {version('nutpie')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores. Errors in points, mean "
        "over families; coverage over cells."
    )
    about = __doc__.split("\n\n")[1]
    notes = (HERE / "notes.md").read_text().strip()
    text = "\n\n".join(["# How the recommended spec was chosen", about, made, table(), notes])
    (HERE / "SELECTION.md").write_text(text + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CANDIDATES)}")
    parser.add_argument("--base", default="latentscale")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cluster", help="address of a dask.distributed scheduler to fit on")
    parser.add_argument("--only", nargs="*", default=list(TABLES), choices=list(TABLES))
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CANDIDATES]
    if unknown:
        parser.error(f"no candidate is called {unknown}; there are {list(CANDIDATES)}")
    run(
        options.names,
        options.base,
        options.only,
        workers=options.workers,
        cluster=options.cluster,
    )
    write()


if __name__ == "__main__":
    main()
