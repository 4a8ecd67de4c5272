"""Other settings of fitted releases: compared with brute force, and matching rows to releases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts.groups import fitted_group
from latentscale.analysis.forecasts.latents import draw_noise_of_models, local_problem
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.model.left_open import with_drawn_features
from latentscale.model.other_settings import (
    first_rows,
    rows_of_fitted_releases,
    with_other_settings,
)
from latentscale.model.terms.residual import MODEL_RELEASE, OTHER_SETTINGS, ROW_RELEASE
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN

DAY = pd.Timestamp("2025-01-01")
SHARE = 0.8
COUNT = 4_000
"""Posterior draws: forecasts' means are then known within 0.04 of their standard deviation."""


def spec_of() -> ModelSpec:
    """Return a spec with noisy scores and wide residuals, most of which settings share."""
    return spec_from_dict(
        {
            "name": "settings",
            "covariates": ["released"],
            "skills": {
                "count": 1,
                "identify": {"kind": "free"},
                "residual": True,
                "release": True,
            },
            "family": {"level": "partial"},
            "benchmarks": {"pooled": True},
            "priors": {
                "release_share": {"dist": "Beta", "alpha": 1e6 * SHARE, "beta": 1e6 * (1 - SHARE)},
                "residual_scale": {"dist": "LogNormal", "mu": 0.0, "sigma": 0.1},
                "precision_mean": {"dist": "Normal", "mu": 1.5, "sigma": 0.2},
            },
        }
    )


def table_of(**columns: list[Any]) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "model": ["a-1_low", "a-1_high", "b-1"],
            "family": ["a", "a", "b"],
            "released": [DAY, DAY, DAY + pd.Timedelta(30, unit="D")],
            "alpha": [0.55, 0.6, 0.5],
            "beta": [np.nan, 0.62, 0.45],
        }
    )
    return rows.assign(**columns)


def setting(name: str, **scores: float) -> dict[str, object]:
    return {"model": name, "family": "a", "released": DAY, **scores}


@pytest.fixture(scope="module")
def posterior(prior_fit: Callable[..., Fit], with_posterior: Callable[..., Fit]) -> Fit:
    """Draws of the prior, weighted by the fitted scores."""
    prior = prior_fit(spec_of(), Scores.from_frame(table_of()), draws=20_000)
    rng, draws = np.random.default_rng(2), prior.samples.drop_vars(list(ORIGIN))
    group = fitted_group(prior)
    noise = draw_noise_of_models(prior, draws, group, rng)
    old = local_problem(prior, draws, group, noise, hold=True)
    weight = np.exp(old.log_likelihood(old.offset).sum(axis=1))
    chosen = rng.choice(len(weight), size=COUNT, p=weight / weight.sum())
    kept = prior.posterior.isel(draw=chosen).assign_coords(draw=np.arange(COUNT))
    return with_posterior(prior, kept)


GIVEN = {
    "a new setting": [setting("a-1_medium", alpha=0.2, beta=0.25), setting("a-1_minimal")],
    "a fitted one": [setting("a-1_low", beta=0.2), setting("a-1_minimal")],
    "both": [
        setting("a-1_low", beta=0.2),
        setting("a-1_medium", alpha=0.25),
        setting("a-1_minimal"),
    ],
    "a new release": [
        setting("a-2_low", alpha=0.05, beta=0.05),
        setting("a-2_high", alpha=0.1),
        setting("a-2_minimal"),
    ],
}


