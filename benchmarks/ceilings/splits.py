"""Splits that hide the largest models of large families, small ones, and lineages of fine-tunes.

Not for choosing a weight or a spec: that is done on the folds of `benchmarks.selection`.
"""

from __future__ import annotations

import pandas as pd

import latentscale as ls
from benchmarks.leaderboard.split import SHARED
from benchmarks.selection.run import V2
from latentscale.analysis.folds import Fold
from latentscale.demo import built_on, hidden_models

SPLITS = ("demo", "two or three", "fine-tunes")
BEFORE = "2024-11-01"
"""Fine-tunes uploaded before it are added to the table."""
LINEAGES = {
    "meta-llama-3": "llama3",
    "llama-2": "llama2",
    "qwen1.5": "qwen1.5",
    "qwen2": "qwen2",
    "yi": "yi",
    "yi-1.5": "yi1.5",
}
"""Lineages of the bundled table with community fine-tunes, and their names on the leaderboard."""
EACH = 40
"""Most fine-tunes kept of one size of one lineage: llama3 at 8B alone has two hundred."""
APART = 1.3
"""Sizes of one base model differ by less than this factor, as a model grows by some layers."""


def split(name: str) -> tuple[ls.Scores, Fold]:
    """Return the table of a split, and the fold that hides its largest models."""
    if name == "fine-tunes":
        return fine_tunes()
    scores = ls.datasets.open_llm_leaderboard()
    hidden = hidden_models(scores) if name == "demo" else largest_of_two_or_three(scores)
    return scores, _fold(name, scores, hidden, built_on(scores, hidden))


def largest_of_two_or_three(scores: ls.Scores) -> tuple[str, ...]:
    """Return the largest base model of every family with two or three base models."""
    table = scores.to_frame()
    base = table[table["instruct"] == 0]
    sizes = base.groupby("family")["model"].transform("size")
    ordered = base[sizes.isin((2, 3))].sort_values(["family", "params_b", "tokens_t"])
    return tuple(ordered.groupby("family")["model"].last())


def fine_tunes() -> tuple[ls.Scores, Fold]:
    """Return the bundled table with community fine-tunes, each a family of one member.

    They have the scores of the second leaderboard, rounded as the bundled table records them, and
    the size and tokens of their base model. The fold hides the largest models of each lineage that
    the bundled table has; fine-tunes of that size are left out, because they were built on hidden
    models.
    """
    bundled = ls.datasets.open_llm_leaderboard()
    frame = bundled.to_frame()
    found = ls.readers.read_leaderboard(SHARED).to_frame()
    found = found[(found["released"] < pd.Timestamp(BEFORE)) & (found["tuning"] != "pretrained")]
    names = found["model"].str.split("/").str[-1].str.lower()
    found = found.assign(model=names)[~names.isin(frame["model"])].drop_duplicates("model")
    hidden: list[str] = []
    added = []
    for lineage, other in LINEAGES.items():
        members = frame[frame["lineage"] == lineage]
        top = members["params_b"].max() / APART
        hidden += list(members.loc[members["params_b"] > top, "model"])
        bases = members[(members["instruct"] == 0) & (members["params_b"] <= top)]
        for size, of_size in bases.groupby("params_b"):
            like = found[
                (found["lineage"] == other) & found["params_b"].between(size / 1.2, size * 1.2)
            ]
            like = like.sort_values(["released", "model"]).head(EACH)
            about = {"lineage": lineage, "params_b": size, "tokens_t": of_size["tokens_t"].iloc[0]}
            added.append(like.assign(**about, family=like["model"]))
    more = pd.concat(added).drop_duplicates("model")
    more = more[[name for name in frame.columns if name in more]]
    more = more.assign(**{name: more[name].round(2) for name in V2})
    table = pd.concat([frame, more], ignore_index=True)
    scores = ls.Scores.from_frame(table, benchmarks=bundled.benchmark_info)
    return scores, _fold("fine-tunes", scores, tuple(hidden), ())


def _fold(name: str, scores: ls.Scores, hidden: tuple[str, ...], aside: tuple[str, ...]) -> Fold:
    out = {*hidden, *aside}
    return Fold(name, tuple(model for model in scores.models if model not in out), hidden)
