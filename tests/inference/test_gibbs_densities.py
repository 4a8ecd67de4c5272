"""Conditional densities of Gibbs sampling compared with joint densities from SciPy and priors.

As a function of the number that is drawn, a conditional changes as the joint density does, with the
Jacobian of everything that moves along. `test_gibbs` checks that sweeps preserve the joint
distribution, but with some hundred draws; a missing Jacobian of one number of many would pass
there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from latentscale.data.scores import Scores
from latentscale.declare import Prior
from latentscale.inference.gibbs import model_noise, populations, slices
from latentscale.inference.gibbs import rescale as rescaling
from latentscale.inference.gibbs import skills as skill_draws
from latentscale.inference.gibbs.chain import Chain
from latentscale.inference.gibbs.kernels import normal_draw
from latentscale.inference.gibbs.problem import problem_of
from latentscale.inference.gibbs.skills import SkillState, nested_design
from latentscale.inference.gibbs.slices import log_prior, prior_code
from latentscale.model.design import design
from tests.inference.gibbs_prior import chain_from_prior
from tests.inference.gibbs_specs import gibbs_spec, without_floors

PRIORS = [
    Prior("Normal", mu=0.3, sigma=2),
    Prior("StudentT", nu=3, mu=0.2, sigma=1.5),
    Prior("Laplace", mu=-0.2, b=0.7),
    Prior("HalfNormal", sigma=0.6),
    Prior("HalfStudentT", nu=4, sigma=0.8),
    Prior("LogNormal", mu=0.4, sigma=0.9),
    Prior("Gamma", alpha=2.5, beta=1.3),
    Prior("Exponential", lam=1.7),
    Prior("Beta", alpha=2.2, beta=3.1),
]
WIDE = Prior("HalfStudentT", nu=3, sigma=2)
LOGS = np.array([-1.1, 0.0, 0.7])


@pytest.fixture(scope="module")
def table(small_scores: Scores) -> Scores:
    return without_floors(small_scores)


def changes(values: Any) -> np.ndarray:
    """Return values minus the first: densities are known up to a constant."""
    values = np.asarray(values, dtype=float)
    return values - values[0]


def test_the_loops_know_the_density_of_every_prior() -> None:
    assert {prior.dist for prior in PRIORS} == set(slices._DISTRIBUTIONS)
    at = np.array([0.15, 0.5, 0.93])
    for prior in PRIORS:
        ours = [log_prior(prior_code(prior), float(x)) for x in at]
        np.testing.assert_allclose(changes(ours), changes(prior.log_density(at)), atol=1e-12)


def test_a_standard_deviation_has_the_density_of_effects_scores_and_prior() -> None:
    rng = np.random.default_rng(1)
    effects = rng.standard_normal(7)
    unit, weight = rng.standard_normal(9), rng.uniform(0.5, 2, 9)
    left = rng.standard_normal(9)  # scores minus everything except x times unit
    at = 0.8
    slope = float(np.sum(weight * unit * (left - at * unit)))
    bend = float(np.sum(weight * unit**2))
    code, square = prior_code(WIDE), float(np.sum(effects**2))
    ours = [slices._scale_density(x, code, 7.0, square, slope, bend, at) for x in LOGS]
    wanted = [
        WIDE.log_density(np.exp(x))
        + stats.norm(0, np.exp(x)).logpdf(effects).sum()
        + stats.norm(np.exp(x) * unit, 1 / np.sqrt(weight)).logpdf(left).sum()
        + x
        for x in LOGS
    ]
    np.testing.assert_allclose(changes(ours), changes(wanted), atol=1e-10)


@pytest.mark.parametrize("tail", [0.0, 3.5])
def test_a_precision_has_the_density_of_residuals_and_prior(tail: float) -> None:
    residual = np.random.default_rng(2).standard_normal(8)
    prior = Prior("LogNormal", mu=1, sigma=0.8)
    logs = LOGS + 2
    ours = [slices._noise_density(x, prior_code(prior), residual**2, tail) for x in logs]
    scales = 2 / np.sqrt(np.exp(logs))
    noises = [stats.t(tail, 0, s) if tail else stats.norm(0, s) for s in scales]
    wanted = [
        noise.logpdf(residual).sum() + prior.log_density(np.exp(x)) + x
        for noise, x in zip(noises, logs, strict=True)
    ]
    np.testing.assert_allclose(changes(ours), changes(wanted), atol=1e-10)


def test_degrees_of_freedom_have_the_density_of_residuals_and_prior() -> None:
    standard = np.random.default_rng(3).standard_normal(6)
    prior = Prior("Gamma", alpha=2, beta=0.1)
    ours = [slices.tail_density(x, prior_code(prior), standard**2) for x in LOGS + 1]
    wanted = [
        stats.t(np.exp(x)).logpdf(standard).sum() + prior.log_density(np.exp(x)) + x
        for x in LOGS + 1
    ]
    np.testing.assert_allclose(changes(ours), changes(wanted), atol=1e-10)


def residuals_of_models(effects: np.ndarray, standard: np.ndarray, tail: np.ndarray) -> float:
    """Return the log density of residuals (model, cell) whose precision is exp(effect) times."""
    density = 0.0
    for effect, own, nu in zip(effects, standard, tail, strict=True):
        scale = np.exp(-effect / 2)
        noise = stats.t(nu[0], 0, scale) if nu[0] else stats.norm(0, scale)
        density += float(noise.logpdf(own).sum())
    return density


def test_noise_by_model_has_the_density_of_residuals_and_prior() -> None:
    rng = np.random.default_rng(4)
    standard, unit = rng.standard_normal((3, 4)), rng.standard_normal(3)
    tail = np.array([[0.0] * 4, [3.0] * 4, [0.0] * 4])
    start = np.arange(0, 13, 4)
    square, flat = standard.ravel() ** 2, tail.ravel()
    ours = [
        model_noise.spread_density(x, prior_code(WIDE), unit, start, square, flat) for x in LOGS
    ]
    wanted = [
        residuals_of_models(np.exp(x) * unit, standard, tail) + WIDE.log_density(np.exp(x)) + x
        for x in LOGS
    ]
    np.testing.assert_allclose(changes(ours), changes(wanted), atol=1e-10)
    for i in (0, 1):
        ours = [model_noise._effect_density(x, 0.7, standard[i] ** 2, tail[i]) for x in LOGS]
        wanted = [
            residuals_of_models(np.array([x]), standard[i : i + 1], tail[i : i + 1])
            + stats.norm(0, 0.7).logpdf(x)
            for x in LOGS
        ]
        np.testing.assert_allclose(changes(ours), changes(wanted), atol=1e-10)


def test_the_spread_of_noise_by_model_is_drawn_given_every_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of effects and their squares, as used by the first of its two draws."""
    given: list[tuple[float, float]] = []

    def noted(x: float, prior: Any, power: float, square: float, *rest: Any) -> float:
        given.append((power, square))
        return x

    monkeypatch.setattr(model_noise, "slice_scale", noted)
    monkeypatch.setattr(model_noise, "slice_number", lambda density, at, rng: at)
    noise = model_noise.ModelNoise(prior_code(WIDE), np.array([0, 1, 1, 2]), 3)
    noise.draw(np.ones(4), np.zeros(4), np.random.default_rng(1))
    assert given == [(3.0, pytest.approx(float(np.sum(noise.effect**2))))]