@pytest.mark.filterwarnings("ignore:The scores given")
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("way", ["shifts", "sampler"])
def test_scores_of_settings_move_the_others_as_weights_of_draws_do(
    posterior: Fit, given: str, way: str, by_shifts_alone: Callable[[], None]
) -> None:
    rows = pd.DataFrame(GIVEN[given])
    many = ls.FewShot(draws=COUNT, min_ess=50, degenerate="warn")
    brute = ls.predict(posterior, rows, seed=1, few_shot=many)
    assert brute.conditioning is not None and brute.conditioning.method.startswith("importance")
    if way == "shifts":
        by_shifts_alone()
    few = ls.FewShot(draws=COUNT, degenerate="warn", sampler_only=way == "sampler")
    found = ls.predict(posterior, rows, seed=1, few_shot=few)
    assert found.conditioning is not None
    own, other = found.mean_draws, brute.mean_draws
    apart = (own.mean("sample") - other.mean("sample")) / other.std("sample")
    error = np.sqrt(1 / found.conditioning.ess + 1 / brute.conditioning.ess)
    # When settings did not follow residuals moved by scores, they were up to 14 errors apart.
    assert float(abs(apart).max()) < 3.5 * error


def fitted_names(fit: Fit, row: dict[str, object]) -> list[str]:
    """Return the fitted models of the release to which a row is assigned."""
    planned = planned_rows(fit, pd.DataFrame([row]))
    found = rows_of_fitted_releases(fit.spec, fit.samples, fit.design, planned)
    release = list(found.values())
    return np.array(fit.scores.models)[np.isin(fit.design.release_of_model, release)].tolist()


def test_a_row_is_of_a_fitted_release_as_the_fit_has_it(prior_fit: Callable[..., Fit]) -> None:
    names = ["a-1_low", "a-1_high", "b-1", "a-1_max"]
    rows = pd.concat([table_of(), table_of().iloc[1:2]], ignore_index=True).assign(model=names)
    rows["family"] = ["a", "a", "b", "a"]
    rows["hosted"] = ["x", "x", "x", "y"]  # not a covariate, but it distinguishes two releases
    rows["instruct"] = (rows["family"] == "a").astype(int)  # rows that do not state it have 0
    scores = Scores.from_frame(rows, features=[ls.Feature("hosted", kind="category")])
    fit = prior_fit(spec_of(), scores, draws=5)
    assert fit.design.release_of_model.tolist() == [0, 0, 1, 2]
    assert fitted_names(fit, setting("a-1_medium") | {"hosted": "x"}) == ["a-1_low", "a-1_high"]
    assert fitted_names(fit, setting("a-1_medium") | {"hosted": "y"}) == ["a-1_max"]
    assert fitted_names(fit, setting("a-1_medium") | {"hosted": "z"}) == []
    assert fitted_names(fit, setting("a-1_medium")) == []  # it could belong to both
    assert fitted_names(fit, setting("a-1_low") | {"hosted": "x"}) == []  # fitted itself
    late = DAY + pd.Timedelta(30, unit="D")
    unstated = {"model": "b-1_high", "family": "b", "released": late}
    both = pd.DataFrame([unstated, setting("a-1_medium") | {"hosted": "x"}])
    found = rows_of_fitted_releases(fit.spec, fit.samples, fit.design, planned_rows(fit, both))
    assert set(found) == {"b-1_high", "a-1_medium"}  # features count where both state them


def test_settings_that_leave_the_same_feature_empty_are_of_one_release(
    prior_fit: Callable[..., Fit],
) -> None:
    """As for sizes of closed models, each a parameter."""
    rows = table_of(params_b=[np.nan, np.nan, 7.0])
    sizes = [ls.Feature("params_b", missing="estimated")]
    spec = spec_of().with_({"covariates": ["released", "log_params"]})
    fit = prior_fit(spec, Scores.from_frame(rows, features=sizes), draws=5)
    assert fitted_names(fit, setting("a-1_medium")) == ["a-1_low", "a-1_high"]
    assert fitted_names(fit, setting("a-1_medium", params_b=7.0)) == []


