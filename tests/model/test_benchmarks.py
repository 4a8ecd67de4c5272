"""From covariates to the linear predictor, and on to expected scores and precisions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit, logit

import latentscale as ls
from latentscale.declare import ModelSpec, Prior, spec_from_dict
from latentscale.model.equations import expected_score, linear_predictor, precision
from latentscale.model.terms.base import Rows
from latentscale.posterior.fit import Fit


def spec_with(link: str = "logistic") -> ModelSpec:
    return spec_from_dict({"name": "x", "benchmarks": {"link": {"kind": link}}})


def one(value: float) -> xr.DataArray:
    return xr.DataArray(value)


def test_floor_and_ceiling_bound_the_expected_score() -> None:
    floor = xr.DataArray([0.0, 0.25, 0.5], dims="benchmark")
    ceiling = xr.DataArray([1.0, 0.9, 0.8], dims="benchmark")
    eta = xr.DataArray([-60.0, 0.0, 60.0], dims="model")
    mean = expected_score(spec_with(), {"floor": floor, "ceiling": ceiling}, eta)
    wanted = np.stack([floor, (floor + ceiling) / 2, ceiling])
    np.testing.assert_allclose(
        mean.transpose("model", "benchmark").values, wanted, rtol=0, atol=1.1e-6
    )
    assert float(mean.min()) > 0 and float(mean.max()) < 1


def test_without_a_ceiling_the_top_is_one() -> None:
    mean = expected_score(
        spec_with(), {"floor": one(0.25)}, xr.DataArray([0.0, 50.0], dims="model")
    )
    np.testing.assert_allclose(mean.values, [0.625, 1 - 1e-6], rtol=1e-9)


def floor_spec(**benchmarks: object) -> ModelSpec:
    return spec_from_dict(
        {
            "name": "floors",
            "skills": {"count": 0},
            "family": {"level": "none"},
            "benchmarks": {"slopes": ["log_flops"], "floor": "estimated", **benchmarks},
        }
    )


def test_estimated_floors_lie_round_the_known_ones(known, prior_fit) -> None:
    fit: Fit = prior_fit(floor_spec(ceiling="estimated"), known.scores, draws=400)
    s = fit.samples
    known_floor = known.scores.dataset["floor"]
    guessed = (known_floor > 0).values
    assert guessed.any() and not guessed.all()
    floors, shift = (
        s[name].transpose("sample", "benchmark").values for name in ("floor", "floor_shift")
    )
    wanted = expit(logit(known_floor.values[guessed]) + shift[:, guessed])
    np.testing.assert_allclose(floors[:, guessed], wanted, rtol=1e-9)
    assert (floors[:, ~guessed] == 0).all()
    off = np.abs(np.median(floors, axis=0) - known_floor.values)
    assert off.max() < 0.02 and floors[:, guessed].std(axis=0).min() > 0.01
    share = s["ceiling_share"].transpose("sample", "benchmark").values
    ceiling = s["ceiling"].transpose("sample", "benchmark").values
    np.testing.assert_allclose(ceiling, floors + (1 - floors) * share, rtol=1e-9)
    prior = fit.tree["log_prior"]["floor_shift"].transpose("chain", "draw", "benchmark")
    np.testing.assert_allclose(prior.values[0], stats.norm(0, 0.2).logpdf(shift), rtol=1e-9)


def test_forecasts_use_the_drawn_floors(known, prior_fit, tmp_path) -> None:
    steep = floor_spec().with_priors({"benchmark_slope": Prior("Normal", mu=2, sigma=0.1)})
    fit: Fit = prior_fit(steep, known.scores)
    row = {"model": ["tiny"], "family": ["new"], "params_b": [0.001], "tokens_t": [0.001]}
    for used in (fit, ls.load(fit.save(tmp_path / "fit.nc"))):
        mean = ls.predict(used, pd.DataFrame(row)).mean_draws.isel(model=0)
        assert float(np.abs(mean - fit.samples["floor"]).max()) < 1e-3
    assert float(fit.samples["floor"].std("sample").max()) > 0.02
    plain: Fit = prior_fit(spec_from_dict({"name": "plain"}), known.scores, draws=4)
    assert "floor" not in plain.posterior and "floor" in fit.posterior


OWN_SLOPES = "family_benchmark_slope_covariate"


def some_rows(models: int, names: int) -> Rows:
    """Return models, each alone in its family, with different covariates for every term."""
    rng = np.random.default_rng(3)
    dims = ("covariate", "family_slope_covariate", OWN_SLOPES, "benchmark_slope_covariate")
    return Rows(
        covariates={
            dim: xr.DataArray(rng.standard_normal((models, names)), dims=("model", dim))
            for dim in (*dims, "instruct_slope_covariate", "precision_covariate")
        },
        instruct=xr.DataArray((np.arange(models) % 2).astype(float), dims="model"),
        data={},
        family=xr.DataArray(np.arange(models)[::-1], dims="model"),
    )


def test_the_linear_predictor_is_the_sum_of_its_terms() -> None:
    rng = np.random.default_rng(4)
    models, benchmarks, skills, names = 5, 3, 2, 2
    rows = some_rows(models, names)
    b, lam = rng.standard_normal(benchmarks), rng.standard_normal((benchmarks, skills))
    theta, u = rng.standard_normal((models, skills)), rng.standard_normal((models, benchmarks))
    delta, kappa = rng.standard_normal((2, benchmarks, names))
    iota = rng.standard_normal(benchmarks)
    parameters = {
        "intercept": xr.DataArray(b, dims="benchmark"),
        "loading": xr.DataArray(lam, dims=("benchmark", "skill")),
        "benchmark_slope": xr.DataArray(delta, dims=("benchmark", "benchmark_slope_covariate")),
        "instruct_shift": xr.DataArray(iota, dims="benchmark"),
        "instruct_slope": xr.DataArray(kappa, dims=("benchmark", "instruct_slope_covariate")),
    }
    own = rng.standard_normal((models, benchmarks, names))
    parameters |= {
        "family_benchmark": xr.DataArray(u[::-1], dims=("family", "benchmark")),
        "family_benchmark_slope": xr.DataArray(own[::-1], dims=("family", "benchmark", OWN_SLOPES)),
    }
    spec = spec_from_dict(
        {
            "name": "every term beside skills",
            "benchmarks": {
                "family_effect": True,
                "family_slopes": ["log_flops"],
                "slopes": ["log_flops"],
                "instruct": {"shift": True, "slopes": ["log_flops"]},
            },
        }
    )
    skill = xr.DataArray(theta, dims=("model", "skill"))
    eta = linear_predictor(spec, parameters, rows, skill).transpose("model", "benchmark")
    tuned = rows.instruct.values[:, None]
    wanted = (
        b
        + theta @ lam.T
        + u
        + np.einsum("mc,mbc->mb", rows.covariates[OWN_SLOPES].values, own)
        + rows.covariates["benchmark_slope_covariate"].values @ delta.T
        + tuned * (iota + rows.covariates["instruct_slope_covariate"].values @ kappa.T)
    )
    np.testing.assert_allclose(eta.values, wanted, rtol=1e-12)


def test_precision_is_log_linear_in_its_covariates() -> None:
    rows = some_rows(4, 2)
    level = xr.DataArray([50.0, 80.0, 20.0], dims="benchmark")
    slope = np.array([[0.2, -0.5], [0.0, 0.0], [1.0, 0.3]])
    named = xr.DataArray(slope, dims=("benchmark", "precision_covariate"))
    spec = spec_from_dict(
        {
            "name": "x",
            "covariates": ["log_params", "log_tokens"],
            "benchmarks": {"precision_covariates": ["log_params", "log_tokens"]},
        }
    )
    phi = precision(spec, {"precision": level, "precision_slope": named}, rows)
    wanted = level.values * np.exp(rows.covariates["precision_covariate"].values @ slope.T)
    np.testing.assert_allclose(phi.transpose("model", "benchmark").values, wanted, rtol=1e-12)
    assert precision(spec_with(), {"precision": level}, rows).dims == ("benchmark",)


@pytest.mark.filterwarnings("ignore:Scores were read")  # unrelated columns of either orientation
@pytest.mark.parametrize("stated", [0.9, None])
def test_estimated_ends_of_curves_follow_what_the_table_states(
    stated: float | None, known, prior_fit
) -> None:
    """Stated ceilings do not change; where lower is better a curve starts at 1 and ends above 0."""
    info = {
        "alpha": ls.Benchmark(floor=0.0),
        "beta": ls.Benchmark(floor=0.25),
        "gamma": ls.Benchmark(floor=0.2, ceiling=stated),
        "delta": ls.Benchmark(lower_is_better=True),
    }
    names = ["model", "family", "params_b", "tokens_t", *info]
    scores = ls.Scores.from_frame(known.frame.head(12)[names], benchmarks=info)
    draws = prior_fit(floor_spec(ceiling="estimated"), scores, draws=5).samples
    floor, share, ceiling = (
        {name: draws[variable].sel(benchmark=name).values for name in info}
        for variable in ("floor", "ceiling_share", "ceiling")
    )
    shift = draws["floor_shift"].sel(benchmark="beta").values
    np.testing.assert_allclose(floor["alpha"], 0.0)
    np.testing.assert_allclose(floor["beta"], expit(logit(0.25) + shift))
    np.testing.assert_allclose(floor["delta"], 1.0)
    wanted = {name: floor[name] + (1 - floor[name]) * share[name] for name in info}
    wanted["delta"] = 1 - share["delta"]
    if stated is not None:
        wanted["gamma"] = np.full(5, stated)
    for name in info:
        np.testing.assert_allclose(ceiling[name], wanted[name], err_msg=name)


@pytest.mark.filterwarnings("ignore:Scores were read")
@pytest.mark.parametrize("ceilings", ["fixed", "estimated"])
def test_estimated_floors_stay_on_their_side_of_stated_ceilings(
    ceilings: str, known, prior_fit
) -> None:
    """A floor of 0.88 exceeded a ceiling of 0.9 in one draw of six, and forecasts were inverted."""
    info = {
        "alpha": ls.Benchmark(floor=0.88, ceiling=0.9),
        "beta": ls.Benchmark(floor=0.25, ceiling=1.0),
        "gamma": ls.Benchmark(floor=0.12, ceiling=0.1, lower_is_better=True),
        "delta": ls.Benchmark(floor=0.0, ceiling=0.7),
    }
    names = ["model", "family", "params_b", "tokens_t", *info]
    scores = ls.Scores.from_frame(known.frame.head(12)[names], benchmarks=info)
    draws = prior_fit(floor_spec(ceiling=ceilings), scores, draws=400).samples
    floor = {name: draws["floor"].sel(benchmark=name).values for name in info}
    shift = {name: draws["floor_shift"].sel(benchmark=name).values for name in info}
    np.testing.assert_allclose(floor["alpha"], 0.9 * expit(logit(0.88 / 0.9) + shift["alpha"]))
    np.testing.assert_allclose(floor["beta"], expit(logit(0.25) + shift["beta"]))
    np.testing.assert_allclose(
        floor["gamma"], 0.1 + 0.9 * expit(logit(0.02 / 0.9) + shift["gamma"])
    )
    np.testing.assert_array_equal(floor["delta"], 0.0)
    assert (floor["alpha"] < 0.9).all() and (floor["gamma"] > 0.1).all()
