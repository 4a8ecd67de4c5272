"""Shifts of shared effects: directions, their prior, and forecasts compared with brute force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.forecasts.directions import Directions
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores, fitted_scores
from latentscale.analysis.forecasts.groups import family_groups, fitted_group, joined_group
from latentscale.analysis.forecasts.latents import (
    draw_noise_of_models,
    local_problem,
    slope_and_curvature,
)
from latentscale.analysis.forecasts.moves import SHIFT, moved_by
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.forecasts.shared_effects import shared_effects
from latentscale.analysis.forecasts.shifts import Shifts, shifts_for
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.dims import SAMPLE
from latentscale.inference.gibbs.skills import group_matrices
from latentscale.model.normal_effects import Nesting
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN


def spec_of(**fields: object) -> ModelSpec:
    return spec_from_dict(
        {
            "name": "dated",
            "covariates": ["log_params"],
            "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True},
            "family": {"level": "partial", "lineage": True},
            "terms": [{"kind": "trend", "covariate": "log_params", "knots": 4}],
            **fields,
        }
    )


def later(**scores: float) -> pd.DataFrame:
    """One new model beyond all fitted sizes."""
    row = {"model": "new", "family": "new", "params_b": 400.0, "tokens_t": 5.0, "instruct": 0}
    return pd.DataFrame([row | scores])


def shifts_of(fit: Fit, table: pd.DataFrame) -> tuple[xr.Dataset, Shifts]:
    planned = planned_rows(fit, table)
    groups = family_groups(fit, planned, new_scores(fit, planned))
    draws = fit.samples.drop_vars(list(ORIGIN))
    made = shifts_for(fit, draws, joined_group([group.of_new_scores() for group in groups]))
    assert made is not None
    return draws, made


@pytest.fixture(scope="module")
def grouped(small_scores: Scores) -> Scores:
    names = {"alpha": "a", "beta": "a", "gamma": "b", "delta": "b"}
    info = {n: replace(small_scores.benchmark_info[n], group=g) for n, g in names.items()}
    return Scores.from_frame(small_scores.to_frame(), benchmarks=info)


@pytest.fixture(scope="module")
def fit(grouped: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    """Ten prior draws of a spec in which every effect moves."""
    terms = [{"kind": "model-group"}, *[t.model_dump() for t in spec_of().terms]]
    return prior_fit(spec_of(benchmarks={"pooled": True}, terms=terms), grouped, draws=10)


def test_old_predictors_move_as_the_directions_say(fit: Fit) -> None:
    draws, made = shifts_of(fit, later(alpha=0.9, gamma=0.8))
    group = fitted_group(fit)
    for place in range(2):
        moves = made.directions.moves
        unit = np.eye(2)[[place] * 10]
        there = draws.assign(moved_by(draws, moves, unit).data_vars)
        noise = draw_noise_of_models(fit, draws, group, np.random.default_rng(0))
        at = local_problem(fit, there, group, noise, hold=True)
        wanted = at.offset - made.old.problem.offset
        np.testing.assert_allclose(made.directions.old[..., place], wanted, atol=1e-8)


def test_directions_have_unit_variance_in_the_gaussian_model(fit: Fit) -> None:
    """The prior's curvature plus that of old scores along them is the identity, on average."""
    _, made = shifts_of(fit, later(alpha=0.9, gamma=0.8))
    d = made.directions
    _, curvature = slope_and_curvature(made.old.problem, made.old.problem.offset)
    weight = np.maximum(np.maximum(curvature, 0).mean(axis=0), 1e-3)
    whole = d.bend + d.old.swapaxes(1, 2) @ (weight[:, None] * d.old)
    np.testing.assert_allclose(whole, np.broadcast_to(np.eye(2), whole.shape), atol=1e-6)


