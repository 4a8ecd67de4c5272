"""Folds by release date, and folds that give some scores of their hidden models.

Public through `folds.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from latentscale.analysis.tools.fold import Fold, check_count, folds_of
from latentscale.data.dates import as_day, why_not_a_day
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.errors import DataError, DataWarning, listed
from latentscale.expect import expect
from latentscale.validate import choice

Undated = Literal["leave-out", "train", "test"]


def chronological(
    scores: Scores, cutoffs: Sequence[str], *, undated: Undated = "leave-out"
) -> tuple[Fold, ...]:
    """Fit models released before each cutoff date, and forecast those released from then on.

    Parameters
    ----------
    scores
        A table with release dates.
    cutoffs
        Days, such as ``["2024-01-01"]``, one fold each.
    undated
        What to do with models without a release date: ``"leave-out"`` (neither fitted nor forecast,
        with a warning that names them), ``"train"`` (fitted in every fold, though they may be newer
        than its cutoff), or ``"test"`` (forecast in every fold).

    Returns
    -------
    tuple of Fold
        One fold per cutoff, which hides whole models.

    Raises
    ------
    DataError
        If the table has no release dates, a cutoff is not a date or is given twice, or it leaves
        nothing on one side.

    Warns
    -----
    DataWarning
        If models are left out because they have no date.

    Examples
    --------
    >>> folds = ls.folds.chronological(dated.scores, ["2025-01-01"])
    >>> len(folds[0].train) + len(folds[0].test)
    32
    """
    expect(scores, Scores, "scores")
    if "released" not in scores.dataset:
        raise DataError('The table has no release dates; add a column "released".')
    choice(undated, "undated", get_args(Undated), error=DataError)
    released = scores.dataset["released"].values
    names = np.array(scores.models, dtype=object)
    unknown = tuple(names[np.isnat(released)])
    if unknown and undated == "leave-out":
        warnings.warn(
            f"{len(unknown)} of {len(names)} models have no release date and are in no fold: "
            f'{listed(unknown)}. Fill in "released", or give undated="train" or "test".',
            DataWarning,
            stacklevel=2,
        )
    more = {side: unknown if side == undated else () for side in ("train", "test")}
    folds = []
    for date in _dates(cutoffs):
        before, after = (tuple(names[known]) for known in (released < date, released >= date))
        if not before or not after:
            raise DataError(f"The cutoff {_day(date)} leaves one side of it without dated models.")
        folds.append(Fold(f"before {_day(date)}", before + more["train"], after + more["test"]))
    return tuple(folds)


def after(
    scores: Scores, *cutoffs: str, undated: Undated = "leave-out", given: int = 0, seed: int = 0
) -> tuple[Fold, ...]:
    """Fit models released before a date and forecast later ones, with cutoffs as arguments.

    Parameters
    ----------
    scores
        A table with release dates.
    *cutoffs
        Days, such as ``"2025-07-01"``, one fold each.
    undated
        As for `chronological`.
    given
        Scores of each later model that its forecast is conditional on (see `with_given`).
    seed
        Seed of their choice.

    Returns
    -------
    tuple of Fold
        One fold per cutoff.

    Raises
    ------
    DataError
        As `chronological` and `with_given`.

    Examples
    --------
    >>> import pandas as pd
    >>> days = ["2024-01-15", "2024-03-01", "2024-09-12"]
    >>> table = {"model": ["a-1", "b-1", "a-2"], "family": list("aba"), "released": days}
    >>> scores = ls.Scores.from_frame(pd.DataFrame(table | {"math": [0.4, 0.5, 0.8]}))
    >>> [fold.test for fold in ls.folds.after(scores, "2024-07-01")]
    [('a-2',)]
    """
    folds = chronological(scores, cutoffs, undated=undated)
    return with_given(folds, scores, given, seed=seed) if given else folds


def with_given(
    folds: Iterable[Fold | tuple[Sequence[str], Sequence[str]]],
    scores: Scores,
    count: int,
    *,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """Return folds that give `count` random scores of each test model to its forecast.

    They are hidden from the fit; forecasts are conditional on them as in `latentscale.predict`. A
    test model without another score is left out of its fold, since nothing would be left to
    forecast. Scores are given only on benchmarks on which some train model has a score.

    Parameters
    ----------
    folds
        Folds that hide whole models.
    scores
        The table that the folds belong to.
    count
        Number of scores given for each model, 1 or more.
    seed
        Seed of their choice.

    Returns
    -------
    tuple of Fold
        The remaining folds, with the number of given scores in their names.

    Raises
    ------
    DataError
        If a fold hides no model with more than `count` scores; and as `backtest` for the folds.

    Examples
    --------
    >>> table = ls.datasets.open_llm_leaderboard()
    >>> fold = ls.folds.with_given(ls.folds.k_fold_by_family(table), table, 3, seed=1)[0]
    >>> len(fold.given) == 3 * len(fold.test)
    True
    """
    expect(scores, Scores, "scores")
    check_count(count, "count", 1)
    rng = np.random.default_rng(checked_seed(seed))
    measured = scores.dataset["score"].notnull().transpose(MODEL, BENCHMARK).to_pandas()
    made = []
    for fold in folds_of(folds, scores):
        fitted = measured.loc[list(fold.train)].any()
        test, given = [], []
        for model in fold.test:
            names = [str(name) for name in measured.columns[measured.loc[model] & fitted]]
            if len(names) > count:
                test.append(model)
                given += [(model, name) for name in rng.choice(names, count, replace=False)]
        if not test:
            raise DataError(
                f'The fold "{fold.name}" hides no model with more than {count} scores on its '
                "fitted benchmarks, so nothing would be left to forecast. Give fewer."
            )
        cells = tuple((model, str(name)) for model, name in given)
        made.append(
            replace(fold, name=f"{fold.name}, {count} given", test=tuple(test), given=cells)
        )
    return tuple(made)


def _dates(cutoffs: object) -> list[np.datetime64]:
    wanted = 'cutoffs must be a list of dates, such as ["2024-01-01"]'
    single = isinstance(cutoffs, str) or getattr(cutoffs, "ndim", 1) == 0
    if single or not isinstance(cutoffs, Iterable):
        raise DataError(f"{wanted}; got {cutoffs!r}.")
    dates = []
    for cutoff in cutoffs:
        date = as_day(cutoff)
        if date is None:
            raise DataError(f"{wanted}; {cutoff!r} is not a date.{why_not_a_day(cutoff)}")
        dates.append(date)
    if not dates:
        raise DataError(f"{wanted}; got none.")
    if len(set(dates)) < len(dates):
        raise DataError("A cutoff is given twice; give each date once.")
    return dates


def _day(date: np.datetime64) -> str:
    stamp = pd.Timestamp(date)
    return str(stamp.date()) if stamp == stamp.normalize() else stamp.isoformat()
