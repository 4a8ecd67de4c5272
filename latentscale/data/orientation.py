"""Finding benchmarks on which lower seems to be better although they are not declared so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.lower_by_name import why_lower
from latentscale.data.scaling import lower_is_better
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import listed

_MIN_OVERLAP: Final = 8
"""Models that two benchmarks must share for an informative rank correlation (sd about 0.4)."""
_AGAINST: Final = -0.4
"""Mean rank correlation with the others below this; skills make benchmarks agree."""
_CHANCE: Final = 3.0
"""Standard deviations of a rank correlation of unrelated columns, 1 / sqrt(models - 1), beyond
which two halves of a table oppose each other by more than chance: 1 pair in 700 does."""


def orientation_findings(dataset: xr.Dataset) -> list[Finding]:
    """Find benchmarks that seem to fall as models get better, by name or by the other scores.

    Parameters
    ----------
    dataset
        Variables as in `Scores`.
    """
    stated = lower_is_better(dataset).values
    score = dataset["score"].transpose(MODEL, BENCHMARK).to_numpy()
    oriented = pd.DataFrame(np.where(stated, -score, score))
    correlation = oriented.corr(method="spearman", min_periods=_MIN_OVERLAP).to_numpy(copy=True)
    np.fill_diagonal(correlation, np.nan)
    side = _sides(correlation)
    names = dataset[BENCHMARK].to_numpy().tolist()
    findings = []
    for place, name in enumerate(names):
        others = _opposed(correlation[place], side, side[place])
        spoken = None if stated[place] else why_lower(name)
        if others is None and spoken is None:
            continue
        why = str(spoken)
        if others is not None:
            verb, turned = (
                ("rise", ", its own with the sign turned") if stated[place] else ("fall", "")
            )
            why = (
                f"its scores {verb} where those of {len(others)} others rise (mean rank "
                f"correlation {others.mean():.2f}{turned})"
            )
        findings.append(_finding(name, why, bool(stated[place])))
    return findings or _halves(names, correlation, side, oriented)


def _finding(name: str, why: str, stated: bool) -> Finding:
    """Return the finding on one benchmark; `stated` means that lower is declared better."""
    taken, other = ("lower", "higher") if stated else ("higher", "lower")
    message = (
        f"{why}, but it is read as a benchmark on which {taken} is better. If {other} is better, "
        f'pass benchmarks={{"{name}": Benchmark(lower_is_better={not stated})}} with its scale; if '
        "not, check the column."
    )
    return Finding("warning", f"{other}-is-better", name, message)


def _sides(correlation: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """Return 1 for the larger of two groups of benchmarks that oppose each other, -1 for the other.

    Groups follow the signs of the correlations' leading eigenvector; 0 for benchmarks that share
    too few models with every other.
    """
    weights = np.linalg.eigh(np.nan_to_num(correlation))[1][:, -1]
    # Zero up to rounding, for a vector of length 1.
    side = np.where(np.abs(weights) < 1e-9, 0, np.sign(weights)).astype(np.int8)
    side[np.isnan(correlation).all(axis=1)] = 0
    return -side if side.sum() < 0 else side


def _opposed(
    row: npt.NDArray[np.float64], side: npt.NDArray[np.int8], own: int
) -> npt.NDArray[np.float64] | None:
    """Return the rank correlations that contradict a benchmark's orientation, None if none do.

    They are with all other benchmarks; or, for a benchmark in the smaller group, with those in the
    larger group, so that other benchmarks with a wrong orientation do not mask the contradiction.
    """
    known = ~np.isnan(row)
    larger = known & (side == 1) if own == -1 and side.sum() > 0 else known & False
    for chosen in (known, larger):
        if chosen.sum() > 1 and float(row[chosen].mean()) < _AGAINST:
            return row[chosen]
    return None


def _halves(
    names: Sequence[str],
    correlation: npt.NDArray[np.float64],
    side: npt.NDArray[np.int8],
    oriented: pd.DataFrame,
) -> list[Finding]:
    """Find a table in which one half falls where the other rises; either half may be wrong."""
    if side.sum() != 0 or not side.any():
        return []
    here, there = np.flatnonzero(side == 1), np.flatnonzero(side == -1)
    across = correlation[np.ix_(here, there)]
    known = oriented.notna().to_numpy(dtype=float)
    shared = float((known[:, here].T @ known[:, there]).clip(_MIN_OVERLAP).min())
    if np.isnan(across).all() or np.nanmean(across) > min(_AGAINST, -_CHANCE / (shared - 1) ** 0.5):
        return []
    first, second = (listed([names[place] for place in half.tolist()]) for half in (here, there))
    message = (
        f"scores on {first} fall where those on {second} rise (mean rank correlation "
        f"{np.nanmean(across):.2f}). Benchmarks that share skills rise together: if lower is "
        "better on some, pass "
        f'benchmarks={{"{names[there[0]]}": Benchmark(lower_is_better=...)}} with its scale.'
    )
    return [Finding("warning", "opposed-benchmarks", "benchmarks", message)]
