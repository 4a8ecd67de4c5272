"""The probability that a forecast's error is small, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.forecasts.forecast import Forecast

SAMPLES = 40_000
SPREAD = {"mmlu": 0.02, "hle": 0.10, "elo": 40.0}
CENTRE = {"mmlu": 0.8, "hle": 0.3, "elo": 1200.0}


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    """Normal forecasts of known spread, one benchmark in Elo."""
    rng = np.random.default_rng(2)
    names = list(SPREAD)
    unit = rng.standard_normal((SAMPLES, 1, len(names)))
    draws = np.array(list(CENTRE.values())) + unit * np.array(list(SPREAD.values()))
    coords = {"sample": np.arange(SAMPLES), "model": ["m"], "benchmark": names}
    dims = ("sample", "model", "benchmark")
    array = xr.DataArray(draws, coords, dims)
    return Forecast(
        draws=array,
        mean_draws=array,
        precision_draws=xr.DataArray(np.ones(SAMPLES), dims=("sample",)),
        models=xr.Dataset(
            {"basis": ("model", ["new family"]), "extrapolates": ("model", [""])}, {"model": ["m"]}
        ),
        units={"elo": "Elo"},
    )


def test_trust_is_the_probability_of_an_error_below_so_many_points(forecast: Forecast) -> None:
    table = forecast.trust(points=5).set_index("benchmark")
    for name, reach in (("mmlu", 0.05), ("hle", 0.05), ("elo", 5.0)):
        wanted = 1 - 2 * stats.norm.sf(reach / SPREAD[name])
        assert table.loc[name, "trust"] == pytest.approx(wanted, abs=0.01)
        assert table.loc[name, "median"] == pytest.approx(CENTRE[name], rel=0.01)
    assert dict(table["unit"]) == {"mmlu": "fraction", "hle": "fraction", "elo": "Elo"}
    own = forecast.table().set_index("benchmark")
    assert dict(own["unit"]) == dict(table["unit"])


def test_the_surest_forecast_comes_first(forecast: Forecast) -> None:
    assert forecast.trust(points=10)["benchmark"].tolist() == ["mmlu", "hle", "elo"]


@pytest.mark.parametrize("points", [0, -1, float("nan"), "5", True, None])
def test_an_error_that_is_no_size_is_refused(forecast: Forecast, points: object) -> None:
    with pytest.raises(ls.FitError, match="points must be"):
        forecast.trust(points=points)  # type: ignore[arg-type]


@pytest.mark.parametrize("middle", [0.07, 0.35, 0.55, 0.57, 0.93])
def test_an_error_of_exactly_so_many_points_is_on_neither_side(
    forecast: Forecast, middle: float
) -> None:
    """For scores in hundredths: in binary 0.60 - 0.55 is below 0.05, and 0.55 - 0.50 above."""
    steps = np.array([-5, 0, 0, 0, 5]) / 100
    draws = forecast.draws.isel(sample=slice(5), benchmark=[0]).copy()
    draws[:, 0, 0] = np.round(middle + steps, 2)
    few = replace(
        forecast, draws=draws, mean_draws=draws, precision_draws=forecast.precision_draws[:5]
    )
    assert few.trust(points=5)["trust"].tolist() == [0.6]