def test_mixing_weights_have_their_distribution_given_residuals(table: Scores) -> None:
    """A score's precision is phi / 4 times Gamma((nu + 1) / 2, rate (nu + z) / 2), z scaled."""
    spec = gibbs_spec("pooled")
    chain = chain_from_prior(problem_of(spec, design(spec, table)), np.random.default_rng(10))
    cells, shares = chain.problem.cells, []
    for _ in range(30):
        chain._draw_noise()
        tail, phi = chain.tail[cells.bench], chain.precision()
        scaled = chain._left() ** 2 * phi / 4
        weights = stats.gamma(0.5 * (tail + 1), scale=2 / (tail + scaled))
        shares.append(weights.cdf(4 * chain.weight / phi))
    assert np.size(shares) > 1000
    assert stats.kstest(np.ravel(shares), "uniform").pvalue > 1e-6


def test_a_normal_draw_has_the_mean_and_covariance_of_its_precision() -> None:
    rng = np.random.default_rng(5)
    root = rng.standard_normal((4, 4))
    precision, shift = root @ root.T + np.eye(4), rng.standard_normal(4)
    mean = normal_draw(precision.copy(), shift, np.zeros(4))
    np.testing.assert_allclose(mean, np.linalg.solve(precision, shift), rtol=1e-10)
    columns = np.array([normal_draw(precision.copy(), shift, unit) - mean for unit in np.eye(4)])
    np.testing.assert_allclose(columns.T @ columns, np.linalg.inv(precision), atol=1e-10)


# Moves along which everything is rescaled, and what moves with correlations and shares.


def prior_of_effect(chain: Chain, state: SkillState) -> float:
    """Return the log prior of an effect on skills and of its standard deviations."""
    spec, block = chain.problem.spec, state.block
    density = 0.0
    if block.scales is not None:
        density += float(spec.prior(block.scales.name).log_density(state.scale).sum())
    if block.prior is not None:
        return density + float(block.prior.log_density(state.latent).sum())
    if block.effect.correlated:
        factor = state.factor()
        return density + float(
            stats.multivariate_normal(np.zeros(len(factor)), factor @ factor.T)
            .logpdf(state.latent)
            .sum()
        )
    return density + float(stats.norm(0, state.deviations()).logpdf(state.latent).sum())


