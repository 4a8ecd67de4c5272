"""Uniformity: whether the ranks of true values among posterior draws look uniform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from arviz_stats.ecdf_utils import ecdf_pit
from scipy import stats

BINS = 8
BAND = 0.95


@dataclass(frozen=True)
class Band:
    """ECDF of scaled ranks and its simultaneous band under uniformity."""

    at: np.ndarray
    ecdf: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def holds(self) -> bool:
        """Whether the whole ECDF lies inside the band."""
        return bool(np.all((self.ecdf >= self.lower) & (self.ecdf <= self.upper)))


def rank(truth: float, draws: np.ndarray, rng: np.random.Generator) -> int:
    """Return how many draws are below the truth, with ties broken at random (Talts et al. 2018)."""
    below = int(np.count_nonzero(draws < truth))
    ties = int(np.count_nonzero(draws == truth))
    return below + int(rng.integers(ties + 1))


def scaled(ranks: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return ranks 0 to `draws` spread over (0, 1): continuous uniform if ranks are uniform."""
    return (ranks + rng.uniform(size=len(ranks))) / (draws + 1)


def band(unit: np.ndarray) -> Band:
    """Return the ECDF of numbers in (0, 1) with its 95% simultaneous band.

    Säilynoja, Bürkner and Vehtari 2022, as in ArviZ.
    """
    at, lower, upper = _limits(len(unit))
    return Band(at, np.searchsorted(np.sort(unit), at, side="right") / len(unit), lower, upper)


@lru_cache
def _limits(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where a band is evaluated and its two sides, which depend only on the count."""
    anything = np.full(count, 0.5)
    at, _, lower, upper = ecdf_pit(anything, BAND, 2000, rng=np.random.default_rng(1))
    return at, lower, upper


def uniformity(ranks: pd.DataFrame, draws: int, seed: int = 0) -> pd.DataFrame:
    """Test every column of ranks for uniformity.

    Parameters
    ----------
    ranks
        One row per simulation, one column per test quantity, whole numbers from 0 to `draws`;
        empty where a simulation did not rank a quantity.
    draws
        Posterior draws that each truth was ranked among.
    seed
        Seed of the random spread of ranks inside their cells.

    Returns
    -------
    One row per quantity: simulations that rank it, mean_rank (scaled; 0.5 expected), cover_50 and
    cover_90 (share of central intervals that contain the truth), p_ks (Kolmogorov-Smirnov), p_chi2
    (8 bins), in_band, and p_holm: the smaller of the two p-values after Holm's correction over both
    tests of all quantities.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for name in ranks:
        unit = scaled(ranks[name].dropna().to_numpy(int), draws, rng)
        counts = np.histogram(unit, bins=BINS, range=(0, 1))[0]
        central = 2 * np.abs(unit - 0.5)
        rows.append(
            {
                "quantity": name,
                "simulations": len(unit),
                "mean_rank": unit.mean(),
                "cover_50": (central <= 0.5).mean(),
                "cover_90": (central <= 0.9).mean(),
                "p_ks": stats.kstest(unit, "uniform").pvalue,
                "p_chi2": stats.chisquare(counts).pvalue,
                "in_band": band(unit).holds,
            }
        )
    table = pd.DataFrame(rows)
    adjusted = holm(table[["p_ks", "p_chi2"]].to_numpy().ravel()).reshape(-1, 2)
    return table.assign(p_holm=adjusted.min(axis=1))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number by Holm's step-down method (1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.minimum(p_values[order] * factors, 1.0))
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted
