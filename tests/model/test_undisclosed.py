"""Undisclosed tokens as parameters: covariates, density, draws, forecasts, compared with numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit
from scipy.stats import beta, norm

import latentscale as ls
from latentscale.data.covariates import CovariateTransform
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.inference.marginal.refusals import refuse_other_latents
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.model.undisclosed import rows_of_table, with_drawn_tokens
from latentscale.posterior.fit import Fit

HIDDEN = ("fam00-m1", "fam03-m0", "fam05-m1")
FORMS = ("log_params", "log_tokens", "log_flops", "log_params:log_tokens", "log_tokens:log_flops")


def _document(**changes: object) -> dict[str, object]:
    return {
        "name": "estimated",
        "covariates": ["log_params", "log_tokens", "log_params:log_tokens"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
        "family": {"level": "none"},
        "undisclosed": {"kind": "estimated"},
        **changes,
    }


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return spec_from_dict(_document())


@pytest.fixture(scope="module")
def scores(small_scores: ls.Scores) -> ls.Scores:
    frame = small_scores.to_frame()
    frame.loc[frame["model"].isin(HIDDEN), "tokens_t"] = np.nan
    with pytest.warns(ls.DataWarning, match="3 rows have no token count"):
        return ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)


@pytest.fixture(scope="module")
def known_scores_partly_told(known) -> ls.Scores:
    """Twenty-six families of four; every eighth model does not disclose its tokens."""
    frame = known.frame.copy()
    frame.loc[frame.index % 8 == 3, "tokens_t"] = np.nan
    with pytest.warns(ls.DataWarning, match="13 rows have no token count"):
        return ls.Scores.from_frame(frame, benchmarks=known.scores.benchmark_info)


@pytest.fixture(scope="module")
def fit(spec: ModelSpec, scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(spec, scores, draws=30)


def _standard(transform: CovariateTransform, params: float, t: xr.DataArray) -> dict:
    raw = {
        "log_params": np.log(params),
        "log_tokens": t,
        "log_flops": np.log(6e21 * params) + t,
    }
    return {k: (raw[k] - transform.mean[k]) / transform.scale[k] for k in transform.mean}


def test_the_design_keeps_every_model_and_scales_on_the_disclosed(
    spec: ModelSpec, scores: ls.Scores
) -> None:
    prepared = design(spec, scores)
    assert prepared.scores.models == scores.models
    assert prepared.left_out == ()
    assert set(prepared.undisclosed) == set(HIDDEN)
    data = scores.dataset
    disclosed = data["tokens"].notnull().values
    log_params = np.log(data["params"].values[disclosed])
    np.testing.assert_allclose(prepared.transform.mean["log_params"], log_params.mean())
    np.testing.assert_allclose(prepared.transform.scale["log_params"], log_params.std())


def test_no_fitted_model_is_outside_the_fitted_range(
    spec: ModelSpec, small_scores: ls.Scores
) -> None:
    """The largest model does not disclose its tokens and is fitted nonetheless."""
    frame = small_scores.to_frame()
    frame.loc[frame["model"] == HIDDEN[0], ["params_b", "tokens_t"]] = (500.0, np.nan)
    scores = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    transform = design(spec, scores).transform
    assert np.exp(transform.upper["log_params"]) == pytest.approx(500)
    assert (transform.extrapolates(scores.dataset) == "").all()
    known = scores.select(models=[name for name in scores.models if name != HIDDEN[0]])
    by_known = CovariateTransform.fit(known, spec.covariates)
    assert (transform.mean, transform.scale) == (by_known.mean, by_known.scale)


def test_covariates_are_those_of_the_drawn_tokens(scores: ls.Scores) -> None:
    spec = spec_from_dict(_document(covariates=list(FORMS)))
    prepared = design(spec, scores)
    rng = np.random.default_rng(4)
    names = list(prepared.undisclosed)
    log_tokens = xr.DataArray(
        rng.normal(0.5, 1.5, (7, 3)), dims=("sample", "undisclosed_model")
    ).assign_coords(undisclosed_model=names)
    rows = rows_of_table(
        spec, prepared.transform, prepared.scores.dataset, xr.Dataset({"log_tokens": log_tokens})
    )
    for name in names:
        t = log_tokens.sel(undisclosed_model=name, drop=True)
        params = float(scores.dataset["params"].sel(model=name))
        by_hand = _standard(prepared.transform, params, t)
        for covariate in FORMS:
            expected = 1.0
            for part in covariate.split(":"):
                expected = expected * by_hand[part]
            got = rows.covariates["covariate"].sel(model=name, covariate=covariate)
            np.testing.assert_allclose(*np.broadcast_arrays(got.values, expected), atol=1e-12)
    known = [name for name in scores.models if name not in HIDDEN]
    disclosed = rows.covariates["covariate"].sel(model=known).isel(sample=3)
    plain = prepared.x.sel(model=known).transpose(*disclosed.dims)
    np.testing.assert_array_equal(disclosed.values, plain.values)


def test_the_density_is_that_of_the_equations(
    spec: ModelSpec, scores: ls.Scores, light_compilation: None
) -> None:
    """Log likelihood and log prior at one point, computed by numpy alone."""
    prepared = design(spec, scores)
    model = build_design(spec, prepared)
    point = model.initial_point()
    t = np.array([-0.4, 1.3, 2.2])
    point["log_tokens"] = t
    rng = np.random.default_rng(8)
    slope = point["slope"] = rng.normal(size=point["slope"].shape)
    intercept = point["intercept"] = rng.normal(size=point["intercept"].shape)
    data = prepared.scores.dataset
    tokens = data["tokens"].values.copy()
    where = [scores.models.index(name) for name in prepared.undisclosed]
    tokens[where] = np.exp(t)
    x = np.empty((len(tokens), 3))
    for i, (params, trained) in enumerate(zip(data["params"].values, tokens, strict=True)):
        part = _standard(prepared.transform, params, np.log(trained))
        x[i] = part["log_params"], part["log_tokens"], part["log_params"] * part["log_tokens"]
    # Positive parameters start at their prior's support point; read them from the point's logs.
    phi = np.exp(point["precision_log__"])
    loading = np.exp(point["loading_raw_log__"])
    loading[list(scores.benchmarks).index("alpha")] = np.exp(point["anchor_loading_log__"])
    eta = intercept + (x @ slope) @ loading.T
    floor = data["floor"].values
    mean = floor + (1 - floor) * expit(eta)
    i, j = prepared.model_of_cell, prepared.benchmark_of_cell
    expected = beta.logpdf(
        prepared.score_of_cell, mean[i, j] * phi[j], (1 - mean[i, j]) * phi[j]
    ).sum()
    log_density = model.compile_logp(model.observed_RVs)(point)
    np.testing.assert_allclose(log_density, expected, rtol=1e-9)
    prior = model.compile_logp([model["log_tokens"]])(point)
    np.testing.assert_allclose(prior, norm.logpdf(t, 0.7, 1).sum(), rtol=1e-9)


def test_draws_and_forecasts_use_the_drawn_tokens(fit: Fit, scores: ls.Scores) -> None:
    """A forecast of an undisclosed model is, draw by draw, one at its drawn token count."""
    frame = scores.to_frame().query("model in @HIDDEN")
    rows = frame[["model", "family", "lineage", "instruct", "params_b", "tokens_t"]]
    forecast = ls.predict(fit, rows, seed=1)
    assert np.isfinite(forecast.mean_draws.values).all()
    assert set(forecast.models["basis"].values) == {"fitted model"}
    tokens = ls.studies.undisclosed(fit).draws
    for sample in (0, 13, 29):
        for _, row in rows.iterrows():
            disclosed = float(tokens.sel(model=row["model"]).isel(sample=sample))
            other = row.to_frame().T.assign(model="twin", tokens_t=disclosed)
            other = other.astype({"params_b": float, "tokens_t": float, "instruct": int})
            twin = ls.predict(fit, other, seed=1).mean_draws.isel(sample=sample, model=0)
            mine = forecast.mean_draws.sel(model=row["model"]).isel(sample=sample)
            np.testing.assert_allclose(mine.values, twin.values, rtol=1e-10)
    log_likelihood = fit.tree["log_likelihood"]["score"]
    assert bool(np.isfinite(log_likelihood).all())
    assert set(HIDDEN) <= set(log_likelihood["cell_model"].values)
    prior = fit.tree["log_prior"]["log_tokens"]
    np.testing.assert_allclose(prior, norm.logpdf(fit.posterior["log_tokens"], 0.7, 1))


def test_tokens_of_new_models_are_drawn_beside_those_that_were_fitted(spec: ModelSpec) -> None:
    """From the prior of the spec, one per draw; fitted ones keep their draws."""
    fitted = np.random.default_rng(1).normal(-3.0, 0.1, (500, 2))
    draws = xr.Dataset(
        {"log_tokens": (("sample", "undisclosed_model"), fitted)},
        coords={"undisclosed_model": ["b", "a"]},
    )
    tokens = [2.0, np.nan, np.nan, np.nan]
    table = xr.Dataset({"tokens": ("model", tokens)}, coords={"model": ["stated", "a", "new", "b"]})
    prior = {"log_tokens": ls.Prior("Normal", mu=2, sigma=0.5)}
    more = with_drawn_tokens(spec.with_priors(prior), draws, table, np.random.default_rng(2))
    found = more["log_tokens"].transpose("sample", "undisclosed_model")
    assert found["undisclosed_model"].values.tolist() == ["b", "a", "new"]
    np.testing.assert_array_equal(found.sel(undisclosed_model=["b", "a"]), fitted)
    own = found.sel(undisclosed_model="new")
    # 500 draws: a standard error of 0.022 of the mean, 0.016 of the standard deviation.
    assert float(own.mean()) == pytest.approx(2, abs=0.13)
    assert float(own.std()) == pytest.approx(0.5, abs=0.1)


def test_the_table_of_tokens(fit: Fit) -> None:
    undisclosed = ls.studies.undisclosed(fit)
    table = undisclosed.table(0.8).set_index("model")
    assert set(table.index) == set(HIDDEN)
    draws = np.exp(fit.samples["log_tokens"].sel(undisclosed_model="fam03-m0").values)
    expected = np.quantile(draws, [0.5, 0.1, 0.9])
    np.testing.assert_allclose(
        table.loc["fam03-m0", ["median", "lower", "upper"]].to_numpy(float), expected
    )
    assert table.loc["fam03-m0", "family"] == "fam03"
    assert "Normal(mu=0.7, sigma=1)" in " ".join(repr(undisclosed).split())


def test_other_analyses_take_the_draws(fit: Fit) -> None:
    assert np.isfinite(ls.skills(fit).model.values).all()
    assert np.isfinite(ls.studies.variance_shares(fit).draws.values).all()
    assert "log_tokens" in set(ls.sensitivity(fit).table()["variable"])


def test_a_saved_fit_comes_back(fit: Fit, tmp_path) -> None:
    again = ls.load(fit.save(tmp_path / "fit.nc"))
    assert again.spec == fit.spec
    assert again.design.undisclosed == fit.design.undisclosed
    xr.testing.assert_allclose(
        ls.studies.undisclosed(again).draws, ls.studies.undisclosed(fit).draws
    )


def test_the_default_leaves_out_and_has_the_digest_of_old(scores: ls.Scores) -> None:
    spec = spec_from_dict(_document(undisclosed={"kind": "leave-out"}))
    assert (
        spec.digest
        == spec_from_dict({k: v for k, v in _document().items() if k != "undisclosed"}).digest
    )
    assert spec.digest != spec_from_dict(_document()).digest
    prior = {"log_tokens": ls.Prior("Normal", mu=0, sigma=2)}
    assert spec.with_priors(prior).digest == spec.digest  # it has no effect
    assert (
        spec_from_dict(_document()).with_priors(prior).digest != spec_from_dict(_document()).digest
    )
    with pytest.warns(ls.DataWarning, match="estimated"):
        prepared = design(spec, scores)
    assert set(prepared.left_out) == set(HIDDEN)


def test_misuse_is_refused(fit: Fit, scores: ls.Scores, prior_fit: Callable[..., Fit]) -> None:
    with pytest.raises(ls.SpecError, match="no covariate uses training tokens"):
        spec_from_dict(_document(covariates=["log_params"]))
    document = _document()
    del document["undisclosed"]
    with pytest.warns(ls.DataWarning, match="leaves out 3 models"):
        left = prior_fit(spec_from_dict(document), scores, draws=5)
    with pytest.raises(ls.SpecError, match="estimates no training tokens"):
        ls.studies.undisclosed(left)
    disclosed = scores.select(models=[name for name in scores.models if name not in HIDDEN])
    with pytest.raises(ls.SpecError, match="Every fitted model discloses"):
        ls.studies.undisclosed(prior_fit(spec_from_dict(_document()), disclosed, draws=5))
    with pytest.raises(ls.DataError, match="No model is left to scale"):
        design(spec_from_dict(_document()), scores.select(models=list(HIDDEN)))


@pytest.mark.slow
def test_a_fit_recovers_simulated_tokens(known_scores_partly_told: ls.Scores) -> None:
    """If scores depend on tokens, intervals are narrow and contain the truth."""
    slope = {"slope": ls.Prior("Normal", mu=1, sigma=0.3)}
    spec = spec_from_dict(_document(covariates=["log_params", "log_tokens"])).with_priors(slope)
    simulation = ls.simulate(spec, known_scores_partly_told, seed=6)
    method = ls.NUTS(draws=250, tune=250, chains=2)
    fit = ls.fit(spec, simulation.scores, method=method, seed=2, progress=False)
    truth = np.exp(simulation.truth["log_tokens"]).rename(undisclosed_model="model")
    table = ls.studies.undisclosed(fit).table(0.9).set_index("model").loc[truth["model"].values]
    inside = (table["lower"] < truth.values) & (truth.values < table["upper"])
    assert len(inside) == 13
    assert inside.sum() >= 9  # fewer in 1 of 500 correct fits
    assert np.corrcoef(np.log(table["median"]), np.log(truth.values))[0, 1] > 0.8
    width = np.log(table["upper"] / table["lower"]).median()
    assert width < 0.7 * 2 * norm.ppf(0.95)  # of the prior's own interval


def test_quadrature_refuses_undisclosed_tokens(scores: ls.Scores) -> None:
    spec = spec_from_dict(_document(family={"level": "partial"}))
    with pytest.raises(ls.SpecError, match="cannot integrate out the training tokens of 3 models"):
        refuse_other_latents(spec, design(spec, scores), "MarginalML")
