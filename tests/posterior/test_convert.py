"""Draws become a tree: quantities derived from the parameters are right."""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.analysis.sensitivity.power_scaling import sensitivity_index
from latentscale.analysis.sensitivity.sensitivity import sensitivity
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, Prior, load_spec
from latentscale.posterior.fit import Fit


def test_model_skills_are_family_plus_slopes_by_hand(
    small_scores: Scores, prior_fit, known_spec
) -> None:
    fit: Fit = prior_fit(known_spec, small_scores)
    s, data = fit.samples, small_scores.dataset
    flops = np.log(6e21 * data["params"].values * data["tokens"].values)
    x = (flops - flops.mean()) / flops.std()
    family = [str(f) for f in data["family"].values]
    alpha = s["family_skill"].sel(family=family).transpose("sample", "family", "skill").values
    slope = s["slope"].sel(covariate="log_flops").transpose("sample", "skill").values
    wanted = alpha + x[None, :, None] * slope[:, None, :]
    skills = s["model_skill"].transpose("sample", "model", "skill").values
    np.testing.assert_allclose(skills, wanted, rtol=1e-9)


def test_residuals_enter_the_model_skills(small_scores: Scores, prior_fit, everything_spec) -> None:
    fit: Fit = prior_fit(everything_spec, small_scores)
    s = fit.samples
    family = xr.DataArray(small_scores.dataset["family"].values, dims="model")
    x = fit.design.x
    own = s["family_slope"].sel(family=family).rename(family_slope_covariate="covariate")
    linear = (x * s["slope"]).sum("covariate")
    extra = (x.sel(covariate=own["covariate"].values) * own).sum("covariate")
    wanted = s["family_skill"].sel(family=family) + linear + extra + s["residual"]
    gap = (wanted - s["model_skill"]).transpose("sample", "model", "skill")
    assert float(np.abs(gap).max()) < 1e-9
    assert float(np.abs(s["residual"]).max()) > 0.01


def test_a_spec_without_skills_has_none(small_scores: Scores, prior_fit) -> None:
    fit: Fit = prior_fit(load_spec("pooled_flops"), small_scores)
    assert "model_skill" not in fit.posterior and "skill" not in fit.posterior.dims
    fixed: Fit = prior_fit(load_spec("family_flops"), small_scores)
    prior = fixed.tree["log_prior"]["family_benchmark"]
    wanted = fixed.spec.prior("fixed_family").log_density(
        fixed.posterior["family_benchmark"].transpose(*prior.dims).values
    )
    np.testing.assert_allclose(prior.values, wanted)


def test_a_pooled_effect_has_no_fixed_prior(small_scores: Scores, prior_fit) -> None:
    fit: Fit = prior_fit(load_spec("latentscale"), small_scores)
    prior = fit.tree["log_prior"].to_dataset()
    assert "family_benchmark" not in prior
    share = fit.posterior["ceiling_share"]
    wanted = fit.spec.prior("ceiling").log_density(share.values)
    np.testing.assert_allclose(prior["ceiling_share"].transpose(*share.dims).values, wanted)
    floor = fit.scores.dataset["floor"]
    xr.testing.assert_allclose(
        fit.posterior["ceiling"],
        (floor + (1 - floor) * share).transpose(*fit.posterior["ceiling"].dims),
    )
    assert float((prior["loading"].sel(benchmark=list(fit.design.anchors)) == 0).all()) == 1.0


def test_the_log_prior_of_a_spread_that_an_anchor_does_not_have_is_zero(
    small_scores: Scores, prior_fit
) -> None:
    apart = Prior("LogNormal", mu=-1, sigma=0.5)  # no density at 0, where anchors' spreads are
    spec = load_spec("latentscale").with_priors({"family_benchmark_scale": apart})
    fit: Fit = prior_fit(spec, small_scores)
    spread = fit.posterior["family_benchmark_scale"]
    prior = fit.tree["log_prior"]["family_benchmark_scale"].transpose(*spread.dims)
    anchor = spread["benchmark"].isin(list(fit.design.anchors)).values
    assert anchor.any() and (prior.values[..., anchor] == 0).all()
    wanted = apart.log_density(spread.values[..., ~anchor])
    np.testing.assert_allclose(prior.values[..., ~anchor], wanted)


def test_the_prior_of_correlations_is_scaled_with_the_others(
    known_spec: ModelSpec, small_scores: Scores, prior_fit
) -> None:
    """LKJ of two skills with concentration 2 has the density 3 / 4 (1 - r^2)."""
    fit: Fit = prior_fit(known_spec, small_scores, draws=100)
    correlation = fit.posterior["skill_cholesky"].isel(skill=1, skill_factor=0)
    prior = fit.tree["log_prior"].to_dataset()
    wanted = np.log(0.75 * (1 - correlation.values**2))
    np.testing.assert_allclose(prior["skill_cholesky"].values, wanted, rtol=1e-9)
    found = sensitivity(fit, variables=["skill_cholesky"], priors=["skill_cholesky"], seed=1)
    table = found.rows.set_index("where")
    row = next(name for name in table.index if name.startswith("delta") and name.endswith("0"))
    quantity = correlation.expand_dims(quantity=1)
    index = sensitivity_index(quantity, prior["skill_cholesky"])
    np.testing.assert_allclose(table.loc[row, "prior"], index[0], rtol=1e-9)
    every = sensitivity(fit, variables=["skill_cholesky"], seed=1)
    assert "skill_cholesky" in set(every.by_prior["prior"])