def family_density(fit: Fit, draws: xr.Dataset, at: xr.Dataset) -> np.ndarray:
    """Return the log prior density of families' levels, by the latents that the model has."""
    levels = at["family_skill"].transpose(SAMPLE, "family", "skill").values
    if "lineage_skill" not in draws:
        return -0.5 * (levels**2).sum(axis=(1, 2))
    lineages = at["lineage_skill"].transpose(SAMPLE, "lineage", "skill").values
    index = fit.design.lineage_of_family
    nesting = Nesting("lineage_share", "lineage_skill", "lineage", index)
    density = []
    for place, share in enumerate(draws["lineage_share"].values):
        to_levels = np.concatenate(group_matrices(nesting, float(share), True))
        both = np.concatenate([lineages[place], levels[place]])
        latents = np.linalg.lstsq(to_levels, both, rcond=None)[0]
        np.testing.assert_allclose(to_levels @ latents, both, atol=1e-8)
        density.append(-0.5 * (latents**2).sum())
    return np.array(density)


def prior_change(fit: Fit, draws: xr.Dataset, there: xr.Dataset) -> np.ndarray:
    """By hand: differences of normal log densities of all effects that move."""
    known = fit.design.transform
    step = (known.upper["log_params"] - known.lower["log_params"]) / known.scale["log_params"] / 4
    sd = {
        "slope": fit.spec.prior("slope").sigma,
        "intercept": fit.spec.prior("intercept").sigma,
        "trend_change": draws["trend_scale"] * step**0.5,
        "residual": draws["residual_scale"],
    }
    levels = ["family_skill", *(["lineage_skill"] if "lineage_skill" in draws else [])]
    assert set(there.data_vars) == {*sd, *levels}
    change = family_density(fit, draws, there) - family_density(fit, draws, draws)
    for name, scale in sd.items():
        ratio = -0.5 * (there[name] ** 2 - draws[name] ** 2) / scale**2
        change = change + ratio.sum([d for d in ratio.dims if d != SAMPLE]).values
    return np.asarray(change)


@pytest.mark.parametrize("scales", ["by-skill", "shared"])
@pytest.mark.parametrize("lineage", [False, True])
def test_the_prior_of_a_shift_is_that_of_the_effects(
    lineage: bool, scales: str, grouped: Scores, prior_fit: Callable[..., Fit]
) -> None:
    family = {"level": "partial", "lineage": lineage}
    spec = spec_of(family=family).with_({"skills.identify.scales": scales})
    fit = prior_fit(spec, grouped, draws=6)
    draws, made = shifts_of(fit, later(alpha=0.9, gamma=0.8))
    shift = np.random.default_rng(1).normal(size=(6, 2))
    change = prior_change(fit, draws, moved_by(draws, made.directions.moves, shift))
    d = made.directions
    wanted = -(d.slope * shift).sum(1) - np.einsum("sc,scd,sd->s", shift, d.bend, shift) / 2
    np.testing.assert_allclose(change, wanted, rtol=1e-6, atol=1e-7)


def test_a_correction_is_the_true_density_over_the_gaussian_one(
    grouped: Scores, prior_fit: Callable[..., Fit]
) -> None:
    """Both are relative to the draw itself; by hand from the old scores at the shifted draws."""
    fit = prior_fit(spec_of(family={"level": "partial"}), grouped, draws=6)
    draws, made = shifts_of(fit, later(alpha=0.9, gamma=0.8))
    group = fitted_group(fit)
    index = np.array([4, 0, 4, 2])
    u = np.random.default_rng(2).normal(size=(4, 2))
    shift = made.mode[index] + (made.factor[index] @ u[..., None])[..., 0]
    chosen = draws.isel({SAMPLE: index})
    there = moved_by(chosen, made.directions.moves.isel({SAMPLE: index}), shift)
    noise = draw_noise_of_models(fit, chosen, group, np.random.default_rng(0))
    likelihoods = []
    for at in (chosen.assign(there.data_vars), chosen):
        problem = local_problem(fit, at, group, noise, hold=True)
        likelihoods.append(problem.log_likelihood(problem.offset).sum(axis=1))
    gaussian = [
        stats.multivariate_normal(mode, factor @ factor.T).logpdf([at, [0, 0]])
        for mode, factor, at in zip(made.mode[index], made.factor[index], shift, strict=True)
    ]
    wanted = likelihoods[0] - likelihoods[1] + prior_change(fit, chosen, there)
    wanted -= np.array([at_shift - at_draw for at_shift, at_draw in gaussian])
    np.testing.assert_allclose(made.log_correction(index, u), wanted, rtol=1e-6, atol=1e-6)


