"""How the Open LLM Leaderboard v2 is split: by a date, and a tenth of what came before at random.

Specs are chosen at the two earlier cuts and measured at the last one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from latentscale.data.scores import Scores

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "open_llm_leaderboard_v2" / "contents.csv"
SEED = 1
"""Seed of the random cells and models that are hidden."""
CUT = "2024-09-01"
"""Two months before the last upload in the table: about a third of the models are later."""
SHARE = 0.1
"""Share of the fitted models' scores that is hidden."""
EARLIER = "2024-07-15"
"""A cut at which variants are compared: only scores of models uploaded up to CUT are used."""
EARLIEST = "2024-06-01"
"""Another, with models uploaded up to EARLIER; better new base models came after it."""
UNTIL = {EARLIEST: EARLIER, EARLIER: CUT}
"""Models uploaded later than this are left out of the tables of the cuts for choosing."""
AT_RANDOM = "models at random"
"""Instead of a cut: some of the models uploaded before EARLIER are hidden, whatever their date."""
PART = 0.2
"""Share of models hidden: enough for a standard error of coverage between families of two
points."""


@lru_cache
def leaderboard(seed: int, cut: str) -> tuple[Scores, ls.folds.Fold]:
    """Return the models of known size, and one fold of later models and of random cells.

    The few multimodal models are left out, since no fitted one has this kind of tuning. For the
    cuts for choosing, models uploaded later than `UNTIL` are left out altogether. Under
    `AT_RANDOM`, random models take the place of the later ones, and no cells of others are hidden.
    """
    if cut == AT_RANDOM:
        return at_random(seed)
    scores = ls.readers.read_leaderboard(SHARED)
    frame = scores.to_frame()
    kept = frame["params_b"].notna() & (frame["tuning"] != "multimodal")
    if cut in UNTIL:
        kept &= frame["released"] < pd.Timestamp(UNTIL[cut])
    scores = scores.select(models=list(frame.loc[kept, "model"]))
    (late,) = ls.folds.after(scores, cut)
    early = scores.select(models=list(late.train))
    cells = ls.folds.random_cells_out(early, SHARE, n_folds=1, seed=seed)[0].cells
    return scores, replace(late, cells=cells)


def at_random(seed: int) -> tuple[Scores, ls.folds.Fold]:
    """Return the models uploaded before EARLIER, and a fold that hides `PART` of them."""
    scores, earlier = leaderboard(seed, EARLIER)
    models = np.array(sorted(earlier.train))
    rng = np.random.default_rng(seed)
    test = set(rng.choice(models, round(PART * len(models)), replace=False))
    kept = [tuple(m for m in earlier.train if (m in test) == hidden) for hidden in (False, True)]
    return scores.select(models=list(earlier.train)), ls.folds.Fold(AT_RANDOM, *kept)
