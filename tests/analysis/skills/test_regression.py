"""Regression on skills: the conjugate posterior by hand, known skills, new models, refusals."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.skills.regression import _draw_conjugate, _standards
from latentscale.errors import DataError, DataWarning, FitError, SpecError
from latentscale.posterior.fit import Fit

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def test_draws_have_the_moments_of_the_conjugate_posterior() -> None:
    """With the prior as two further rows of data, least squares gives the posterior mean."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((12, 1)), rng.standard_normal(12)
    prior = ls.studies.RegressionPrior(intercept_sd=3.0, coefficient_sd=0.7, shape=2.5, scale=0.8)
    beta, sigma = _draw_conjugate(np.repeat(x[None], 60_000, axis=0), y, prior, rng)
    rows = np.vstack([np.column_stack([np.ones(12), x]), np.diag([1 / 3.0, 1 / 0.7])])
    outcomes = np.concatenate([y, [0, 0]])
    mean, rest, *_ = np.linalg.lstsq(rows, outcomes, rcond=None)
    shape, rate = 2.5 + 6, 0.8 + rest[0] / 2
    np.testing.assert_allclose(beta.mean(axis=0), mean, atol=0.006)
    np.testing.assert_allclose((sigma**2).mean(), rate / (shape - 1), rtol=0.01)
    np.testing.assert_allclose((sigma**-2).mean(), shape / rate, rtol=0.01)
    wanted = rate / (shape - 1) * np.linalg.inv(rows.T @ rows)
    np.testing.assert_allclose(np.cov(beta.T), wanted, rtol=0.05, atol=0.002)


@pytest.fixture(scope="module")
def skilled(known, known_spec, prior_fit, repeated, with_posterior) -> Fit:
    """Two skills that are known exactly: the one of 40 draws in which they vary most."""
    rows = list(known.scores.models)[:40]
    fit = prior_fit(known_spec, known.scores.select(models=rows), draws=40)
    skills = fit.posterior["model_skill"].isel(chain=0).transpose("draw", "skill", "model").values
    best = int(np.argmax([np.linalg.det(np.cov(one)) for one in skills]))
    return repeated(with_posterior(fit, fit.posterior.isel(draw=[best])), 600)


def outcome_of(fit: Fit, noise: float = 0.0) -> pd.Series:
    skill = fit.samples["model_skill"].isel(sample=0).transpose("model", "skill").to_pandas()
    values = 1200 + 80 * skill.iloc[:, 0] - 30 * skill.iloc[:, 1]
    return (values + noise * np.random.default_rng(2).standard_normal(len(values))).rename("elo")


def test_known_skills_give_the_line_back(skilled: Fit) -> None:
    regression = ls.studies.regress_on_skills(skilled, outcome_of(skilled, 5.0), seed=1)
    table = regression.table(0.99).set_index("term")
    truth = dict(zip(["intercept", *skilled.samples["skill"].values], [1200, 80, -30], strict=True))
    for term, wanted in truth.items():
        assert table.loc[term, "lower"] < wanted < table.loc[term, "upper"]
    assert table.loc[["alpha", "delta"], "sd"].max() < 8
    assert table.loc["alpha", "probability_positive"] == 1.0
    assert table.loc["delta", "probability_positive"] == 0.0
    assert regression.name == "elo" and len(regression.outcome) == 40


def test_units_of_the_outcome_do_not_matter(skilled: Fit) -> None:
    values = outcome_of(skilled, 5.0)
    one = ls.studies.regress_on_skills(skilled, values, seed=1)
    two = ls.studies.regress_on_skills(skilled, 7 + values / 1000, seed=1)
    slope = one.coefficients.sel(term="alpha")
    np.testing.assert_allclose(two.coefficients.sel(term="alpha"), slope / 1000, rtol=1e-8)
    np.testing.assert_allclose(two.sigma, one.sigma / 1000, rtol=1e-8)
    np.testing.assert_allclose(two.r_squared, one.r_squared, rtol=1e-8)


def test_r_squared_falls_with_noise(skilled: Fit) -> None:
    values = [
        float(
            ls.studies.regress_on_skills(skilled, outcome_of(skilled, n), seed=1).r_squared.mean()
        )
        for n in (1.0, 60.0, 600.0)
    ]
    assert values[0] > 0.95 and values[0] > values[1] > values[2]


