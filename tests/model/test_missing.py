"""Missing values of features as parameters: declared by feature, fitted, drawn for new models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import DataError, SpecError
from latentscale.model.evaluate import NO_RESIDUALS
from latentscale.model.missing import with_drawn_values
from latentscale.posterior.fit import Fit

ESTIMATED = [
    ls.Feature("params_b", missing="estimated"),
    ls.Feature("released", missing="estimated"),
]
HIDDEN = slice(0, 12)


def spec(**changes: object) -> ModelSpec:
    covariates = ["log_params", "released", "log_params:released"]
    base = {"name": "missing", "covariates": covariates, "skills": {"count": 0}}
    base |= {"family": {"level": "none"}, "benchmarks": {"slopes": covariates}}
    return spec_from_dict(base | changes)


def table(models: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    """Ten benchmarks along size and date; the sizes of the first twelve models are hidden."""
    rng = np.random.default_rng(2)
    log_size, days = rng.normal(2, 1.2, models), rng.integers(0, 900, models)
    z = (log_size - 2) / 1.2
    x = (days - 450) / 260
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(models)], "family": "f"})
    frame["params_b"] = np.exp(log_size)
    frame["released"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")).astype(str)
    for j in range(10):
        mean = 1 / (1 + np.exp(-(rng.normal(0, 0.7) + z + 0.4 * x)))
        frame[f"b{j}"] = rng.beta(150 * mean, 150 * (1 - mean))
    frame.loc[frame.index[HIDDEN], "params_b"] = np.nan
    frame.loc[3:5, "released"] = None
    return frame, log_size


def read(frame: pd.DataFrame, features: list[ls.Feature] = ESTIMATED) -> ls.Scores:
    return ls.Scores.from_frame(frame, features=features)


def test_sizes_that_are_parameters_are_noted_and_others_are_warned_of() -> None:
    frame, _ = table(20)
    (note,) = [one for one in read(frame).audit if one.code == "unknown-sizes"]
    assert note.level == "info" and "each is a parameter" in note.message
    with pytest.warns(ls.DataWarning, match="12 rows have no size"):
        read(frame, [ls.Feature("released", missing="estimated")])


def test_missing_sizes_and_dates_are_recovered() -> None:
    frame, log_size = table()
    fit = ls.fit(spec(), read(frame), method=ls.Laplace(draws=400), seed=1, progress=False)
    drawn = fit.samples["missing_standard"]
    labels = [f"log_params of m{i}" for i in range(12)]
    assert set(drawn["missing_value"].values) == {
        *labels,
        *(f"released of m{i}" for i in (3, 4, 5)),
    }
    mean, scale = fit.transform.mean["log_params"], fit.transform.scale["log_params"]
    away = drawn.sel(missing_value=labels) - (log_size[HIDDEN] - mean) / scale
    assert float(np.abs(away.mean("sample")).mean()) < 0.35
    z_scores = away.mean("sample") / away.std("sample")
    assert float((z_scores**2).mean()) < 4
    assert fit.scores.models[0] not in fit.transform.missing(fit.scores.dataset)


def test_covariates_of_a_draw_are_those_of_the_filled_table(prior_fit: Callable[..., Fit]) -> None:
    frame, _ = table()
    fit = prior_fit(spec(), read(frame), draws=3)
    at = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=NO_RESIDUALS)
    drawn = fit.samples["missing_standard"].isel(sample=1)
    filled = fit.scores.to_frame()
    t = fit.transform
    for label in drawn["missing_value"].values:
        base, model = str(label).split(" of ")
        raw = t.mean[base] + t.scale[base] * float(drawn.sel(missing_value=label))
        kind = next(kind for kind in t.kinds if kind.covariate == base)
        filled.loc[filled["model"] == model, kind.name] = kind.stepped(np.array([raw]))[0]
    whole = ls.Scores.from_frame(filled, features=ESTIMATED)
    wanted = t.apply(whole.dataset)
    covariate = at.rows.covariates["covariate"].isel(sample=1).transpose(*wanted.dims)
    assert (covariate["covariate"].values == wanted["covariate"].values).all()
    # Dates are whole days: some 0.002 standard deviations, times a size of up to some 3.
    np.testing.assert_allclose(covariate, wanted, atol=0.02)


def test_the_model_has_the_density_of_its_draws(
    prior_fit: Callable[..., Fit], light_compilation: None
) -> None:
    scores = read(table(20)[0])
    fit = prior_fit(spec(), scores, draws=2)
    model = ls.build(spec(), scores)
    point = model.initial_point()
    names = {variable.name for variable in model.free_RVs}
    draw = fit.samples.isel(sample=0)
    for name in names:
        value = draw[name].values
        key = name if name in point else f"{name}_log__"
        point[key] = np.log(value) if key.endswith("_log__") else value
    log_density = model.compile_logp(vars=[model["score"]])(point)
    wanted = fit.tree["log_likelihood"]["score"].isel(chain=0, draw=0).sum()
    assert float(log_density) == pytest.approx(float(wanted), rel=1e-8)


def test_new_models_may_leave_such_a_feature_out(
    prior_fit: Callable[..., Fit],
) -> None:
    fit = prior_fit(spec(), read(table()[0]), draws=40)
    rows = pd.DataFrame({"model": ["new", "sized"], "family": "f", "released": "2025-01-01"})
    rows["params_b"] = [np.nan, 7.0]
    forecast = ls.predict(fit, rows, seed=1)
    assert np.isfinite(forecast.mean_draws).all()
    alone = ls.predict(fit, rows.drop(columns="params_b").iloc[:1], seed=1)
    assert np.isfinite(alone.mean_draws).all()


def test_values_of_new_models_are_drawn_from_the_prior_one_a_draw(
    prior_fit: Callable[..., Fit],
) -> None:
    fit = prior_fit(spec(), read(table(20)[0]), draws=600)
    rows = pd.DataFrame({"model": ["new", "m0"], "family": "f", "params_b": np.nan})
    planned = planned_rows(fit, rows.assign(released=[None, "2025-01-01"]))
    prior = {"missing_feature": ls.Prior("Normal", mu=2, sigma=0.5)}
    drawn = with_drawn_values(
        spec().with_priors(prior), fit.transform, fit.samples, planned, np.random.default_rng(1)
    )["missing_standard"]
    new = ["log_params of new", "released of new"]
    fitted = fit.samples["missing_standard"]
    assert drawn["missing_value"].values.tolist() == [*fitted["missing_value"].values, *new]
    kept = drawn.sel(missing_value=fitted["missing_value"]).transpose(*fitted.dims)
    np.testing.assert_array_equal(kept, fitted)
    values = drawn.sel(missing_value=new).transpose("sample", "missing_value").values
    # 600 draws: a standard error of 0.02 of the means, 0.014 of the standard deviations.
    np.testing.assert_allclose(values.mean(axis=0), 2, atol=0.12)
    np.testing.assert_allclose(values.std(axis=0), 0.5, atol=0.09)
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.25


def test_tokens_are_estimated_one_way_and_some_model_must_give_the_feature() -> None:
    frame, _ = table()
    both = {"undisclosed": {"kind": "estimated"}, "covariates": ["log_params", "log_tokens"]}
    both |= {"benchmarks": {"slopes": ["log_params"]}}
    frame["tokens_t"] = 2.0
    with pytest.raises(SpecError, match=r'Feature\("tokens_t", missing="estimated"\)'):
        ls.build(spec(**both), read(frame))
    frame["params_b"] = np.nan
    scores = ls.Scores.from_frame(frame, features=ESTIMATED)
    with pytest.raises(DataError, match="No model gives params_b"):
        ls.build(spec(), scores)
    with pytest.raises(SpecError, match="missing"):
        ls.Feature("reasoning", kind="flag", missing="estimated")


def test_saved_fits_keep_what_is_estimated(prior_fit: Callable[..., Fit], tmp_path) -> None:
    fit = prior_fit(spec(), read(table()[0]), draws=10)
    fit.save(tmp_path / "fit.nc")
    again = ls.load(tmp_path / "fit.nc")
    rows = pd.DataFrame({"model": ["new"], "family": "f", "released": "2025-01-01"})
    first, second = (ls.predict(one, rows, seed=1).mean_draws for one in (fit, again))
    np.testing.assert_allclose(first, second)


def test_a_fitted_model_is_forecast_with_the_values_that_were_fitted(
    prior_fit: Callable[..., Fit],
) -> None:
    """Not with other values from the prior, even next to new models, whose values are drawn."""
    frame, _ = table(20)
    fit = prior_fit(spec(), read(frame), draws=12)
    columns = ["model", "family", "params_b", "released"]
    new = frame.loc[[2], columns].assign(model="new")
    rows = pd.concat([frame.loc[[0, 4, 15], columns], new])
    drawn = ls.predict(fit, rows, seed=1).mean_draws
    at = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=NO_RESIDUALS).mean
    order = ("sample", "model", "benchmark")
    known = ["m0", "m4", "m15"]
    np.testing.assert_allclose(
        drawn.sel(model=known).transpose(*order), at.sel(model=known).transpose(*order), rtol=1e-9
    )
    assert float(abs(drawn.sel(model="new") - at.sel(model="m2")).max()) > 1e-3
