"""StochasticMarginalML: compared with quadrature on a small table, its parts, and refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import SpecError
from latentscale.inference.stochastic.ascent import (
    StochasticMaximum,
    _covariance_of_mean,
    best_mix,
    run_at_fixed,
)
from latentscale.inference.stochastic.complete import CompleteData, Motion, complete_data
from latentscale.inference.stochastic.latent_chain import LatentChain
from latentscale.inference.stochastic.method import _refuse
from latentscale.inference.tools.posterior_density import PosteriorDensity
from latentscale.model.design import design
from latentscale.posterior.fit import Fit

METHOD = ls.methods.StochasticMarginalML(
    starts=3, steps=480, rounds=4, moves=300, draws=100, cores=1
)
"""With 240 steps a chain sometimes ends far from the maximum, as its status says."""


@pytest.fixture(scope="module")
def stochastic_fit(known, plain_spec: ModelSpec) -> Fit:
    return ls.fit(plain_spec, known.scores, method=METHOD, seed=1, progress=False)


@pytest.fixture(scope="module")
def exact_fit(known, plain_spec: ModelSpec) -> Fit:
    method = ls.MarginalML(starts=2, draws=2000, cores=1)
    return ls.fit(plain_spec, known.scores, method=method, seed=1, progress=False)


@pytest.fixture(scope="module")
def complete(known, plain_spec: ModelSpec) -> CompleteData:
    return complete_data(plain_spec, design(plain_spec, known.scores), np.random.default_rng(1))


def test_it_agrees_with_quadrature(stochastic_fit: Fit, exact_fit: Fit) -> None:
    """Every estimate is within a third of a standard error.

    A tenth is Monte Carlo error; families taken from their mean over 26 make a scale 2% of
    itself, about 0.15 standard errors, larger.
    """
    assert stochastic_fit.status.converged, stochastic_fit.status
    ours = stochastic_fit.tree["estimate"].to_dataset().to_dataframe()
    theirs = exact_fit.tree["estimate"].to_dataset()
    assert len(ours) == theirs.sizes["parameter"]
    values = dict(zip(theirs["parameter"].values, theirs["estimate"].values, strict=True))
    errors = dict(zip(theirs["parameter"].values, theirs["se_observed"].values, strict=True))
    benchmarks, skills = stochastic_fit.scores.benchmarks, ("alpha", "delta")
    names = {f"slope[0, {k}]": f"slope[log_flops, {skill}]" for k, skill in enumerate(skills)}
    scales = {f"precision[{j}]": f"precision[{name}]" for j, name in enumerate(benchmarks)}
    scales |= {f"family_scale[{k}]": f"family_scale[{skill}]" for k, skill in enumerate(skills)}
    loadings = {
        f"loading_raw[{j}, {k}]": f"loading[{name}, {skill}]"
        for j, name in enumerate(benchmarks)
        for k, skill in enumerate(skills)
        if name not in skills
    }
    positive = stochastic_fit.spec.prior("loading").support == "positive"
    for own, name in (names | scales | loadings).items():
        estimate = ours.loc[own, "estimate"]
        if own in scales or (own in loadings and positive):
            estimate = np.exp(estimate)
        assert abs(estimate - values[name]) < errors[name] / 3, name
        assert ours.loc[own, "monte_carlo_error"] < 0.2 * ours.loc[own, "se_observed"], name


def test_standard_errors_agree_with_quadrature(stochastic_fit: Fit, exact_fit: Fit) -> None:
    for name in ("precision", "slope", "family_scale"):
        ours, theirs = (
            fit.posterior[name].std(("chain", "draw")) for fit in (stochastic_fit, exact_fit)
        )
        ratio = ours / theirs
        assert float(ratio.min()) > 0.7 and float(ratio.max()) < 1.4, name


def test_controls_have_mean_zero_and_take_noise_away(complete: CompleteData) -> None:
    rng = np.random.default_rng(2)
    chain = LatentChain(complete.target, complete.target.start, complete.latents, 8, rng)
    for number in range(300):
        chain.move()
        if number == 150:
            chain.learn_mass()
    # Batches of 150 moves: latents stay correlated over some dozens of moves.
    pairs = [complete.score(chain.move()) for _ in range(3000)]
    scores, controls = (np.array(part) for part in zip(*pairs, strict=True))
    means = np.array([part.mean(axis=0) for part in np.array_split(controls, 20)])
    z = means.mean(axis=0) / (means.std(axis=0, ddof=1) / np.sqrt(20))
    assert np.abs(z).max() < 4.5
    reduced = scores - controls @ best_mix(scores, controls).T
    assert (reduced.std(axis=0) <= scores.std(axis=0) + 1e-9).all()
    worst = np.argmax(scores.std(axis=0))
    assert reduced.std(axis=0)[worst] < 0.5 * scores.std(axis=0)[worst]


def test_the_score_is_that_of_the_likelihood_alone(complete: CompleteData) -> None:
    """With latents fixed: the log likelihood as differences of the density minus the prior's."""
    rng = np.random.default_rng(3)
    point = complete.target.start + 0.2 * rng.standard_normal(complete.target.size)
    score, _ = complete.score(point)
    place = complete.labels.index("intercept[0]")
    step = np.zeros(point.size)
    step[complete.parameters[place]] = 1e-5
    values = complete.target.values(np.stack([point + step, point - step]))
    prior = complete.prior(point)[complete.parameters[place]]
    assert score[place] == pytest.approx((values[0] - values[1]) / 2e-5 - prior, rel=1e-4)