def test_rows_may_state_what_the_fitted_table_has_no_column_of(
    prior_fit: Callable[..., Fit],
) -> None:
    """It distinguishes new releases from one another, but not from fitted ones."""
    fit = prior_fit(spec_of(), Scores.from_frame(table_of()), draws=5)
    names = ["a-1_medium", "a-2_low", "a-2_high", "a-2_max"]
    rows = pd.DataFrame([setting(name) for name in names])
    rows["provider"] = ["x", "x", "x", "y"]
    with pytest.warns(ls.DataWarning, match='does not use "provider"'):
        basis = ls.predict(fit, rows, seed=1).table().groupby("model", sort=False)["basis"].first()
    assert basis.tolist() == ["known release", *["known family"] * 3]
    draws = with_other_settings(fit.spec, fit.samples, fit.design, planned_rows(fit, rows))
    of_row = dict(zip(draws[OTHER_SETTINGS].values, draws[ROW_RELEASE].values, strict=True))
    assert set(of_row) == {"a-1_medium", "a-2_low", "a-2_high"}
    assert of_row["a-2_low"] == of_row["a-2_high"] != of_row["a-1_medium"]
    fitted = draws["model"].values[draws[MODEL_RELEASE].values == of_row["a-1_medium"]]
    assert fitted.tolist() == ["a-1_low", "a-1_high"]


def test_the_basis_of_a_row_says_whether_its_release_was_fitted(
    prior_fit: Callable[..., Fit],
) -> None:
    fit = prior_fit(spec_of(), Scores.from_frame(table_of()), draws=5)
    rows = pd.DataFrame([setting("a-1_medium"), setting("a-2_medium")])
    basis = ls.predict(fit, rows, seed=1).table().groupby("model")["basis"].first()
    assert basis.to_dict() == {"a-1_medium": "known release", "a-2_medium": "known family"}


def test_a_new_release_is_none_of_the_fitted_ones(prior_fit: Callable[..., Fit]) -> None:
    """Its settings belong to one release, which no fitted model's residual affects."""
    fit = prior_fit(spec_of(), Scores.from_frame(table_of()), draws=5)
    names = [*OF_FITTED, *NEW_RELEASE, "a-3_low"]
    planned = planned_rows(fit, pd.DataFrame([setting(name) for name in names]))
    backwards = fit.samples.isel(model=slice(None, None, -1))
    draws = with_other_settings(fit.spec, backwards, fit.design, planned)
    row = dict(zip(draws[OTHER_SETTINGS].values, draws[ROW_RELEASE].values, strict=True))
    fitted = dict(zip(draws["model"].values, draws[MODEL_RELEASE].values, strict=True))
    assert set(row) == {*OF_FITTED, *NEW_RELEASE}  # a-3_low is alone in its release
    assert {row[name] for name in OF_FITTED} == {fitted["a-1_low"]} == {fitted["a-1_high"]}
    assert len({row[name] for name in NEW_RELEASE}) == 1
    assert not {row[name] for name in NEW_RELEASE} & set(fitted.values())
    assert fitted["b-1"] == -1


NEW_RELEASE = ["a-2_low", "a-2_high"]
OF_FITTED = ["a-1_medium", "a-1_minimal"]


@pytest.mark.parametrize("names", [NEW_RELEASE, OF_FITTED])
def test_rows_of_one_release_differ_by_what_they_have_apart(
    names: list[str], prior_fit: Callable[..., Fit]
) -> None:
    """Whatever settings were fitted, two of them differ with variance 2 (1 - rho) sigma^2."""
    fit = prior_fit(spec_of(), Scores.from_frame(table_of()), draws=COUNT)
    rows = pd.DataFrame([setting(name) for name in (*names, "a-3_low", "a-3-mini_low")])
    skill = ls.predict(fit, rows, seed=1).skill_draws
    assert skill is not None
    scaled = skill.isel(skill=0) / fit.samples["residual_scale"].isel(skill=0)
    for pair, share in ((names, SHARE), (["a-3_low", "a-3-mini_low"], 0.0)):
        one, other = (scaled.sel(model=name) for name in pair)
        found = float(((one - other) ** 2).mean()) / 2 / (1 - share)
        assert abs(found - 1) < 4 * np.sqrt(2 / COUNT)
        # Apart from the residual, both have the same family and date.
        assert abs(float((one - other).mean())) < 4 * np.sqrt(2 * (1 - share) / COUNT)


