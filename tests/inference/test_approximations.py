"""ADVI, Pathfinder and Laplace on normal targets, where the answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import latentscale as ls
from latentscale.errors import FitError
from latentscale.inference.approximations import advi, laplace, pathfinder
from latentscale.inference.approximations.elbo import WholeClimber, maximise_elbo
from latentscale.inference.approximations.normals import FullRank, MeanField
from latentscale.model.design import design
from latentscale.numerics.climb import climb
from latentscale.numerics.path_normals import normals_along

MEAN = np.array([1.0, -2.0, 0.5, 3.0])
SPREAD = np.diag([1.0, 0.3, 2.0, 0.7])
CORRELATION = np.array(
    [[1.0, 0.6, 0.0, 0.3], [0.6, 1.0, 0.2, 0.0], [0.0, 0.2, 1.0, -0.5], [0.3, 0.0, -0.5, 1.0]]
)
COVARIANCE = SPREAD @ CORRELATION @ SPREAD

RUNS = 6
"""A single run's mean is off by some 0.07, from noise in the last steps; all together by 0.03."""


@pytest.fixture
def target(normal_density):
    """A correlated normal in four dimensions."""
    return normal_density(MEAN, COVARIANCE)


def run(density, start, seed: int = 0, steps: int = 20_000):
    rng = np.random.default_rng(seed)
    quiet = {"window": 250, "learning_rate": None, "report": lambda done, elbo: None}
    return maximise_elbo(lambda: WholeClimber(density, start, rng), steps=steps, **quiet)


def test_mean_field_advi_finds_the_nearest_independent_normal(target) -> None:
    runs = [run(target, MeanField.at(target.start), seed) for seed in range(RUNS)]
    assert all(maximum.converged and not maximum.interrupted for maximum in runs)
    parameters = np.mean([maximum.normal.parameters for maximum in runs], axis=0)
    np.testing.assert_allclose(parameters[:4], MEAN, atol=0.08)
    wanted = np.diag(np.linalg.inv(COVARIANCE)) ** -0.5  # Bishop 2006, eq. (10.12)
    np.testing.assert_allclose(np.exp(parameters[4:]), wanted, rtol=0.06)
    bound = 0.5 * np.log(2 * np.pi) * 4 + np.log(wanted).sum()
    for maximum in runs:
        assert maximum.elbo == pytest.approx(bound, abs=4 * maximum.error + 0.02)


def test_full_rank_advi_finds_the_target_itself(target) -> None:
    start = FullRank.from_mean_field(MeanField.at(target.start))
    runs = [run(target, start, seed) for seed in range(RUNS)]
    means = np.mean([maximum.normal.parameters[:4] for maximum in runs], axis=0)
    np.testing.assert_allclose(means, MEAN, atol=0.1)
    factors = [maximum.normal.factor for maximum in runs]
    assert all((np.triu(factor, 1) == 0).all() for factor in factors)
    covariance = np.mean([factor @ factor.T for factor in factors], axis=0)
    np.testing.assert_allclose(covariance, COVARIANCE, atol=0.15)
    evidence = 0.5 * np.linalg.slogdet(2 * np.pi * COVARIANCE)[1]
    for maximum in runs:
        assert maximum.elbo == pytest.approx(evidence, abs=4 * maximum.error + 0.03)


def test_too_few_steps_are_not_called_converged(target) -> None:
    result = run(target, MeanField.at(target.start), steps=700)
    assert not result.converged and result.steps == 700


def test_few_steps_are_shared_between_trials_and_the_climb(target) -> None:
    """Trials of three rates with 100 steps each would use up 200 steps."""
    result = run(target, MeanField.at(target.start), steps=200)
    assert result.steps == 200 and np.isfinite(result.elbo)
    assert np.abs(result.normal.parameters[:4] - target.start).max() > 0.5


def test_an_elbo_that_is_not_finite_has_not_converged(target) -> None:
    def evaluate(point: np.ndarray):
        return np.asarray(np.nan), np.zeros(4)

    result = run(replace(target, evaluate=evaluate), MeanField.at(target.start))
    assert not result.converged
    assert "is not finite" in advi._faults(result)[0]


