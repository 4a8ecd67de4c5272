"""Write the small fits that the pages load: `python docs/make_fits.py [NAME...]` (a few minutes).

Two are of the same models of the bundled table, of which the pages hide the largest of four
families. The third, `dated`, is of a simulated table of models with release dates and of benchmarks
in three units, since the bundled table has no dates. They are stored, so that building the site
samples nothing. Not for results: chains are short, and the studies under ``benchmarks`` use the
whole table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from latentscale.demo import built_on

FOLDER = Path(__file__).parent / "fits"
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

NAMES = ("pooled_flops", "small", "dated")
DRAWS = 400
"""A chain: enough for the pages' figures, and files below 4 MB."""


def table() -> ls.Scores:
    """Return the scores of the chosen families, hidden models with them."""
    scores = ls.datasets.open_llm_leaderboard()
    frame = scores.to_frame()
    chosen = frame.loc[frame["family"].isin(FAMILIES), "model"]
    return scores.select(models=list(chosen), benchmarks=BENCHMARKS)


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


def spec_of(name: str) -> ls.ModelSpec:
    """Return a shipped spec, or `small`: the recommended one without its costliest parts."""
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


def main() -> None:
    """Fit the specs that are named, or all, and save the fits."""
    FOLDER.mkdir(exist_ok=True)
    scores = table()
    train = scores.without([*HIDDEN, *built_on(scores, HIDDEN)])
    for name in sys.argv[1:] or NAMES:
        method = ls.NUTS(draws=DRAWS, chains=2, target_accept=0.9)
        scored = dated_table() if name == "dated" else train
        fit = ls.fit(spec_of(name), scored, method=method, seed=1)
        print(ls.diagnose(fit))
        fit.save(FOLDER / f"{name}.nc")


if __name__ == "__main__":
    main()