def test_uncertain_skills_widen_the_prediction(skilled: Fit, with_posterior) -> None:
    values = outcome_of(skilled, 5.0)
    posterior = skilled.posterior.copy(deep=True)
    noise = np.random.default_rng(4).standard_normal(posterior["model_skill"].shape)
    posterior["model_skill"] = posterior["model_skill"] + 0.3 * noise
    unsure = ls.studies.regress_on_skills(with_posterior(skilled, posterior), values, seed=1)
    sure = ls.studies.regress_on_skills(skilled, values, seed=1)
    one, two = (regression.table().set_index("term") for regression in (unsure, sure))
    assert one.loc["alpha", "sd"] > 1.5 * two.loc["alpha", "sd"]
    assert one.loc["sigma", "median"] > 1.5 * two.loc["sigma", "median"]


def test_fitted_models_are_predicted_on_the_line(skilled: Fit) -> None:
    values = outcome_of(skilled)
    regression = ls.studies.regress_on_skills(skilled, values, seed=1)
    frame = skilled.scores.to_frame().drop(columns=list(skilled.scores.benchmarks)).iloc[:6]
    forecast = regression.predict(frame, seed=1)
    table = forecast.table()
    np.testing.assert_allclose(table["mean"], values.iloc[:6], atol=4 * table["sd"].max())
    assert (table["lower"] < table["median"]).all() and (table["median"] < table["upper"]).all()
    assert bool((forecast.draws.std("sample") > forecast.mean_draws.std("sample")).all())


def test_outcomes_scatter_around_the_line_by_sigma(skilled: Fit) -> None:
    skill = skilled.samples["model_skill"].mean("sample").isel(skill=0).to_series()
    noise = np.random.default_rng(5).standard_normal(len(skill))
    regression = ls.studies.regress_on_skills(skilled, 40 * skill + 9 * noise, seed=1)
    frame = skilled.scores.to_frame().drop(columns=list(skilled.scores.benchmarks))
    found = regression.predict(frame, seed=2)
    unit = (found.draws - found.mean_draws) / regression.sigma
    assert unit.size > 2000  # a standard error of at most 0.016
    assert float(unit.std()) == pytest.approx(1, abs=0.08)


def test_a_new_model_is_predicted_from_its_scores(skilled: Fit) -> None:
    regression = ls.studies.regress_on_skills(skilled, outcome_of(skilled, 5.0), seed=1)
    row = pd.DataFrame([{"model": "x", "family": "fx", "params_b": 7.0, "tokens_t": 2.0}])
    row["instruct"] = 0
    wide = regression.predict(row, seed=1).table().iloc[0]
    high = regression.predict(row.assign(alpha=0.93), seed=1).table().iloc[0]
    low = regression.predict(row.assign(alpha=0.1), seed=1).table().iloc[0]
    assert high["sd"] < wide["sd"] and high["mean"] > low["mean"] + 50


def test_few_models_are_warned_of(skilled: Fit) -> None:
    with pytest.warns(DataWarning, match="6 models have the outcome"):
        ls.studies.regress_on_skills(skilled, outcome_of(skilled).iloc[:6])


def test_misuse_is_refused(skilled: Fit, small_scores, prior_fit) -> None:
    values = outcome_of(skilled)
    first = str(values.index[0])
    bad: list[tuple[object, str]] = [
        ([1.0, 2.0], "Series"),
        (values.rename({first: "nobody"}), "nobody"),
        (pd.concat([values, values.iloc[:1]]), first),
        (values.where(values.index != first, np.inf), first),
        ({**values.to_dict(), first: "high"}, "high"),
        (values.iloc[:2], "at least 3"),
        (values * 0 + 3.0, "for every model"),
    ]
    for outcome, said in bad:
        with pytest.raises(DataError, match=said):
            ls.studies.regress_on_skills(skilled, outcome)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="no skills"):
        ls.studies.regress_on_skills(prior_fit(ls.load_spec("pooled_flops"), small_scores), values)
    with pytest.raises(DataError, match="shape"):
        ls.studies.RegressionPrior(shape=0.0)


