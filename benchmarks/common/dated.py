"""Tables with release dates, for studies of forecasts in time."""

from __future__ import annotations

import pandas as pd

import latentscale as ls
from latentscale.data.scores import Scores


def before_and_after(scores: Scores, cut: str, fewest: int) -> tuple[Scores, ls.folds.Fold]:
    """Return dated models on benchmarks with enough scores before a date, and the fold at the date.

    Parameters
    ----------
    scores
        A table with release dates; undated models are left out.
    cut
        Models released before it are fitted, the others forecast.
    fewest
        Fewest fitted scores of a benchmark that is kept.
    """
    frame = scores.to_frame().set_index("model")
    dated = frame.index[frame["released"].notna()]
    before = frame[frame["released"] < pd.Timestamp(cut)]
    kept = [name for name in scores.benchmarks if before[name].notna().sum() >= fewest]
    measured = frame.loc[dated, kept].notna().any(axis=1)
    scores = scores.select(models=[str(model) for model in dated[measured]], benchmarks=kept)
    return scores, ls.folds.after(scores, cut)[0]