LEFT_OPEN: dict[str, tuple[dict[str, Any], list[ls.Feature]]] = {
    "tokens_t": ({"covariates": ["released", "log_tokens"], "undisclosed.kind": "estimated"}, []),
    "context_k": (
        {"covariates": ["released", "context_k"]},
        [ls.Feature("context_k", missing="estimated")],
    ),
}


@pytest.mark.filterwarnings("ignore:The scores given", "ignore:Scores were read")
@pytest.mark.parametrize("name", LEFT_OPEN)
def test_rows_of_one_release_share_what_it_does_not_disclose(
    name: str, prior_fit: Callable[..., Fit]
) -> None:
    """They differ only in their residuals, and share their tokens even given scores of one."""
    changes, features = LEFT_OPEN[name]
    table = pd.concat([table_of(), table_of().iloc[2:].assign(model="b-2")], ignore_index=True)
    table = table.assign(params_b=7.0, **{name: [np.nan, np.nan, 4.0, 1.0]})
    scores = Scores.from_frame(table, features=features)
    fit = prior_fit(spec_of().with_(changes), scores, draws=COUNT)
    rows = pd.DataFrame([setting(model) for model in (*NEW_RELEASE, *OF_FITTED, "a-3_low")])
    rows = rows.assign(params_b=7.0, **{name: np.nan})
    free = ls.predict(fit, rows, seed=1)
    few = ls.FewShot(draws=COUNT, min_ess=50, degenerate="warn")
    given = ls.predict(fit, rows.assign(alpha=[0.3, *[np.nan] * 4]), seed=1, few_shot=few)
    assert free.skill_draws is not None and given.conditioning is not None
    said = free.table().drop_duplicates("model").set_index("model")["assumed"]
    assert (said[list(OF_FITTED)] == f"{name} estimated (release)").all()
    assert (said[list(NEW_RELEASE)] == f"{name} drawn (prior)").all()
    skill = free.skill_draws.isel(skill=0) / fit.samples["residual_scale"].isel(skill=0)
    for one, other in (NEW_RELEASE, OF_FITTED):
        differ = float(((skill.sel(model=one) - skill.sel(model=other)) ** 2).mean())
        assert abs(differ / (2 * (1 - SHARE)) - 1) < 4 * np.sqrt(2 / COUNT)
    for tokens in (free.token_draws, given.token_draws) if name == "tokens_t" else ():
        assert tokens is not None
        for one, other in (NEW_RELEASE, OF_FITTED):
            np.testing.assert_array_equal(tokens.sel(model=one), tokens.sel(model=other))
        for other in ("a-3_low", "a-1_medium"):
            assert (tokens.sel(model="a-2_low") != tokens.sel(model=other)).all()


@pytest.mark.filterwarnings("ignore:Scores were read")
def test_rows_of_one_release_do_not_share_a_setting_that_neither_states(
    prior_fit: Callable[..., Fit],
) -> None:
    table = pd.concat([table_of(), table_of().iloc[2:].assign(model="b-2")], ignore_index=True)
    effort = ls.Feature("effort", kind="numeric", missing="estimated")
    scores = Scores.from_frame(table.assign(effort=[1.0, 3.0, 2.0, np.nan]), features=[effort])
    fit = prior_fit(spec_of().with_({"covariates": ["released", "effort"]}), scores, draws=20)
    planned = planned_rows(fit, pd.DataFrame([setting(name) for name in NEW_RELEASE]))
    draws = with_other_settings(fit.spec, fit.samples, fit.design, planned)
    first = first_rows(draws)
    assert first == {"a-2_high": "a-2_low"}
    rng = np.random.default_rng(1)
    drawn = with_drawn_features(fit.spec, fit.transform, draws, planned, first, rng)
    values = drawn["missing_standard"]
    one, other = (values.sel(missing_value=f"effort of {name}").values for name in NEW_RELEASE)
    assert (one != other).all()


