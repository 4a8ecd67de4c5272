"""Observational scaling laws: tasks of strong models from other benchmarks; OBSERVATIONAL.md.

The tables of Ruan et al. 2024 (../shared/tables/obsscaling, read in place: Apache-2.0,
ryoungj/ObsScaling) and their splits: BIG-bench tasks of models above a training compute, and agent
scores of the strongest tenth, from standard benchmarks and the tasks of weaker models. Finished
forecasts are kept in the folder runs, so a run that was stopped goes on.

    python -m benchmarks.observational.run emergent   # or agents
    python -m benchmarks.observational.run --report   # OBSERVATIONAL.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.observational import law
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "obsscaling"
BASE = (
    *("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"),
)
TUNED = ("MMLU", "ARC-C", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K", "HumanEval")
FLOORS = {"MMLU": 0.25, "ARC-C": 0.25, "HellaSwag": 0.25, "TruthfulQA": 0.31}
FLOORS |= {"Winograd": 0.5, "Winogrande": 0.5, "XWinograd": 0.5, "parsinlu_qa_2_acc": 0.25}
CUT = 84.0
"""1e21 FLOPs of Llama 2 7B, the published cut."""
ARITHMETIC_CUT = 22.0
"""The published cut of arithmetic tasks, 1e21 FLOPs."""
STRONGEST = 0.1
"""Share of models with an agent score that is held out, as published."""
EMERGENT = {
    "word_unscrambling_2_exact_match": CUT,
    "parsinlu_qa_2_acc": CUT,
    **dict.fromkeys(
        (f"arithmetic_{name}_2_acc" for name in ("3ds", "3da", "2dm", "2da")), ARITHMETIC_CUT
    ),
}
AGENTS = {"ABench-OA": 10.0, "ABoard-Avg_SR": 100.0}
"""Tasks with the best score that they allow."""


@dataclass(frozen=True)
class Task:
    """One task to forecast: its table in fractions, its predictors, and who is held out."""

    name: str
    frame: pd.DataFrame
    known: tuple[str, ...]
    hidden: tuple[str, ...]


def tasks(part: str) -> list[Task]:
    """Return the tasks of a part, each with its published split."""
    files = {
        "emergent": ("base_llm_benchmark_eval", "base_llm_emergent_capability_eval"),
        "agents": ("instruct_llm_benchmark_eval", "instruct_llm_agent_eval"),
    }[part]
    standard, further = (pd.read_csv(SHARED / f"{name}.csv") for name in files)
    frame = standard.merge(further, on="Model", how="inner")
    names = []
    for name, limit in (EMERGENT if part == "emergent" else AGENTS).items():
        known = BASE if part == "emergent" else TUNED
        if name.startswith("arithmetic"):  # as published: GSM8K does not predict arithmetic
            known = tuple(one for one in known if one != "GSM8K")
        rows = frame[frame[name].notna()]
        if part == "emergent":
            rows = rows[rows["FLOPs (1E21)"].notna()]
            out = rows["FLOPs (1E21)"] > limit
        else:
            rows = rows.assign(**{name: rows[name] / limit})
            count = max(1, round(STRONGEST * len(rows)))
            out = rows[name].rank(ascending=False, method="first") <= count
        names.append(Task(name, rows, known, tuple(rows.loc[out, "Model"])))
    return names


def spec_of(part: str) -> ModelSpec:
    """Return model-level skills without covariates: what fills a table from its other scores."""
    spec = ls.load_spec("capabilities")
    changes = {"name": part, "covariates": [], "terms": [], "skills.count": 2}
    changes |= {"benchmarks.family_effect": False, "family.lineage": False}
    return spec.with_(changes)


def scores_of(task: Task) -> Scores:
    """Return a task's table as a user reads it."""
    frame = task.frame.rename(columns={"Model": "model", "Model Family": "family"})
    frame = frame[["model", "family", *task.known, task.name]]
    names = (*task.known, task.name)
    info = {name: ls.Benchmark(floor=FLOORS.get(name, 0.0)) for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.DataWarning)
        return Scores.from_frame(frame, benchmarks=info)