def prior_of_loadings(chain: Chain) -> float:
    """Return the log prior of free loadings and of their population."""
    plan, spec = chain.problem.loading, chain.problem.spec
    skills = chain.loading.shape[1]
    if plan.pooled is None:
        free = plan.normal | plan.positive
        for k, j in enumerate(plan.anchors):
            free[j, k] = False
        density = float(spec.prior("loading").log_density(chain.loading[free]).sum())
        own = chain.loading[plan.anchors, np.arange(skills)] if len(plan.anchors) else []
        return density + float(np.sum([spec.prior("anchor_loading").log_density(x) for x in own]))
    population, name = chain.population["loading"], plan.pooled.pooling.name
    density = 0.0
    for k in range(skills):
        noise = stats.norm(population.middle(k), population.spread[k])
        density += float(noise.logpdf(chain.loading[:, k]).sum())
        density += float(
            stats.norm(0, population.group_spread[k]).logpdf(population.group[k]).sum()
        )
        for what in ("mean", "spread", "group_spread"):
            value = getattr(population, what)[k]
            density += float(spec.prior(f"{name}_{what}").log_density(value))
    return density


def numbers_that_move(chain: Chain) -> int:
    """Return how many numbers are multiplied minus how many are divided, over all skills."""
    plan = chain.problem.loading
    count = 0
    for state in chain.states:
        count += state.latent.size
        scales = state.block.scales
        if scales is not None and "skill" in scales.dims:
            count += state.scale.size
    count -= int((plan.normal | plan.positive).sum())
    if plan.pooled is not None:
        population = chain.population["loading"]
        count -= 3 * len(population.mean) + population.group.size
    return count


