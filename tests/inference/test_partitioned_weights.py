"""Weights of partitioned inference: draws of shared parameters, and lineages' candidates."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from latentscale.inference.partitioned.conditional import Sampler, centre
from latentscale.inference.partitioned.method import _Table
from latentscale.inference.partitioned.shard import Floats, Shard
from latentscale.inference.partitioned.tasks import Result
from latentscale.inference.partitioned.weights import Proposals, Weighted, refitted, weighted
from latentscale.inference.tools.posterior_density import PosteriorDensity
from latentscale.model.batches import Batch, VariableSlices

FREEDOM = 15
"""Degrees of freedom of a refitted proposal."""


def evenly(draws: Floats, weight: Floats) -> Weighted:
    none = np.zeros(len(draws))
    ess = 1 / float((weight**2).sum())
    return Weighted(draws, none, weight, none, 0.1, ess, 0.0, 1.0)


def test_a_refitted_proposal_is_the_student_t_of_the_weighted_moments() -> None:
    """The covariance is shrunk towards the previous one, the more so the fewer effective draws."""
    rng = np.random.default_rng(1)
    draws = rng.standard_normal((40, 3)) @ np.diag([1.0, 2.0, 0.5]) + np.array([3.0, -1.0, 0.4])
    weight = rng.uniform(0.1, 1, 40)
    before = evenly(draws, weight / weight.sum())
    half = rng.standard_normal((3, 3))
    values, vectors = np.linalg.eigh(half @ half.T + np.eye(3))
    root = (vectors * np.sqrt(values)) @ vectors.T
    proposals = refitted(before, root, rng)
    mean = np.average(draws, axis=0, weights=weight)
    share = before.ess / (before.ess + 3)
    covariance = share * np.cov(draws.T, aweights=weight, ddof=0) + (1 - share) * root @ root
    density = stats.multivariate_t(mean, covariance, df=FREEDOM).logpdf(proposals.draws)
    np.testing.assert_allclose(np.ptp(proposals.log_q - density), 0, atol=1e-9)


def test_draws_are_weighed_by_their_prior_and_every_shard() -> None:
    rng = np.random.default_rng(2)
    draws = rng.standard_normal((300, 2))
    proposals = Proposals(draws, draws, stats.norm.logpdf(draws).sum(axis=1))

    def level(place: int) -> Floats:
        return np.asarray(-0.1 * (draws[:, place] - 0.5) ** 2)

    results: list[Result] = [
        {
            "level": level(place),
            "halves": np.stack([level(place)] * 2, axis=1),
            "ess": np.tile([share, 0.8, 0.9], (300, 1)) * 32,
            "candidates": np.array(32),
        }
        for place, share in enumerate((0.2, 0.5))
    ]

    def prior(point: Floats) -> tuple[float, Floats]:
        return float(-0.05 * (point + 1) @ (point + 1)), np.zeros(2)

    found = weighted(proposals, results, prior)
    log_p = level(0) + level(1) - 0.05 * ((draws + 1) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.log_p, log_p, atol=1e-12)
    # Smoothing replaces the largest fifth of the weights; the others keep their ratios.
    log_ratio = log_p - proposals.log_q
    small = log_ratio < np.quantile(log_ratio, 0.5)
    apart = np.log(found.weight) - log_ratio
    np.testing.assert_allclose(np.ptp(apart[small]), 0, atol=1e-9)
    assert found.weight.sum() == pytest.approx(1)
    assert found.ess == pytest.approx(1 / np.sum(found.weight**2))
    assert found.error == 0.0  # both halves of the candidates agree
    assert found.unit_share == pytest.approx(0.8)  # the median of 0.2, 0.5, 0.8, 0.8, 0.9, 0.9


def test_the_error_is_half_the_distance_of_the_halves_means() -> None:
    """Halves tilted by d and -d in one of two axes have means d and -d there."""
    tilt = 0.2
    at = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    standard = np.stack([at, np.random.default_rng(3).permutation(at)], axis=1)
    proposals = Proposals(standard, standard, stats.norm.logpdf(standard).sum(axis=1))
    level = proposals.log_q
    halves = np.stack([level + tilt * at, level - tilt * at], axis=1)
    result: Result = {
        "level": level,
        "halves": halves,
        "ess": np.ones((1, 1)),
        "candidates": np.array(1),
    }
    found = weighted(proposals, [result], lambda point: (0.0, np.zeros(2)))
    assert found.error == pytest.approx(tilt / np.sqrt(2), rel=0.05)


def test_a_draw_of_shared_parameters_comes_with_the_latents_drawn_given_it() -> None:
    """Also if families of two shards alternate, and if a draw is chosen twice."""
    slices = VariableSlices(
        shapes={"slope": (2,), "family_skill_raw": (4, 1)},
        dims={"slope": ("covariate",), "family_skill_raw": ("family", "skill")},
    )
    batches = [Batch(None, {"family": np.array(own)}) for own in ([0, 3], [1, 2])]  # type: ignore[arg-type]
    draws = np.arange(3.0)[:, None] + np.array([0.1, 0.2])
    results: list[Result] = [
        {"latents": np.arange(3.0)[:, None] + np.array(own)} for own in ([10, 13], [11, 12])
    ]
    whole: Any = SimpleNamespace(size=6)
    table = _Table(None, slices, tuple(batches), whole, None, np.array([0, 1]))  # type: ignore[arg-type]
    points = table.points(draws, results, np.array([2, 0, 2]))
    first = np.array([0.1, 0.2, 10, 11, 12, 13])
    np.testing.assert_allclose(points, first + np.array([[2], [0], [2]]))


def sampler() -> Sampler:
    """Candidates of two lineages, with two latents and one of density exp(b z - z^2/2 - z^4/5)."""

    def evaluate(point: Floats) -> tuple[float, Floats]:
        b, z = point[:1], point[1:]
        value = float((b * z - z**2 / 2 - z**4 / 5).sum())
        return value, np.concatenate([[z.sum()], b - z - 0.8 * z**3])

    density = PosteriorDensity(np.zeros(4), evaluate, lambda point: {}, {}, {})
    places = np.array([[1, 2], [3, -1]])
    shard = Shard(density, lambda b: (0.0, np.zeros(1)), np.arange(1), places, np.arange(2))
    here = centre(shard, np.array([0.4]), np.zeros((2, 2)))
    return Sampler.of(shard, here, 4000, np.random.default_rng(4), renew=False)


def test_latents_go_back_to_a_point_in_its_order() -> None:
    """A lineage's latents are not contiguous there: families come first, then models."""
    density = PosteriorDensity(np.zeros(5), lambda point: (0.0, point), lambda point: {}, {}, {})
    places = np.array([[1, 3], [2, -1]])
    shard = Shard(density, lambda b: (0.0, b), np.array([0, 4]), places, np.arange(2))
    latents = np.array([[10.0, 30.0], [20.0, 0.0]])
    np.testing.assert_array_equal(shard.in_order(latents), [10, 20, 30])
    point = shard.point(np.array([0.5, 4.5]), latents)
    np.testing.assert_array_equal(point, [0.5, 10, 20, 30, 4.5])
    np.testing.assert_array_equal(shard.rows(point), latents)


def test_lineages_of_fewer_latents_have_their_own_marginal_likelihood() -> None:
    def density(z: float) -> float:
        return float(np.exp(0.6 * z - z**2 / 2 - z**4 / 5))

    found = sampler().at(np.array([0.6]), np.random.default_rng(5))
    assert found.level == pytest.approx(3 * np.log(integrate.quad(density, -9, 9)[0]), abs=0.03)
    assert found.latents[1, 1] == 0.0


def test_halves_are_the_estimates_by_each_half_of_the_candidates() -> None:
    whole, at = sampler(), np.array([0.6])
    found = whole.at(at, np.random.default_rng(5))
    parts = [
        replace(whole, noise=noise).at(at, np.random.default_rng(5)).level
        for noise in np.split(whole.noise, 2)
    ]
    np.testing.assert_allclose(found.halves, parts, rtol=1e-12)
    assert parts[0] != parts[1]
