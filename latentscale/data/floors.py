"""Finding scores that were rescaled so that guessing is zero, among scores that were not.

Leaderboards publish some scores raw and some as (score - floor) / (1 - floor). A table with both
kinds bends every scaling curve fitted to it, and nothing in the fit reveals this.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.scaling import lower_is_better
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import listed

ASSUMED_ITEMS: Final = 100
"""Item count assumed for a benchmark where it is unknown: small, so that noise is not flagged."""
_NOISE_SDS: Final = 4.0
"""Sampling standard deviations below the floor; 1 guesser in 30,000 falls lower by chance."""
_MIN_MARGIN: Final = 0.05
"""Five points: wrong answers that are not guesses (refusals, formats) cost a model as much."""
_MIN_ROWS: Final = 2
"""One low score can be an isolated slip; two point to the floor."""
_MIN_MODELS: Final = 10
"""The median of ten guessers on 100 items is five points below a floor of one half in 1 of 400
tables."""
_MIN_SHARE: Final = 0.02
"""In a large table a few broken evaluations are not the fault of the floor: 1 in 50 is."""


def implausibly_low(floor: float, n_items: float) -> float:
    """Return the score below which a raw score is implausible for a guessing floor.

    Parameters
    ----------
    floor
        Guessing floor, a fraction above 0.
    n_items
        Number of items, NaN when unknown.

    Returns
    -------
    float
        The floor less the larger of four binomial standard deviations and a fixed margin (0.05,
        or a quarter of the floor if that is smaller); never below half the floor, so that the
        test keeps some power where the item count is small or unknown.
    """
    return floor - min(_margin(floor, n_items), floor / 2)


def _margin(end: float, n_items: float) -> float:
    """Return how far beyond an end of the curve chance and slips can take a score."""
    items = ASSUMED_ITEMS if np.isnan(n_items) else n_items
    return max(_NOISE_SDS * sqrt(end * (1 - end) / items), min(_MIN_MARGIN, end / 4))


def margins(column: xr.Dataset, end: float) -> np.ndarray:
    """Return how far beyond an end of the curve chance and slips can take each model's score.

    Parameters
    ----------
    column
        The variables of one benchmark.
    end
        Floor, ceiling, or 1 minus it: a fraction above 0.

    Returns
    -------
    numpy.ndarray
        One margin per model, from the item count of its own score if it has one.
    """
    found = np.full(column.sizes[MODEL], _margin(end, float(column["n_items"])))
    if "cell_items" in column:
        own = column["cell_items"].to_numpy()
        for row in np.flatnonzero(~np.isnan(own)):
            found[row] = _margin(end, float(own[row]))
    return found


def floor_findings(dataset: xr.Dataset) -> list[Finding]:
    """Look for scores far below the guessing floor, benchmark by benchmark.

    Parameters
    ----------
    dataset
        Variables score (model, benchmark), floor and n_items (benchmark), and cell_items
        (model, benchmark) if there are.

    Returns
    -------
    list
        ``floor-rescaled`` if several rows are that low, ``below-floor`` if it is one row or a very
        small share of them; ``floor-too-high`` if no single score is that low, but most are below
        the floor by more than noise.
    """
    findings = []
    models = dataset[MODEL].to_numpy()
    lower = lower_is_better(dataset).to_series()
    for name in dataset[BENCHMARK].to_numpy().tolist():
        column = dataset.sel({BENCHMARK: name})
        floor = float(column["floor"])
        if floor <= 0 or lower[name]:
            continue
        scores = column["score"].to_numpy()
        limit = implausibly_low(floor, float(column["n_items"]))
        low = np.flatnonzero(scores < floor - np.minimum(margins(column, floor), floor / 2))
        known = int(np.count_nonzero(~np.isnan(scores)))
        if not len(low):
            findings += _too_high(name, scores, floor)
            continue
        order = low[np.argsort(scores[low], kind="stable")]
        where = listed(models[order].tolist(), limit=6)
        count = f"{len(low)} of {known} scores lie far below the guessing floor {floor:g}"
        seen = f"{count} (under {limit:.3g}; lowest {scores[order[0]]:.3g}): {where}."
        if len(low) >= _MIN_ROWS and len(low) >= _MIN_SHARE * known:
            text = _rescaled(len(low), known)
            findings.append(Finding("warning", "floor-rescaled", name, seen + text))
        else:
            text = " Guessing reaches the floor: check the figure, its unit and its answer format."
            findings.append(Finding("warning", "below-floor", name, seen + text))
    return findings


def median_beyond(scores: np.ndarray, floor: float) -> bool:
    """Return whether the median of at least ten scores is below a floor by more than noise."""
    known = scores[~np.isnan(scores)]
    margin = min(_MIN_MARGIN, floor / 4)
    return len(known) >= _MIN_MODELS and bool(np.median(known) < floor - margin)


def _too_high(name: str, scores: np.ndarray, floor: float) -> list[Finding]:
    """Return a finding that the median score is below the floor, which no item count explains."""
    if not median_beyond(scores, floor):
        return []
    known = scores[~np.isnan(scores)]
    text = (
        f"the median of {len(known)} scores, {np.median(known):.3g}, lies below the guessing floor "
        f"{floor:g}, and no curve goes below its floor. Guessing reaches less where a model gives "
        "one answer throughout and that is the rarer one: declare a lower floor, or raw scores if "
        "these are rescaled."
    )
    return [Finding("warning", "floor-too-high", name, text)]


def _rescaled(low: int, known: int) -> str:
    rest = (
        "while others are raw"
        if 2 * low < known
        else "perhaps the whole column, as most of it lies there"
    )
    return (
        " Guessing alone reaches the floor, so these look rescaled by "
        f"(score - floor) / (1 - floor), {rest}. Supply raw scores, or pass each rescaled one "
        "through floor + (1 - floor) * score. Check every row of the same source: strong models "
        "stay above the floor when rescaled."
    )
