"""Calibrate: how large forecast errors are, and whether intervals have nominal coverage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from latentscale.analysis.tools.units import SCALE_COLUMNS, in_one_unit
from latentscale.data.frames import as_pandas
from latentscale.dims import DEFAULT_PROB, checked_seed, interval_quantiles
from latentscale.errors import DataError, listed
from latentscale.expect import expect, expect_names, shown
from latentscale.validate import MOST_REPEATS, is_number, whole_number

HELD_OUT: Final = "table must be a table from latentscale.backtest"

COVERAGES = (0.5, 0.8, 0.9, 0.95)
"""Probabilities of the intervals whose coverage is reported: one half and the usual wide ones."""
_NEEDED = ("family", "benchmark", "score", "median", "lower", "upper", "crps", "log_score", "pit")
_TEXT = ("family", "benchmark")
_COVER: Final = "cover"
"""Prefix of the names of coverages."""
_MOST_BINS = 1000
"""Most bars of a histogram: a page is about this many pixels wide."""
_SOURCE = "from latentscale.backtest"
_LEVELS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2))
"""Steps of a twentieth: a curve of 19 points, with many hidden scores between adjacent levels."""


def summarise(
    table: pd.DataFrame, by: Sequence[str] = (), *, resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Summarise a backtest: error, coverage, width and proper scores, with standard errors.

    Parameters
    ----------
    table
        From `latentscale.backtest`. Its column ``prob`` is the probability of the interval
        lower to upper; a table without that column is read as 0.9, the backtest's default.
    by
        Columns to group by, such as ``["benchmark"]``; empty for one row over all cells.
    resamples, seed
        Number of resamples and seed of the bootstrap over families, which keeps the cells of a
        family together since their errors are not independent.

    Returns
    -------
    pandas.DataFrame
        One row per group: cells, families, and the mean over cells of mae (absolute error of the
        median), crps, width, interval_score (of the table's own interval; Gneiting and Raftery
        2007, eq. 43) as fractions, log_score, cover (share inside the table's own interval), and
        cover_50, cover_80, cover_90, cover_95 (of central intervals, by the pit); each with its
        bootstrap standard error in ``<name>_se`` (NaN with one family). A coverage of 0 or 1 is
        the same in every resample; its standard error is then not 0 but the standard deviation of
        the Jeffreys posterior after n successes in n families, Beta(n + 1/2, 1/2). A score with
        density 0 makes the mean log_score -inf, and its standard error NaN. If the backtest has
        scores that are not fractions, there is also a column unit, for mae, crps, width and
        interval_score. In a group with several units, these are divided by the standard deviation
        of each benchmark's scores, and log_score is that of scores divided in this way.

    Raises
    ------
    DataError
        If a column is missing or holds something else than it should, or the table is empty.

    References
    ----------
    Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion", section 3.1, for
    the Jeffreys posterior.

    Examples
    --------
    >>> by_benchmark = ls.studies.summarise(table, by=["benchmark"], resamples=200)
    >>> by_benchmark[["benchmark", "mae", "cover_90"]].shape
    (6, 3)
    """
    table, by = checked_backtest(table, _NEEDED, by)
    check_resamples(resamples)
    figures = cell_figures(table)
    rng = np.random.default_rng(checked_seed(seed))
    rows = []
    for key, places in rows_of_groups(table, by).items():
        rowwise = table.iloc[places]
        of_group, unit = in_one_unit(figures.iloc[places], rowwise)
        row = _row(of_group, rowwise["family"], resamples, rng)
        named = {"unit": unit} if set(SCALE_COLUMNS) <= set(table.columns) else {}
        rows.append(dict(zip(by, key, strict=True)) | named | row)
    return pd.DataFrame(rows)


def cell_figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return every cell's error, width, coverage and proper scores, which `summarise` averages.

    Figures whose columns the table does not have (crps, log_score, pit) are left out.
    """
    score, low, high = table["score"], table["lower"], table["upper"]
    outside = (low - score).clip(lower=0) + (score - high).clip(lower=0)
    tail = 1 - table.get("prob", DEFAULT_PROB)
    figures = {
        "mae": (score - table["median"]).abs(),
        **{name: table[name] for name in ("crps", "log_score") if name in table},
        "width": high - low,
        "interval_score": high - low + (2 / tail) * outside,
        _COVER: score.between(low, high).astype(float),
    }
    if "pit" in table:
        central = _centrality(table)
        for prob in COVERAGES:
            figures[f"{_COVER}_{round(100 * prob)}"] = (central <= prob).astype(float)
    return pd.DataFrame(figures)


def bootstrap_means(
    values: pd.DataFrame, families: pd.Series, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return means over cells in bootstrap resamples of families.

    Parameters
    ----------
    values
        One row per cell, one column per figure.
    families
        Family of each row; the cells of a family are resampled together.
    resamples, rng
        Number of resamples and source of random numbers.

    Returns
    -------
    Array of shape (resamples, figures).
    """
    grouped = values.groupby(families.to_numpy())
    sums, sizes = grouped.sum().to_numpy(), grouped.size().to_numpy()
    drawn = rng.integers(len(sums), size=(resamples, len(sums)))
    return sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1, keepdims=True)


