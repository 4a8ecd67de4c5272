"""The spec for closed models: dates, reasoning settings, many benchmarks with few scores."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from latentscale.model.feasible import feasible
from latentscale.posterior.fit import Fit

GROUPS = {"alpha": "maths", "beta": "code", "gamma": "maths", "delta": "code"}


@pytest.fixture(scope="module")
def closed(small_scores: Scores) -> Scores:
    """Return twelve models with dates and no sizes, on fractions and an Elo rating."""
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t", "instruct"])
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame["released"] = pd.Timestamp("2024-05-01") + days
    frame["reasoning"] = np.arange(len(frame)) % 2
    frame["size_class"] = np.where(np.arange(len(frame)) % 3, "mini", "large")
    frame["arena"] = 1000 + 20.0 * np.arange(len(frame))
    info = {name: ls.Benchmark(floor=0, group=group) for name, group in GROUPS.items()}
    info["arena"] = ls.Benchmark(scale="real", unit="Elo")
    return Scores.from_frame(frame, benchmarks=info)


@pytest.fixture(scope="module")
def fit(closed: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(ls.load_spec("capabilities"), closed, draws=60)


def test_new_models_are_forecast_from_a_date_alone(fit: Fit) -> None:
    rows = pd.DataFrame(
        {
            "model": ["soon", "later"],
            "family": ["fam00", "unheard of"],
            "released": ["2025-10-01", "2026-06-01"],
            "reasoning": [1, 0],
        }
    )
    forecast = ls.predict(fit, rows, seed=1)
    assert np.isfinite(forecast.draws.values).all()
    table = forecast.table()
    elo = table[table["benchmark"] == "arena"]
    assert elo["median"].between(0, 3000).all()
    fractions = table[table["benchmark"] != "arena"]
    assert fractions["lower"].ge(0).all() and fractions["upper"].le(1).all()


def test_a_model_with_some_scores_is_forecast_given_them(fit: Fit) -> None:
    rows = pd.DataFrame(
        {"model": ["new"], "family": ["new"], "released": ["2025-08-01"], "reasoning": [1]}
    )
    few_shot = ls.FewShot(degenerate="warn", draws=60)
    plain = ls.predict(fit, rows, seed=1).mean_draws.sel(model="new")
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(ls.FitWarning)
        given = ls.predict(fit, rows.assign(alpha=0.9, beta=0.9), seed=1, few_shot=few_shot)
    moved = given.mean_draws.sel(model="new")
    for name in ("alpha", "beta"):
        assert float(moved.sel(benchmark=name).mean()) > float(plain.sel(benchmark=name).mean())


def test_the_index_and_a_probe_set_of_closed_models(fit: Fit) -> None:
    mean = fit.samples["model_skill"].isel(skill=0).mean("sample")
    eta = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").eta
    order = eta.mean(["sample", "benchmark"]).values.argsort()
    names = [str(mean["model"].values[place]) for place in order[[0, -1]]]
    index = ls.capability_index(fit, anchors=dict(zip(names, (130, 150), strict=True)))
    assert len(index.table()) == len(fit.scores.models)
    assert len(ls.probe_set(fit, 2, seed=1).best) == 2


def test_a_table_without_dates_and_groups_is_fitted_without_them(
    small_scores: Scores, recwarn: pytest.WarningsRecorder
) -> None:
    spec = ls.load_spec("capabilities")
    model = ls.build(spec, small_scores)
    said = [str(w.message) for w in recwarn if issubclass(w.category, ls.FitWarning)]
    assert len(said) == 1
    for left_out in ("released", "reasoning", "size_class", "model-group", "trend"):
        assert left_out in said[0]
    names = set(model.named_vars)
    assert {"residual_raw", "loading"} <= names
    assert not names & {"slope", "trend_change", "model_group"}


def test_a_table_of_one_date_is_fitted_without_the_trend(closed: Scores) -> None:
    frame = closed.to_frame().assign(released="2025-01-01")
    same = Scores.from_frame(frame, benchmarks=closed.benchmark_info)
    with pytest.warns(ls.FitWarning, match="without the term trend: all models have the same"):
        reduced = feasible(ls.load_spec("capabilities"), same)
    assert reduced.covariates == ("released", "reasoning", "size_class")
    assert [term.kind for term in reduced.terms] == ["model-group"]


@pytest.mark.parametrize(("stated", "kept"), [(5, False), (6, True)])
def test_a_covariate_that_most_models_do_not_state_is_left_out(
    closed: Scores, stated: int, kept: bool
) -> None:
    frame = closed.to_frame()
    frame["reasoning"] = frame["reasoning"].where(np.arange(len(frame)) < stated)
    some = Scores.from_frame(frame, benchmarks=closed.benchmark_info)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)
        assert ("reasoning" in feasible(ls.load_spec("capabilities"), some).covariates) is kept


@pytest.mark.parametrize("same", ["mini", None])
def test_a_size_class_that_is_the_same_of_all_models_is_left_out(
    closed: Scores, same: str | None
) -> None:
    table = Scores.from_frame(
        closed.to_frame().assign(size_class=same), benchmarks=closed.benchmark_info
    )
    spec = ls.load_spec("capabilities")
    with pytest.warns(ls.FitWarning, match="all models have the same size_class"):
        reduced = feasible(spec, table)
    assert reduced.covariates == ("released", "reasoning")
    assert reduced.terms == spec.terms
    reasons = ls.spec_for(table, "capabilities").reasons
    assert any("all models have the same size_class" in reason for reason in reasons)


def test_models_without_a_size_class_have_a_level_of_their_own(closed: Scores) -> None:
    frame = closed.to_frame()
    frame["size_class"] = frame["size_class"].where(np.arange(len(frame)) < 2)
    some = Scores.from_frame(frame, benchmarks=closed.benchmark_info)
    model = ls.build(ls.load_spec("capabilities"), some)
    assert len(model.coords["model"]) == len(frame)
    levels = ["size_class=(missing)", "size_class=large", "size_class=mini"]
    assert list(model.coords["category_level"]) == levels


def test_a_users_own_spec_that_names_a_missing_column_is_refused(small_scores: Scores) -> None:
    shipped = ls.load_spec("capabilities")
    own = shipped.with_({"name": "own", "optional": [], "terms": []})
    with pytest.raises(DataError, match='"reasoning", "released"'):
        ls.build(own, small_scores)
    sizes = shipped.with_({"covariates": ["size_class"], "optional": [], "terms": []})
    with pytest.raises(DataError, match='no column "size_class"'):
        ls.build(sizes, small_scores)


def test_what_is_optional_is_kept_where_it_is_stated(closed: Scores) -> None:
    spec = ls.load_spec("capabilities")
    assert feasible(spec, closed) is spec
    assert spec.with_({"optional": []}).digest == spec.digest
