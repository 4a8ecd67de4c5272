"""Write the small fits that the pages load: `python docs/make_fits.py [NAME...]` (a few minutes).

`pooled_flops` and `small` are of the same models of the bundled table, of which the pages hide the
largest of four families; `translog` is of these models on other benchmarks, with the product of
size and tokens. `dated` and `closed` are of simulated tables, whose truth is known: one of models
with release dates and of benchmarks in three units, the other of closed models with reasoning
settings on sparse benchmarks in groups. `short` is `small` with chains that are too short, for the
page on fits that have not converged. All are stored, so that building the site samples nothing.
Studies under ``benchmarks`` use whole tables.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import latentscale as ls
from latentscale.demo import built_on

FOLDER = Path(__file__).parent / "fits"
TRANSLOG = FOLDER.parents[1] / "notebooks" / "translog.toml"
FAMILIES = (
    "bloom",
    "falcon",
    "llama",
    "llama-2",
    "llama-2-chat",
    "opt",
    "pythia",
    "qwen1.5",
    "qwen1.5-chat",
    "qwen2",
    "qwen2-instruct",
    "yi-1.5",
    "yi-1.5-chat",
)
"""Families of three or more sizes, most of them on both leaderboards; three with tuned variants."""

HIDDEN = ("llama-2-70b", "qwen2-72b", "yi-1.5-34b", "falcon-180b")
"""Largest members of base families, each from 1.7 to 10 times the size of the next."""

BENCHMARKS = ("mmlu", "hellaswag", "gsm8k", "mmlu_pro", "ifeval", "bbh")
"""Three of each leaderboard, the recommended spec's anchors among them."""

PLANNED = ("mmlu", "hellaswag", "gsm8k", "math_lvl5", "ifeval")
"""Those of `notebooks/4_compute_planning.ipynb`: size and tokens are worth unlike much on them."""

METHODS = {
    "pooled_flops": ls.NUTS(draws=400, tune=400, target_accept=0.9),
    "small": ls.NUTS(draws=2000, target_accept=0.95),
    "short": ls.NUTS(draws=150, tune=300, chains=2, target_accept=0.9),
    "dated": ls.NUTS(draws=2500, target_accept=0.99),
    "translog": ls.NUTS(draws=2000, target_accept=0.95),
    "closed": ls.NUTS(draws=2000),
}
"""How each fit is drawn; long enough to converge, but for `short`."""

EVERY = {"small": 8, "dated": 10, "translog": 8, "closed": 5}
"""One draw in so many is stored: 1,000 to 1,600 draws, in files of a few MB. Their R-hat and
effective sample sizes still pass."""


def table(benchmarks: Sequence[str] = BENCHMARKS) -> ls.Scores:
    """Return the scores of the chosen families, hidden models with them."""
    scores = ls.datasets.open_llm_leaderboard()
    frame = scores.to_frame()
    chosen = frame.loc[frame["family"].isin(FAMILIES), "model"]
    return scores.select(models=list(chosen), benchmarks=benchmarks)


def dated_table(seed: int = 7) -> ls.Scores:
    """Return a simulated table: four families, two models a quarter, three units of benchmarks.

    The skill rises by 1 a year and from 2024 on by 1.6; families differ by a constant.
    """
    rng = np.random.default_rng(seed)
    days = pd.date_range("2022-02-01", "2025-08-01", periods=32)
    years = (days - pd.Timestamp("2024-01-01")).days.to_numpy() / 365.25
    family = np.array(["acme", "borealis", "cumulus", "delta"])[np.arange(len(days)) % 4]
    level = {"acme": 0.3, "borealis": 0.0, "cumulus": -0.2, "delta": -0.5}
    skill = np.where(years < 0, 1.0, 1.6) * years + [level[one] for one in family]
    skill = skill + rng.normal(0, 0.15, len(days))
    quiz = 0.25 + 0.75 / (1 + np.exp(-(0.4 + 0.9 * skill)))
    frame = pd.DataFrame(
        {
            "model": [f"{f}-{k // 4 + 1}" for k, f in enumerate(family)],
            "family": family,
            "released": days.strftime("%Y-%m-%d"),
            "quiz": np.clip(quiz + rng.normal(0, 0.02, len(days)), 0.2, 0.99).round(3),
            "arena": (1250 + 70 * skill + rng.normal(0, 15, len(days))).round(),
            "horizon": np.exp(2 + 1.1 * skill + rng.normal(0, 0.25, len(days))).round(2),
        }
    )
    return ls.Scores.from_frame(
        frame,
        features=["released"],
        benchmarks={
            "quiz": ls.Benchmark(floor=0.25, n_items=1000),
            "arena": ls.Benchmark(scale="real", unit="Elo"),
            "horizon": ls.Benchmark(scale="positive", unit="minutes"),
        },
    )


SERIES = {
    "acme": ("Acme", 0.5),
    "acme-mini": ("Acme", -0.4),
    "borealis": ("Borealis", 0.2),
    "borealis-nano": ("Borealis", -0.9),
    "cumulus": ("Cumulus", 0.0),
    "delta": ("Delta", -0.3),
}
"""Provider of each simulated series of closed models, and its level on the linear predictor."""

