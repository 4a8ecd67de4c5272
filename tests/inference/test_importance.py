"""Pareto k of weights with known tails, and smoothed weights."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

import latentscale as ls
from latentscale.inference.approximations import advi, laplace
from latentscale.inference.approximations.importance import (
    Weights,
    importance_weights,
    weight_stats,
)
from latentscale.inference.method import Method
from latentscale.numerics.psis import k_limit
from latentscale.posterior.status import status_of_approximation


@pytest.mark.parametrize("shape", [0.2, 0.5, 1.0])
def test_pareto_k_is_the_tails_shape(shape: float) -> None:
    uniform = (np.arange(20_000) + 0.5) / 20_000  # quantiles: random numbers would be off by 0.1
    weights = importance_weights(-shape * np.log(uniform), np.zeros(20_000))
    assert weights.pareto_k == pytest.approx(shape, abs=0.08)


def test_weights_correct_an_expectation() -> None:
    rng = np.random.default_rng(2)
    draws = rng.normal(0, 1.5, 20_000)
    log_p = stats.norm.logpdf(draws, 0.5, 1) + 7.0  # unnormalised
    smoothed = importance_weights(log_p, stats.norm.logpdf(draws, 0, 1.5))
    weights = np.exp(smoothed.log_weights)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights * draws).sum() == pytest.approx(0.5, abs=0.03)
    assert (weights * (draws - 0.5) ** 2).sum() == pytest.approx(1.0, abs=0.05)
    assert smoothed.pareto_k < 0.3


def test_the_posterior_itself_has_even_weights() -> None:
    log_p = np.random.default_rng(0).normal(size=400)
    weights = importance_weights(log_p, log_p - 3.0)
    assert weights.pareto_k == 0.0
    np.testing.assert_allclose(np.exp(weights.log_weights), 1 / 400)


def test_impossible_draws_have_no_weight() -> None:
    log_p = np.random.default_rng(0).normal(size=400)
    log_p[[3, 50]] = -np.inf, np.nan
    weights = importance_weights(log_p, np.zeros(400))
    assert np.isfinite(weights.pareto_k)
    assert np.exp(weights.log_weights)[[3, 50]].max() < 1e-100
    nothing = importance_weights(np.full(400, -np.inf), np.zeros(400))
    assert nothing.pareto_k == np.inf


def test_too_few_draws_say_so() -> None:
    weights = importance_weights(np.arange(20.0), np.zeros(20))
    assert np.isnan(weights.pareto_k)
    status = status_of_approximation(weights.pareto_k, (), figures="", good_for="")
    assert status.converged is False and "100 draws" in status.advice[0]


def test_statistics_are_named() -> None:
    log_p, log_q = np.arange(30.0) % 7, np.arange(30.0) % 5
    named = weight_stats(log_p, log_q, importance_weights(log_p, log_q))
    assert set(named.data_vars) == {"lp", "log_q", "log_weight"}
    assert named["lp"].dims == ("chain", "draw")
    np.testing.assert_array_equal(named["lp"].isel(chain=0), log_p)


@pytest.mark.parametrize(
    ("pareto_k", "faults", "interrupted", "converged", "said"),
    [
        (0.3, (), False, True, "converged"),
        (0.9, (), False, False, "not confirmed"),
        (0.3, ("Raise steps.",), False, False, "not converged"),
        (0.3, (), True, False, "interrupted"),
        (np.inf, (), False, False, "not confirmed"),
    ],
)
def test_the_status_of_an_approximation(pareto_k, faults, interrupted, converged, said) -> None:
    status = status_of_approximation(
        pareto_k, faults, figures="ELBO 1", good_for="a look", interrupted=interrupted
    )
    assert status.converged is converged and said in status.message and "ELBO 1" in status.message
    assert bool(status.advice) is not converged
    assert status.pareto_k == pareto_k and status.good_for == "a look" and status.is_posterior


def test_draws_without_their_weights_must_be_closer() -> None:
    """Above k = 1/2 weights have infinite variance, whatever the number of draws."""
    assert k_limit(10_000, weighted=False) == 0.5 < k_limit(10_000) == 0.7
    assert k_limit(50, weighted=False) == k_limit(50) < 0.5


@pytest.mark.parametrize(
    ("module", "method"), [(laplace, ls.Laplace(draws=1000)), (advi, ls.ADVI(draws=1000))]
)
def test_unweighted_draws_are_not_called_converged_where_only_weighted_ones_are_right(
    module: ModuleType, method: Method, quick_spec, small_scores, monkeypatch, tmp_path
) -> None:
    """On a skewed posterior they passed, with standard deviations two thirds of the right ones."""

    def fitted(pareto_k: float) -> ls.Fit:
        weights = lambda p, q: Weights(np.full(len(p), -np.log(len(p))), pareto_k)  # noqa: E731
        monkeypatch.setattr(module, "importance_weights", weights)
        return ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)

    between, close = fitted(0.6), fitted(0.45)
    assert between.status.converged is False and "above 0.50" in between.status.advice[-1]
    assert close.status.converged is True and close.status.advice == ()
    assert ls.diagnose(between).approximation_limit == 0.5
    between.save(tmp_path / "fit.nc")
    assert ls.diagnose(ls.load(tmp_path / "fit.nc")).approximation_limit == 0.5


def test_an_approximation_is_close_by_the_limit_of_the_weights_that_it_drew_by(
    prior_fit, quick_spec, small_scores
) -> None:
    """Pathfinder resamples more draws, from all paths, than it keeps, so its limit is higher."""
    made = prior_fit(quick_spec, small_scores, draws=100)

    def limit(method: Method, name: str, pareto_k: float = 0.1) -> float | None:
        provenance = replace(made.provenance, method=name, settings=method.settings)
        status = replace(made.status, pareto_k=pareto_k, converged=True)
        return ls.diagnose(replace(made, provenance=provenance, status=status)).approximation_limit

    assert limit(ls.Pathfinder(draws=100, paths=4), "Pathfinder") == k_limit(400) > k_limit(100)
    assert limit(ls.Laplace(draws=100), "Laplace") == k_limit(100) == 0.5
    assert limit(ls.Laplace(draws=100), "of a package that is not installed") == k_limit(100)


@pytest.mark.parametrize(("pareto_k", "passed"), [(0.4, True), (0.6, False)])
def test_an_approximation_that_an_earlier_version_called_close_is_judged_by_the_limit_shown(
    prior_fit, quick_spec, small_scores, pareto_k: float, passed: bool
) -> None:
    """The report called it close with a Pareto k of 0.60, where at most 0.50 is allowed."""
    fit = prior_fit(quick_spec, small_scores, draws=100)
    provenance = replace(fit.provenance, method="Laplace")
    status = replace(fit.status, pareto_k=pareto_k, converged=True)
    diagnosis = ls.diagnose(replace(fit, provenance=provenance, status=status))
    assert diagnosis.approximation_limit == 0.5 and diagnosis.passed is passed
    assert diagnosis.advice == () if passed else "0.60, above 0.50" in diagnosis.advice[0]


def test_few_draws_bear_a_smaller_pareto_k() -> None:
    for draws, converged in ((200, False), (100_000, True)):
        status = status_of_approximation(0.6, (), figures="", good_for="", limit=k_limit(draws))
        assert status.converged is converged
    assert (
        "above 0.57"
        in status_of_approximation(0.6, (), figures="", good_for="", limit=k_limit(200)).advice[0]
    )
