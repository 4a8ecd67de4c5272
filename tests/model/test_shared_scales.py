"""Free skills that share their spreads: the priors prefer no rotation of the skills."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.dims import SKILL
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior.fit import Fit

SPREADS = [
    *("signed_loading_spread", "signed_loading_group_spread"),
    *("residual_scale", "trend_scale", "category_scale"),
]


def spec_with(scales: str) -> ModelSpec:
    changes = {"name": scales, "skills.count": 2, "skills.identify.scales": scales}
    return ls.load_spec("capabilities").with_(changes)


@pytest.fixture(scope="module")
def dated(small_scores: Scores) -> Scores:
    """Return models with all features of `capabilities`, on benchmarks of two groups."""
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t", "instruct"])
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame["released"] = pd.Timestamp("2024-05-01") + days
    frame["reasoning"] = np.arange(len(frame)) % 2
    frame["size_class"] = np.where(np.arange(len(frame)) % 3, "mini", "large")
    groups = {"alpha": "maths", "beta": "code", "gamma": "maths", "delta": "code"}
    info = {name: ls.Benchmark(group=group) for name, group in groups.items()}
    return Scores.from_frame(frame, benchmarks=info)


@pytest.mark.parametrize("scales", ["shared", "by-skill"])
def test_priors_prefer_a_rotation_where_skills_have_spreads_of_their_own(
    scales: str, dated: Scores
) -> None:
    """The density at a point, and after rotating everything with a skill dim."""
    spec = spec_with(scales)
    model = build_design(spec, design(spec, dated))
    density = model.compile_logp(sum=False, mode="FAST_COMPILE")
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    here, there = {}, {}
    for variable in model.free_RVs:
        name = str(model.rvs_to_values[variable].name)
        start = np.asarray(model.initial_point(random_seed=0)[name])
        here[name] = there[name] = start + 0.5 * rng.standard_normal(start.shape)
        dims = model.named_vars_to_dims.get(str(variable.name), ())
        if SKILL in dims and not name.endswith("_log__"):
            axis = dims.index(SKILL)
            there[name] = np.moveaxis(np.moveaxis(here[name], axis, -1) @ turn, -1, axis)
    before, after = (sum(np.sum(part) for part in density(at)) for at in (here, there))
    change = abs(after - before)
    assert change < 1e-8 if scales == "shared" else change > 1e-2


def test_one_spread_stands_for_all_skills(prior_fit: Callable[..., Fit], dated: Scores) -> None:
    """Standardised effects are standard normal: limits of 5 standard errors."""
    draws = prior_fit(spec_with("shared"), dated, draws=300).samples
    assert all(SKILL not in draws[name].dims for name in SPREADS)
    z = (draws["residual"] / draws["residual_scale"]).values
    # Settings of a release are correlated; these models are separate releases.
    assert abs(z.mean()) < 5 / np.sqrt(z.size) and abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
    per_skill = (draws["residual"] ** 2).mean(["sample", "model"]).values
    assert per_skill[0] == pytest.approx(per_skill[1], rel=0.2)


def test_an_aligned_fit_forecasts_as_before(prior_fit: Callable[..., Fit], dated: Scores) -> None:
    fit = prior_fit(spec_with("shared"), dated, draws=40)
    aligned = ls.align(fit).fit
    assert "signed_loading_spread" not in aligned.posterior
    assert {"residual_factor", "trend_factor", "category_factor"} <= set(aligned.posterior)
    rows = dated.to_frame().drop(columns=list(dated.benchmarks))
    plain, turned = (ls.predict(f, rows, seed=1).mean_draws for f in (fit, aligned))
    np.testing.assert_allclose(turned.values, plain.values, rtol=1e-6)


def in_each_skill(fit: Fit) -> Fit:
    """Return the same draws as those of a spec whose skills have separate spreads."""
    posterior = fit.posterior
    one = xr.ones_like(posterior[SKILL], dtype=float)
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(posterior.assign({n: posterior[n] * one for n in SPREADS}))
    return replace(fit, spec=spec_with("by-skill"), tree=tree)


@pytest.mark.parametrize("given", [{}, {"alpha": 0.7}, {"alpha": 0.9, "beta": 0.8, "gamma": 0.9}])
def test_forecasts_are_those_of_the_same_spread_in_each_skill(
    given: dict[str, float], prior_fit: Callable[..., Fit], dated: Scores
) -> None:
    """A later model of a family and a size class that were not fitted."""
    fit = prior_fit(spec_with("shared"), dated, draws=100)
    row = {"model": "new", "family": "new", "released": "2026-06-01", "reasoning": 1}
    rows = pd.DataFrame([row | {"size_class": "nano"} | given])
    few = ls.FewShot(degenerate="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)
        shared, apart = (
            ls.predict(f, rows, seed=1, few_shot=few).mean_draws for f in (fit, in_each_skill(fit))
        )
    np.testing.assert_allclose(shared.values, apart.values, rtol=1e-9)


def test_gibbs_sampling_refuses_shared_spreads(dated: Scores) -> None:
    changes = {
        "benchmarks.likelihood": {"kind": "student-t"},
        "benchmarks.largest_precision": None,
        "skills.release": False,
    }
    spec = spec_with("shared").with_(changes)
    with pytest.raises(ls.FitError, match=r'skills.identify.scales is "shared".*"by-skill"'):
        ls.fit(spec, dated, method=ls.methods.Gibbs(draws=10, tune=10), progress=False)


def test_a_wrong_value_of_scales_is_refused_by_name() -> None:
    with pytest.raises(ls.SpecError, match=r"scales"):
        spec_with("common")
