"""Evenly spread places."""

from __future__ import annotations

import numpy as np
import pytest

from latentscale.numerics.thinning import evenly_spread


@pytest.mark.parametrize("total", range(2, 60))
def test_places_are_different_and_reach_both_ends(total: int) -> None:
    for most in range(2, 70):
        places = evenly_spread(total, most)
        assert len(places) == min(most, total)
        assert places[0] == 0 and places[-1] == total - 1
        steps = np.diff(places)
        assert (steps > 0).all() and np.ptp(steps) <= 1
