"""Curvature: squares of standardised covariates in the skills or in the linear predictor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import SpecError
from latentscale.model.evaluate import NO_RESIDUALS
from latentscale.posterior.fit import Fit


def spec_of(of_each: str, **fields: Any) -> ModelSpec:
    term = {"kind": "curvature", "squares": ["log_params"], "of_each": of_each}
    return spec_from_dict(
        {"name": "bent", "covariates": ["log_params"], "terms": [term | fields.pop("term", {})]}
        | fields
    )


def size_of(fit: Fit) -> xr.DataArray:
    """Return standardised log size, dims (model,)."""
    log_params = np.log(fit.scores.dataset["params"])
    mean, scale = fit.transform.mean["log_params"], fit.transform.scale["log_params"]
    return (log_params - mean) / scale


@pytest.mark.parametrize(
    ("of_each", "variable", "what"),
    [("skill", "curvature", "skill"), ("benchmark", "benchmark_curvature", "eta")],
)
def test_squares_less_their_mean_are_added(
    of_each: str, variable: str, what: str, prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    fit = prior_fit(spec_of(of_each), small_scores, draws=5)
    draws, straight = fit.samples, fit.samples.copy()
    straight[variable] = xr.zeros_like(draws[variable])

    def at(samples: xr.Dataset) -> xr.DataArray:
        return getattr(fit.evaluator.at(samples, fit.scores.dataset, residuals=NO_RESIDUALS), what)

    bend = (at(draws) - at(straight)).transpose("sample", "model", of_each)
    wanted = (size_of(fit) ** 2 - 1) * draws[variable].sel(curvature_covariate="log_params")
    wanted = wanted.transpose("sample", "model", of_each)
    np.testing.assert_allclose(bend.values, wanted.values, atol=1e-9)
    assert (abs(wanted) > 0.01).any()


def test_products_and_repeated_names_are_refused() -> None:
    square = {"covariates": ["log_params", "log_params:log_params"]}
    for squares in (["log_params:log_params"], ["log_params", "log_params"]):
        with pytest.raises(SpecError, match="each covariate once, without products"):
            spec_of("skill", term={"squares": squares}, **square)


def test_skills_that_are_not_there_cannot_bend_but_benchmarks_can() -> None:
    without = {"skills": {"count": 0}, "benchmarks": {"slopes": ["log_params"]}}
    with pytest.raises(SpecError, match=r"skills\.count is 0"):
        spec_of("skill", **without)
    assert spec_of("benchmark", **without).terms