def bootstrap_errors(
    values: pd.DataFrame, families: pd.Series, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the standard error of each column's mean over cells.

    It is NaN with one family, and for a column with -inf or NaN.
    """
    if families.nunique() < 2:
        return np.full(values.shape[1], np.nan)
    means = bootstrap_means(values, families, resamples, rng)
    with np.errstate(invalid="ignore"):
        errors = means.std(axis=0, ddof=1)
    return np.where(np.isfinite(values).all(), errors, np.nan)


def reliability(
    table: pd.DataFrame,
    levels: Sequence[float] = _LEVELS,
    *,
    by: Sequence[str] = (),
    prob: float = DEFAULT_PROB,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare nominal with actual coverage of central intervals, at any probability.

    A central interval of probability p contains the score if abs(2 pit - 1) <= p.

    Parameters
    ----------
    table
        From `latentscale.backtest`, or any table with the columns family and pit.
    levels
        Nominal probabilities, strictly between 0 and 1.
    by
        Columns to group by, such as ``["benchmark"]``.
    prob
        Probability of the bootstrap band.
    resamples, seed
        Number of resamples and seed of the bootstrap over families.

    Returns
    -------
    pandas.DataFrame
        One row per group and level: nominal, actual, lower, upper, cells, families. lower and
        upper bound the band of actual; NaN with one family.

    Raises
    ------
    DataError
        If a column is missing or holds something else than it should, the table is empty, or a
        level is out of range.

    Examples
    --------
    >>> ls.studies.reliability(table, levels=[0.5, 0.9]).columns.tolist()[:5]
    ['nominal', 'actual', 'lower', 'upper', 'cells']
    """
    table, by = checked_backtest(table, ("family", "pit"), by)
    check_resamples(resamples)
    check_levels(levels)
    ends = interval_quantiles(prob)
    inside = pd.DataFrame({level: _centrality(table) <= level for level in levels}).astype(float)
    rng = np.random.default_rng(checked_seed(seed))
    parts = []
    for key, places in rows_of_groups(table, by).items():
        covered, families = inside.iloc[places], table["family"].iloc[places]
        band = np.full((2, len(levels)), np.nan)
        if families.nunique() > 1:
            band = np.quantile(bootstrap_means(covered, families, resamples, rng), ends, axis=0)
        about = dict(zip(by, key, strict=True))
        rows = {"nominal": list(levels), "actual": covered.mean().to_numpy()}
        rows |= {"lower": band[0], "upper": band[1]}
        rows |= {"cells": len(covered), "families": families.nunique()}
        parts.append(pd.DataFrame({**about, **rows}))
    return pd.concat(parts, ignore_index=True)


def pit_histogram(
    table: pd.DataFrame, bins: int = 10, *, prob: float = DEFAULT_PROB
) -> pd.DataFrame:
    """Count probability integral transforms in equal bins, with the counts expected if uniform.

    Gneiting, Balabdaoui and Raftery 2007, section 3.1: calibrated forecasts have uniform pit.

    Parameters
    ----------
    table
        From `latentscale.backtest`, or any table with the column pit.
    bins
        Number of bins over [0, 1].
    prob
        Probability of the binomial band, bin by bin, for independent cells.

    Returns
    -------
    pandas.DataFrame
        One row per bin: left, right, count, expected, lower, upper.

    Raises
    ------
    DataError
        If there is no column pit, the table is empty, or `bins` is below 2.

    Examples
    --------
    >>> ls.studies.pit_histogram(table, bins=5).columns.tolist()[:5]
    ['left', 'right', 'count', 'expected', 'lower']
    """
    table, _ = checked_backtest(table, ("pit",))
    bins = whole_number(bins, "bins", least=2, most=_MOST_BINS, error=DataError)
    counts, edges = np.histogram(table["pit"], bins=bins, range=(0, 1))
    low, high = stats.binom(len(table), 1 / bins).ppf(interval_quantiles(prob))
    return pd.DataFrame(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "count": counts,
            "expected": len(table) / bins,
            "lower": low,
            "upper": high,
        }
    )


def _centrality(table: pd.DataFrame) -> pd.Series:
    return (2 * (table["pit"] - 0.5)).abs()