def test_pooled_intercepts_have_the_precision_of_their_groups(fit: Fit) -> None:
    """The inverse of spread^2 I + group_spread^2 M M', around the mean."""
    draws = fit.samples.drop_vars(list(ORIGIN))
    made = shared_effects(fit, draws, planned_rows(fit, later(alpha=0.9)))
    assert made is not None and made.intercept is not None
    assert made.intercept_precision is not None
    same = np.kron(np.eye(2), np.ones((2, 2)))  # alpha and beta, gamma and delta
    spread, between = (draws[f"intercept_{n}"].values for n in ("spread", "group_spread"))
    for place in range(10):
        covariance = spread[place] ** 2 * np.eye(4) + between[place] ** 2 * same
        np.testing.assert_allclose(
            made.intercept_precision[place] @ covariance, np.eye(4), atol=1e-8
        )
    away = draws["intercept"] - draws["intercept_mean"]
    np.testing.assert_allclose(made.intercept, away.transpose(SAMPLE, "benchmark"))


def test_the_prior_of_a_shift_has_the_correlation_of_settings(
    grouped: Scores, prior_fit: Callable[..., Fit]
) -> None:
    """By hand: multivariate normal densities of residuals, release by release."""
    frame = grouped.to_frame()
    low, high = (frame.assign(model=frame["model"] + end) for end in ("_low", "_high"))
    several = pd.concat([low, high.iloc[:-2]], ignore_index=True)  # two alone
    skills = {"count": 2, "identify": {"kind": "free"}, "residual": True, "release": True}
    spec = spec_of(family={"level": "partial"}, skills=skills)
    fit = prior_fit(spec, Scores.from_frame(several, benchmarks=grouped.benchmark_info), draws=6)
    draws, made = shifts_of(fit, later(alpha=0.9, gamma=0.8))
    shift = np.random.default_rng(1).normal(size=(6, 2))
    only = made.directions.moves[["residual"]]
    there = moved_by(draws, only, shift)
    same = np.equal.outer(fit.design.release_of_model, fit.design.release_of_model)
    residual = [at["residual"].transpose(SAMPLE, "model", "skill").values for at in (there, draws)]
    scale = draws["residual_scale"].transpose(SAMPLE, "skill").values
    change = np.zeros(6)
    for place, share in enumerate(draws["release_share"].values):
        inverse = np.linalg.inv(np.where(same, share, 0.0) + (1 - share) * np.eye(len(same)))
        for skill in range(2):
            now, then = (r[place, :, skill] / scale[place, skill] for r in residual)
            change[place] -= 0.5 * (now @ inverse @ now - then @ inverse @ then)
    free = prior_fit(spec_of(family={"level": "partial"}), fit.scores, draws=6)
    with_draws = draws.drop_vars("release_share")
    planned = planned_rows(free, later(alpha=0.9, gamma=0.8))
    groups = family_groups(free, planned, new_scores(free, planned))
    group = joined_group([group.of_new_scores() for group in groups])
    alone = shifts_for(free, with_draws, group)
    assert alone is not None
    unit = [r / scale[:, None] for r in residual]
    apart = -0.5 * (unit[0] ** 2 - unit[1] ** 2).sum(axis=(1, 2))

    def prior(d: Directions) -> np.ndarray:
        return -(d.slope * shift).sum(1) - np.einsum("sc,scd,sd->s", shift, d.bend, shift) / 2

    found = prior(made.directions) - prior(alone.directions)
    np.testing.assert_allclose(found, change - apart, rtol=1e-6, atol=1e-7)
    assert np.abs(change - apart).max() > 1e-3  # the correlation affects the values compared


