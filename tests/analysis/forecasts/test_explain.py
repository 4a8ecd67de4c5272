"""Explanations: parts that add up to forecasts, draw by draw, whatever the spec."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts import in_blocks
from latentscale.analysis.forecasts import parts as parts_module
from latentscale.analysis.forecasts.sources import curves_of
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, shipped_specs, spec_from_dict
from latentscale.model.contributions import covariate_of
from latentscale.model.equations import expected_score
from latentscale.posterior.fit import Fit
from tests.model.test_sources import rows as source_rows
from tests.model.test_sources import spec as source_spec

CLOSE = 1e-8
"""Rounding of sums of some ten products of doubles, relative to the forecast's own."""
COLUMNS = ["model", "family", "lineage", "instruct", "params_b", "tokens_t"]
ROWS = pd.DataFrame(
    [
        ("fam00-m0", "fam00", "lin00", np.nan, np.nan, np.nan),
        ("fam00-big", "fam00", "lin00", 1, 40.0, 3.0),
        ("cousin-a", "cousin", "lin01", 0, 7.0, 2.0),
        ("strange-a", "strange", "nowhere", 1, 7.0, 2.0),
    ],
    columns=COLUMNS,
)
"""A fitted model, a member of a fitted family, and new families of an old and a new lineage."""
SHIPPED = {name: ls.load_spec(name) for name in shipped_specs()}


def rows_of(fit: Fit, **more: Any) -> pd.DataFrame:
    """Return the rows, the first as it was fitted, with the features that the fit has."""
    table = ROWS.assign(**more)
    fitted = fit.scores.to_frame().set_index("model").loc["fam00-m0"]
    for name in table.columns.intersection(fitted.index):
        table[name] = [fitted[name], *table[name].iloc[1:]]
    return table


@pytest.fixture(scope="module")
def dated(small_scores: Scores) -> Scores:
    """The small table with dates, whether models reason, size classes and groups."""
    frame = small_scores.to_frame()
    frame["released"] = pd.Timestamp("2024-05-01") + pd.to_timedelta(
        40 * np.arange(len(frame)), unit="D"
    )
    frame["reasoning"] = np.arange(len(frame)) % 2
    frame["size_class"] = np.where(np.arange(len(frame)) % 3, "mini", "large")
    frame["arena"] = 1000 + 20.0 * np.arange(len(frame))
    info = {
        name: ls.Benchmark(floor=0, group="maths" if name < "c" else "code")
        for name in small_scores.benchmarks
    }
    return Scores.from_frame(
        frame, benchmarks=info | {"arena": ls.Benchmark(scale="real", unit="Elo")}
    )


def small(spec: ModelSpec) -> ModelSpec:
    """Return a spec with at most three skills, for tables of four benchmarks."""
    count = min(spec.skills.count, 3)
    return spec.model_copy(update={"skills": spec.skills.model_copy(update={"count": count})})