def test_free_skills_have_no_table_but_predict(small_scores, prior_fit) -> None:
    spec = ls.ModelSpec(name="free", skills={"count": 1, "identify": {"kind": "free"}})
    fit = prior_fit(spec, small_scores, draws=60)
    outcome = pd.Series(np.arange(12.0), index=list(fit.scores.models))
    regression = ls.studies.regress_on_skills(fit, outcome)
    with pytest.raises(SpecError, match="free to rotate"):
        regression.table()
    frame = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    assert np.isfinite(regression.predict(frame).table()["mean"]).all()


def test_coefficients_of_an_aligned_fit_are_shown(small_scores, prior_fit) -> None:
    spec = ls.ModelSpec(name="free", skills={"count": 1, "identify": {"kind": "free"}})
    fit = prior_fit(spec, small_scores, draws=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)  # draws of the prior
        aligned = ls.align(fit).fit
    outcome = pd.Series(np.arange(12.0), index=list(fit.scores.models))
    table = ls.studies.regress_on_skills(aligned, outcome).table()
    assert table["term"].tolist()[0] == "intercept" and len(table) == 4


def test_the_prior_does_not_depend_on_how_free_skills_are_turned(small_scores, prior_fit) -> None:
    """Skills rotated at random average 0 over draws, which says nothing about their spread."""
    spec = ls.ModelSpec(name="free", skills={"count": 1, "identify": {"kind": "free"}})
    fit = prior_fit(spec, small_scores, draws=400)
    skill = fit.posterior["model_skill"].copy()
    models = list(fit.scores.models)
    skill[:] = np.linspace(-1, 1, len(models))[:, None]
    sign = np.where(np.arange(skill.sizes["draw"]) % 2 == 0, 1.0, -1.0)
    shares = []
    for turned in (skill, skill * xr.DataArray(sign, dims="draw")):
        tree = fit.tree.copy()
        tree["posterior"] = xr.DataTree(
            fit.posterior.assign(model_skill=turned.transpose(*skill.dims))
        )
        outcome = pd.Series([0.0, 1.0, 0.3], index=models[:3])
        with pytest.warns(ls.DataWarning, match="3 models"):
            regression = ls.studies.regress_on_skills(replace(fit, tree=tree), outcome, seed=2)
        shares.append(float(regression.r_squared.mean()))
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_a_point_estimate_is_refused(skilled: Fit) -> None:
    point = replace(skilled, status=replace(skilled.status, is_posterior=False))
    with pytest.raises(FitError, match="point estimate"):
        ls.studies.regress_on_skills(point, outcome_of(skilled))


def test_the_callers_series_is_kept(skilled: Fit) -> None:
    values = outcome_of(skilled)
    values.iloc[3] = np.nan
    before = values.copy()
    assert len(ls.studies.regress_on_skills(skilled, values).outcome) == 39
    pd.testing.assert_series_equal(values, before)
    assert isinstance(ls.studies.regress_on_skills(skilled, values).sigma, xr.DataArray)


def test_a_further_benchmark_on_few_models_joins_as_one_more_column(
    known, known_spec, prior_fit
) -> None:
    """The procedure for outcomes that are fractions: one warning, and forecasts for all models."""
    frame = known.frame.iloc[:48].assign(agent=np.nan)
    frame.loc[frame.index[:6], "agent"] = [0.1, 0.3, 0.2, 0.4, 0.15, 0.35]
    info = {**known.scores.benchmark_info, "agent": ls.Benchmark(n_items=300)}
    with pytest.warns(DataWarning, match="only 6 of 48 models"):
        scores = ls.Scores.from_frame(frame, benchmarks=info)
    fit = prior_fit(known_spec, scores, draws=30)
    assert "agent" in fit.samples["loading"]["benchmark"].values
    rows = frame[["model", "family", "lineage", "instruct", "params_b", "tokens_t"]].iloc[40:44]
    draws = ls.predict(fit, rows).draws.sel(benchmark="agent")
    assert draws.sizes["model"] == 4 and np.isfinite(draws.values).all()


@pytest.mark.parametrize("identified", [True, False])
def test_skills_are_standardised_whatever_their_unit(identified: bool) -> None:
    names = ("sample", "model", "skill")
    skill = xr.DataArray(np.random.default_rng(1).normal(2, 3, (5, 8, 2)), dims=names)
    (centre, scale), (ten, tenfold) = (
        _standards(times * skill, identified=identified) for times in (1, 10)
    )
    np.testing.assert_allclose(ten, 10 * centre)
    np.testing.assert_allclose(tenfold, 10 * scale)
