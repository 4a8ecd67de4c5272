"""The plot of the frontier: solid up to the last fitted release, dashed after it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.dates import num2date

from latentscale.analysis.curves.frontier import Frontier

DATES = pd.to_datetime(["2025-01-01", "2026-01-01", "2026-12-01"])


def _frontier(last_fitted: str) -> Frontier:
    """Return a frontier that rises evenly with time, at three dates."""
    days = (DATES - DATES[0]).days.to_numpy()
    draws = xr.DataArray(
        0.5 + days / 2000 + np.linspace(-0.01, 0.01, 5)[:, None],
        {"sample": range(5), "date": DATES.to_numpy()},
        ("sample", "date"),
    )
    leaders = pd.DataFrame({"date": DATES, "model": "a", "probability_new": 0.0})
    return Frontier(
        draws=draws,
        leader_draws=draws,
        benchmark="quiz",
        leaders=leaders,
        per_year=4.0,
        last_fitted=pd.Timestamp(last_fitted),
    )


@pytest.mark.parametrize("last", ["2025-03-01", "2025-12-31", "2026-01-01", "2026-09-15"])
def test_the_line_is_dashed_from_the_last_fitted_release(last: str) -> None:
    (axes,) = _frontier(last).plot().axes
    solid, dashed = axes.lines
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    ends = [
        f"{pd.Timestamp(line.get_xdata()[end]):%Y-%m-%d}"
        for line, end in ((solid, -1), (dashed, 0))
    ]
    assert ends == [last, last]
    assert solid.get_ydata()[-1] == pytest.approx(dashed.get_ydata()[0])
    days = (pd.Timestamp(last) - DATES[0]).days
    assert solid.get_ydata()[-1] == pytest.approx(0.5 + days / 2000)  # on the line between dates
    edges = [num2date(band.get_paths()[0].get_extents().x0) for band in axes.collections]
    assert f"{edges[1]:%Y-%m-%d}" == last


@pytest.mark.parametrize("last", ["2025-03-01", "2026-01-01", "2026-09-15"])
def test_markers_are_at_the_dates_asked_for_alone(last: str) -> None:
    marked = {
        pd.Timestamp(line.get_xdata()[place])
        for line in _frontier(last).plot().axes[0].lines
        for place in line.get_markevery()
    }
    assert marked == set(DATES)


@pytest.mark.parametrize(("last", "style"), [("2024-01-01", "--"), ("2026-12-01", "-")])
def test_dates_on_one_side_of_the_last_release_give_one_line(last: str, style: str) -> None:
    (line,) = _frontier(last).plot().axes[0].lines
    assert line.get_linestyle() == style and len(line.get_xdata()) == 3