def quietly(fit: Fit, rows: pd.DataFrame, **how: Any) -> ls.results.Explanation:
    """Explain rows of a fit made of prior draws, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ls.studies.explain(fit, rows, progress=False, **how)


def adds_up(fit: Fit, rows: pd.DataFrame, **how: Any) -> ls.results.Explanation:
    """Explain rows, and compare the sum of their parts with the forecast's draws."""
    explanation = quietly(fit, rows, seed=1, given_scores=False, **how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forecast = ls.predict(fit, rows, seed=1, **how)
    np.testing.assert_array_equal(forecast.draws, explanation.forecast.draws)
    eta = explanation.level_draws + explanation.part_draws.sum("part")
    assert eta.sizes["benchmark"] == len(fit.scores.benchmarks)
    curves = curves_of(fit, forecast, fit.scores.benchmarks)
    score = expected_score(fit.spec, curves, eta).transpose(*forecast.mean_draws.dims)
    size = np.maximum(1.0, np.abs(forecast.mean_draws.values))
    assert np.abs((score.values - forecast.mean_draws.values) / size).max() < CLOSE
    assert "other terms" not in explanation.part_draws["part"].values
    np.testing.assert_allclose(explanation.shares.sum("source"), 1)
    assert np.isfinite(explanation.change_draws.values).all()
    return explanation


@pytest.mark.parametrize("name", SHIPPED)
def test_parts_of_every_shipped_spec_add_up_to_its_forecasts(
    name: str, small_scores: Scores, dated: Scores, prior_fit: Callable[..., Fit]
) -> None:
    with_dates = "released" in SHIPPED[name].covariates
    fit = prior_fit(small(SHIPPED[name]), dated if with_dates else small_scores, draws=60)
    more = {"released": "2025-12-01", "reasoning": 1, "size_class": "mini"} if with_dates else {}
    explanation = adds_up(fit, rows_of(fit, **more))
    parts = set(explanation.part_draws["part"].values)
    covariates = {covariate_of(name) for name in fit.spec.covariates}
    assert parts & covariates == covariates


def test_parts_given_scores_add_up_to_the_forecast(
    everything_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    """Scores of new models, and of a fitted one on a further benchmark, whose own effects move."""
    frame = small_scores.to_frame()
    frame.loc[frame["model"] == "fam00-m0", "alpha"] = np.nan
    scores = Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    fit = prior_fit(everything_spec, scores, draws=60)
    rows = rows_of(fit).assign(beta=np.nan)
    rows.loc[[2, 3], "beta"] = [0.6, 0.4]
    few_shot = ls.FewShot(degenerate="warn", latents=2, steps=1)
    rows["alpha"] = [0.5, np.nan, np.nan, np.nan]
    explanation = adds_up(fit, rows, few_shot=few_shot)
    parts = explanation.part_draws["part"].values.tolist()
    assert {"skills: lineages", "skills: families", "skills: single models"} <= set(parts)


def test_categories_and_levels_that_were_not_fitted_have_their_parts(
    small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    frame = small_scores.to_frame()
    provider = np.array(["a", "b", "c"])[np.arange(len(frame)) % 3]
    scores = Scores.from_frame(
        frame.assign(provider=provider), benchmarks=small_scores.benchmark_info
    )
    own = {"kind": "category-trend", "covariate": "log_params", "category": "provider", "knots": 3}
    document = {
        "name": "trends",
        "covariates": ["log_params", "provider"],
        "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True},
        "terms": [own],
    }
    fit = prior_fit(spec_from_dict(document), scores, draws=60)
    explanation = adds_up(fit, rows_of(fit, provider="unheard of"))
    parts = explanation.part_draws
    assert {"log_params", "provider", "covariates jointly"} <= set(parts["part"].values)
    shares = explanation.shares.sel(source="features not stated")
    assert float(shares.sel(model="fam00-m0").max()) == 0
    assert float(shares.sel(model="fam00-big").min()) > 0


def test_tokens_that_are_not_stated_are_a_source(
    small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    document = {
        "name": "estimated",
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
        "family": {"level": "none"},
        "undisclosed": {"kind": "estimated"},
    }
    fit = prior_fit(spec_from_dict(document), small_scores, draws=80)
    rows = rows_of(fit)
    rows.loc[1, "tokens_t"] = np.nan
    shares = adds_up(fit, rows).shares.sel(source="features not stated")
    assert float(shares.sel(model="fam00-big").min()) > 0
    assert float(shares.drop_sel(model="fam00-big").max()) == 0


def test_offsets_of_sources_are_part_of_the_level(prior_fit: Callable[..., Fit]) -> None:
    scores = Scores.from_long(source_rows(6), sources="apart")
    fit = prior_fit(source_spec(), scores, draws=60)
    new = pd.DataFrame({"model": ["m0", "new"], "family": "f", "params_b": [np.nan, 9.0]})
    new.loc[0, "params_b"] = scores.to_frame().set_index("model").loc["m0", "params_b"]
    assert adds_up(fit, new).part_draws["part"].values.tolist() == ["log_params"]


def test_the_average_of_the_fitted_models_has_parts_of_zero(
    everything_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    fit = prior_fit(everything_spec, small_scores, draws=60)
    frame = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    explanation = adds_up(fit, frame)
    np.testing.assert_allclose(explanation.part_draws.mean("model"), 0, atol=CLOSE)
    eta = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").eta
    np.testing.assert_allclose(
        explanation.level_draws, eta.mean("model").transpose("sample", "benchmark"), atol=CLOSE
    )


def test_parts_do_not_depend_on_the_rotation(
    small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    free = spec_from_dict(
        {
            "name": "free",
            "covariates": ["log_params", "log_tokens"],
            "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True},
            "family": {"level": "partial", "lineage": True},
            "priors": {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}},
        }
    )
    fit = prior_fit(free, small_scores, draws=60)
    aligned = ls.align(fit, rotation=ls.rotations.Oblimin()).fit
    turned = aligned.samples["loading"] - fit.samples["loading"]
    assert float(abs(turned).max()) > 0.1
    rows = rows_of(fit)
    before, after = (adds_up(one, rows) for one in (fit, aligned))
    for turned in (before, after):  # drawn effects are different numbers in other axes
        assert turned.part_draws.sizes["part"] == 5
    of_all = ["log_params", "log_tokens", "skills: lineages"]
    for some in ({"part": of_all}, {"model": ["fam00-m0"]}):
        one, other = (turned.part_draws.sel(some) for turned in (before, after))
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(before.level_draws, after.level_draws, atol=1e-6)
    shares = [turned.shares.sel(model="fam00-m0") for turned in (before, after)]
    # Simulated noise uses other random numbers where scores differ in the last digit.
    apart = [share / (1 - share.sel(source="noise")) for share in shares]
    of_sources = [share.drop_sel(source="noise") for share in apart]
    np.testing.assert_allclose(*of_sources, atol=1e-6)


def test_blocks_do_not_matter(
    everything_spec: ModelSpec,
    small_scores: Scores,
    prior_fit: Callable[..., Fit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = prior_fit(everything_spec, small_scores, draws=60)
    rows = rows_of(fit)
    whole = quietly(fit, rows, seed=1)
    monkeypatch.setattr(in_blocks, "block_size", lambda total: 30 * 2 * 4)  # draws, rows, scores
    monkeypatch.setattr(parts_module, "_BLOCK", 30 * 4 * 5)  # draws, scores, fitted models
    cut = quietly(fit, rows, seed=1)
    np.testing.assert_allclose(cut.part_draws, whole.part_draws, atol=1e-12)
    np.testing.assert_allclose(cut.level_draws, whole.level_draws, atol=1e-12)


def test_a_lineage_that_was_not_fitted_has_no_part_apart_from_its_family(
    known_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    fit = prior_fit(known_spec, small_scores, draws=60)
    parts = quietly(fit, rows_of(fit), seed=1).part_draws.sel(part="skills: lineages")
    assert float(abs(parts.sel(model="strange-a")).max()) == 0
    level = fit.samples["lineage_skill"].transpose("sample", "lineage", "skill")
    of_models = level.sel(lineage=fit.scores.dataset["lineage"].values)
    away = level.sel(lineage="lin01").values - of_models.mean("lineage").values
    loading = fit.samples["loading"].transpose("sample", "benchmark", "skill").values
    wanted = np.einsum("sk,sjk->sj", away, loading)
    np.testing.assert_allclose(parts.sel(model="cousin-a"), wanted, atol=CLOSE)


def test_a_change_is_what_the_score_loses_without_a_part(
    known_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    fit = prior_fit(known_spec, small_scores, draws=60)
    explanation = quietly(fit, rows_of(fit), benchmarks=["beta", "alpha"], seed=1)
    assert explanation.part_draws["benchmark"].values.tolist() == ["alpha", "beta"]
    eta = explanation.level_draws + explanation.part_draws.sum("part")
    floor = xr.DataArray([0.0, 0.25], {"benchmark": ["alpha", "beta"]}, ("benchmark",))

    def score(at: xr.DataArray) -> xr.DataArray:
        return floor + (1 - floor) / (1 + np.exp(-at))

    changes = score(eta) - score(eta - explanation.part_draws)
    np.testing.assert_allclose(
        explanation.change_draws, changes.transpose(*explanation.change_draws.dims), atol=1e-5
    )
    np.testing.assert_allclose(
        explanation.level_score_draws.transpose("benchmark", ...),
        score(explanation.level_draws),
        atol=1e-5,
    )
    table = explanation.table(0.5).set_index(["model", "benchmark", "part"])
    row = table.loc[("strange-a", "beta", "log_flops")]
    mine = explanation.part_draws.sel(model="strange-a", benchmark="beta", part="log_flops")
    np.testing.assert_allclose(row[["lower", "upper"]].tolist(), np.quantile(mine, [0.25, 0.75]))
    assert row["mean"] == pytest.approx(float(mine.mean()))
    change = explanation.change_draws.sel(model="strange-a", benchmark="beta", part="log_flops")
    assert row["change"] == pytest.approx(float(change.median()))
    level = table.loc[("strange-a", "beta", "benchmark level")]
    assert np.isnan(level["change"]) and list(table["unit"].unique()) == ["fraction"]