def check_levels(levels: object, what: str = "levels") -> None:
    """Refuse anything but a list of different probabilities.

    Parameters
    ----------
    levels
        The argument.
    what
        Its name.

    Raises
    ------
    DataError
        If it is not a list of numbers strictly between 0 and 1, or one is given twice.
    """
    wanted = f"{what} must be a list of numbers strictly between 0 and 1, such as [0.5, 0.9]"
    flat = getattr(levels, "ndim", 1) == 1
    if isinstance(levels, str | Mapping) or not isinstance(levels, Iterable) or not flat:
        raise DataError(f"{wanted}; got {levels!r:.200}.")
    given = list(levels)
    bad = [level for level in given if not is_number(level) or not 0 < float(level) < 1]
    if bad or not given or len(set(given)) < len(given):
        raise DataError(f"{wanted}, each once; got {bad or given}.")


def check_resamples(resamples: object) -> None:
    """Refuse anything but a valid number of bootstrap resamples."""
    # A standard deviation needs at least two.
    whole_number(resamples, "resamples", least=2, most=MOST_REPEATS, error=DataError)


def checked_backtest(
    table: Any, columns: Sequence[str], by: Sequence[str] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Refuse anything but a table of a backtest; return it and the columns to group by."""
    table = as_pandas(table, HELD_OUT)
    expect(table, pd.DataFrame, "table", f"a table {_SOURCE}")
    if isinstance(by, str):
        raise DataError(f'by must be a list of columns, such as ["{by}"]; got one string.')
    names = expect_names(by, "by", '["benchmark"]')
    missing = [name for name in (*columns, *names) if name not in table]
    if missing:
        raise DataError(f"The table has no {listed(missing)}; give one {_SOURCE}.")
    if table.empty:
        raise DataError(f"The table is empty; give one {_SOURCE}.")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()]
        raise DataError(f"The table has more than one column {listed(dict.fromkeys(twice))}.")
    for name in columns:
        check_column(table[name])
    if "prob" in table and "lower" in columns:
        check_column(table["prob"])
    if set(SCALE_COLUMNS) <= set(table.columns) and "lower" in columns:
        check_column(table["spread"])
    return table, names


def check_column(column: pd.Series, where: str = "the table") -> None:
    """Refuse missing values, text instead of numbers, and probabilities outside 0 to 1.

    Parameters
    ----------
    column
        A column of a backtest's table.
    where
        What messages call the table.

    Raises
    ------
    DataError
        Naming the column and the first such row.
    """
    name = str(column.name)
    if name in _TEXT:
        bad, wanted = column.isna(), "a name"
    else:
        numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        values = column.astype(float) if numbers else pd.Series(np.nan, column.index)
        bad, wanted = values.isna(), "a number"
        if name == "pit":
            bad, wanted = ~values.between(0, 1), "a number from 0 to 1"
        if name == "log_score":
            bad = bad | (values == np.inf)  # -inf is valid: the forecast rules out the score
        if name == "spread":
            bad, wanted = ~((values > 0) & np.isfinite(values)), "a number above 0"
        if name == "prob":
            bad = ~values.between(0, 1, inclusive="neither")
            wanted = "a number strictly between 0 and 1"
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise DataError(
            f'The column "{name}" of {where} must hold {wanted} in every row; row {row} has '
            f"{shown(column.iloc[row])} ({int(bad.sum())} such rows). Leave those rows out, or "
            f"give a table {_SOURCE}."
        )


def rows_of_groups(table: pd.DataFrame, by: Sequence[str]) -> dict[tuple[object, ...], np.ndarray]:
    """Return the row positions of each group, by the group's values of `by`."""
    if not by:
        return {(): np.arange(len(table))}
    rows_of = table.groupby(list(by), sort=False, dropna=False).indices
    return {key if isinstance(key, tuple) else (key,): place for key, place in rows_of.items()}


def _row(
    figures: pd.DataFrame, families: pd.Series, resamples: int, rng: np.random.Generator
) -> dict[str, float]:
    row: dict[str, float] = {"cells": len(figures), "families": families.nunique()}
    errors = bootstrap_errors(figures, families, resamples, rng)
    for name, mean, error in zip(figures, figures.mean(), errors, strict=True):
        at_end = str(name).startswith(_COVER) and mean in (0, 1) and not np.isnan(error)
        row[str(name)] = float(mean)
        row[f"{name}_se"] = _error_at_end(int(row["families"])) if at_end else float(error)
    return row


def _error_at_end(families: int) -> float:
    """Return the standard error of a coverage of 0 or 1, for which a bootstrap would give 0.

    It is the standard deviation of the Jeffreys posterior with one trial per family: the cells of a
    family are dependent, and cells that all agree do not show how strongly.
    """
    return float(stats.beta(families + 0.5, 0.5).std())
