"""What tuning adds differs between families, and tuned models scatter in their own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit

SPEC = spec_from_dict(
    {
        "name": "tuning",
        "covariates": ["log_flops"],
        "skills": {"count": 1, "identify": {"kind": "free"}},
        "terms": [{"kind": "family-tuning"}, {"kind": "tuning-precision"}],
    }
)
ROW = {"family": "fam00", "params_b": 7.0, "tokens_t": 2.0}


@pytest.fixture(scope="module")
def fit(known, prior_fit: Callable[..., Fit]) -> Fit:
    rows = [f"fam{f:02d}-m{i}" for f in range(6) for i in (0, 1)]
    return prior_fit(SPEC, known.scores.select(models=rows), draws=400)


def with_values(fit: Fit, **values: float) -> Fit:
    """Return the fit with one value of some variables in every draw."""
    draws = fit.posterior.assign({n: xr.full_like(fit.posterior[n], v) for n, v in values.items()})
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    return replace(fit, tree=tree)


def of_both_states(fit: Fit, family: str = "fam00") -> ls.results.Forecast:
    """Forecast a base and a tuned model that are alike in all else."""
    rows = [ROW | {"model": f"m{flag}", "instruct": flag, "family": family} for flag in (0, 1)]
    return ls.predict(fit, pd.DataFrame(rows), seed=3)


def test_a_model_has_the_effect_of_its_familys_models_of_its_state(fit: Fit) -> None:
    draws, table = fit.samples, fit.scores.dataset
    zeroed = draws.assign(family_tuning=xr.zeros_like(draws["family_tuning"]))
    whole, plain = (fit.evaluator.at(d, table, residuals="fitted").eta for d in (draws, zeroed))
    dims = ("sample", "model", "benchmark")
    for model, family, flag in zip(
        fit.scores.models, table["family"].values, table["instruct"].values, strict=True
    ):
        own = (whole - plain).transpose(*dims).sel(model=model)
        state = "tuned" if flag else "base"
        wanted = draws["family_tuning"].sel(family=family, tuning_state=state)
        np.testing.assert_allclose(own, wanted.transpose("sample", "benchmark"), atol=1e-9)


def test_tuned_models_of_a_new_family_are_as_uncertain_as_their_state(fit: Fit) -> None:
    scale = fit.posterior["family_tuning_scale"]
    spread = xr.where(scale["tuning_state"] == "tuned", 2.0, 0.01) + 0 * scale
    others = {"loading": 0.0, "intercept": 0.0, "precision": 200.0, "tuning_precision": 0.0}
    held = with_values(fit, **others)
    draws = held.posterior.assign(family_tuning_scale=spread.transpose(*scale.dims))
    tree = held.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    spreads = of_both_states(replace(held, tree=tree), "unheard of").draws.std("sample")
    assert bool((spreads.sel(model="m1") > 4 * spreads.sel(model="m0")).all())


def test_the_shift_of_precision_is_that_of_tuned_models_alone(fit: Fit) -> None:
    draws, table = fit.samples, fit.scores.dataset
    zeroed = draws.assign(tuning_precision=xr.zeros_like(draws["tuning_precision"]))
    whole, plain = (fit.evaluator.at(d, table, residuals="none").precision for d in (draws, zeroed))
    ratio = np.log(whole / plain).transpose("sample", "model", "benchmark")
    wanted = table["instruct"] * draws["tuning_precision"]
    np.testing.assert_allclose(ratio, wanted.transpose(*ratio.dims), atol=1e-9)


def test_noisier_tuned_models_have_wider_forecasts(fit: Fit) -> None:
    forecast = of_both_states(with_values(fit, tuning_precision=-3.0, precision=60.0))
    noise = (forecast.draws - forecast.mean_draws).std("sample").mean("benchmark")
    assert float(noise.sel(model="m1")) > 2 * float(noise.sel(model="m0"))
