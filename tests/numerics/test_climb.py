"""L-BFGS climbs: the path, what is kept, and densities that are not finite everywhere."""

from __future__ import annotations

import numpy as np

from latentscale.numerics.climb import climb

SETTINGS = {"steps": 200, "history": 6, "tolerance": 1e-12}


def cliff(point: np.ndarray) -> tuple[float, np.ndarray]:
    """A curved ridge with its top at (1, 1), and no density where the first entry is above 1.5."""
    x, y = point
    if x > 1.5:
        return np.nan, np.full(2, np.nan)
    value = -((1 - x) ** 2) - 20 * (y - x**2) ** 2
    return value, np.array([2 * (1 - x) + 80 * x * (y - x**2), -40 * (y - x**2)])


def test_a_climb_turns_back_where_the_density_is_not_finite() -> None:
    end = climb(cliff, np.array([-1.0, 2.0]), **SETTINGS)
    np.testing.assert_allclose(end.mode, [1, 1], atol=1e-4)
    assert end.converged and end.value > -1e-8
    assert (end.points[:, 0] <= 1.5).all()


def test_points_come_with_their_gradients_from_the_start_on() -> None:
    begin = np.array([-1.0, 2.0])
    end = climb(cliff, begin, **SETTINGS)
    np.testing.assert_array_equal(end.points[0], begin)
    np.testing.assert_array_equal(end.gradients, [cliff(point)[1] for point in end.points])


def test_the_last_points_alone_are_kept_where_asked() -> None:
    begin = np.array([-1.0, 2.0])
    whole = climb(cliff, begin, **SETTINGS)
    last = climb(cliff, begin, **SETTINGS, kept=3)
    np.testing.assert_array_equal(last.points, whole.points[-3:])


def test_a_density_that_is_nowhere_finite_has_no_mode() -> None:
    end = climb(lambda point: (np.nan, np.zeros(2)), np.zeros(2), **SETTINGS)
    assert end.value == -np.inf
    np.testing.assert_array_equal(end.mode, [0, 0])
