"""A curve and a forecast made of random numbers: a plot must show exactly what they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale.analysis.curves.curves import Curve
from latentscale.analysis.forecasts.forecast import Forecast

BENCHMARKS = ["arc", "a $ and an _", "mmlu", "gsm8k", "prüfung <b>"]


@pytest.fixture
def curve() -> Curve:
    rng = np.random.default_rng(5)
    at = np.geomspace(1e21, 1e24, 9)
    level = np.linspace(0.2, 0.8, 9)[:, None] + np.linspace(-0.1, 0.1, 5)
    mean = np.clip(level + rng.normal(0, 0.02, (200, 9, 5)), 0, 1)
    new = np.clip(mean + rng.normal(0, 0.05, mean.shape), 0, 1)

    def array(values: np.ndarray) -> xr.DataArray:
        coords = {"benchmark": BENCHMARKS, "at": ("point", at)}
        return xr.DataArray(values, dims=("sample", "point", "benchmark"), coords=coords)

    observed = pd.DataFrame(
        {
            "model": ["f-1b", "f-7b", "f-1b"],
            "benchmark": ["arc", "arc", "mmlu"],
            "at": [3e21, 5e22, 3e21],
            "score": [0.25, 0.44, 0.31],
        }
    )
    return Curve(
        over="log_flops",
        family="f",
        draws=array(new),
        mean_draws=array(mean),
        observed=observed,
        family_range=(3e21, 5e22),
        fitted_range=(1e20, 4e23),
        held="tokens per parameter held at 20",
        label="training compute (FLOPs)",
    )


@pytest.fixture
def forecast() -> Forecast:
    rng = np.random.default_rng(6)
    models = ["f-70b", "g $ 7b", "h"]
    draws = xr.DataArray(
        rng.uniform(0.1, 0.9, (150, 3, 5)),
        dims=("sample", "model", "benchmark"),
        coords={"model": models, "benchmark": BENCHMARKS},
    )
    about = xr.Dataset(
        {"basis": ("model", ["known family"] * 3), "extrapolates": ("model", [""] * 3)},
        coords={"model": models},
    )
    precision = xr.full_like(draws.isel(model=0, drop=True), 80.0)
    return Forecast(draws=draws, mean_draws=draws, precision_draws=precision, models=about)
