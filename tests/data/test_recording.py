"""How tables record scores: rounding and exact ends, detected in scores and applied to draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from latentscale.data.recording import (
    Recording,
    half_step,
    inside,
    recording_of,
    underflow_as_recorded,
    unlike,
)

RNG = np.random.default_rng(0)


def table(*columns: np.ndarray, items: tuple[float, ...]) -> xr.Dataset:
    return xr.Dataset(
        {
            "score": (("model", "benchmark"), np.column_stack(columns)),
            "n_items": ("benchmark", list(items)),
        },
        coords={"benchmark": [f"b{j}" for j in range(len(items))], "model": np.arange(30)},
    )


RAW = RNG.uniform(0.1, 0.9, 30)


def test_steps_and_ends_are_seen_in_the_scores() -> None:
    zero = np.where(np.arange(30) == 4, 0.0, RAW)
    low = np.where(np.arange(30) == 4, 1e-4, RAW)
    columns = {
        "two decimals": (np.round(RAW, 2), np.nan, 100, 0),
        "four decimals": (np.round(RAW, 4), np.nan, 10_000, 0),
        "shares of 30 items": (np.round(RAW * 30) / 30, 30, 30, 0.5 / 30),
        "shares of 50 items, which are hundredths too": (np.round(RAW * 50) / 50, 50, 50, 0.01),
        "shares of 1,000 items in hundredths": (np.round(RAW, 2), 1000, 100, 0.0005),
        "raw": (RAW, np.nan, 0, 0),
        "an exact 0": (zero, np.nan, 0, 0.0005),
        "items known": (RAW, 250, 0, 0.002),
        "nearer than half an item": (low, 250, 0, 0),
    }
    scores, items, parts, edge = (list(column) for column in zip(*columns.values(), strict=True))
    recording = recording_of(table(*scores, items=tuple(items)))
    assert list(recording.parts.values) == parts
    np.testing.assert_allclose(recording.edge, edge)


def test_a_drawn_score_is_recorded_as_its_benchmark_records() -> None:
    names = {"benchmark": ["cents", "count", "raw"]}
    how = Recording(
        xr.DataArray([100.0, 8.0, 0.0], names, ("benchmark",)),
        xr.DataArray([0.0004, 1 / 16, 0.0], names, ("benchmark",)),
    )
    values = np.array([[0.0003, 0.06, 1e-9], [0.5749, 0.07, 0.3], [0.996, 0.95, 1 - 1e-9]])
    drawn = xr.DataArray(values, names, ("sample", "benchmark"))
    wanted = [[0.0, 0.0, 1e-9], [0.57, 0.125, 0.3], [1.0, 1.0, 1 - 1e-9]]
    recorded = how.record(drawn)
    assert (recorded == np.array(wanted)).all()  # exactly equal, so that ties with the table count
    turned = how.record(drawn.isel(benchmark=[2, 0, 1]).transpose())
    assert turned.dims == ("benchmark", "sample")
    np.testing.assert_array_equal(turned.sel(benchmark=drawn["benchmark"]).T, recorded)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-320])
def test_draws_that_underflow_are_inside(value: float) -> None:
    moved = inside(np.array([value, 0.3]))
    assert 0 < moved[0] < 1 and np.isfinite([np.log(moved[0]), np.log1p(-moved[0])]).all()
    assert moved[1] == 0.3
    np.testing.assert_array_equal(underflow_as_recorded(moved), [round(value), 0.3])


def test_half_a_step_is_the_coarser_of_items_and_rounding() -> None:
    scores = table(np.round(RAW, 2), np.round(RAW, 4), RAW, items=(1324.0, 250.0, np.nan))
    np.testing.assert_allclose(half_step(scores, scores["n_items"]), [0.005, 0.002, 0.0005])


def test_scores_are_alike_within_rounding_of_their_size() -> None:
    """A tolerance of a millionth: of 1 for fractions, of the score on other scales."""
    names = {"benchmark": ["share", "elo"]}
    bounded = xr.DataArray([True, False], names, ("benchmark",))
    score = xr.DataArray([[0.5, 1200.0]] * 3, names, ("model", "benchmark"))
    other = score + np.array([[5e-7, 6e-4], [2e-6, 2e-3], [np.nan, np.nan]])
    assert unlike(score, other, bounded).values.tolist() == [[False] * 2, [True] * 2, [False] * 2]