def test_ctrl_c_in_the_first_window_keeps_the_steps_taken(target) -> None:
    calls = iter(range(10**6))

    def evaluate(point: np.ndarray):
        if next(calls) == 500:  # trials would take 300, so 200 of the first 250
            raise KeyboardInterrupt
        return target.evaluate(point)

    result = run(replace(target, evaluate=evaluate), MeanField.at(target.start))
    assert result.interrupted
    assert np.abs(result.normal.parameters[:4] - target.start).max() > 0.5


def test_ctrl_c_keeps_the_approximation_so_far(target) -> None:
    calls = iter(range(10**6))

    def evaluate(point: np.ndarray):
        if next(calls) == 3000:
            raise KeyboardInterrupt
        return target.evaluate(point)

    result = run(replace(target, evaluate=evaluate), MeanField.at(target.start))
    assert result.interrupted and not result.converged
    np.testing.assert_allclose(result.normal.parameters[:4], MEAN, atol=1.0)


@pytest.mark.parametrize("kind", [MeanField, FullRank])
def test_draws_of_an_approximation_have_its_density(kind, target) -> None:
    rng = np.random.default_rng(1)
    normal = MeanField(np.concatenate([MEAN, np.log([0.5, 2.0, 1.0, 0.1])]))
    covariance = np.diag([0.25, 4.0, 1.0, 0.01])
    if kind is FullRank:
        matrix = np.tril(rng.normal(size=(4, 4)))
        normal = FullRank(np.concatenate([MEAN, matrix.ravel()]))
        np.fill_diagonal(matrix, np.exp(np.diag(matrix)))
        covariance = matrix @ matrix.T
    points, log_q = normal.draw(6, rng)
    wanted = stats.multivariate_normal(MEAN, covariance)
    np.testing.assert_allclose(log_q, wanted.logpdf(points))
    assert normal.entropy == pytest.approx(wanted.entropy())


@pytest.mark.parametrize("kind", [MeanField, FullRank])
def test_the_elbos_gradient_is_that_of_its_one_draw_estimate(kind, target) -> None:
    rng = np.random.default_rng(5)
    normal = MeanField(rng.normal(size=8))
    if kind is FullRank:
        matrix = np.tril(rng.normal(size=(4, 4)))
        normal = FullRank(np.concatenate([rng.normal(size=4), matrix.ravel()]))
    noise = rng.standard_normal(4)

    def estimate(parameters: np.ndarray) -> float:
        moved = normal.with_parameters(parameters)
        return target.value_and_gradient(moved.point(noise))[0] + moved.entropy

    slope = target.value_and_gradient(normal.point(noise))[1]
    gradient = normal.gradient(noise, slope)
    for index in np.nonzero(gradient)[0]:
        step = np.zeros_like(gradient)
        step[index] = 1e-6
        rise = estimate(normal.parameters + step) - estimate(normal.parameters - step)
        assert gradient[index] == pytest.approx(rise / 2e-6, rel=1e-5, abs=1e-6)


def dense_inverse(alpha: np.ndarray, steps: list, changes: list) -> np.ndarray:
    """The BFGS inverse Hessian by its recursion (Nocedal and Wright 2006, eq. (6.17))."""
    inverse = np.diag(alpha)
    for step, change in zip(steps, changes, strict=True):
        rho = 1 / (step @ change)
        left = np.eye(len(step)) - rho * np.outer(step, change)
        inverse = left @ inverse @ left.T + rho * np.outer(step, step)
    return inverse


def test_pathfinders_normals_are_those_of_the_bfgs_matrix(target) -> None:
    begin = np.full(4, 2.0)
    path = climb(target.value_and_gradient, begin, steps=50, history=5, tolerance=1e-12)
    np.testing.assert_array_equal(path.points[0], begin)
    assert path.converged
    np.testing.assert_allclose(path.mode, MEAN, atol=1e-2)
    normals = normals_along(path, 3)
    steps = np.diff(path.points, axis=0)
    changes = -np.diff(path.gradients, axis=0)
    assert len(normals) == len(steps)
    rng = np.random.default_rng(0)
    for index in (1, 2, len(steps) - 1):
        normal = normals[index]
        recent = slice(max(index - 2, 0), index + 1)
        inverse = dense_inverse(normal.alpha, list(steps[recent]), list(changes[recent]))
        points, log_q = normal.draw(5, rng)
        mean = path.points[index + 1] + inverse @ path.gradients[index + 1]
        np.testing.assert_allclose(normal.mean, mean, rtol=1e-6, atol=1e-8)
        wanted = stats.multivariate_normal(mean, (inverse + inverse.T) / 2)
        np.testing.assert_allclose(log_q, wanted.logpdf(points), rtol=1e-6)
        elsewhere = mean + rng.standard_normal((5, 4))
        np.testing.assert_allclose(
            normal.log_density(elsewhere), wanted.logpdf(elsewhere), rtol=1e-6
        )


