"""A scale from outside the package is read, forecast, saved and loaded like the package's own."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.scales.base import SCALES
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit


@pytest.fixture(autouse=True)
def count_scale() -> Iterator[None]:
    """Register the scale only for these tests."""
    sys.path.insert(0, str(Path(__file__).parent))
    module = importlib.import_module("count_scale")
    SCALES.add(module.CountScale)
    yield
    SCALES.remove("count")
    sys.path.pop(0)


@pytest.fixture
def frame() -> pd.DataFrame:
    """Twelve models that solve more and more problems."""
    size = np.geomspace(1, 60, 12)
    names = [f"m{place}" for place in range(12)]
    solved = np.round(3 * size**0.7 - 2.5)
    return pd.DataFrame(
        {"model": names, "family": np.repeat(["a", "b", "c"], 4), "params_b": size}
    ).assign(tokens_t=2.0, solved=solved, share=solved / 100)


def read(frame: pd.DataFrame) -> ls.Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.DataWarning)
        about = {"solved": ls.Benchmark(scale="count", unit="problems")}
        return ls.Scores.from_frame(frame, benchmarks=about)


def test_its_rule_names_the_cell(frame: pd.DataFrame) -> None:
    frame.loc[3, "solved"] = -2
    with pytest.raises(ls.DataError, match=r"row 3 .*Counts are 0 or more"):
        read(frame)


def test_it_is_forecast_in_its_unit_and_survives_a_file(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit], tmp_path: Path
) -> None:
    document = {"name": "counts", "covariates": ["log_params"], "family": {"level": "partial"}}
    fit = prior_fit(spec_from_dict(document), read(frame))
    row = pd.DataFrame([{"model": "n", "family": "a", "params_b": 9.0, "tokens_t": 2.0}])
    forecast = ls.predict(fit, row)
    assert forecast.units == {"solved": "problems"}
    assert float(forecast.draws.sel(benchmark="solved").min()) >= -1
    again = ls.predict(ls.load(fit.save(tmp_path / "counts.nc")), row)
    pd.testing.assert_frame_equal(again.table(), forecast.table())
