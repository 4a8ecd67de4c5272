"""Scores of rows to forecast that were perhaps meant as percentages, but have no percent sign.

A fit holds fractions, also where the fitted table printed percentages. What single values a scale
allows is said by the scales.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.problems import Problem
from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK
from latentscale.errors import listed

_PERCENT: Final = 100.0
"""Percent in a whole."""
_REMEDY: Final = (
    "Scores of rows to forecast are fractions, also where the fitted table printed percentages. "
    'Write 90% as 0.9, or as "90%" in a table as hubs print it (latentscale.readers.read_planned).'
)


def percentages_without_sign(
    scores: pd.DataFrame, models: pd.Series, fitted: xr.Dataset
) -> tuple[list[Problem], list[Finding]]:
    """Find scores of rows to forecast that look like percentages.

    Parameters
    ----------
    scores
        One row a model, one column a fitted benchmark; NaN where empty.
    models
        The name of each row's model.
    fitted
        The fitted table, with its scores.

    Returns
    -------
    tuple
        A problem that says how to write percentages where some score of a share is above 1; and a
        warning ``percent-sign`` for each benchmark with scores above all fitted ones that would be
        nearer to these after division by 100.
    """
    shares = [name for name in scores.columns if bool(is_bounded(fitted).sel({BENCHMARK: name}))]
    above = [name for name in shares if scores[name].between(1, _PERCENT, inclusive="right").any()]
    findings = []
    for name in shares:
        given = scores[name].to_numpy(dtype=float)
        known = fitted["score"].sel({BENCHMARK: name}).to_numpy()
        known = known[known > 0]
        odd = np.flatnonzero((given <= 1) & _nearer_as_percentage(given, known))
        if not len(odd):
            continue
        shown = listed([f"{given[row]:g} of {models.iloc[row]}" for row in odd], limit=6)
        message = (
            f"{shown}: above all {len(known)} fitted scores, which end at {known.max():.3g}, and "
            f"far nearer to them when divided by 100. {_REMEDY}"
        )
        findings.append(Finding("warning", "percent-sign", name, message))
    if not above:
        return [], findings
    return [Problem(f"{listed(above)}: {_REMEDY}", above[0])], findings


def _nearer_as_percentage(
    given: npt.NDArray[np.float64], known: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return which scores lie above all known ones, and farther off than a hundredth of them."""
    if not known.size:
        return np.zeros(given.shape, dtype=bool)
    above = given / known.max()
    below = known.min() / (given / _PERCENT)
    return (above > 1) & (below < above)
