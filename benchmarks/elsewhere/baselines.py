"""Simple forecasts of the same hidden scores, on the logit scale.

``mean``: the benchmark's mean. For single cells, ``two-way``: a bias of each model and benchmark;
``rank 2``: matrix completion as BenchPress describes it. For whole models, ``regression``: on
whichever of size, tokens and date most models state, with slopes by benchmark shrunk to common ones
and an offset by family. For training checkpoints, ``last checkpoint``: the run's last fitted score.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.benchpress.factorise import completed
from benchmarks.epoch.baselines import CLIP, mean, trend
from latentscale.data.features.date import DAYS_PER_YEAR
from latentscale.data.scaling import is_bounded
from latentscale.data.scores import Scores

FEATURES = ("params_b", "tokens_t", "released")
MOST = 0.5
"""Share of the models that state a feature of the regression, as `--spec auto` asks for."""
LAST_TOKENS = "last tokens"
"""Name of the fold that hides the last checkpoints of every run."""
COLUMNS = ["model", "family", "benchmark", "score", "baseline", "median"]


def baseline_table(scores: Scores, fold: ls.folds.Fold) -> pd.DataFrame:
    """Return forecasts of a fold by each baseline, one row per hidden score and baseline.

    Scores of benchmarks that are not fractions are left out.
    """
    long = _long(scores)
    hidden = long["model"].isin(fold.test) | long["cell"].isin(fold.cells)
    train = long[~hidden & long["model"].isin(fold.train)]
    test = long[hidden & long["benchmark"].isin(train["benchmark"])]
    parts = [mean(train, test).assign(family=test["family"])]
    if fold.cells:
        parts += [_completed(scores, train, test, rank) for rank in (0, 2)]
    else:
        along = [name for name in FEATURES if name in long]
        ahead = trend(train, test, test.iloc[:0], along, "family")
        parts.append(ahead.assign(baseline="regression", family=test["family"]))
        if fold.name == LAST_TOKENS:
            parts.append(_carried_on(scores, train, test))
    return pd.concat([part[COLUMNS] for part in parts], ignore_index=True)


def _long(scores: Scores) -> pd.DataFrame:
    """Return the scores that are fractions, one row per score, with logits and covariates."""
    frame = scores.to_frame()
    known = {name: _covariate(frame[name]) for name in FEATURES if name in frame}
    known = {k: v for k, v in known.items() if v.notna().mean() >= MOST and v.nunique() > 1}
    bounded = is_bounded(scores.dataset).to_series()
    names = [str(name) for name in bounded.index[bounded]]
    rows = frame[["model", "family", *names]].assign(**known)
    long = rows.melt(["model", "family", *known], names, "benchmark", "score")
    long = long.dropna(subset=["score"]).reset_index(drop=True)
    share = long["score"].clip(CLIP, 1 - CLIP)
    pairs = list(zip(long["model"], long["benchmark"], strict=True))
    return long.assign(y=np.log(share / (1 - share)), cell=pairs)


def _covariate(column: pd.Series) -> pd.Series:
    """Return logarithms of amounts, years of dates; where a model states none, the mean."""
    if pd.api.types.is_datetime64_any_dtype(column):
        values = (column - column.min()).dt.days / DAYS_PER_YEAR
    else:
        values = np.log(column.astype(float))
    if values.notna().mean() < MOST:
        return values
    return ((values - values.mean()) / (values.std() or 1.0)).fillna(0.0)


def _carried_on(scores: Scores, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Forecast later checkpoints by their run's last fitted one."""
    order = train["model"].map(scores.dataset["tokens"].to_series())
    last = train.assign(order=order).sort_values("order").groupby(["family", "benchmark"])["score"]
    ahead = test.join(last.last().rename("median"), on=["family", "benchmark"])
    return ahead.dropna(subset=["median"]).assign(baseline="last checkpoint")


def _completed(scores: Scores, train: pd.DataFrame, test: pd.DataFrame, rank: int) -> pd.DataFrame:
    """Forecast cells by matrix completion of the fitted ones, in percent."""
    known = train.pivot(index="model", columns="benchmark", values="score")
    known = known.reindex(index=list(scores.models)) * 100
    filled = completed(known, rank=rank).to_numpy() / 100
    rows = known.index.get_indexer(test["model"])
    columns = known.columns.get_indexer(test["benchmark"])
    name = f"rank {rank}" if rank else "two-way"
    return test.assign(baseline=name, median=filled[rows, columns])