def test_a_short_step_from_afar_is_no_arrival(complete: CompleteData) -> None:
    """The distance from the maximum is estimated by the Newton step, not by the step taken."""
    start = complete.target.start.copy()
    start[complete.parameters] += 1.5
    chain = LatentChain(complete.target, start, complete.latents, 8, np.random.default_rng(5))
    for _ in range(100):
        chain.move()
    run = run_at_fixed(complete, chain, 100, 1)
    taken = np.abs(run.step) / np.sqrt(np.diag(run.covariance))
    assert taken.max() <= 2 + 1e-9
    assert run.distance > 2


def test_the_error_of_a_mean_score_is_that_of_its_batches() -> None:
    """For 2,000 independent scores, the covariance of the mean is a 2,000th of theirs."""
    rng, spread = np.random.default_rng(8), np.array([[1.0, 0.0], [1.5, 2.0]])
    found = np.mean(
        [_covariance_of_mean(rng.standard_normal((2000, 2)) @ spread.T) for _ in range(100)], axis=0
    )
    # With 100 estimates from 20 batches each, the relative standard error is 0.032.
    wanted = spread @ spread.T / 2000
    np.testing.assert_allclose(found, wanted, atol=0.2 * wanted.max())
    assert found[0, 0] == pytest.approx(wanted[0, 0], rel=0.2)
    # Scores that stay constant for ten moves have ten times the variance.
    kept = np.repeat(rng.standard_normal((200 * 50, 1)), 10, axis=0).reshape(50, 2000, 1)
    slow = np.mean([_covariance_of_mean(one) for one in kept])
    assert slow == pytest.approx(1 / 200, rel=0.25)


def test_what_the_likelihood_does_not_identify_is_named() -> None:
    """Scores of the second parameter vary more than its complete-data information allows."""
    rng = np.random.default_rng(6)
    chain = SimpleNamespace(point=np.zeros(2), move=lambda: np.zeros(2))
    spread = np.array([0.5, 3.0])
    complete = SimpleNamespace(
        score=lambda point: (spread * rng.standard_normal(2), rng.standard_normal(1)),
        information=lambda point, mix, cores: np.eye(2),
    )
    run = run_at_fixed(complete, chain, 400, 1)
    assert run.flat.tolist() == [False, True]
    maximum = StochasticMaximum(np.zeros(2), np.eye(2), np.full(2, 0.01), 0.1, 0.9, run.flat)
    status = METHOD._status(maximum, ("first", "second"))
    assert not status.converged
    assert 'does not identify "second"' in status.advice[0]


