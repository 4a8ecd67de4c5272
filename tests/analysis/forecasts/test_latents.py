"""Latents given new scores: their effect on predictors, and latents held at the fit's values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.forecasts import condition as condition_module
from latentscale.analysis.forecasts import latents
from latentscale.analysis.forecasts.candidates import from_fit, from_mode
from latentscale.analysis.forecasts.groups import Group, family_groups, fitted_group
from latentscale.analysis.forecasts.groups_in_blocks import groups_in_blocks
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.data import score_table
from latentscale.dims import SAMPLE
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN


@pytest.fixture(scope="module")
def fit(small_scores, prior_fit, everything_spec) -> Fit:
    """Twenty draws of the prior of every term at once."""
    return prior_fit(everything_spec, small_scores, draws=20)


def rows(family: str, lineage: str) -> pd.DataFrame:
    """Two models with a score each, and one without."""
    nothing = np.nan
    return pd.DataFrame(
        {
            "model": ["x", "y", "z"],
            "family": family,
            "lineage": lineage,
            "instruct": [0, 1, 0],
            "params_b": [3.0, 9.0, 40.0],
            "tokens_t": 1.0,
            "alpha": [0.6, nothing, nothing],
            "beta": [nothing, 0.5, nothing],
        }
    )


def group_of(fit: Fit, table: pd.DataFrame) -> Group:
    planned = planned_rows(fit, table)
    (group,) = family_groups(fit, planned, new_scores(fit, planned))
    return group


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("family", [("fam02", "lin01"), ("fresh", "strange")])
def test_predictors_are_offset_and_matrix_times_latents(family, hold, fit) -> None:
    """Effects of all models are moved at once to fill the matrix; here each value differs."""
    group = group_of(fit, rows(*family))
    draws = fit.samples.drop_vars(list(ORIGIN))
    noise = latents.draw_noise_of_models(fit, draws, group, np.random.default_rng(1))
    problem = latents.local_problem(fit, draws, group, noise, hold=hold)
    z = np.random.default_rng(2).normal(size=problem.start.shape)
    terms, own, _ = problem.terms(np.arange(20), z)
    values = fit.evaluator.at(draws, group.rows, residuals=own, effects=terms)
    wanted = latents._cell_eta(values, group)
    np.testing.assert_allclose(problem.eta(z), wanted, rtol=1e-9, atol=1e-9)
    assert problem.known.any() == (family[0] == "fam02" and not hold)


def test_names_of_the_table_are_not_looked_up_a_cell(fit, monkeypatch) -> None:
    """Each look-up reads the names of all models, so one per model would take quadratic time."""
    counted = []
    names = score_table._names
    monkeypatch.setattr(
        score_table, "_names", lambda *given: counted.append(given[1]) or names(*given)
    )
    group = fitted_group(fit)
    draws = fit.samples.drop_vars(list(ORIGIN))
    noise = latents.draw_noise_of_models(fit, draws, group, np.random.default_rng(1))
    latents.local_problem(fit, draws, group, noise, hold=True)
    assert len(counted) < len(fit.scores.models) < len(group.score)


def test_held_latents_stay_where_the_fit_has_them(fit) -> None:
    group = group_of(fit, rows("fam02", "lin01")).of_new_scores()
    assert list(group.rows["model"].values) == ["x", "y"] and group.is_new.all()
    draws = fit.samples.drop_vars(list(ORIGIN))
    noise = latents.draw_noise_of_models(fit, draws, group, np.random.default_rng(1))
    problem = latents.local_problem(fit, draws, group, noise, hold=True)
    terms, _, _ = problem.terms(np.arange(20), np.ones(problem.start.shape))
    had = draws["family_skill"].sel(family=["fam02"]).transpose(*terms["family_skill"].dims)
    np.testing.assert_allclose(terms["family_skill"].values, had.values, atol=1e-9)


def test_candidates_at_the_mode_weigh_draws_as_many_candidates_of_the_prior_do(fit) -> None:
    groups = [group_of(fit, rows("fam02", "lin01"))]
    draws = fit.samples.drop_vars(list(ORIGIN))
    levels = []
    for make, count in ((from_fit, 40_000), (from_mode, 400)):
        (held,) = groups_in_blocks(fit, draws, groups, np.random.default_rng(1), hold=True)
        made = held.candidates(make, ls.FewShot(latents=count), np.random.default_rng(3))
        blocks = [made.candidates(number).log_weight for number in range(len(made.blocks))]
        log_weight = np.concatenate(blocks)
        share = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        error = np.sqrt(np.maximum((share**2).sum(axis=1) - 1 / count, 0.0))
        levels.append((made.level, error))
    (plain, rough), (mode, fine) = levels
    sure = rough < 0.1  # for some draws even many prior candidates are not enough
    assert sure.sum() >= 5
    assert (abs(plain - mode) < 4 * np.hypot(rough, fine) + 0.02)[sure].all()


@pytest.mark.filterwarnings("ignore::latentscale.errors.FitWarning")
@pytest.mark.parametrize(("family", "moves"), [("fam02", True), ("fresh", False)])
def test_all_latents_move_only_where_held_ones_leave_few_draws(
    family, moves, fit, monkeypatch
) -> None:
    asked = []

    def spied(*arguments, **options):
        asked.append(options.get("hold", False))
        return groups_in_blocks(*arguments, **options)

    monkeypatch.setattr(condition_module, "groups_in_blocks", spied)
    table = rows(family, "lin01").assign(alpha=[0.999, np.nan, np.nan])
    few_shot = ls.FewShot(latents=2, steps=1, degenerate="warn")
    forecast = ls.predict(fit, table, few_shot=few_shot)
    assert asked == ([True, False] if moves else [True])
    assert forecast.draws.sizes[SAMPLE] == 20


def problem_of(fit: Fit, family: str, lineage: str) -> latents.LocalProblem:
    group, draws = group_of(fit, rows(family, lineage)), fit.samples.drop_vars(list(ORIGIN))
    noise = latents.draw_noise_of_models(fit, draws, group, np.random.default_rng(1))
    return latents.local_problem(fit, draws, group, noise)


def test_a_fitted_family_moves_by_its_deviation_from_the_others(
    small_scores, prior_fit, one_skill
) -> None:
    """Taken from the mean of the 5 others it has 1 + 1 / 5 times the variance, here of 1."""
    fit = prior_fit(one_skill, small_scores, draws=6)
    problem = problem_of(fit, "fam02", "lin01")
    assert problem.known.all()
    here = np.arange(6)
    now, then = (
        problem.terms(here, z)[0]["family_skill"].values.ravel()
        for z in (problem.start + 1, problem.start)
    )
    own = fit.samples["family_skill"].sel(family="fam02").values.ravel()
    np.testing.assert_allclose(then, own, atol=1e-12)
    np.testing.assert_allclose(now - then, np.sqrt(6 / 5), rtol=1e-9)


def test_unpooled_families_have_their_own_prior(small_scores, prior_fit, one_skill) -> None:
    spec = one_skill.with_({"family.level": "fixed"}).with_priors(
        {"fixed_family": ls.Prior("Normal", mu=1.0, sigma=5.0)}
    )
    fit = prior_fit(spec, small_scores, draws=6)
    z = np.random.default_rng(3).normal(size=(6, 1))
    for family in (("fam02", "lin01"), ("fresh", "strange")):
        problem = problem_of(fit, *family)
        np.testing.assert_allclose(problem.log_prior(z), stats.norm(1.0, 5.0).logpdf(z))


def test_a_new_score_has_the_usual_sampling_of_its_benchmark() -> None:
    usual = xr.DataArray([0.01, 0.04], {"benchmark": ["p", "q"]}, ("benchmark",))
    names = {"model": ["a", "b"], "benchmark": ["p", "q"]}
    own = xr.DataArray([[0.1, 0.2], [0.3, 0.4]], names, ("model", "benchmark"))
    cells: Any = SimpleNamespace(
        is_new=np.array([False, True, False, True]),
        model_of_cell=["b", "x", "a", "y"],
        benchmark_of_cell=["p", "q", "q", "p"],
    )
    assert latents._by_cell(usual, own, cells).values.tolist() == [0.3, 0.04, 0.2, 0.01]
