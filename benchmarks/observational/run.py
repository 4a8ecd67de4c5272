"""Observational scaling laws: tasks of strong models from other benchmarks; OBSERVATIONAL.md.

The tables of Ruan et al. 2024 (../shared/tables/obsscaling, read in place: Apache-2.0,
ryoungj/ObsScaling) and their splits: BIG-bench tasks of models above a training compute, and agent
scores of the strongest tenth, from standard benchmarks and weaker models' scores on the tasks. The
part `inside` has our own splits: it leaves the hidden BIG-bench scores out and hides those of the
quarter of the other models with the most compute, so that the weaker models are even less
informative. The spec is the one that `ls.spec_for` returns for the table. Finished forecasts are
kept in the folder runs, so an interrupted run resumes.

    python -m benchmarks.observational.run emergent   # or agents, or inside
    python -m benchmarks.observational.run --report   # OBSERVATIONAL.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.observational import law
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.scores import Scores

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "obsscaling"
BASE = (
    *("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"),
)
TUNED = ("MMLU", "ARC-C", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K", "HumanEval")
FLOORS = {"MMLU": 0.25, "ARC-C": 0.25, "HellaSwag": 0.25, "TruthfulQA": 0.31}
FLOORS |= {"Winograd": 0.5, "Winogrande": 0.5, "XWinograd": 0.5, "parsinlu_qa_2_acc": 0.25}
CHAINS, TUNE, DRAWS = 4, 300, 300
"""A task takes a minute on one core; R-hat is in the report."""
CUT = 84.0
"""1e21 FLOPs of Llama 2 7B, the published cut."""
ARITHMETIC_CUT = 22.0
"""The published cut of arithmetic tasks, 1e21 FLOPs."""
STRONGEST = 0.1
"""Share of models with an agent score that is held out, as published."""
QUARTER = 0.25
"""Share of the weaker models that the part `inside` hides."""
PARTS = {
    "emergent": "BIG-bench tasks, the published splits",
    "inside": "BIG-bench tasks, the strongest quarter of the models that the splits above fit",
    "agents": "Agents",
}
EMERGENT = {
    "word_unscrambling_2_exact_match": CUT,
    "parsinlu_qa_2_acc": CUT,
    **dict.fromkeys(
        (f"arithmetic_{name}_2_acc" for name in ("3ds", "3da", "2dm", "2da")), ARITHMETIC_CUT
    ),
}
AGENTS = {"ABench-OA": 10.0, "ABoard-Avg_SR": 100.0}
"""Tasks with their best possible score."""


@dataclass(frozen=True)
class Task:
    """One task to forecast.

    Attributes
    ----------
    name
        Its column.
    frame
        Its table, scores in fractions.
    known
        Benchmarks that predict it.
    hidden
        Models that are held out.
    sized
        Whether sizes and tokens are read; not for agents, whose strongest models do not state them.
    """

    name: str
    frame: pd.DataFrame
    known: tuple[str, ...]
    hidden: tuple[str, ...]
    sized: bool


def inside(task: Task) -> Task:
    """Return a task without its hidden models, and the next strongest quarter hidden."""
    shown = task.frame[~task.frame["Model"].isin(task.hidden)].sort_values("FLOPs (1E21)")
    count = round(QUARTER * len(shown))
    return replace(task, frame=shown, hidden=tuple(shown["Model"].iloc[-count:]))


def tasks(part: str) -> list[Task]:
    """Return the tasks of a part, each with its split."""
    if part == "inside":
        return [inside(task) for task in tasks("emergent")]
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
        names.append(Task(name, rows, known, tuple(rows.loc[out, "Model"]), part == "emergent"))
    return names


def scores_of(task: Task) -> Scores:
    """Return a task's table as a user reads it."""
    names = {"Model": "model", "Model Family": "family"}
    if task.sized:
        names |= {"Model Size (B)": "params_b", "Pretraining Data Size (T)": "tokens_t"}
    frame = task.frame.rename(columns=names)
    features = list(names.values())
    info = {name: ls.Benchmark(floor=FLOORS.get(name, 0.0)) for name in (*task.known, task.name)}
    return Scores.from_frame(frame[[*features, *task.known, task.name]], benchmarks=info)


