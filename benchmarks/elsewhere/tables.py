"""The tables of the study, read as a user reads them, and the scores hidden in each.

None took part in choosing the shipped specs, except as `Table.about` says. Nothing is declared by
hand: the readers supply families, floors, scales and features.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.elsewhere.baselines import LAST_TOKENS
from latentscale.data.scores import Scores

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "tables"
SEED = 1
"""Seed of random cells and of the models drawn from the leaderboard."""
SHARE = 0.2
"""Share of cells, and of models by size, that is hidden."""
DRAWN = 150
"""Models of the leaderboard: a table that a user might have, fitted by NUTS in a minute or two."""
TOKENS_PER_STEP = 2_097_152
"""Tokens per step of Pythia's runs (Biderman et al. 2023, arXiv:2304.01373)."""
RUN = r"pythia-[\d.]+[mb](-deduped|-bf16)?"
"""Pythia's 16 runs: neither interventions nor other batch sizes."""
STEPS = (1000, 3000, 13000, 33000, 63000, 93000, 123000, 143000)
"""Checkpoints in use: neighbouring ones are redundant, and before step 1000 scores are
at chance."""
LAST = 63000
"""Step after which checkpoints are hidden: more than half of the tokens of a run."""


@dataclass(frozen=True)
class Table:
    """One table, and how it is split.

    Attributes
    ----------
    read
        Reads it.
    about
        What it is, for the report.
    splits
        Folds by name.
    """

    read: Callable[[], Scores]
    about: str
    splits: dict[str, Callable[[Scores], ls.folds.Fold]]


def cells(scores: Scores) -> ls.folds.Fold:
    """Hide a fifth of the scores at random."""
    return ls.folds.random_cells_out(scores, SHARE, n_folds=1, seed=SEED)[0]


def cells_again(scores: Scores) -> ls.folds.Fold:
    """Hide another fifth of the scores at random."""
    return ls.folds.random_cells_out(scores, SHARE, n_folds=1, seed=SEED + 1)[0]


def largest(scores: Scores) -> ls.folds.Fold:
    """Hide the largest fifth of the models of known size, and leave out those of unknown size."""
    size = scores.dataset["params"].to_series().dropna()
    return _split("largest", size, size > size.quantile(1 - SHARE))


def latest(scores: Scores) -> ls.folds.Fold:
    """Hide the last fifth of the models by date."""
    date = scores.to_frame().set_index("model")["released"].dropna()
    return _split("latest", date, date > date.quantile(1 - SHARE))


def last_tokens(scores: Scores) -> ls.folds.Fold:
    """Hide the checkpoints of every run after more than half of its tokens."""
    tokens = scores.dataset["tokens"].to_series()
    return _split(LAST_TOKENS, tokens, tokens > 1.001 * LAST * TOKENS_PER_STEP / 1e12)


def _split(name: str, values: pd.Series, hidden: pd.Series) -> ls.folds.Fold:
    names = values.index.to_numpy(str)
    return ls.folds.Fold(name, tuple(names[~hidden]), tuple(names[hidden]))


def _obsscaling(*files: str) -> Scores:
    frame = pd.read_csv(SHARED / "obsscaling" / f"{files[0]}.csv")
    for name in files[1:]:
        more = pd.read_csv(SHARED / "obsscaling" / f"{name}.csv")
        frame = frame.merge(more, on="Model", how="left")
    return ls.readers.read_scores(frame)


def _base() -> Scores:
    return _obsscaling("base_llm_benchmark_eval")


def _base_tasks() -> Scores:
    return _obsscaling(
        "base_llm_benchmark_eval",
        "base_llm_leaderboard_v2_eval",
        "base_llm_emergent_capability_eval",
    )


def _agents() -> Scores:
    return _obsscaling("instruct_llm_benchmark_eval", "instruct_llm_agent_eval")


def _leaderboard(seed: int = SEED) -> Scores:
    scores = ls.readers.read_scores(SHARED / "open_llm_leaderboard_v2" / "contents.csv")
    drawn = np.random.default_rng(seed).choice(scores.models, DRAWN, replace=False)
    return scores.select(models=[str(name) for name in sorted(drawn)])


def _epoch() -> Scores:
    return ls.readers.read_scores(SHARED / "epoch")


def _pythia() -> Scores:
    path = SHARED / "pythia" / "checkpoint_scores_long.csv"
    read = ls.readers.read_checkpoints(path, tokens_per_step=TOKENS_PER_STEP)
    frame = read.to_frame()
    step = frame["model"].str.extract(r"@step(\d+)$")[0].astype(int)
    kept = frame["family"].str.fullmatch(RUN) & step.isin(STEPS)
    few = [name for name in read.benchmarks if name.endswith("0-shot")]
    return read.select(models=list(frame.loc[kept, "model"]), benchmarks=few)


TABLES = {
    "base models": Table(
        _base,
        "base models on benchmarks of the Open LLM Leaderboard v1 and similar ones (Ruan et al. "
        "2024); some models are also in the bundled table",
        {"cells": cells, "largest": largest},
    ),
    "base models, all tasks": Table(
        _base_tasks,
        "the same models on 22 benchmarks, including BIG-bench tasks and the Open LLM Leaderboard "
        "v2, which half of the models have",
        {"cells": cells, "largest": largest},
    ),
    "agents": Table(
        _agents,
        "instruction-tuned models on 9 standard benchmarks and 29 agent tasks (Ruan et al. 2024)",
        {"cells": cells},
    ),
    "leaderboard": Table(
        _leaderboard,
        "150 models drawn at random from the Open LLM Leaderboard v2, families guessed; the whole "
        "table was used to choose among variants of `latentscale_dated`",
        {"cells": cells, "latest": latest},
    ),
    "leaderboard, others": Table(
        partial(_leaderboard, SEED + 1),
        "another random 150 of its models",
        {"cells": cells, "latest": latest},
    ),
    "epoch": Table(
        _epoch,
        "models of Epoch's hub, with or without dates; EPOCH.md has forecasts in time on it",
        {"cells": cells, "cells again": cells_again},
    ),
    "pythia": Table(
        _pythia,
        "8 checkpoints of each of the 16 Pythia runs, zero-shot tasks: a run is a family",
        {"cells": cells, LAST_TOKENS: last_tokens},
    ),
}


@lru_cache
def scores_of(name: str) -> Scores:
    """Return a table of the study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.DataWarning)  # the audit repeats the readers' warnings
        return TABLES[name].read()
