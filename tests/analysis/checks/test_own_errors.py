"""Scores with their own standard errors or item counts: their replicates have the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.data.scaling import STEP
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.posterior.fit import Fit

DRAWS = 2_000
WIDE = 400.0
"""Standard error of one rating, four steps of the ratings; the others have 5."""


def rated(scores: Scores) -> Scores:
    """Return a table whose gamma is a rating, with a very uncertain one for the first model."""
    frame = scores.to_frame().drop(columns="delta")
    frame["gamma"] = 1200 + 100 * frame["gamma"].fillna(0.5)
    errors = frame[["model"]].assign(gamma=np.where(frame.index == 0, WIDE, 5.0))
    benchmarks = {
        "alpha": ls.Benchmark(),
        "beta": ls.Benchmark(),
        "gamma": ls.Benchmark(scale="real", unit="Elo"),
    }
    return Scores.from_frame(frame, benchmarks=benchmarks, stderr=errors)


@pytest.fixture(scope="module")
def fit(small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    document = {
        "name": "ratings",
        "covariates": ["log_flops"],
        "skills": {"count": 0},
        "family": {"level": "none"},
        "benchmarks": {"likelihood": {"kind": "logit-normal"}, "slopes": ["log_flops"]},
    }
    return prior_fit(spec_from_dict(document), rated(small_scores), draws=DRAWS)


def of_rating(array: xr.DataArray, model: str) -> np.ndarray:
    return array.sel(model=model, benchmark="gamma").transpose("sample").values


@pytest.mark.parametrize("place", [0, 1])
def test_replicates_scatter_by_the_noise_and_their_own_error(fit: Fit, place: int) -> None:
    """Their variance is the likelihood's plus the square of the stated error."""
    model = fit.scores.models[place]
    checked = ls.studies.with_posterior_predictive(fit, seed=1)
    score = checked.tree["posterior_predictive"]["score"]
    at = (score["cell_model"] == model) & (score["cell_benchmark"] == "gamma")
    drawn = score.isel(cell=np.flatnonzero(at.values)).values.ravel()
    forecast = forecast_rows(fit, fit.scores.dataset, seed=1)
    mean = of_rating(forecast.mean_draws, model)
    phi = forecast.precision_draws.sel(benchmark="gamma").transpose("sample").values
    step = float(fit.scores.dataset[STEP].sel(benchmark="gamma"))
    stated = WIDE if place == 0 else 5.0
    z = (drawn - mean) / np.sqrt(4 * step**2 / phi + stated**2)
    # The variance of this many normal values, within four standard errors.
    assert abs(np.mean(z**2) - 1) < 4 * np.sqrt(2 / DRAWS)


def test_a_score_that_is_hardly_known_is_no_outlier(fit: Fit) -> None:
    rows = ls.leave_one_out(fit, seed=1).table(prob=0.9).set_index(["model", "benchmark"])
    first, second = (rows.loc[(name, "gamma")] for name in fit.scores.models[:2])
    width = first["upper"] - first["lower"]
    assert width > 0.9 * 2 * 1.645 * WIDE > second["upper"] - second["lower"]
    replicated = ls.studies.posterior_predictive(fit, seed=1).draws.sel(benchmark="gamma")
    assert float(replicated.sel(model=fit.scores.models[0]).std()) > 0.9 * WIDE


def test_counts_are_of_their_own_items(
    small_scores: Scores, prior_fit: Callable[..., Fit], quick_spec: ModelSpec
) -> None:
    frame = small_scores.to_frame()
    long = frame.melt(
        id_vars=["model", "family", "params_b", "tokens_t", "instruct"],
        value_vars=["alpha"],
        var_name="benchmark",
        value_name="score",
    ).dropna(subset="score")
    long["n_items"] = np.where(np.arange(len(long)) == 0, 10, 400)
    long["score"] = (long["score"] * long["n_items"]).round() / long["n_items"]
    scores = Scores.from_long(long, benchmarks={"alpha": ls.Benchmark(n_items=400)})
    spec = quick_spec.to_dict()
    spec["benchmarks"] |= {"likelihood": {"kind": "beta-binomial"}}
    counted = prior_fit(spec_from_dict(spec), scores)
    drawn = ls.studies.posterior_predictive(counted, seed=1).draws.sel(benchmark="alpha")
    tenths = 10 * drawn.sel(model=long["model"].iloc[0]).values
    np.testing.assert_allclose(tenths, tenths.round(), atol=1e-9)
