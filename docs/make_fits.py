"""Write the two small fits that the pages load: `python docs/make_fits.py` (a few minutes).

Both are of the same models of the bundled table, of which the pages hide the largest of four
families. They are stored, so that building the site samples nothing. Not for results: chains are
short, and the studies under ``benchmarks`` use the whole table.
"""

from __future__ import annotations

import sys
from pathlib import Path

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

NAMES = ("pooled_flops", "small")
DRAWS = 400
"""A chain: enough for the pages' figures, and files below 4 MB."""


def table() -> ls.Scores:
    """Return the scores of the chosen families, hidden models with them."""
    scores = ls.datasets.open_llm_leaderboard()
    frame = scores.to_frame()
    chosen = frame.loc[frame["family"].isin(FAMILIES), "model"]
    return scores.select(models=list(chosen), benchmarks=BENCHMARKS)


def spec_of(name: str) -> ls.ModelSpec:
    """Return a shipped spec, or `small`: the recommended one without its costliest parts."""
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
    """Fit the small spec and the pooled FLOPs law, and save both."""
    FOLDER.mkdir(exist_ok=True)
    scores = table()
    train = scores.without([*HIDDEN, *built_on(scores, HIDDEN)])
    for name in sys.argv[1:] or NAMES:
        method = ls.NUTS(draws=DRAWS, chains=2, target_accept=0.9)
        fit = ls.fit(spec_of(name), train, method=method, seed=1)
        print(ls.diagnose(fit))
        fit.save(FOLDER / f"{name}.nc")


if __name__ == "__main__":
    main()
