"""Constants of curves that a table determines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.scaling import with_standards
from latentscale.model.scaled import known_curve

SCORES = {
    "plain": [0.5, 0.6, 0.7],
    "capped": [0.3, 0.4, 0.5],
    "errors": [0.3, 0.2, 0.1],
    "elo": [1000.0, 1100.0, 1300.0],
    "minutes": [1.0, 10.0, 100.0],
}
INFO = {
    "plain": ls.Benchmark(floor=0.25),
    "capped": ls.Benchmark(floor=0.2, ceiling=0.9),
    "errors": ls.Benchmark(lower_is_better=True),
    "elo": ls.Benchmark(scale="real"),
    "minutes": ls.Benchmark(scale="positive"),
}


def curve_of(*names: str) -> dict[str, dict[str, float]]:
    frame = pd.DataFrame({"model": list("abc"), "family": list("xyz")})
    frame = frame.assign(**{name: SCORES[name] for name in names})
    scores = ls.Scores.from_frame(frame, benchmarks={name: INFO[name] for name in names})
    curve = known_curve(with_standards(scores.dataset))
    assert all(array.dims == ("benchmark",) for array in curve.values())
    return {
        name: dict(zip(names, array.sel(benchmark=list(names)).values.tolist(), strict=True))
        for name, array in curve.items()
    }


def test_plain_fractions_fix_their_floors_alone() -> None:
    assert curve_of("plain") == {"floor": {"plain": 0.25}}


@pytest.mark.filterwarnings("ignore:Scores were read")
def test_ceilings_are_fixed_where_one_is_not_1() -> None:
    floor = {"plain": 0.25, "capped": 0.2, "errors": 1.0}
    ceiling = {"plain": 1.0, "capped": 0.9, "errors": 0.0}
    assert curve_of("plain", "capped", "errors") == {"floor": floor, "ceiling": ceiling}


@pytest.mark.filterwarnings("ignore:Scores were read")
def test_scales_without_bounds_have_codes_centres_and_steps() -> None:
    curve = curve_of("plain", "elo", "minutes")
    assert set(curve) == {"floor", "scale_code", "centre", "step"}
    assert curve["scale_code"] == {"plain": 0.0, "elo": 2.0, "minutes": 1.0}  # in order of names
    for name, values in (("elo", SCORES["elo"]), ("minutes", np.log(SCORES["minutes"]))):
        assert curve["centre"][name] == pytest.approx(np.mean(values), rel=1e-12)
        assert curve["step"][name] == pytest.approx(np.std(values), rel=1e-12)
