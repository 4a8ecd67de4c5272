"""Priors: densities compared with formulas written here, and refusals."""

from __future__ import annotations

from math import gamma, inf, lgamma, log, pi

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.integrate import quad

from latentscale.declare import PRIOR_SLOTS, Prior
from latentscale.errors import SpecError

PRIORS = [
    Prior("Normal", mu=0.7, sigma=1.3),
    Prior("StudentT", nu=3.5, mu=-0.4, sigma=0.8),
    Prior("Laplace", mu=0.2, b=0.6),
    Prior("HalfNormal", sigma=0.5),
    Prior("HalfStudentT", nu=4, sigma=1.5),
    Prior("LogNormal", mu=0.3, sigma=0.7),
    Prior("Gamma", alpha=2.5, beta=1.7),
    Prior("Exponential", lam=2.2),
    Prior("Beta", alpha=18, beta=2),
]
RANGE = {"real": (-inf, inf), "positive": (0.0, inf), "unit": (0.0, 1.0)}


def _student(x: float, nu: float, mu: float, s: float) -> float:
    z = (x - mu) / s
    norm = lgamma((nu + 1) / 2) - lgamma(nu / 2) - log(nu * pi) / 2 - log(s)
    return norm - (nu + 1) / 2 * log(1 + z * z / nu)


