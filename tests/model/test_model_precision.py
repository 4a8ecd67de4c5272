"""Noise by model: fitted, drawn for new models, and weighted by given scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts.latents import draw_noise_of_models
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit

SPEC = spec_from_dict(
    {
        "name": "noisy models",
        "covariates": ["log_flops"],
        "skills": {"count": 1},
        "terms": [{"kind": "model-precision"}],
    }
)
ROW = pd.DataFrame({"model": ["x"], "family": ["fam00"], "params_b": [7.0], "tokens_t": [2.0]})


@pytest.fixture(scope="module")
def fit(known, prior_fit: Callable[..., Fit]) -> Fit:
    rows = [f"fam{f:02d}-m{i}" for f in range(6) for i in (0, 1)]
    return prior_fit(SPEC, known.scores.select(models=rows), draws=400)


@pytest.fixture(scope="module")
def held(fit: Fit) -> Fit:
    """A single value of every shared parameter, and a wide spread of models' noise."""
    values = {
        "model_precision_scale": 1.5,
        "precision": 60.0,
        "loading": 0.5,
        "intercept": 0.0,
        "slope": 0.0,
    }
    draws = fit.posterior.assign({n: xr.full_like(fit.posterior[n], v) for n, v in values.items()})
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    return replace(fit, tree=tree)


def test_a_models_own_precision_multiplies_that_of_every_benchmark(fit: Fit) -> None:
    table = fit.scores.dataset
    whole = fit.evaluator.at(fit.samples, table, residuals="fitted").precision
    plain = fit.evaluator.at(fit.samples, table, residuals="none").precision
    assert "model" not in plain.dims
    ratio = np.log(whole / plain).transpose("sample", "model", "benchmark")
    own = fit.samples["model_precision"].transpose("sample", "model")
    for benchmark in fit.scores.benchmarks:
        np.testing.assert_allclose(ratio.sel(benchmark=benchmark), own, atol=1e-9)


def test_a_noisier_model_has_wider_forecasts(held: Fit) -> None:
    known = held.scores.models[:2]
    effect = xr.where(held.posterior["model"] == known[0], -2.0, 2.0)
    moved = held.posterior["model_precision"] * 0 + effect
    tree = held.tree.copy()
    tree["posterior"] = xr.DataTree(held.posterior.assign(model_precision=moved))
    rows = held.scores.to_frame().query("model in @known")[list(ROW)]
    forecast = ls.predict(replace(held, tree=tree), rows, seed=3)
    noise = (forecast.draws - forecast.mean_draws).std("sample").mean("benchmark")
    assert float(noise.sel(model=known[0])) > 3 * float(noise.sel(model=known[1]))


@pytest.mark.parametrize("sampler_only", [False, True])
def test_scores_that_contradict_each_other_tell_of_a_noisy_model(
    held: Fit, sampler_only: bool
) -> None:
    few_shot = ls.FewShot(sampler_only=sampler_only, degenerate="warn")
    names = held.scores.benchmarks
    row = ROW.assign(family="unheard of")
    agreeing = row.assign(**dict.fromkeys(names, 0.55))
    contradicting = row.assign(**dict(zip(names, (0.2, 0.8) * 3, strict=True)))

    def noise(row: pd.DataFrame) -> float:
        with np.testing.suppress_warnings() as quiet:
            quiet.filter(ls.FitWarning)
            forecast = ls.predict(held, row, seed=4, few_shot=few_shot)
        return float((forecast.draws - forecast.mean_draws).std("sample").mean())

    assert noise(contradicting) > 1.5 * noise(agreeing)


def test_effects_have_their_standard_deviation(fit: Fit) -> None:
    draws = fit.samples
    unit = draws["model_precision"] / draws["model_precision_scale"]
    # 12 models x 400 draws: a standard error of 0.01.
    assert float(unit.std()) == pytest.approx(1.0, abs=0.05)


def test_fitted_models_keep_their_noise_where_new_ones_are_drawn(fit: Fit) -> None:
    draws, (known, other) = fit.samples, fit.scores.models[:2]
    asked: Any = SimpleNamespace(rows=xr.Dataset(coords={"model": [known, "new", other]}))
    noise = draw_noise_of_models(fit, draws, asked, np.random.default_rng(3))["model_precision"]
    for name in (known, other):
        own = draws["model_precision"].sel(model=name)
        np.testing.assert_array_equal(noise.sel(model=name).values, own.values)
    new = noise.sel(model="new").values / draws["model_precision_scale"].values
    assert new.std() == pytest.approx(1.0, abs=0.15)  # 400 draws: a standard error of 0.035