@pytest.mark.filterwarnings("ignore:The scores given")
def test_scores_of_a_new_release_move_its_other_settings_as_weights_of_forecasts_do(
    posterior: Fit,
) -> None:
    """Compared with joint draws of its settings with nothing given, weighted by the scores."""
    rows = pd.DataFrame(GIVEN["a new release"])
    asked = rows[["model", "family", "released"]]
    levels, log_weight = [], []
    for seed in range(4):
        free = ls.predict(posterior, asked, seed=seed)
        scores = xr.DataArray(
            rows[["alpha", "beta"]].to_numpy(),
            {"model": rows["model"], "benchmark": ["alpha", "beta"]},
        )
        noise, mean, precision = free.noise, free.mean_draws, free.precision_draws
        density = noise.log_density(scores.fillna(0.5), mean, precision)
        log_weight.append(density.where(scores.notnull()).sum(["model", "benchmark"]).values)
        levels.append(free.skill_draws.isel(skill=0).transpose("sample", "model").values)
    values, weight = np.concatenate(levels), np.exp(np.concatenate(log_weight))
    weight /= weight.sum()
    mean, error = weight @ values, np.sqrt((weight**2).sum())
    spread = np.sqrt(weight @ (values - mean) ** 2)
    few = ls.FewShot(draws=COUNT, min_ess=50, degenerate="warn")
    found = ls.predict(posterior, rows, seed=1, few_shot=few)
    assert found.conditioning is not None and found.skill_draws is not None
    own = found.skill_draws.isel(skill=0)
    error = np.hypot(error, np.sqrt(1 / found.conditioning.ess))
    apart = (own.mean("sample").values - mean) / spread
    np.testing.assert_array_less(abs(apart), 4 * error)
    np.testing.assert_array_less(abs(own.std("sample").values / spread - 1), 4 * error)
    # The setting without scores stays near the other settings, not at its family's level.
    between = values[:, 2] - values[:, 1]
    wide = np.sqrt(weight @ (between - weight @ between) ** 2)
    found_wide = float((own.isel(model=2) - own.isel(model=1)).std())
    assert abs(found_wide / wide - 1) < 4 * error
    alone = ls.predict(posterior, rows.assign(model=["x", "y", "z"]), seed=1, few_shot=few)
    assert alone.skill_draws is not None
    theirs = alone.skill_draws.isel(skill=0)
    assert float((theirs.isel(model=2) - theirs.isel(model=1)).std()) > (1 + 4 * error) * wide


def test_a_new_setting_may_leave_out_what_its_fitted_release_states(
    prior_fit: Callable[..., Fit],
) -> None:
    """Rows without the date were refused; another date is another release."""
    table = pd.concat([table_of(), table_of().iloc[2:].assign(model="a-2")], ignore_index=True)
    fit = prior_fit(spec_of(), Scores.from_frame(table.assign(family="a")), draws=60)
    stated = pd.DataFrame([setting("a-1_max"), setting("a-1_medium")])
    wanted = ls.predict(fit, stated, seed=1)
    with pytest.warns(ls.DataWarning, match='2 new settings of fitted releases leave out "rel'):
        found = ls.predict(fit, stated.drop(columns="released"), seed=1)
    np.testing.assert_array_equal(found.draws.values, wanted.draws.values)
    assert set(found.table()["basis"]) == {"known release"}
    assert set(found.table()["assumed"]) == {"released=2025-01-01 (release)"}
    later = stated.head(1).assign(released=DAY + pd.Timedelta(5, unit="D"))
    with pytest.warns(ls.DataWarning, match="states released 2025-01-06, .* 2025-01-01: it is"):
        other = ls.predict(fit, later, seed=1)
    assert set(other.table()["basis"]) == {"known family"}
