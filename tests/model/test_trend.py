"""Trends: the skill's curve in a covariate follows from its changes at the knots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import SpecError
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior.fit import Fit


def spec_of(shape: str = "local-linear", **fields: Any) -> ModelSpec:
    term = {"kind": "trend", "covariate": "log_params", "shape": shape, "knots": 5, **fields}
    return spec_from_dict({"name": "trend", "covariates": ["log_params"], "terms": [term]})


def curve_by_hand(fit: Fit, x: np.ndarray, shape: str) -> np.ndarray:
    """Walk from the mean outwards: slopes (or levels) change at the knots; (sample, x, skill)."""
    change = fit.samples["trend_change"].transpose("sample", "trend_knot", "skill")
    knots = change["trend_knot"].values.astype(float)
    step = knots[1] - knots[0]
    level = np.zeros((change.sizes["sample"], x.size, change.sizes["skill"]))
    for j, knot in enumerate(knots):
        own = change.values[:, j][:, None]
        for i, place in enumerate(x):
            if shape == "local-linear":
                outside = place > knot if knot >= 0 else place < knot
                level[:, [i]] += own * abs(place - knot) * outside
            elif knot >= 0:
                level[:, [i]] += own * min(max((place - knot) / step, 0), 1)
            else:
                level[:, [i]] += own * min(max((knot + step - place) / step, 0), 1)
    return level


@pytest.mark.parametrize("shape", ["local-linear", "random-walk"])
def test_skills_follow_the_line_and_the_changes_at_the_knots(
    shape: str, prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    fit = prior_fit(spec_of(shape), small_scores, draws=7)
    draws, data = fit.samples, fit.scores.dataset
    x = (np.log(data["params"].values) - fit.transform.mean["log_params"]) / fit.transform.scale[
        "log_params"
    ]
    family = draws["family_skill"].sel(family=data["family"].values)
    line = draws["slope"].sel(covariate="log_params").transpose("sample", "skill").values
    wanted = family.transpose("sample", "family", "skill").values + x[:, None] * line[:, None]
    wanted = wanted + curve_by_hand(fit, x, shape)
    skills = draws["model_skill"].transpose("sample", "model", "skill").values
    np.testing.assert_allclose(skills, wanted, rtol=1e-9, atol=1e-9)


def test_knots_cover_the_fitted_range_and_go_on_beyond_it(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    fit = prior_fit(spec_of(beyond=1.0), small_scores, draws=2)
    knots = fit.samples["trend_knot"].values.astype(float)
    t = fit.transform
    lower, upper = (
        (edge["log_params"] - t.mean["log_params"]) / t.scale["log_params"]
        for edge in (t.lower, t.upper)
    )
    step = (upper - lower) / 5
    np.testing.assert_allclose(np.diff(knots), step, atol=1e-5)
    assert np.any(knots == 0) and abs(knots[0] - (lower - 1)) <= step
    assert knots[-1] - (upper + 1) + 1e-5 >= 0 and knots[-1] - (upper + 1) <= step


def test_forecasts_widen_beyond_the_range(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    """The prior spread of a local linear trend grows as distance^(3/2) for many small steps."""
    fit = prior_fit(spec_of(knots=20), small_scores, draws=400)
    spread = curve_by_hand(fit, np.array([1.0, 2.0]), "local-linear")[..., 0].std(0)
    assert 1.5**1.5 < spread[1] / spread[0] < 4.0


def test_a_trend_that_a_spec_cannot_have_is_refused(small_scores: Scores) -> None:
    with pytest.raises(SpecError, match='terms, trend: "log_tokens" must also'):
        spec_of(covariate="log_tokens")
    with pytest.raises(SpecError, match="knots"):
        spec_of(knots=0)
    document = {"name": "none", "skills": {"count": 0}, "benchmarks": {"slopes": ["log_flops"]}}
    terms = [{"kind": "trend", "covariate": "log_flops"}]
    with pytest.raises(SpecError, match="no skills that could follow a trend"):
        spec_from_dict({**document, "terms": terms})
    frame = small_scores.to_frame()
    frame["params_b"] = 7.0
    same = Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    with pytest.raises(SpecError, match="differ between models"):
        build_design(spec_of(), design(spec_of(), same))


@pytest.mark.parametrize("shape", ["local-linear", "random-walk"])
def test_changes_have_the_variance_of_their_distance(
    shape: str, prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    """Normal(0, trend_scale^2 times the distance of two knots)."""
    draws = prior_fit(spec_of(shape), small_scores, draws=400).samples
    change = draws["trend_change"]
    step = np.diff(change["trend_knot"].values.astype(float)).mean()
    unit = change / (draws["trend_scale"] * np.sqrt(step))
    assert unit.size >= 3200  # a standard deviation then has a standard error of at most 0.0125
    assert float(unit.std()) == pytest.approx(1.0, abs=0.06)
