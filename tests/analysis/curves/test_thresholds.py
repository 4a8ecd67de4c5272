"""Thresholds are scores of their benchmark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.errors import DataError

DAYS = pd.to_datetime(["2025-01-01", "2025-07-01"])


def frontier(scale: str, unit: str) -> ls.results.Frontier:
    """Return a frontier of four draws at two dates."""
    draws = xr.DataArray(
        np.array([[0.2, 0.6], [0.3, 0.7], [0.4, 0.8], [0.5, 0.9]]),
        {"date": DAYS},
        ("sample", "date"),
    )
    leaders = pd.DataFrame({"date": DAYS, "model": ["a", "b"], "probability_new": [0.0, 0.0]})
    return ls.results.Frontier(
        draws=draws,
        leader_draws=draws,
        benchmark="quiz" if scale else None,
        leaders=leaders,
        per_year=1.0,
        last_fitted=DAYS[1],
        scale=scale,
        unit=unit,
    )


@pytest.mark.parametrize(
    ("scale", "unit", "threshold", "message"),
    [
        ("fraction", "", 92, "fraction strictly between 0 and 1; got 92.0. If it is a percentage"),
        ("fraction", "", 1, "fraction strictly between 0 and 1; got 1.0.$"),
        ("positive", "minutes", -5, r'a score of scale "positive" \(minutes\); got -5'),
        ("real", "Elo", float("nan"), "threshold"),
        ("", "", float("inf"), "threshold"),
    ],
)
def test_a_threshold_of_the_frontier_is_a_score(
    scale: str, unit: str, threshold: float, message: str
) -> None:
    """Thresholds in percent had probability 0 (92), or 1 where lower is better (10)."""
    with pytest.raises(DataError, match=message):
        frontier(scale, unit).passing(threshold)


@pytest.mark.parametrize(
    ("scale", "threshold", "shares"),
    [
        ("fraction", 0.45, [0.25, 1]),
        ("positive", 0.75, [0, 0.5]),
        ("real", -3, [1, 1]),
        ("", 0, [1, 1]),
    ],
)
def test_the_frontier_passes_a_threshold_in_a_share_of_draws(
    scale: str, threshold: float, shares: list[float]
) -> None:
    assert frontier(scale, "").passing(threshold)["probability"].tolist() == shares
