"""Baselines of the study of Epoch's hub: regressions on the date, by least squares on logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from latentscale.analysis.tools.fold import Fold
from latentscale.data.features.date import DAYS_PER_YEAR
from latentscale.data.scores import Scores

CLIP = 0.005
"""Scores are clamped to 0.5 and 99.5% before the logit, as BenchPress does."""
RIDGE = 1.0
"""Weight of the shrinkage of slopes and offsets to their common value, in scores."""
PROB = 0.9
"""Probability of the intervals, as in a backtest."""


def baseline_table(scores: Scores, fold: Fold) -> pd.DataFrame:
    """Return forecasts of a fold by three baselines, one row per hidden score and baseline.

    ``mean``: the benchmark's mean of the fitted logits. ``trend``: a line in the release date for
    each benchmark, with slopes shrunk to a common one, and an offset for each provider. Where the
    fold gives scores of a model, ``trend`` has an offset for the model instead of the provider.
    Intervals are normal on the logit, with the benchmark's residual spread.
    """
    cells = _cells(scores)
    hidden = cells["model"].isin(fold.test)
    given = pd.Series(list(zip(cells["model"], cells["benchmark"], strict=True))).isin(fold.given)
    train = cells[~hidden & cells["model"].isin(fold.train)]
    test, shown = cells[hidden & ~given.values], cells[given.values]
    test = test[test["benchmark"].isin(train["benchmark"])]
    return pd.concat([mean(train, test), trend(train, test, shown)], ignore_index=True)


def _cells(scores: Scores) -> pd.DataFrame:
    frame = scores.to_frame()
    data = scores.dataset
    names = [str(b) for b in data["benchmark"].values[(data["scale"] == "fraction").values]]
    long = frame.melt(["model", "provider", "released"], names, "benchmark", "score")
    long = long.dropna(subset=["score"]).reset_index(drop=True)
    years = (long["released"] - pd.Timestamp("2024-01-01")).dt.days / DAYS_PER_YEAR
    share = long["score"].clip(CLIP, 1 - CLIP)
    return long.assign(years=years, y=np.log(share / (1 - share)))


def mean(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Forecast cells (benchmark; score; y, its logit) by their benchmark's mean logit."""
    each = train.groupby("benchmark")["y"].agg(["mean", "std"])
    at = each.loc[test["benchmark"]]
    return _forecast(test, at["mean"].to_numpy(), at["std"].to_numpy(), "mean")


def trend(
    train: pd.DataFrame,
    test: pd.DataFrame,
    shown: pd.DataFrame,
    along: Sequence[str] = ("years",),
    group: str = "provider",
) -> pd.DataFrame:
    """Forecast cells by a regression on covariates, by ridge on the logit scale.

    Parameters
    ----------
    train, test, shown
        Cells that are fitted, cells that are forecast, and cells given for the models that are
        forecast: model, benchmark, score, y (its logit), the covariates and the group.
    along
        Covariates, known for every model; each has a common slope and one by benchmark, which is
        shrunk to the common one.
    group
        Column whose values have offsets, shrunk to 0.
    """
    names = sorted(train["benchmark"].unique())
    groups = sorted(train[group].dropna().unique())

    def matrix(cells: pd.DataFrame) -> np.ndarray:
        own = (cells["benchmark"].to_numpy()[:, None] == names).astype(float)
        common = cells[list(along)].to_numpy(dtype=float)
        each = [own * column[:, None] for column in common.T]
        offset = (cells[group].to_numpy()[:, None] == groups).astype(float)
        return np.hstack([own, common, *each, offset])

    x, y = matrix(train), train["y"].to_numpy()
    free = len(names) + len(along)  # intercepts and the common slopes are not shrunk
    pull = np.diag(np.r_[np.full(free, 1e-6), np.full(x.shape[1] - free, RIDGE)])
    beta = np.linalg.solve(x.T @ x + pull, x.T @ y)
    residual = pd.Series(y - x @ beta).groupby(train["benchmark"].to_numpy())
    spread = residual.std()
    middle = matrix(test) @ beta
    if len(shown):
        # The offset of a model: the mean residual of its given scores, shrunk to 0.
        left = pd.Series(shown["y"].to_numpy() - matrix(shown) @ beta)
        offset = left.groupby(shown["model"].to_numpy()).agg(lambda r: r.sum() / (len(r) + RIDGE))
        middle = middle + offset.reindex(test["model"]).fillna(0).to_numpy()
    return _forecast(test, middle, spread.loc[test["benchmark"]].to_numpy(), "trend")


def _forecast(
    test: pd.DataFrame, middle: np.ndarray, spread: np.ndarray, name: str
) -> pd.DataFrame:
    reach = norm.ppf(0.5 + PROB / 2) * spread
    ends = {"median": middle, "lower": middle - reach, "upper": middle + reach}
    shares = {key: 1 / (1 + np.exp(-value)) for key, value in ends.items()}
    return test[["model", "benchmark", "score"]].assign(baseline=name, **shares)
