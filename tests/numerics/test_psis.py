"""Smoothed weights compared with ArviZ, and ratios without a tail."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from latentscale.numerics.psis import k_limit, pareto_smoothed


def test_the_limit_falls_with_the_number_of_draws() -> None:
    assert k_limit(100) == pytest.approx(0.5) and k_limit(1000) == pytest.approx(2 / 3)
    assert k_limit(2200) == k_limit(10**6) == 0.7
    assert k_limit(10) == k_limit(1) == 0.0


def test_rows_are_smoothed_as_arviz_does() -> None:
    ratio = np.random.default_rng(1).standard_t(3, (2, 3, 400))
    smoothed = pareto_smoothed(ratio, efficiency=0.6)
    weights, shape = array_stats.psislw(-ratio, r_eff=0.6)
    np.testing.assert_allclose(smoothed.log_weights, weights)
    np.testing.assert_allclose(smoothed.pareto_k, shape)
    np.testing.assert_allclose(np.exp(smoothed.log_weights).sum(-1), 1.0)


@pytest.mark.parametrize(
    ("change", "pareto_k", "weights"),
    [
        ({}, 0.0, np.full(400, 1 / 400)),  # all equal
        ({3: np.inf}, np.inf, np.eye(400)[3]),
        ({3: np.nan}, np.inf, np.where(np.arange(400) == 3, 0, 1 / 399)),
        ({3: -np.inf}, 0.0, np.where(np.arange(400) == 3, 0, 1 / 399)),
        ({slice(0, 200): -1.0}, np.nan, None),  # the largest half are equal: no tail
        ({slice(0, 400): -np.inf}, np.inf, np.full(400, 1 / 400)),
    ],
)
def test_ratios_without_a_tail_keep_their_plain_weights(change, pareto_k, weights) -> None:
    ratio = np.zeros(400)
    for place, value in change.items():
        ratio[place] = value
    smoothed = pareto_smoothed(ratio)
    np.testing.assert_equal(float(smoothed.pareto_k), pareto_k)
    mass = np.exp(smoothed.log_weights)
    assert mass.sum() == pytest.approx(1.0)
    if weights is not None:
        np.testing.assert_allclose(mass, weights)


def test_few_draws_have_no_tail() -> None:
    smoothed = pareto_smoothed(np.arange(24.0))
    assert np.isnan(smoothed.pareto_k)
    np.testing.assert_allclose(np.diff(smoothed.log_weights), 1.0)


def test_one_draw_that_outweighs_all_others_is_not_mistaken_for_too_few_draws() -> None:
    """As for a Laplace approximation far from its posterior; the advice was to take more draws."""
    smoothed = pareto_smoothed(np.linspace(-20_000.0, 0.0, 1000))
    assert np.isposinf(smoothed.pareto_k)
    assert np.exp(smoothed.log_weights[-1]) == pytest.approx(1.0, abs=1e-6)
