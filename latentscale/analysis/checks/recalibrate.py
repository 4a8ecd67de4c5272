"""Recalibrate: nominal probabilities of intervals, from their coverage in a backtest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from latentscale.analysis.checks.calibrate import (
    bootstrap_means,
    check_levels,
    check_resamples,
    checked_backtest,
    rows_of_groups,
)
from latentscale.dims import DEFAULT_PROB, checked_seed, interval_quantiles

_FINEST = 0.0005
"""Half of one in a thousand draws: PIT values are not resolved more finely. Normal scores are thus
at most 3.3."""
_WANTED = (0.5, 0.9)
"""Coverage of the interval that should contain half of the scores, and of the usual one."""


def nominal_for(
    table: pd.DataFrame,
    coverages: Sequence[float] = _WANTED,
    *,
    by: Sequence[str] = (),
    prob: float = DEFAULT_PROB,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the nominal probabilities whose intervals had the wanted coverage in a backtest.

    The normal score of a cell is the standard normal quantile of its pit. If forecasts are
    calibrated, normal scores have mean square 1; if intervals under-cover, more than 1. Intervals
    are widened by the root mean square s of the backtest's normal scores: for coverage c the
    nominal probability is 2 Phi(s Phi^-1((1 + c) / 2)) - 1, to be passed to
    ``forecast.table(prob=...)``. A single number is estimated from all cells, so its variance is
    lower than that of a quantile of a few cells in the tails. It corrects a predictive standard
    deviation that is wrong by a constant factor, but not bias or heavier tails. The backtest must
    resemble the forecasts: for future models, hold out the models released after an earlier date.

    Parameters
    ----------
    table
        From `latentscale.backtest`, or any table with the columns family and pit.
    coverages
        Wanted coverages of the intervals, strictly between 0 and 1.
    by
        Columns to group by, such as ``["benchmark"]``.
    prob
        Probability of the bootstrap band.
    resamples, seed
        Number of resamples and seed of the bootstrap over families.

    Returns
    -------
    pandas.DataFrame
        One row per group and coverage: wanted, nominal, lower, upper, factor (s), cells, families.
        lower and upper bound the band of nominal; NaN with one family.

    Raises
    ------
    DataError
        If a column is missing or holds something else than it should, the table is empty, or a
        coverage is out of range.

    References
    ----------
    Dawid 1984, "Statistical theory: the prequential approach" (the pit); Kuleshov, Fenner and
    Ermon 2018 (arXiv:1807.00263), recalibration on held-out forecasts.

    Examples
    --------
    >>> asked = ls.studies.nominal_for(table, [0.9], resamples=200)
    >>> asked.columns.tolist()
    ['wanted', 'nominal', 'lower', 'upper', 'factor', 'cells', 'families']
    """
    table, by = checked_backtest(table, ("family", "pit"), by)
    check_resamples(resamples)
    check_levels(coverages, "coverages")
    ends = interval_quantiles(prob)
    square = stats.norm.ppf(table["pit"].clip(_FINEST, 1 - _FINEST)) ** 2
    squares = pd.DataFrame({"square": square}, index=table.index)
    rng = np.random.default_rng(checked_seed(seed))
    quantile = stats.norm.ppf((1 + np.array([float(c) for c in coverages])) / 2)
    parts = []
    for key, places in rows_of_groups(table, by).items():
        own, families = squares.iloc[places], table["family"].iloc[places]
        factor = float(own["square"].mean() ** 0.5)
        band = np.full((2, len(quantile)), np.nan)
        if families.nunique() > 1:
            factors = np.quantile(bootstrap_means(own, families, resamples, rng) ** 0.5, ends)
            band = _central(factors[:, None] * quantile)
        about = dict(zip(by, key, strict=True))
        rows = {"wanted": list(coverages), "nominal": _central(factor * quantile)}
        rows |= {"lower": band[0], "upper": band[1], "factor": factor}
        rows |= {"cells": len(own), "families": families.nunique()}
        parts.append(pd.DataFrame({**about, **rows}))
    return pd.concat(parts, ignore_index=True)


def _central(ends: np.ndarray) -> np.ndarray:
    """Return the probability of the central interval from -q to q of a standard normal."""
    return 2 * stats.norm.cdf(ends) - 1