def forecast(task: Task, seed: int) -> pd.DataFrame:
    """Forecast the hidden scores of one task, by latent skills and by the published laws."""
    scores = scores_of(task)
    cells = tuple((model, task.name) for model in task.hidden)
    fold = ls.folds.Fold(task.name, tuple(scores.models), (), cells=cells)
    began = time.process_time()
    method = ls.NUTS(draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1)
    train = training_scores(scores, fold)
    spec = ls.spec_for(train).spec
    fit = ls.fit(spec, train, method=method, seed=seed, progress=False)
    columns = ["model", "benchmark", "score", "median", "lower", "upper", "crps", "max_rhat"]
    table = forecast_fold(fit, scores, fold, seed=seed)[columns]
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
    return table.assign(spec=spec.name, seconds=time.process_time() - began)


def figures(cells: pd.DataFrame) -> dict[str, str]:
    """Return mean absolute errors in points, also of the laws, and coverage."""
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    away = {c: _away(cells, c) for c in ("median", "law", "compute") if c in cells}
    return {
        "scores": str(len(cells)),
        "error": _mean(away["median"]),
        "observational law": _mean(away["law"]),
        "less the law": _mean(away["median"] - away["law"]),
        "law of compute": _mean(away["compute"]) if "compute" in away else "",
        "cover 90%": f"{inside.sum()} of {len(cells)}",
        "width": f"{100 * (cells['upper'] - cells['lower']).median():.0f}",
        "max R-hat": f"{cells['max_rhat'].iloc[0]:.2f}",
    }


def _away(cells: pd.DataFrame, column: str) -> pd.Series:
    return 100 * (cells[column] - cells["score"]).abs()


def _mean(points: pd.Series) -> str:
    """Return a mean with its standard error between models."""
    if len(points) == 1:
        return f"{points.iloc[0]:.1f}"
    return f"{points.mean():.1f} ± {points.std() / np.sqrt(len(points)):.1f}"


def report(runs: Path, seed: int) -> str:
    """Return OBSERVATIONAL.md of all kept forecasts."""
    tables = []
    for part, heading in PARTS.items():
        rows = []
        for task in tasks(part):
            path = runs / part / f"{task.name}.csv"
            if path.is_file():
                table = pd.read_csv(path)
                named = {"task": task.name, "spec": table["spec"].iloc[0]}
                rows.append(named | figures(table))
        tables += [f"## {heading}", markdown(pd.DataFrame(rows))] if rows else []
    parts = [
        "# Observational scaling laws",
        f"{provenance(seed)} {CHAINS} chains of {TUNE} + {DRAWS} draws per fit.",
        "Scores of held-out models on one task at a time are forecast from their standard "
        "benchmarks, sizes and tokens and from weaker models' scores on the task. On "
        "BIG-bench tasks the models above the published training compute are held out, on agent "
        "tasks the strongest tenth (one or two models). Mean absolute errors and median widths of "
        "90% intervals are in percentage points of the task's range, with standard errors between "
        "models; the laws are refitted here.",
        *tables,
        "## What can be said",
        (HERE / "notes.md").read_text(encoding="utf-8").rstrip(),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=[*PARTS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write the page, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public tables in place.")
    runs = HERE / "runs"
    for task in tasks(options.part) if options.part and not options.report else ():
        path = runs / options.part / f"{task.name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            forecast(task, options.seed).to_csv(path, index=False)
        print(task.name, figures(pd.read_csv(path)), flush=True)
    (HERE / "OBSERVATIONAL.md").write_text(report(runs, options.seed), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
