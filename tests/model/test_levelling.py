"""Skills that level off: a Box-Cox transform of the feature, with the power estimated."""

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

TWO = ["log_params", "log_tokens"]


def spec_of(names: list[str], **fields: Any) -> ModelSpec:
    term = {"kind": "levelling", "names": names}
    return spec_from_dict({"name": "levels off", "covariates": TWO, "terms": [term]} | fields)


def skills(fit: Fit, draws: xr.Dataset) -> np.ndarray:
    at = fit.evaluator.at(draws, fit.scores.dataset, residuals=NO_RESIDUALS)
    return at.skill.transpose("sample", "model", "skill").values


def test_a_skill_is_straight_in_a_power_of_the_feature(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    """Covariates and the term's names are in different order: each must get its own slope."""
    fit = prior_fit(spec_of(TWO[::-1]), small_scores, draws=5)
    draws, straight = fit.samples, fit.samples.copy()
    straight["levelling"] = xr.full_like(draws["levelling"], 1e-6)
    bend, wanted = skills(fit, draws) - skills(fit, straight), 0.0
    for name, variable in zip(TWO, ("params", "tokens"), strict=True):
        mean, scale = fit.transform.mean[name], fit.transform.scale[name]
        power = -draws["levelling"].sel(levelling_covariate=name) / scale
        feature = fit.scores.dataset[variable] / np.exp(mean)  # over its geometric mean
        box_cox = (feature**power - 1) / (power * scale)
        line = np.log(feature) / scale
        wanted = wanted + (box_cox - line) * draws["slope"].sel(covariate=name)
    wanted = wanted.transpose("sample", "model", "skill").values
    np.testing.assert_allclose(bend, wanted, atol=1e-4)
    assert abs(wanted).max() > 0.05


def test_near_0_the_skill_is_straight_in_the_covariate(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    fit = prior_fit(spec_of(TWO), small_scores, draws=3)
    nearly = fit.samples.copy()
    nearly["levelling"] = xr.full_like(nearly["levelling"], 1e-7)
    bare = prior_fit(spec_of(TWO, terms=[]), small_scores, draws=3)
    np.testing.assert_allclose(skills(fit, nearly), skills(bare, nearly), atol=1e-5)


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (["log_params", "log_params"], {}),
        (["log_params:log_tokens"], {"covariates": [*TWO, "log_params:log_tokens"]}),
        (TWO, {"skills": {"count": 0}}),
    ],
)
def test_products_repeated_names_and_a_spec_without_skills_are_refused(
    names: list[str], fields: dict[str, Any]
) -> None:
    with pytest.raises(SpecError, match="must be covariates of the spec, once each, no products"):
        spec_of(names, **fields)
