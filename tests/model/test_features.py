"""Models whose covariates are features of any kind, from a table without sizes to a saved fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import logit

import latentscale as ls
from latentscale.analysis.forecasts.rows import typical_features
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import DataError, DataWarning, SpecError
from latentscale.model.design import design
from latentscale.model.terms.categories import CategoryEffects
from latentscale.posterior.fit import Fit

CONTEXT = ls.Feature("context_k", transform="log", unit="thousand tokens")
ROWS = pd.DataFrame(
    {
        "model": ["n1", "n2", "n3"],
        "family": ["fam00", "zz", "zz"],
        "instruct": 0,
        "released": ["2025-01-01", "2025-01-01", "2027-01-01"],
        "provider": ["p0", "new", "new"],
        "context_k": 32,
    }
)


def spec_of(*covariates: str, **fields: Any) -> ModelSpec:
    skills = {"count": 2}
    return spec_from_dict({"name": "x", "covariates": list(covariates), "skills": skills, **fields})


@pytest.fixture(scope="module")
def frame(known: Any) -> pd.DataFrame:
    """Forty models without sizes, with features."""
    table = known.frame.head(40).drop(columns=["params_b", "tokens_t", "epsilon", "zeta"])
    place = np.arange(len(table))
    days = pd.to_timedelta((37 * place) % 700, "D")
    return table.assign(
        released=pd.Timestamp("2024-01-01") + days,
        provider=[f"p{i % 4}" for i in place],
        context_k=np.array([8, 32, 128])[place % 3],
    )


@pytest.fixture(scope="module")
def scores(frame: pd.DataFrame) -> ls.Scores:
    return ls.Scores.from_frame(frame, features=[CONTEXT])


@pytest.fixture(scope="module")
def fitted(scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    spec = spec_of("released", "provider", "context_k", "released:context_k")
    return prior_fit(spec, scores)


def eta(fit: Fit, rows: pd.DataFrame, **settings: Any) -> xr.DataArray:
    mean = ls.predict(fit, rows, **settings).mean_draws
    floor = fit.scores.dataset["floor"]
    return logit((mean - floor) / (1 - floor))


def test_effects_of_levels_reach_the_forecast_through_the_loadings(fitted: Fit) -> None:
    rows = ROWS.head(2).assign(model=["a", "b"], family="fam00", provider=["p0", "p3"])
    change = eta(fitted, rows).diff("model").isel(model=0)
    effect = fitted.samples["category_effect"]
    step = effect.sel(category_level="provider=p3") - effect.sel(category_level="provider=p0")
    wanted = (fitted.samples["loading"] * step).sum("skill")
    inside = np.isfinite(change) & (abs(eta(fitted, rows)) < 10).all("model")
    xr.testing.assert_allclose(
        change.where(inside).reset_coords(drop=True),
        wanted.where(inside).transpose(*change.dims).reset_coords(drop=True),
        atol=1e-4,
    )


def test_rows_of_one_unseen_level_share_its_draw_from_the_population(fitted: Fit) -> None:
    rows = ROWS.assign(released="2025-01-01", family="fam00", provider=["p0", "new", "new"])
    forecast = ls.predict(fitted, rows)
    known, one, same = (forecast.mean_draws.sel(model=m) for m in ("n1", "n2", "n3"))
    np.testing.assert_array_equal(one, same)
    assert float(abs(one - known).max()) > 1e-3
    assert "provider=new not fitted" in str(forecast.table()["extrapolates"][4])


def test_what_lies_beyond_the_fitted_dates_is_marked(fitted: Fit) -> None:
    table = ls.predict(fitted, ROWS).table().drop_duplicates("model").set_index("model")
    assert table.loc["n3", "extrapolates"].startswith("released above the fitted range (2027-01-01")
    assert table.loc["n1", "extrapolates"] == ""


def test_a_fit_with_features_is_saved_and_loaded(fitted: Fit, tmp_path: Path) -> None:
    back = ls.load(fitted.save(tmp_path / "fit.nc"))
    assert back.transform == fitted.transform
    assert back.scores.features == fitted.scores.features
    again = ls.predict(back, ROWS, seed=2)
    np.testing.assert_array_equal(again.draws, ls.predict(fitted, ROWS, seed=2).draws)


def test_scores_of_a_row_with_an_unseen_level_condition_its_forecast(fitted: Fit) -> None:
    rough = ls.FewShot(degenerate="warn")
    with pytest.warns(ls.FitWarning):
        moved = ls.predict(fitted, ROWS.assign(alpha=[0.5, 0.6, np.nan]), few_shot=rough)
    assert moved.conditioning is not None and np.isfinite(moved.draws).all()


def test_a_row_without_a_feature_that_counts_is_refused_or_takes_its_familys(
    fitted: Fit, frame: pd.DataFrame
) -> None:
    with pytest.raises(DataError, match=r'needs released .* empty for "n1", "n2", "n3"'):
        ls.predict(fitted, ROWS.drop(columns="released"))
    row = frame.iloc[[3]][["model", "family"]]
    table = ls.predict(fitted, row).table()
    assert "released=2024-04-21 (fitted model)" in table["assumed"][0]


def test_a_fitted_model_cannot_be_given_another_date(fitted: Fit, frame: pd.DataFrame) -> None:
    row = frame.iloc[[3]][["model", "family", "instruct"]].assign(released="2026-01-01")
    with pytest.raises(DataError, match='column "released"'):
        ls.predict(fitted, row)


def test_a_reference_coded_category_has_slopes_and_refuses_levels_without_one(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    coded = ls.Feature("provider", kind="category", coding="reference")
    scores = ls.Scores.from_frame(frame, features=[CONTEXT, coded])
    fit = prior_fit(spec_of("provider", "provider=p1:released"), scores)
    names = ["provider=p1", "provider=p2", "provider=p3", "provider=p1:released"]
    assert fit.posterior["slope"]["covariate"].values.tolist() == names
    ls.predict(fit, ROWS.head(1))
    with pytest.raises(DataError, match=r'model "n2".*column "provider".*"p0", "p1"'):
        ls.predict(fit, ROWS)


def test_rows_without_what_covariates_need_are_left_out_with_one_message(
    frame: pd.DataFrame,
) -> None:
    gaps = frame.assign(released=frame["released"].where(frame.index > 2))
    gaps.loc[1, "provider"] = None
    scores = ls.Scores.from_frame(gaps, features=[CONTEXT])
    with pytest.warns(DataWarning, match=r"leaves out 3 models, missing") as caught:
        prepared = design(spec_of("released", "provider"), scores)
    assert len(caught) == 1 and "released of 3, provider of 1" in str(caught[0].message)
    assert prepared.left_out == tuple(frame["model"][:3])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"family": {"slopes": ["provider"]}}, "family.slopes"),
        ({"benchmarks": {"precision_covariates": ["provider"]}}, "precision_covariates"),
        ({"terms": [{"kind": "trend", "covariate": "provider"}]}, "trend"),
        ({"skills": {"count": 0}, "benchmarks": {"slopes": ["released"]}}, "skills.count is 0"),
    ],
)
def test_a_category_is_not_taken_for_a_number(scores: ls.Scores, fields: dict, said: str) -> None:
    document = {"name": "x", "covariates": ["released", "provider"], "skills": {"count": 1}}
    with pytest.raises(SpecError, match=said):
        design(spec_from_dict(document | fields), scores)


def test_categories_alone_and_no_covariate_at_all_are_specs_like_others(
    scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    only = prior_fit(spec_of("provider"), scores)
    assert "slope" not in only.posterior and "category_effect" in only.posterior
    none = spec_of(skills={"count": 2, "residual": True}, family={"level": "none"})
    free = prior_fit(none, scores)
    assert "slope" not in free.posterior
    for fit in (only, free):
        assert np.isfinite(ls.predict(fit, ROWS).draws).all()
        assert np.isfinite(ls.variance_shares(fit).draws).all()


def test_methods_of_marginal_likelihood_refuse_a_category_by_name(scores: ls.Scores) -> None:
    with pytest.raises(SpecError, match="effects of categories in covariates"):
        ls.fit(spec_of("provider"), scores, method=ls.MarginalML())


def test_levels_have_the_spread_of_their_own_category(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    """Two categories, the spread of one a hundred times that of the other."""
    sorts = frame.assign(sort=np.array(["x", "y", "z"])[np.arange(len(frame)) % 3])
    scores = ls.Scores.from_frame(sorts, features=[ls.Feature("sort", kind="category"), CONTEXT])
    draws = prior_fit(spec_of("provider", "sort"), scores, draws=300).samples
    effect, scale = draws["category_effect"], draws["category_scale"]
    for name, count in (("provider", 4), ("sort", 3)):
        mine = [v for v in effect["category_level"].values if str(v).startswith(f"{name}=")]
        unit = effect.sel(category_level=mine) / scale.sel(category=name)
        assert len(mine) == count
        # 1,800 values or more: a standard error of at most 0.017.
        assert float(unit.std()) == pytest.approx(1.0, abs=0.08)


def test_models_to_come_are_like_the_latest_members_of_a_family(fitted: Fit) -> None:
    members = fitted.scores.dataset.isel(model=[0, 1, 2])
    latest, dates = members["released"].argmax("model"), members["released"].values
    usual, coming = (
        {
            name: values
            for name, (_, values) in typical_features(fitted, members, 2, to_come=c).items()
        }
        for c in (False, True)
    )
    np.testing.assert_array_equal(coming["released"], [dates.max()] * 2)
    middle = dates.min() + (dates - dates.min()).mean()
    assert abs(usual["released"] - middle).max() <= np.timedelta64(1, "D")
    assert coming["provider"].tolist() == [members["provider"].isel(model=latest).item()] * 2
    undated = members.assign(released=members["released"].where(False))
    there = typical_features(fitted, undated, 1, to_come=True)["released"][1]
    assert there == fitted.scores.dataset["released"].values.max()


def test_new_levels_have_the_spread_of_their_own_category() -> None:
    """Levels of two categories in one table, in addition to fitted ones, which do not change."""
    sizes, skills = 2000, ["one", "two"]
    scale = np.array([[0.2, 1.0], [3.0, 0.5]])
    dims = ("sample", "category_level", "skill")
    fitted = np.random.default_rng(1).standard_normal((sizes, 2, 2))
    draws = xr.Dataset(
        {
            "category_effect": (dims, fitted),
            "category_scale": (("sample", "category", "skill"), np.tile(scale, (sizes, 1, 1))),
        },
        coords={
            "category": ["provider", "licence"],
            "category_level": ["provider=A", "licence=mit"],
            "skill": skills,
        },
    )
    new = ["licence=odd", "provider=B"]
    term = CategoryEffects(names=("provider", "licence"))
    both = term.with_levels(draws, new, np.random.default_rng(2))
    effect = both["category_effect"].transpose(*dims)
    np.testing.assert_array_equal(effect.isel(category_level=[0, 1]), fitted)
    # 2,000 draws: a standard deviation has a relative standard error of 0.016.
    np.testing.assert_allclose(
        effect.sel(category_level=new).std("sample").values, scale[::-1], rtol=0.1
    )