def forecast(part: str, task: Task, seed: int) -> pd.DataFrame:
    """Forecast the hidden scores of one task, by latent skills and by the published laws."""
    scores = scores_of(task)
    cells = tuple((model, task.name) for model in task.hidden)
    fold = ls.folds.Fold(task.name, tuple(scores.models), (), cells=cells)
    began = time.time()
    method = ls.NUTS(draws=300, tune=300, chains=2, cores=1)
    train = training_scores(scores, fold)
    fit = ls.fit(spec_of(part), train, method=method, seed=seed, progress=False)
    table = forecast_fold(fit, scores, fold, seed=seed)[
        ["model", "benchmark", "score", "median", "lower", "upper"]
    ]
    rows = task.frame.set_index("Model")
    shown = ~rows.index.isin(task.hidden)
    score, floor = rows[task.name].to_numpy(dtype=float), FLOORS.get(task.name, 0.0)
    known = rows[list(task.known)].to_numpy(dtype=float)
    laws = {"law": law.forecast(known, score, shown, floor, 1.0)}
    compute = np.log(rows["FLOPs (1E21)"].to_numpy(dtype=float))[:, None]
    if np.isfinite(compute).all():
        laws["compute"] = law.sigmoid(compute, score, shown, floor, 1.0)
    for name, values in laws.items():
        table[name] = table["model"].map(dict(zip(rows.index, values, strict=True)))
    return table.assign(seconds=time.time() - began)


def figures(cells: pd.DataFrame) -> dict[str, str]:
    """Return mean absolute errors in points, and the coverage of the intervals."""
    error = {
        "latent skills": "median",
        "observational law": "law",
        "law of compute": "compute",
    }
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    row = {"scores": str(len(cells))}
    for name, column in error.items():
        away = 100 * (cells[column] - cells["score"]).abs() if column in cells else pd.Series([])
        known = len(away) and away.notna().all()
        spread = away.std() / np.sqrt(len(away)) if len(away) > 1 else np.nan
        row[name] = f"{away.mean():.1f} ± {spread:.1f}" if known else ""
    width = 100 * (cells["upper"] - cells["lower"]).median()
    return row | {"cover 90%": f"{inside.sum()} of {len(cells)}", "width": f"{width:.0f}"}


def report(runs: Path, seed: int) -> str:
    """Return OBSERVATIONAL.md of all kept forecasts."""
    rows = []
    for path in sorted(runs.glob("*.csv")):
        table = pd.read_csv(path)
        rows.append({"task": path.stem, **figures(table)})
    return (
        "\n\n".join(
            [
                "# Observational scaling laws",
                provenance(seed),
                "Scores of held-out models on one task at a time, from their standard benchmarks "
                "and the task's scores of weaker models: BIG-bench tasks of models above the "
                "published training compute, agent scores of the strongest tenth. Mean absolute "
                "errors in percentage points of the task's range, with standard errors between "
                "models; the laws are fitted here again. Of agents one or two models are held out.",
                markdown(pd.DataFrame(rows)),
                "Latent skills fail on tasks that weak models score next to 0 on, with pooled "
                "benchmarks and outliers as here and without them. A likely reason: under Beta "
                "noise differences between 0.002 and 0.01 decide the slope on the logit scale, "
                "where the law, fitted by least squares to the scores themselves, looks past them.",
            ]
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("emergent", "agents"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write the page, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public tables in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    if options.report or options.part is None:
        (HERE / "OBSERVATIONAL.md").write_text(report(runs, options.seed), encoding="utf-8")
        return
    for task in tasks(options.part):
        path = runs / f"{task.name}.csv"
        if not path.exists():
            forecast(options.part, task, options.seed).to_csv(path, index=False)
        print(task.name, figures(pd.read_csv(path)), flush=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