def test_draws_without_replacement_differ_and_follow_their_weights() -> None:
    share = np.array([0.5, 0.3, 0.2])
    rng = np.random.default_rng(2)
    pairs = [set(pathfinder._without_replacement(np.log(share), 2, rng)) for _ in range(4000)]
    assert {len(pair) for pair in pairs} == {2}
    left_out = np.mean([0 not in pair for pair in pairs])
    assert left_out == pytest.approx(0.3 * 0.2 / 0.7 + 0.2 * 0.3 / 0.8, abs=0.02)


def test_laplace_is_exact_for_a_normal(target) -> None:
    mode, factor, floored, gradient = laplace._at_mode(target, np.zeros(4))
    np.testing.assert_allclose(mode, MEAN, atol=1e-6)
    np.testing.assert_allclose(factor @ factor.T, COVARIANCE, rtol=1e-6, atol=1e-12)
    assert floored == 0 and gradient < 1e-6


def test_laplaces_draws_have_the_density_that_it_states(
    target, quick_spec, small_scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laplace, "build_design", lambda spec, design: None)
    monkeypatch.setattr(laplace, "posterior_density", lambda model: target)
    table = design(quick_spec, small_scores)
    drawn = ls.Laplace(draws=4000).draw(quick_spec, table, seed=1, progress=False)
    assert drawn.sample_stats is not None
    points = drawn.posterior["x"].values[0]
    exact = stats.multivariate_normal(MEAN, COVARIANCE).logpdf(points)
    np.testing.assert_allclose(drawn.sample_stats["log_q"].values[0], exact, atol=1e-4)
    np.testing.assert_allclose(drawn.sample_stats["log_weight"].values[0], -np.log(4000), atol=1e-3)
    # With 4,000 draws a correlation has a standard error of at most 0.016, a mean of 0.016.
    unit = (points - MEAN) / np.diag(SPREAD)
    np.testing.assert_allclose(np.cov(unit.T), CORRELATION, atol=0.12)
    np.testing.assert_allclose(unit.mean(axis=0), 0, atol=0.08)


def test_a_mode_that_was_not_reached_is_said() -> None:
    assert laplace._faults(0, 1e-4) == ()
    (said,) = laplace._faults(0, 0.5)
    assert "did not reach the mode: raise max_iterations" in said


def test_a_saddle_is_told(normal_density) -> None:
    def evaluate(point: np.ndarray):
        return np.asarray(-(point[0] ** 2) + point[1] ** 2), np.array([-2.0, 2.0]) * point

    density = replace(normal_density(np.zeros(2), np.eye(2)), evaluate=evaluate)
    _, factor, floored, gradient = laplace._at_mode(density, np.zeros(2))
    assert floored == 1 and np.isfinite(factor).all()
    assert "wrong way in 1 direction, which was" in laplace._faults(floored, gradient)[0]


def test_a_density_that_is_not_finite_is_refused_by_laplace(
    target, quick_spec, small_scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(point: np.ndarray):
        return np.asarray(np.nan), np.zeros(4)

    monkeypatch.setattr(
        laplace, "posterior_density", lambda model: replace(target, evaluate=evaluate)
    )
    with pytest.raises(FitError, match="log density is not finite"):
        ls.fit(quick_spec, small_scores, method=ls.Laplace(draws=30), progress=False)


def test_large_models_are_refused_where_a_matrix_would_not_fit(
    monkeypatch, quick_spec, small_scores
) -> None:
    monkeypatch.setattr(laplace, "MAX_PARAMETERS", 5)
    with pytest.raises(FitError, match=r"12 x 12.*ADVI"):
        ls.fit(quick_spec, small_scores, method=ls.Laplace(), progress=False)
    monkeypatch.setattr(advi, "MAX_FULL_RANK", 5)
    method = ls.ADVI(approximation="full_rank")
    with pytest.raises(FitError, match=r"12 parameters.*mean_field"):
        ls.fit(quick_spec, small_scores, method=method, progress=False)