def by_formula(prior: Prior, x: float) -> float:
    """Log density from textbook formulas in PyMC's parametrisation."""
    n = prior.numbers
    if prior.dist == "Normal":
        return -((x - n["mu"]) ** 2) / (2 * n["sigma"] ** 2) - log(n["sigma"]) - log(2 * pi) / 2
    if prior.dist == "StudentT":
        return _student(x, n["nu"], n["mu"], n["sigma"])
    if prior.dist == "Laplace":
        return -abs(x - n["mu"]) / n["b"] - log(2 * n["b"])
    if prior.dist == "HalfNormal":
        return log(2) - x * x / (2 * n["sigma"] ** 2) - log(n["sigma"]) - log(2 * pi) / 2
    if prior.dist == "HalfStudentT":
        return log(2) + _student(x, n["nu"], 0.0, n["sigma"])
    if prior.dist == "LogNormal":
        z = (log(x) - n["mu"]) / n["sigma"]
        return -z * z / 2 - log(x * n["sigma"]) - log(2 * pi) / 2
    if prior.dist == "Gamma":
        a, b = n["alpha"], n["beta"]
        return a * log(b) - lgamma(a) + (a - 1) * log(x) - b * x
    if prior.dist == "Exponential":
        return log(n["lam"]) - n["lam"] * x
    a, b = n["alpha"], n["beta"]
    return log(gamma(a + b) / gamma(a) / gamma(b)) + (a - 1) * log(x) + (b - 1) * log(1 - x)


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_log_density_follows_the_formula(prior: Prior) -> None:
    low, high = {"real": (-4, 4), "positive": (0.05, 5), "unit": (0.02, 0.98)}[prior.support]
    points = np.linspace(low, high, 23)
    wanted = [by_formula(prior, float(x)) for x in points]
    np.testing.assert_allclose(prior.log_density(points), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_log_density_integrates_to_one_over_its_support_only(prior: Prior) -> None:
    low, high = RANGE[prior.support]
    area, _ = quad(lambda x: float(np.exp(prior.log_density(np.array(x)))), low, high)
    assert area == pytest.approx(1, abs=1e-6)
    if prior.support != "real":
        assert prior.log_density(np.array([-0.5]))[0] == -inf
    if prior.support == "unit":
        assert prior.log_density(np.array([1.5]))[0] == -inf


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_quantiles_and_probabilities_below_are_those_of_the_density(prior: Prior) -> None:
    low = RANGE[prior.support][0]
    for prob in (0.05, 0.5, 0.9):
        at = prior.quantile(prob)
        area, _ = quad(lambda x: float(np.exp(prior.log_density(np.array(x)))), low, at)
        assert area == pytest.approx(prob, abs=1e-6)
        assert prior.below(at) == pytest.approx(prob, abs=1e-9)
    if prior.support != "real":
        assert prior.below(-0.3) == 0.0


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_draws_follow_the_distribution(prior: Prior) -> None:
    drawn = prior.draw((20, 15), np.random.default_rng(3))
    assert drawn.shape == (20, 15)
    shares = [prior.below(float(x)) for x in drawn.ravel()]
    assert stats.kstest(shares, "uniform").pvalue > 1e-5


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_the_numbers_mean_what_they_mean_in_pymc(prior: Prior) -> None:
    points = np.array([0.11, 0.42, 0.83])
    theirs = pm.logp(getattr(pm, prior.dist).dist(**prior.numbers), points)
    np.testing.assert_allclose(
        prior.log_density(points), theirs.eval(mode="FAST_COMPILE"), rtol=1e-5, atol=1e-5
    )


def test_every_supported_distribution_is_tested() -> None:
    from latentscale.declare.prior import _DISTRIBUTIONS

    assert {prior.dist for prior in PRIORS} == set(_DISTRIBUTIONS)


REFUSED = [
    ({"dist": "Normall", "mu": 0, "sigma": 1}, ["Normall", 'Did you mean "Normal"?']),
    ({"dist": "Normal", "mu": 0}, ["exactly", '"sigma"']),
    ({"dist": "Normal", "mu": 0, "sigma": 1, "nu": 3}, ["exactly", '"nu"']),
    ({"dist": "Normal", "mu": 0, "sigma": 0}, ["sigma", "above 0"]),
    ({"dist": "HalfNormal", "sigma": -1}, ["sigma", "above 0", "-1"]),
    ({"dist": "Normal", "mu": float("nan"), "sigma": 1}, ["mu", "finite"]),
    ({"dist": "Normal", "mu": 0, "sigma": inf}, ["sigma", "finite"]),
    ({"dist": "Beta", "alpha": 1, "beta": 0}, ["beta", "above 0"]),
]


@pytest.mark.parametrize(("numbers", "said"), REFUSED)
def test_a_wrong_prior_is_refused_with_a_reason(numbers: dict, said: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        Prior(**numbers)
    for part in said:
        assert part in str(caught.value)


def test_a_wrong_prior_made_in_python_raises_the_package_error() -> None:
    with pytest.raises(SpecError):
        Prior("Normall", mu=0, sigma=1)


def test_a_prior_is_frozen_hashes_and_reads_back() -> None:
    prior = Prior("StudentT", nu=3, mu=0, sigma=1)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        prior.mu = 2.0  # type: ignore[misc]
    assert Prior(**prior.to_dict()) == prior  # type: ignore[arg-type]
    assert hash(Prior(**prior.to_dict())) == hash(prior)  # type: ignore[arg-type]
    assert prior != Prior("StudentT", nu=4, mu=0, sigma=1)
    assert str(prior) == "StudentT(nu=3, mu=0, sigma=1)"


def test_every_slot_says_what_it_is() -> None:
    for name, slot in PRIOR_SLOTS.items():
        assert slot.meaning, name


@pytest.mark.parametrize("prob", [-0.1, 1.5, float("nan"), "half", None])
def test_a_quantile_of_what_is_no_probability_is_refused(prob: object) -> None:
    with pytest.raises(SpecError, match=r"prob must lie in \[0, 1\]"):
        Prior("Normal", mu=0, sigma=1).quantile(prob)  # type: ignore[arg-type]


def test_default_priors_are_those_that_their_reasons_speak_of() -> None:
    """Computed by hand, as their comments say; digests of specs contain the older ones."""
    lambda_ = PRIOR_SLOTS["levelling"].default
    assert lambda_.dist == "HalfNormal"
    assert (1 - np.exp(-2 * lambda_.sigma)) / lambda_.sigma == pytest.approx(1.26, abs=0.005)
    for slot in ("curvature", "benchmark_curvature"):
        kappa = PRIOR_SLOTS[slot].default
        # At -0.125 a slope of 0.5 falls to 0 two standard deviations up: 1.25 of the prior's.
        assert (kappa.dist, kappa.mu, kappa.sigma) == ("Normal", 0, 0.125 / 1.25)
    spread = PRIOR_SLOTS["item_spread"].default
    assert (spread.dist, np.exp(spread.mu), spread.sigma) == ("LogNormal", 1.0, 1)
    share, ratio = (
        PRIOR_SLOTS[slot].default for slot in ("outlier_share", "outlier_precision_ratio")
    )
    assert share.dist == ratio.dist == "Beta" and share.alpha == ratio.alpha == 2
    assert share.alpha / (share.alpha + share.beta) == pytest.approx(0.1)
    assert ratio.alpha / (ratio.alpha + ratio.beta) == pytest.approx(1 / 6)