CLOSED = {
    "olympiad": ("maths", -1.5, 0.0),
    "proofs": ("maths", -2.2, 0.0),
    "contests": ("coding", -0.8, 0.0),
    "repairs": ("coding", -1.2, 0.0),
    "quiz": ("knowledge", 1.2, 25.0),
    "science": ("knowledge", 0.3, 25.0),
    "errands": ("agents", -1.0, 0.0),
    "browsing": ("agents", -1.8, 0.0),
}
"""Group, intercept and floor (percent) of each simulated benchmark."""

REASONING = {"maths": 1.8, "coding": 1.0, "knowledge": 0.3, "agents": 0.6}
"""What full reasoning adds to the linear predictor of a group of simulated benchmarks."""


def closed_releases(rng: np.random.Generator) -> pd.DataFrame:
    """Return a row for each setting of 20 simulated releases, and in column `level` its truth.

    Skills rise by 1.1 a year; from September 2024 on large models are released with two reasoning
    efforts, of which the low one reasons by 0.4 and the high one by 0.9 of what `REASONING` says.
    """
    rows = []
    for k, day in enumerate(pd.date_range("2023-03-01", "2025-09-01", periods=20)):
        family = list(SERIES)[k % len(SERIES)]
        provider, level = SERIES[family]
        years = (day - pd.Timestamp("2024-06-01")).days / 365.25
        reasons = years > 0.25 and "-" not in family
        model = f"{family}-{k // len(SERIES) + 1}"
        row = {
            "family": family,
            "lineage": provider,
            "released": day.strftime("%Y-%m-%d"),
            "reasoning": int(reasons),
            "size_class": family.partition("-")[2] or "large",
            "level": 1.1 * years + level + rng.normal(0, 0.25),
        }
        efforts = {f"{model}_low": 0.4, f"{model}_high": 0.9} if reasons else {model: 0.0}
        rows += [{"model": name, "effort": share} | row for name, share in efforts.items()]
    return pd.DataFrame(rows)


def closed_table(seed: int = 11) -> ls.Scores:
    """Return a simulated table of closed models: 25 settings on 8 benchmarks, a third missing."""
    rng = np.random.default_rng(seed)
    frame = closed_releases(rng)
    level, effort = frame.pop("level"), frame.pop("effort")
    for name, (group, intercept, floor) in CLOSED.items():
        eta = intercept + 1.1 * level + REASONING[group] * effort + rng.normal(0, 0.2, len(frame))
        score = floor + (100 - floor) / (1 + np.exp(-eta)) + rng.normal(0, 1.5, len(frame))
        frame[name] = score.clip(0.5, 99).round(1).where(rng.random(len(frame)) < 2 / 3)
    benchmarks = {
        name: ls.Benchmark(scale="percent", floor=floor, group=group)
        for name, (group, _, floor) in CLOSED.items()
    }
    return ls.Scores.from_frame(frame, benchmarks=benchmarks)


def spec_of(name: str) -> ls.ModelSpec:
    """Return a shipped spec, or `small`: the recommended one without its costliest parts."""
    if name == "short":
        return spec_of("small")
    if name == "closed":
        return ls.spec_for(closed_table()).spec
    if name == "translog":
        return ls.load_spec(TRANSLOG)
    if name == "dated":
        return ls.load_spec("capabilities").with_(
            {
                "name": "dated",
                "description": "One skill with a trend in release dates, and models' own effects",
                "covariates": ["released"],
                "skills.count": 1,
                "skills.identify": {"kind": "anchored", "anchors": ["quiz"], "unit": "anchor"},
                "family.lineage": False,
                "benchmarks.pooled": False,
                "benchmarks.largest_precision": None,
                "benchmarks.likelihood": {"kind": "beta"},
                "terms": [{"kind": "trend", "covariate": "released"}],
            }
        )
    if name != "small":
        return ls.load_spec(name)
    return ls.load_spec("latentscale").with_(
        {
            "name": "small",
            "description": "The recommended spec without residuals and slopes by family or tuning",
            "covariates": ["log_params", "log_tokens"],
            "skills.residual": False,
            "skills.identify.anchors": ["mmlu", "ifeval"],
            "family.slopes": [],
            "benchmarks.link": {"kind": "logistic"},
            "benchmarks.ceiling": "fixed",
            "benchmarks.family_slopes": [],
            "benchmarks.instruct.slopes": [],
        }
    )


def scores_of(name: str) -> ls.Scores:
    """Return the table that a fit is of, without the models that the pages hide."""
    if name == "closed":
        return closed_table()
    if name == "dated":
        return dated_table()
    scores = table(PLANNED) if name == "translog" else table()
    return scores.without([*HIDDEN, *built_on(scores, HIDDEN)])


def thinned(fit: ls.Fit, every: int) -> ls.Fit:
    """Return a fit with one draw in `every` of each chain; its status is that of all draws."""
    groups = {}
    for node in fit.tree.subtree:
        held = node.to_dataset(inherit=False)
        groups[node.path] = held.isel(draw=slice(None, None, every)) if "draw" in held else held
    settings = {**fit.provenance.settings, "one_draw_in": every}
    provenance = replace(fit.provenance, settings=settings)
    return replace(fit, tree=xr.DataTree.from_dict(groups), provenance=provenance)


def main() -> None:
    """Fit the specs that are named, or all, and save the fits."""
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or METHODS:
        fit = ls.fit(spec_of(name), scores_of(name), method=METHODS[name], seed=1)
        kept = thinned(fit, EVERY[name]) if name in EVERY else fit
        print(name, fit.status.message, ls.diagnose(kept), sep="\n")
        kept.save(FOLDER / f"{name}.nc")


if __name__ == "__main__":
    main()