def test_latents_of_any_term_can_be_integrated_out(small_scores: ls.Scores) -> None:
    """Benchmarks' intercepts around their mean are latents too; families have no latents here."""
    document = {
        "name": "pooled",
        "covariates": ["log_flops"],
        "skills": {"count": 0},
        "family": {"level": "fixed"},
        "benchmarks": {"slopes": ["log_flops"], "pooled": True},
    }
    spec = spec_from_dict(document)
    _refuse(spec, design(spec, small_scores))


def test_the_gradient_of_the_prior_is_the_same_in_threads(complete: CompleteData) -> None:
    """Climbs share the function; two threads overwrote its storage, or found it empty."""
    rng = np.random.default_rng(3)
    points = [complete.target.start + 0.1 * rng.standard_normal(complete.target.size) for _ in "ab"]
    alone = [complete.prior(point) for point in points]

    def repeated(place: int) -> bool:
        return all(np.array_equal(complete.prior(points[place]), alone[place]) for _ in range(400))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(repeated, [0, 1, 0, 1]))


def test_latents_are_drawn_from_their_distribution() -> None:
    covariance = np.array([[1.0, 0.6], [0.6, 0.5]])
    inverse = np.linalg.inv(covariance)

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        slope = np.append(-inverse @ point[:2], 0.0)
        return float(0.5 * point[:2] @ slope[:2]), slope

    target = PosteriorDensity(
        np.array([2.0, 2.0, 7.0]), evaluate, lambda x: {"x": x}, {"x": ("p",)}, {}
    )
    chain = LatentChain(target, target.start, np.array([0, 1]), 6, np.random.default_rng(4))
    for _ in range(300):
        chain.move()
    chain.learn_mass()
    for _ in range(200):
        chain.move()
    chain.adapt = False
    drawn = np.array([chain.move().copy() for _ in range(6000)])
    assert (drawn[:, 2] == 7.0).all()
    np.testing.assert_allclose(np.cov(drawn[:, :2].T), covariance, atol=0.08)
    np.testing.assert_allclose(drawn[:, :2].mean(axis=0), 0, atol=0.08)


@pytest.mark.parametrize("turns", [True, False])
def test_a_control_is_the_divergence_of_its_field(turns: bool) -> None:
    """v . grad log p + div v, with the divergence by finite differences of the velocity."""
    rng = np.random.default_rng(5)
    motion = Motion(np.arange(6).reshape(3, 2), rng.standard_normal((3, 2)), turns)
    point, slope = rng.standard_normal(6), rng.standard_normal(6)
    controls = motion.controls(point, slope)
    assert controls.size == motion.size
    for number in range(motion.size):
        weights = np.eye(motion.size)[number]
        field = motion.velocity(point, weights).ravel()
        divergence = sum(
            (motion.velocity(point + 1e-6 * e, weights).ravel() @ e - field @ e) / 1e-6
            for e in np.eye(6)
        )
        assert controls[number] == pytest.approx(field @ slope + divergence, abs=1e-4)


def test_specs_without_a_maximum_or_latents_are_refused(known, plain_spec: ModelSpec) -> None:
    for name, said in (("sloth", "anchored"), ("pooled_flops", "latents")):
        with pytest.raises(SpecError, match=said):
            ls.fit(ls.load_spec(name), known.scores, method=METHOD, progress=False)


def test_it_says_what_it_is_good_for_and_forecasts(stochastic_fit: Fit, known) -> None:
    assert "MarginalML refuses" in stochastic_fit.status.good_for
    assert stochastic_fit.posterior.sizes["draw"] == METHOD.draws
    forecast = ls.predict(stochastic_fit, known.frame.head(3))
    assert np.isfinite(forecast.mean_draws.values).all()