def test_shifts_of_nothing_correct_nothing(fit: Fit) -> None:
    """At the draw itself neither the Gaussian nor the true density changes."""
    _, made = shifts_of(fit, later(alpha=0.9, gamma=0.8))
    back = -np.linalg.solve(made.factor, made.mode[..., None])[..., 0]
    np.testing.assert_allclose(made.log_correction(np.arange(10), back), 0.0, atol=1e-8)
    assert made.moves[next(iter(made.moves))].sizes[SHIFT] == 2


def test_fitted_scores_are_worked_out_once_for_the_same_draws(fit: Fit) -> None:
    shared, places = SharedFittedScores(fit), np.arange(10)
    once = shared.at(places)
    assert shared.at(places.copy()) is once
    draws = fit.samples.drop_vars(list(ORIGIN))
    alone = fitted_scores(fit, draws)
    density = alone.problem.log_likelihood(alone.problem.offset)
    np.testing.assert_array_equal(once.density, density)
    np.testing.assert_array_equal(once.slope, alone.slope)
    other = shared.at(places[::2])
    np.testing.assert_array_equal(other.curvature, alone.curvature[::2])


@pytest.mark.filterwarnings("ignore::latentscale.errors.FitWarning")
def test_each_row_is_shifted_as_it_would_be_alone(
    fit: Fit, by_shifts_alone: Callable[[], None]
) -> None:
    by_shifts_alone()
    one = later(alpha=0.9, gamma=0.8)
    rows = pd.concat([one, one.assign(model="newer", family="newer", alpha=0.7)])
    few_shot = ls.FewShot(degenerate="warn")
    each = ls.studies.predict_each(fit, rows, seed=2, few_shot=few_shot, progress=False)
    for place, name in enumerate(rows["model"]):
        alone = ls.predict(fit, rows[place : place + 1], seed=2, few_shot=few_shot)
        assert alone.conditioning is not None and alone.conditioning.method == "conditional sampler"
        np.testing.assert_array_equal(each.of(name).draws.values, alone.draws.values)


@pytest.mark.filterwarnings("ignore:The scores given")
def test_forecasts_agree_with_importance_sampling_of_very_many_draws(
    small_scores: Scores, prior_fit: Callable[..., Fit], with_posterior, by_shifts_alone
) -> None:
    """Unexpected scores beyond the fitted range: 400 shifted draws compared with 6,000 draws."""
    scores = small_scores.select(
        models=["fam00-m0", "fam01-m0", "fam02-m0", "fam02-m1"], benchmarks=["alpha", "beta"]
    )
    noisy = {"precision": {"dist": "LogNormal", "mu": 1.5, "sigma": 0.3}}
    steep = {"trend_scale": {"dist": "HalfNormal", "sigma": 0.8}}
    spec = spec_of(priors=noisy | steep, family={"level": "partial"})
    prior = prior_fit(spec, scores, draws=6_000)
    group, rng = fitted_group(prior), np.random.default_rng(2)
    draws = prior.samples.drop_vars(list(ORIGIN))
    noise = draw_noise_of_models(prior, draws, group, rng)
    old = local_problem(prior, draws, group, noise, hold=True)
    weight = np.exp(old.log_likelihood(old.offset).sum(axis=1))

    def posterior(count: int) -> Fit:
        chosen = rng.choice(len(weight), size=count, p=weight / weight.sum())
        kept = prior.posterior.isel(draw=chosen).assign_coords(draw=np.arange(count))
        return with_posterior(prior, kept)

    new = later(alpha=0.03, beta=0.02)
    many = ls.FewShot(draws=6_000, min_ess=50, degenerate="warn")
    brute = ls.predict(posterior(6_000), new, seed=1, few_shot=many)
    by_shifts_alone()
    few = ls.predict(posterior(400), new, seed=1, few_shot=ls.FewShot(degenerate="warn"))
    assert brute.conditioning is not None and few.conditioning is not None
    own, other = few.mean_draws.squeeze(), brute.mean_draws.squeeze()
    error = np.sqrt(1 / few.conditioning.ess + 1 / brute.conditioning.ess)
    apart = (own.mean("sample") - other.mean("sample")) / other.std("sample")
    assert bool((abs(apart) < 4 * error).all())  # one forecast in 16,000 by chance
