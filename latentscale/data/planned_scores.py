"""Scores of rows to forecast that may be percentages without a percent sign.

A fit holds fractions, even if the fitted table printed percentages. The scales define which single
values they allow.
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
"""Percent in 1."""
_FRACTIONS: Final = (
    "Scores of rows to forecast are fractions, also where the fitted table printed percentages."
)


def percentages_without_sign(
    scores: pd.DataFrame, models: pd.Series, fitted: xr.Dataset
) -> tuple[list[Problem], list[Finding]]:
    """Find scores of rows to forecast that look like percentages.

    Parameters
    ----------
    scores
        One row per model, one column per fitted benchmark; NaN where empty.
    models
        The name of each row's model.
    fitted
        The fitted table, with its scores.

    Returns
    -------
    tuple
        A problem that says how to write percentages if some score of a share is above 1; and a
        warning ``percent-sign`` for each benchmark with scores above all fitted ones that would be
        nearer to them if divided by 100.
    """
    shares = [name for name in scores.columns if bool(is_bounded(fitted).sel({BENCHMARK: name}))]
    percent = scores.gt(1) & scores.le(_PERCENT)
    above = [name for name in shares if percent[name].any()]
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
            f"far nearer to them when divided by 100. {_FRACTIONS} {_remedy(given[odd[0]])}"
        )
        findings.append(Finding("warning", "percent-sign", name, message))
    if not above:
        return [], findings
    first = float(scores.loc[percent[above[0]], above[0]].iloc[0])
    return [Problem(f"{listed(above)}: {_FRACTIONS} {_remedy(first)}", above[0])], findings


def _remedy(score: float) -> str:
    """Return how to write a percentage that has no sign."""
    return (
        f"If {score:g} is a percentage, write {score / _PERCENT:g}, or "
        f'"{score:g}%" in a table as hubs print it (latentscale.readers.read_planned).'
    )


def _nearer_as_percentage(
    given: npt.NDArray[np.float64], known: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return which scores are above all known ones and nearer to them if divided by 100."""
    if not known.size:
        return np.zeros(given.shape, dtype=bool)
    middle = known.min() * known.max()  # the square of the geometric mean of their ends
    return (given > known.max()) & (given**2 > _PERCENT * middle)
