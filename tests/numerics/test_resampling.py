"""Resampling: shares match the weights, also if weights have a pattern."""

from __future__ import annotations

import numpy as np
import pytest

from latentscale.numerics.resampling import resampled


@pytest.mark.parametrize("period", [2, 3, 7])
def test_shares_are_right_where_weights_repeat_in_the_order_of_draws(period: int) -> None:
    """Evenly spaced points over 0.8, 1.2, 0.8, ... choose only every second draw, or none."""
    heavy = np.arange(1500) % period == 0
    weight = np.where(heavy, 1.2, 0.8)
    wanted = weight[heavy].sum() / weight.sum()
    rng = np.random.default_rng(1)
    shares = np.array([heavy[resampled(weight, rng)].mean() for _ in range(200)])
    multinomial = np.sqrt(wanted * (1 - wanted) / 1500)
    assert shares.std() < multinomial
    assert abs(shares.mean() - wanted) < 5 * multinomial / np.sqrt(200)


def test_places_ascend_and_draws_without_weight_are_left_out() -> None:
    weight = np.array([0.0, 5.0, 0.0, 15.0])
    places = resampled(weight, np.random.default_rng(2))
    np.testing.assert_array_equal(places, [1, 3, 3, 3])
    assert places.dtype == np.int64