@pytest.mark.parametrize(
    "name", ["pooled", "unpooled families", "unit families", "spreads by covariate"]
)
def test_rescaled_skills_have_the_density_of_all_that_moves(
    name: str, table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = gibbs_spec(name)
    chain = chain_from_prior(problem_of(spec, design(spec, table)), np.random.default_rng(6))
    assert rescaling.can_rescale(chain.problem.loading)
    step, found = 0.3, []

    def moved(density: Any, at: float, rng: Any, width: float) -> float:
        found.append(density(at + step) - density(at))
        return at + step

    monkeypatch.setattr(rescaling, "slice_number", moved)
    left = chain._left()
    before = sum(prior_of_effect(chain, s) for s in chain.states) + prior_of_loadings(chain)
    chain._rescale_skills()
    after = sum(prior_of_effect(chain, s) for s in chain.states) + prior_of_loadings(chain)
    assert len(found) == chain.problem.skills
    assert sum(found) == pytest.approx(after - before + step * numbers_that_move(chain), abs=1e-8)
    np.testing.assert_allclose(chain._left(), left, atol=1e-10)
    np.testing.assert_allclose(chain.theta, chain._skills(), atol=1e-10)


def correlation(partial: np.ndarray) -> np.ndarray:
    """Return the correlation matrix of three skills from partial correlations 12, 13, 23 given 1.

    Joe 2006, "Generating random correlation matrices based on partial correlations".
    """
    one, two, three = partial
    last = one * two + three * np.sqrt((1 - one**2) * (1 - two**2))
    return np.array([[1, one, two], [one, 1, last], [two, last, 1]])


def log_lkj(logits: np.ndarray, concentration: float) -> float:
    """Return the LKJ log density of partial correlations tanh(x / 2), with the Jacobian in x."""

    def entries(x: np.ndarray) -> np.ndarray:
        return correlation(np.tanh(x / 2))[np.tril_indices(3, -1)]

    step = 1e-6
    columns = [(entries(logits + s) - entries(logits - s)) / (2 * step) for s in step * np.eye(3)]
    volume = np.linalg.slogdet(np.array(columns))[1]
    determinant = np.linalg.slogdet(correlation(np.tanh(logits / 2)))[1]
    return float((concentration - 1) * determinant + volume)


def test_correlations_and_spreads_have_the_density_of_effects_and_lkj(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors = {"kind": "anchored", "anchors": ["alpha", "beta", "delta"], "unit": "anchor"}
    spec = gibbs_spec("lineages").with_(
        {"skills.count": 3, "skills.identify": anchors, "family.lineage": False}
    )
    rng = np.random.default_rng(7)
    chain = chain_from_prior(problem_of(spec, design(spec, table)), rng)
    (state,) = (s for s in chain.states if s.block.effect.correlated)
    assert len(state.partial) == len(state.scale) == 3
    found = []

    def moved(density: Any, at: float, rng: Any) -> float:
        found.append(density(at + 0.4) - density(at))
        return at + 0.4

    def joint() -> float:
        logits = 2 * np.arctanh(state.partial)
        lkj = log_lkj(logits, skill_draws.LKJ_CONCENTRATION)
        return prior_of_effect(chain, state) + lkj + float(np.log(state.scale).sum())

    monkeypatch.setattr(skill_draws, "slice_number", moved)
    before = joint()
    skill_draws._draw_correlated(state, rng)
    assert len(found) == 6
    assert sum(found) == pytest.approx(joint() - before, abs=1e-5)
    factor = skill_draws.skill_cholesky(state.partial, 3)
    np.testing.assert_allclose(factor @ factor.T, correlation(state.partial), atol=1e-12)


def test_a_share_of_lineages_has_the_density_of_scores_and_prior(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = gibbs_spec("lineages")
    rng = np.random.default_rng(8)
    chain = chain_from_prior(problem_of(spec, design(spec, table)), rng)
    (state,) = (s for s in chain.states if s.block.effect.nesting is not None)
    models, skills = chain.theta.shape
    root = rng.standard_normal((models, skills, skills))
    precision, shift = root @ root.swapaxes(1, 2), rng.standard_normal((models, skills))
    found = []

    def moved(density: Any, at: float, rng: Any) -> float:
        found.append(density(at + 0.4) - density(at))
        return at + 0.4

    def joint(theta: np.ndarray) -> float:
        fit = np.sum(shift * theta) - 0.5 * np.einsum("ik,ikm,im->", theta, precision, theta)
        prior = stats.beta(2, 2).logpdf(state.share)
        return float(fit + prior + np.log(state.share * (1 - state.share)))

    monkeypatch.setattr(skill_draws, "slice_number", moved)
    begin, theta, share = joint(chain.theta), chain.theta.copy(), state.share
    after = skill_draws._draw_share(spec, state, precision, shift, chain.theta, rng)
    assert len(found) == 1 and found[0] == pytest.approx(joint(after) - begin, rel=1e-9)
    old, new = (nested_design(state.block, s) for s in (share, state.share))
    np.testing.assert_allclose(after - theta, (new - old) @ state.latent, atol=1e-10)


class Still:
    """A source of random numbers whose normal draws are all 0, so that draws are means."""

    def standard_normal(self, size: int) -> np.ndarray:
        return np.zeros(size)


def test_a_population_is_drawn_given_its_members(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mean and groups' means compared with least squares, spreads with the joint density."""
    prior = {"signed_loading_mean": Prior("Normal", mu=0.4, sigma=0.5)}
    spec = gibbs_spec("pooled").with_priors(prior)
    chain = chain_from_prior(problem_of(spec, design(spec, table)), np.random.default_rng(9))
    state = chain.population["loading"]
    x = chain.loading[:, 1]
    spread, group_spread = state.spread[1], state.group_spread[1]
    member = state.prior.member
    assert member.shape == (4, 2)
    log_ratios, place = (0.2, 0.3, -0.4), iter(range(3))
    found = []

    def moved(at: float, code: Any, *rest: Any) -> float:
        change = log_ratios[next(place)]
        ends = (np.log(at), np.log(at) + change)
        before, after = (slices._scale_density(float(end), code, *rest[:-1]) for end in ends)
        found.append(after - before)
        return float(at * np.exp(change))

    def joint() -> float:
        inner = stats.norm(state.middle(1), state.spread[1]).logpdf(x).sum()
        groups = stats.norm(0, state.group_spread[1]).logpdf(state.group[1]).sum()
        priors = [
            spec.prior(f"signed_loading_{what}").log_density(value[1])
            for what, value in (("spread", state.spread), ("group_spread", state.group_spread))
        ]
        jacobian = np.log(state.spread[1]) + np.log(state.group_spread[1])
        return float(inner + groups + sum(priors) + jacobian)

    monkeypatch.setattr(populations, "slice_scale", moved)
    design_rows = np.hstack([np.ones((4, 1)), member]) / spread
    prior_rows = np.diag([1 / 0.5, 1 / group_spread, 1 / group_spread])
    stacked = np.vstack([design_rows, prior_rows])
    wanted = np.linalg.lstsq(stacked, np.concatenate([x / spread, [0.4 / 0.5, 0, 0]]))[0]
    state.draw(1, x, np.ones(4, bool), Still())  # type: ignore[arg-type]
    assert state.mean[1] == pytest.approx(wanted[0])
    # Groups' means, in units of their spread, follow its last change.
    np.testing.assert_allclose(state.group[1], wanted[1:] * np.exp(log_ratios[2]), rtol=1e-9)
    after = joint()
    state.group[1], state.spread[1] = wanted[1:], spread
    state.group_spread[1] = group_spread
    # Moving the groups' means along adds their number times the log ratio to the log Jacobian.
    assert sum(found) == pytest.approx(after - joint() + 2 * log_ratios[2], abs=1e-8)
