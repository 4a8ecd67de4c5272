"""The marginal likelihood compared with the package's own equations, quadpack and Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.inference.marginal import kernel
from latentscale.inference.marginal.latents import draw_latents
from latentscale.inference.marginal.likelihood import MarginalLikelihood, marginal_likelihood
from latentscale.inference.marginal.parameters import cholesky_of_partials
from latentscale.inference.marginal.quadrature import gauss_hermite
from latentscale.inference.tools.regressions import partials_of_cholesky
from latentscale.model.design import Design, design
from latentscale.model.evaluate import NO_RESIDUALS, Evaluator
from latentscale.model.likelihoods.beta import BetaNoise

ANCHORED = {"kind": "anchored", "anchors": ["alpha", "delta"], "unit": "family"}
VARIANTS: dict[str, dict] = {
    "cai": {
        "covariates": ["log_params", "log_tokens", "log_params:log_tokens"],
        "skills": {"count": 2, "identify": ANCHORED},
        "family": {"level": "partial", "correlated": True},
    },
    "one skill": {"skills": {"count": 1, "identify": ANCHORED}},
    "three skills, anchor unit, every regression": {
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 3, "identify": {**ANCHORED, "unit": "anchor"}},
        "family": {"level": "partial", "correlated": True},
        "benchmarks": {
            "link": {"kind": "power-logistic"},
            "ceiling": "estimated",
            "slopes": ["log_tokens"],
            "instruct": {"shift": True, "slopes": ["log_params"]},
            "precision_covariates": ["log_params", "log_tokens"],
        },
    },
    "cloglog": {
        "covariates": [],
        "skills": {"count": 2, "identify": ANCHORED},
        "benchmarks": {"link": {"kind": "cloglog"}, "ceiling": "estimated"},
    },
}


def prepared(name: str, scores: Scores) -> tuple[ModelSpec, Design, MarginalLikelihood, np.ndarray]:
    """Return a variant on a table, at a point away from its start."""
    spec = spec_from_dict({"name": name, **VARIANTS[name]})
    table = design(spec, scores)
    likelihood = marginal_likelihood(spec, table)
    rng = np.random.default_rng(4)
    start = likelihood.start
    return spec, table, likelihood, start + 0.15 * rng.standard_normal(start.size)


@pytest.mark.parametrize("link", kernel.LINKS.values())
@pytest.mark.parametrize("eta", [-6.0, -0.7, 0.0, 1.3, 5.0])
def test_links_have_the_derivatives_that_differences_give(link: int, eta: float) -> None:
    def curve(power: float) -> np.ndarray:
        rise, fall = np.expm1(np.log(2) / power), np.expm1(-np.log(2) / power)
        by = fall + (fall + 1) * np.log(2) / power
        slopes = [-np.log(2) / power**2 / fall, 0.5 * by / (power * fall) ** 2]
        return np.array([[0.0, 1.0, power, -np.log(rise), -0.5 / (power * fall), *slopes]])

    step = 1e-5
    _, h1, h2, by_power = kernel.link_value(link, eta, curve(2.3), 0)
    up, down = (kernel.link_value(link, eta + s, curve(2.3), 0) for s in (step, -step))
    np.testing.assert_allclose(h1, (up[0] - down[0]) / (2 * step), rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(h2, (up[1] - down[1]) / (2 * step), rtol=1e-6, atol=1e-10)
    more, less = (kernel.link_value(link, eta, curve(2.3 + s), 0)[0] for s in (step, -step))
    np.testing.assert_allclose(by_power, (more - less) / (2 * step), rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_loops_say_what_the_packages_equations_say(name: str, known) -> None:
    spec, table, likelihood, vector = prepared(name, known.scores)
    rng = np.random.default_rng(0)
    y = rng.standard_normal((likelihood.families, 3, likelihood.parameters.skills))
    joint = likelihood.joint_at(vector, y) + 0.5 * np.square(y).sum(axis=2)
    draws = likelihood.parameters.dataset(vector, ())
    alpha = y @ likelihood.parameters.natural(vector)["factor"].T
    effects = xr.Dataset(
        {"family_skill": (("family", "sample", "skill"), alpha)},
        coords={"family": list(table.families), "skill": draws["skill"].values},
    )
    at = Evaluator.of(spec, table.transform, table.scores.dataset).at(
        draws, table.scores.dataset, residuals=NO_RESIDUALS, effects=effects
    )
    eta = at.eta
    score = xr.DataArray(np.nan, coords=eta.isel(sample=0).coords, dims=("model", "benchmark"))
    score = score.copy()
    score.values[table.model_of_cell, table.benchmark_of_cell] = table.score_of_cell
    cells = BetaNoise().log_density(score, at.mean, at.precision)
    by_model = cells.transpose("model", "benchmark", "sample").sum("benchmark").values
    wanted = np.zeros((likelihood.families, 3))
    np.add.at(wanted, table.family_of_model, by_model)
    np.testing.assert_allclose(joint, wanted, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_gradient_is_that_of_the_sum(name: str, small_scores: Scores) -> None:
    _, _, likelihood, vector = prepared(name, small_scores)
    nodes = gauss_hermite(likelihood.parameters.skills, 3)
    placement = likelihood.place(vector)
    values, scores = likelihood.with_scores(vector, placement, nodes)
    np.testing.assert_allclose(values, likelihood.by_family(vector, placement, nodes), rtol=1e-10)
    step = 1e-5
    wanted = np.stack(
        [
            likelihood.by_family(vector + step * e, placement, nodes)
            - likelihood.by_family(vector - step * e, placement, nodes)
            for e in np.eye(vector.size)
        ],
        axis=1,
    ) / (2 * step)
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)
    assert (np.abs(scores).max(axis=0) > 1e-4).all()  # every parameter matters somewhere


def test_one_dimension_agrees_with_quadpack(small_scores: Scores) -> None:
    _, _, likelihood, vector = prepared("one skill", small_scores)
    placement = likelihood.place(vector)
    by_family = likelihood.by_family(vector, placement, gauss_hermite(1, 15))
    for family in range(likelihood.families):
        mode = placement.modes[family, 0]
        y = np.zeros((likelihood.families, 1, 1))

        def density(value: float, family: int = family, y: np.ndarray = y) -> float:
            y[family] = value
            peak = placement.peaks[family]
            return float(np.exp(likelihood.joint_at(vector, y)[family, 0] - peak))

        width = 12 * placement.spreads[family, 0, 0]
        area = integrate.quad(density, mode - width, mode + width, epsabs=1e-10)[0]
        wanted = np.log(area) + placement.peaks[family] - 0.5 * np.log(2 * np.pi)
        assert by_family[family] == pytest.approx(wanted, abs=1e-5)


def test_quadrature_agrees_with_monte_carlo(small_scores: Scores) -> None:
    """Monte Carlo from the prior of the latents, by definition, with known error."""
    _, _, likelihood, vector = prepared("cai", small_scores)
    by_family = likelihood.by_family(vector, likelihood.place(vector), gauss_hermite(2, 7))
    y = np.random.default_rng(1).standard_normal((likelihood.families, 200_000, 2))
    log_p = likelihood.joint_at(vector, y) + 0.5 * np.square(y).sum(axis=2)
    top = log_p.max(axis=1, keepdims=True)
    weight = np.exp(log_p - top)
    wanted = np.log(weight.mean(axis=1)) + top[:, 0]
    error = weight.std(axis=1) / weight.mean(axis=1) / np.sqrt(weight.shape[1])
    assert error.max() < 0.05
    assert (np.abs(by_family - wanted) < 4 * error + 1e-3).all()
    assert np.abs(likelihood.place(vector).laplace - by_family).max() > 1e-4  # Laplace differs


def test_latents_are_drawn_from_their_conditional(small_scores: Scores) -> None:
    _, _, likelihood, vector = prepared("one skill", small_scores)
    placement = likelihood.place(vector)
    grid = np.linspace(-5, 5, 2001)
    y = np.broadcast_to(grid[None, :, None], (likelihood.families, 2001, 1))
    log_p = likelihood.joint_at(vector, np.ascontiguousarray(y))
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(2)
    repeated = np.repeat(vector[None], 800, axis=0)
    drawn = draw_latents(likelihood, repeated, placement, 32, rng, cores=1)
    assert (drawn.effective > 0.5).all()
    for family in range(likelihood.families):
        distribution = np.cumsum(weight[family])
        place = np.interp(drawn.skill[:, family, 0], grid, distribution)
        assert stats.kstest(place, "uniform").pvalue > 1e-3


def test_partial_correlations_round_trip() -> None:
    partial = np.random.default_rng(0).uniform(-0.9, 0.9, (5, 10))
    factor = cholesky_of_partials(partial, 5)
    correlation = factor @ np.swapaxes(factor, -1, -2)
    np.testing.assert_allclose(np.einsum("nkk->nk", correlation), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.cholesky(correlation), factor, atol=1e-10)
    for one, back in zip(factor, partial, strict=True):
        np.testing.assert_allclose(partials_of_cholesky(one), back, atol=1e-10)


@pytest.mark.parametrize("dimension, order", [(1, 3), (3, 3), (2, 5), (4, 5)])
def test_gauss_hermite_integrates_moments(dimension: int, order: int) -> None:
    rule = gauss_hermite(dimension, order)
    z = rule.points
    weight = np.exp(rule.log_weights - 0.5 * np.square(z).sum(axis=1))
    assert weight.sum() == pytest.approx(1) and not z[0].any()
    np.testing.assert_allclose((z.T * weight) @ z, np.eye(dimension), atol=1e-12)
    assert weight @ z[:, 0] ** 4 == pytest.approx(3)
    pruned = gauss_hermite(dimension, order, drop=0.01)
    assert len(pruned.points) <= len(z)


def test_the_start_is_no_worse_than_no_start(known) -> None:
    _, _, likelihood, _ = prepared("cai", known.scores)
    start = likelihood.start

    def value(vector: np.ndarray) -> float:
        return float(likelihood.place(vector).laplace.sum())

    assert np.isfinite(start).all()
    assert value(start) > value(np.zeros_like(start)) + 50
