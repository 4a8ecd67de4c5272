"""Benchmarks whose scores repeat those of another, or their complement: one measurement twice."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.column_names import in_words
from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import listed

FEWEST_MODELS: Final = 5
"""Models with both scores from which a share is informative: of four, three may agree by chance
if scores are rounded."""
MOST_SHARE: Final = 0.5
"""Share of these models; separate measurements agree to the last digit for far fewer."""
_FEWEST_VALUES: Final = 3
"""Distinct repeated scores: a column of one or two values repeats another because it is coarse."""
_FORM: Final = re.compile(
    r"(?<![a-z])(raw|(un)?normali[sz]ed|rescaled|value|score)(?![a-z])", re.IGNORECASE
)
"""Words for the form of a score: "BBH" beside "BBH Raw", "bbh_value" beside "bbh_normalized"."""
_SAME_ORDER: Final = 0.95
"""Correlation of two forms of one score: rescaling with rounding leaves more."""
_EQUAL: Final = 1e-9
"""Relative; a percentage divided by 100 does not always equal the fraction to the last bit."""


def copied_scores(dataset: xr.Dataset) -> list[Finding]:
    """Find pairs of benchmarks whose scores are the same, or sum to 1, for most models with both.

    Scores of exactly 0 or 1 on a bounded scale are left out of both counts: saturated benchmarks
    agree without being copies.

    Parameters
    ----------
    dataset
        As in `Scores`: score (model, benchmark), and the variables of benchmarks.

    Returns
    -------
    list
        One finding per pair, in the order of the columns.
    """
    score = dataset["score"].transpose(MODEL, BENCHMARK).to_numpy()
    bounded = is_bounded(dataset).to_numpy()
    exact = ((score == 0) | (score == 1)) & bounded
    score = np.where(exact, np.nan, score)
    names = [str(name) for name in dataset[BENCHMARK].to_numpy()]
    models = dataset[MODEL].to_numpy()
    measured = ~np.isnan(score)
    together = measured.astype(np.float64).T @ measured.astype(np.float64)
    findings = []
    for first, second in combinations(range(len(names)), 2):
        both = int(together[first, second])
        if both < FEWEST_MODELS:
            continue
        pair = (names[first], names[second])
        others = [(score[:, second], False)]
        if bounded[first] and bounded[second]:
            others.append((1 - score[:, second], True))
        for other, complement in others:
            same = _repeated(score[:, first], other)
            if same.sum() > MOST_SHARE * both and _values(score[same, first]) >= _FEWEST_VALUES:
                findings.append(_finding(pair, both, models[same].tolist(), complement))
    return findings


def scores_in_two_forms(dataset: xr.Dataset) -> list[Finding]:
    """Find benchmarks that are another in a second form, by name and correlation.

    Such as scores before and after rescaling by the score of guessing, which are one measurement.

    Parameters
    ----------
    dataset
        As for `copied_scores`.

    Returns
    -------
    list
        At most one finding, with all pairs.
    """
    score = dataset["score"].transpose(MODEL, BENCHMARK).to_numpy()
    names = [str(name) for name in dataset[BENCHMARK].to_numpy()]
    plain = [" ".join(_FORM.sub(" ", in_words(name)).casefold().split()) for name in names]
    pairs = [
        f"{names[first]} and {names[second]}"
        for first, second in combinations(range(len(names)), 2)
        if plain[first] and plain[first] == plain[second]
        if _correlation(score[:, first], score[:, second]) >= _SAME_ORDER
    ]
    if not pairs:
        return []
    message = (
        f"by names and scores, one measurement in two forms: {listed(pairs)}. A fit counts each "
        "twice, so that skills and benchmarks look more certain than they are. Drop one form."
    )
    return [Finding("warning", "scores-in-two-forms", "benchmarks", message)]


def _correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the correlation over models with both scores; 0 if these are few or all alike."""
    both = ~np.isnan(first) & ~np.isnan(second)
    if both.sum() < FEWEST_MODELS or not (np.ptp(first[both]) and np.ptp(second[both])):
        return 0.0
    return float(np.corrcoef(first[both], second[both])[0, 1])


def _repeated(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(first - second) <= _EQUAL * np.abs(first))


def _values(scores: npt.NDArray[np.float64]) -> int:
    return len(np.unique(scores))


def _finding(pair: tuple[str, str], both: int, models: list[str], complement: bool) -> Finding:
    first, second = pair
    relation = "have scores that sum to 1" if complement else "have the same score"
    message = (
        f"{first} and {second} {relation} for {len(models)} of the {both} models that "
        f"have both ({listed(models)}). If one column was filled in from the other, a fit counts "
        "each of these scores twice, so that skills and both benchmarks look more certain than "
        "they are. Keep the score where it was measured and empty the other cell, or drop one "
        "of the benchmarks."
    )
    return Finding("warning", "copied-scores", f"{first}, {second}", message)
