"""Hessians by finite differences, and normal distributions of a given curvature."""

from __future__ import annotations

import numpy as np

from latentscale.numerics.curvature import differences, hessian, normal_draws, root_of_inverse

POINT = np.array([0.7, -1.1, 0.2])


def gradient(point: np.ndarray) -> np.ndarray:
    """Gradient of -cosh(x) - x^2 y^2 + y z."""
    x, y, z = point
    return np.array([-np.sinh(x) - 2 * x * y**2, -2 * x**2 * y + z, y])


def test_the_hessian_of_a_curved_function() -> None:
    x, y, _ = POINT
    cross = -4 * x * y
    wanted = np.array([[-np.cosh(x) - 2 * y**2, cross, 0], [cross, -2 * x**2, 1], [0, 1, 0]])
    np.testing.assert_allclose(hessian(gradient, POINT), wanted, rtol=1e-6, atol=1e-9)
    places = np.array([2, 0])
    some = hessian(gradient, POINT, places=places, cores=2)
    np.testing.assert_allclose(some, wanted[np.ix_(places, places)], rtol=1e-6, atol=1e-9)


def test_differences_follow_directions() -> None:
    directions = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    slopes = differences(gradient, POINT, directions)
    np.testing.assert_allclose(slopes, hessian(gradient, POINT) @ directions.T, atol=1e-6)


def test_a_flat_direction_is_as_wide_as_asked() -> None:
    curvature = np.diag([4.0, 1e-9, -3.0])
    root = root_of_inverse(curvature, 0.25)
    np.testing.assert_allclose(root @ root.T, np.diag([0.25, 4.0, 4.0]), atol=1e-12)


def test_draws_have_the_covariance_and_none_along_its_null_space() -> None:
    covariance = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    draws = normal_draws(np.array([1.0, 0.0, 0.0]), covariance, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(draws[:, 0] - draws[:, 1], 1.0, atol=1e-6)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1)
