"""How a table records scores: rounded to few decimals, and as exact 0 or 1 within half an item.

How a fit treats an exact 0 or 1, and how a drawn score is recorded, follow from one rule, so both
are here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK, MODEL

# A thousand items is the size of the smaller common benchmarks; where the number is unknown an
# exact 0 then counts as 0.0005, below what two or three decimals show.
_ITEMS_UNKNOWN = 1000
# Tables are rounded to two, three or four decimals.
_DECIMALS = (100.0, 1000.0, 10000.0)
# 20 scores are not all multiples of 0.0001 by chance.
_MIN_SCORES = 20
# Rounding errors of operations such as division by 100; the finest step is 100,000 times as large.
_TOLERANCE = 1e-9
# Single precision has seven digits, and fractions are given with at most six decimals.
_SAME = 1e-6
# The least and the largest double inside (0, 1) with full precision: log s is -708, log(1 - s) -37.
_LEAST, _LARGEST = np.finfo(float).tiny, 1 - np.finfo(float).epsneg


@dataclass(frozen=True)
class Recording:
    """How each benchmark's scores are recorded.

    Attributes
    ----------
    parts
        Scores are multiples of 1 / parts, dims (benchmark,): 100, 1000 or 10000 for rounded scores,
        the number of items for exact shares of items; 0 if they are neither.
    edge
        Scores nearer to 0 or 1 than this are recorded as exactly 0 or 1, dims (benchmark,): half
        an item; 0 if they are not.
    """

    parts: xr.DataArray
    edge: xr.DataArray

    def record(self, score: xr.DataArray) -> xr.DataArray:
        """Return scores as the table would record them, with their dims.

        Parameters
        ----------
        score
            Fractions, with a dim benchmark; NaN stays NaN.
        """
        here = {BENCHMARK: score[BENCHMARK]}
        parts, edge = self.parts.sel(here), self.edge.sel(here)
        ended = xr.where(score < edge, 0.0, xr.where(score > 1 - edge, 1.0, score))
        known = parts > 0
        safe = xr.where(known, parts, 1.0)
        rounded = xr.where(known, np.round(ended * safe) / safe, ended)
        return rounded.transpose(*score.dims).assign_attrs(score.attrs).rename(score.name)


def recording_of(table: xr.Dataset) -> Recording:
    """Return how a table records its scores, inferred from the scores.

    Parameters
    ----------
    table
        Variables ``score``, fractions with dims (model, benchmark), NaN where not measured, and
        ``n_items``, dims (benchmark,), NaN where unknown.

    Returns
    -------
    The coarsest parts such that all scores are multiples of 1 / parts, if there are at least 20
    scores, which does not happen by chance. An edge if the items are known or some score is exactly
    0 or 1, unless a score lies within half an item of 0 or 1: it is then not a share of items.
    """
    score, items = table["score"], table["n_items"]
    enough = score.notnull().sum(MODEL) >= _MIN_SCORES
    parts = xr.zeros_like(enough, dtype=float)
    for candidate in (items.fillna(0.0), *(xr.full_like(parts, p) for p in reversed(_DECIMALS))):
        safe = candidate.where(candidate > 0, 1.0)
        off = abs(score - (score * safe).round() / safe)
        seen = (off.fillna(0.0) < _TOLERANCE).all(MODEL) & enough & (candidate > 0)
        coarser = (parts == 0) | (candidate < parts)  # fiftieths are hundredths too
        parts = xr.where(seen & coarser, candidate, parts)
    half = half_item(items)
    near = ((score > 0) & (score < half)) | ((score < 1) & (score > 1 - half))
    exact = ((score == 0) | (score == 1)).any(MODEL)
    edge = xr.where((items.notnull() | exact) & ~near.any(MODEL), half, 0.0)
    # Comparisons with NaN are false: scores on another scale do not change.
    edge = edge.where(is_bounded(table))
    parts = parts.where(is_bounded(table), 0.0)
    kept = [name for name in score.coords if name != BENCHMARK]
    return Recording(*(array.drop_vars(kept, errors="ignore") for array in (parts, edge)))


def half_step(table: xr.Dataset, n_items: xr.DataArray) -> xr.DataArray:
    """Return half the smallest difference between recorded scores, with the dims of `n_items`.

    This is half an item, or half the rounding step if that is larger: in a table with two decimals,
    a score recorded as 0 is not known to be below 0.005, which matters on a logit scale.

    Parameters
    ----------
    table
        As for `recording_of`.
    n_items
        Items of each benchmark or score, dims (benchmark,) or (model, benchmark).
    """
    parts = recording_of(table).parts
    rounding = xr.where(parts > 0, 0.5 / xr.where(parts > 0, parts, 1.0), 0.0)
    half: xr.DataArray = np.maximum(half_item(n_items), rounding)
    return half


def half_item(n_items: xr.DataArray) -> xr.DataArray:
    """Return half an item as a fraction of each benchmark: 1 / (2 n_items).

    Parameters
    ----------
    n_items
        Numbers of items; 1,000 where unknown.
    """
    return 0.5 / n_items.fillna(_ITEMS_UNKNOWN)


def inside(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Clamp drawn fractions to the open interval that doubles can hold.

    For draws of a continuous score, which are 0 or 1 only through underflow. With the clamp of half
    an item (`pull_inside`, for recorded scores), such a draw would no longer come from the
    parameters that generated it, and simulation-based calibration would find a bias.
    """
    return np.clip(score, _LEAST, _LARGEST)


def underflow_as_recorded(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return fractions in which those that `inside` clamped are exactly 0 or 1, as in a table."""
    return np.where(score <= _LEAST, 0.0, np.where(score >= _LARGEST, 1.0, score))


def pull_inside(
    score: xr.DataArray, n_items: xr.DataArray, bounded: xr.DataArray | None = None
) -> tuple[xr.DataArray, tuple[tuple[str, str], ...]]:
    """Clamp exact zeros and ones to the open interval, half an item from its ends.

    Parameters
    ----------
    score
        Fractions, dims (model, benchmark).
    n_items
        Items of each benchmark or score, dims (benchmark,) or (model, benchmark); 1,000 where
        unknown.
    bounded
        Which benchmarks' scores are fractions, dims (benchmark,); all by default.

    Returns
    -------
    The scores and the cells changed, as (model, benchmark).
    """
    half = half_item(n_items)
    own = True if bounded is None else bounded
    low, high = (score <= 0) & own, (score >= 1) & own
    at_edge = (low | high).transpose(MODEL, BENCHMARK)
    touched = tuple(
        (str(score[MODEL].values[i]), str(score[BENCHMARK].values[j]))
        for i, j in zip(*np.nonzero(at_edge.values), strict=True)
    )
    inside = xr.where(low, half, xr.where(high, 1 - half, score))
    return inside.transpose(MODEL, BENCHMARK), touched


def unlike(score: xr.DataArray, other: xr.DataArray, bounded: xr.DataArray) -> xr.DataArray:
    """Return where two scores of a cell differ by more than rounding; False where one is missing.

    Parameters
    ----------
    score, other
        The same dims, with benchmark.
    bounded
        Which benchmarks' scores are fractions, dims (benchmark,).
    """
    size = xr.where(
        bounded.sel({BENCHMARK: score[BENCHMARK]}), 1.0, np.maximum(abs(score), abs(other))
    )
    return abs(score - other) > _SAME * size
