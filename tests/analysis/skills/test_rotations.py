"""Rotation criteria compared with closed forms and with patterns of simple structure."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from statsmodels.multivariate.factor_rotation import rotate_factors

import latentscale as ls
from latentscale.analysis.skills.rotations import Rotation
from latentscale.errors import SpecError


def turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def same_columns(rotated: np.ndarray, wanted: np.ndarray, **tolerance: float) -> None:
    """Compare up to the order and signs of columns."""
    products = rotated.T @ wanted / np.linalg.norm(rotated, axis=0)[:, None]
    order = np.abs(products / np.linalg.norm(wanted, axis=0)).argmax(axis=1)
    assert sorted(order) == list(range(len(order)))
    sign = np.sign(products[np.arange(len(order)), order])
    np.testing.assert_allclose(rotated * sign, wanted[:, order], **tolerance)


@pytest.fixture
def messy() -> np.ndarray:
    return np.random.default_rng(4).normal(0.4, 0.5, (9, 2))


@pytest.fixture
def simple() -> np.ndarray:
    """Twelve benchmarks, each loading on one of three skills."""
    pattern = np.zeros((12, 3))
    pattern[np.arange(12), np.arange(12) % 3] = np.linspace(0.5, 1.4, 12)
    return pattern


def kaisers_angle(loading: np.ndarray, gamma: float) -> float:
    """Return the angle that maximises orthomax for two skills (Kaiser 1958), by hand."""
    x, y = loading.T
    u, v = x**2 - y**2, 2 * x * y
    count = len(loading)
    top = 2 * (u @ v) - 2 * gamma * u.sum() * v.sum() / count
    below = (u**2 - v**2).sum() - gamma * (u.sum() ** 2 - v.sum() ** 2) / count
    return np.arctan2(top, below) / 4


@pytest.mark.parametrize(
    ("rotation", "gamma"),
    [(ls.rotations.Varimax(kaiser=False), 1.0), (ls.rotations.Quartimax(kaiser=False), 0.0)],
)
def test_two_skills_turn_by_kaisers_angle(messy: np.ndarray, rotation, gamma: float) -> None:
    rotated = messy @ rotation.matrix(messy)
    same_columns(rotated, messy @ turn(kaisers_angle(messy, gamma)), atol=1e-4)


def test_kaisers_weights_make_the_angle_that_of_unit_rows(messy: np.ndarray) -> None:
    unit = messy / np.linalg.norm(messy, axis=1, keepdims=True)
    rotated = messy @ ls.rotations.Varimax().matrix(messy)
    same_columns(rotated, messy @ turn(kaisers_angle(unit, 1.0)), atol=1e-4)


@pytest.mark.parametrize(
    "rotation", [ls.rotations.Varimax(), ls.rotations.Quartimax(), ls.rotations.PrincipalAxes()]
)
def test_orthogonal_ones_are_orthogonal(simple: np.ndarray, rotation: Rotation) -> None:
    matrix = rotation.matrix(simple + 0.1)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize(
    "rotation",
    [
        ls.rotations.Varimax(),
        ls.rotations.Quartimax(),
        ls.rotations.Oblimin(),
        ls.rotations.Geomin(),
    ],
)
def test_a_simple_pattern_is_found_again(simple: np.ndarray, rotation: Rotation) -> None:
    mixed = simple @ np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    same_columns(mixed @ rotation.matrix(mixed), simple, atol=2e-3)


@pytest.mark.parametrize("rotation", [ls.rotations.Oblimin(), ls.rotations.Geomin(epsilon=1e-4)])
def test_oblique_ones_find_correlated_skills(simple: np.ndarray, rotation: Rotation) -> None:
    correlation = np.array([[1, 0.5, 0.3], [0.5, 1, 0.2], [0.3, 0.2, 1]])
    uncorrelated = simple @ np.linalg.cholesky(correlation)
    matrix = rotation.matrix(uncorrelated)
    same_columns(uncorrelated @ matrix, simple, atol=5e-3)
    inverse = np.linalg.inv(matrix)
    between = inverse @ inverse.T
    np.testing.assert_allclose(np.diag(between), 1, atol=1e-9)
    np.testing.assert_allclose(
        np.sort(np.abs(between[np.triu_indices(3, 1)])), [0.2, 0.3, 0.5], atol=5e-3
    )


def test_oblimin_is_that_of_statsmodels_where_one_start_is_enough(messy: np.ndarray) -> None:
    wanted, _ = rotate_factors(messy, "oblimin", 0.0, "oblique")
    same_columns(messy @ ls.rotations.Oblimin(kaiser=False).matrix(messy), wanted, atol=1e-3)


@pytest.mark.parametrize(
    "rotation", [ls.rotations.Oblimin(kaiser=False), ls.rotations.Geomin(kaiser=False)]
)
def test_no_oblique_turn_does_better(rotation: ls.rotations.Oblimin | ls.rotations.Geomin) -> None:
    rng = np.random.default_rng(8)
    loading = rng.normal(0.3, 0.6, (10, 3))
    best = rotation.criterion(loading @ rotation.matrix(loading))
    for _ in range(400):
        normal = rng.standard_normal((3, 3))
        normal /= np.linalg.norm(normal, axis=0)
        assert rotation.criterion(loading @ np.linalg.inv(normal.T)) >= best - 1e-6


def test_the_criteria_are_their_formulas() -> None:
    loading = np.array([[0.5, 0.2], [0.1, -0.4]])
    products = 2 * (0.25 * 0.04 + 0.01 * 0.16)
    assert ls.rotations.Oblimin().criterion(loading) == pytest.approx(products)
    shared = 2 * 0.5 * (0.26 * 0.20) / 2
    assert ls.rotations.Oblimin(gamma=0.5).criterion(loading) == pytest.approx(products - shared)
    means = np.sqrt(0.26 * 0.05) + np.sqrt(0.02 * 0.17)
    assert ls.rotations.Geomin().criterion(loading) == pytest.approx(means)


def test_principal_axes_are_in_order_and_uncorrelated(messy: np.ndarray) -> None:
    turned = messy @ ls.rotations.PrincipalAxes().matrix(messy)
    gram = turned.T @ turned
    assert gram[0, 0] > gram[1, 1] and abs(gram[0, 1]) < 1e-9


@pytest.mark.parametrize(
    "rotation",
    [
        ls.rotations.Varimax(),
        ls.rotations.Oblimin(),
        ls.rotations.Geomin(),
        ls.rotations.Quartimax(),
    ],
)
def test_one_skill_is_left_alone(rotation: Rotation) -> None:
    np.testing.assert_array_equal(rotation.matrix(np.ones((4, 1))), [[1.0]])


@pytest.mark.parametrize("value", [0, -1, "a", np.nan, True])
def test_epsilon_is_checked(value) -> None:
    with pytest.raises(SpecError, match="epsilon"):
        ls.rotations.Geomin(epsilon=value)


@pytest.mark.parametrize("value", [0.9, np.inf, None, True])
def test_gamma_is_checked(value) -> None:
    with pytest.raises(SpecError, match="gamma"):
        ls.rotations.Oblimin(gamma=value)


def test_without_statsmodels_the_install_is_told(messy: np.ndarray, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.multivariate.factor_rotation", None)
    with pytest.raises(SpecError, match=r"latentscale\[rotation\]"):
        ls.rotations.Varimax().matrix(messy)
