"""The capability index: anchored, rotation-free, ranked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import DataError
from latentscale.posterior.fit import Fit


@pytest.fixture(scope="module")
def fit(prior_fit: Callable[..., Fit], known_spec: ModelSpec, small_scores: Scores) -> Fit:
    return prior_fit(known_spec, small_scores, draws=200)


@pytest.fixture(scope="module")
def anchors(fit: Fit) -> dict[str, float]:
    """Return the models that are lowest and highest on average."""
    skill = fit.samples["model_skill"].mean(["sample", "skill"])
    names = skill["model"].values[np.argsort(skill.values)[[0, -1]]]
    return dict(zip(map(str, names), (130.0, 150.0), strict=True))


def test_anchors_have_their_values_on_average(fit: Fit, anchors: dict[str, float]) -> None:
    index = ls.capability_index(fit, anchors=anchors)
    for name, value in anchors.items():
        np.testing.assert_allclose(index.draws.sel(model=name).mean(), value, rtol=1e-9)


def test_anchors_may_be_a_series(fit: Fit, anchors: dict[str, float]) -> None:
    index = ls.capability_index(fit, anchors=pd.Series(anchors))
    xr.testing.assert_identical(index.draws, ls.capability_index(fit, anchors=anchors).draws)
    assert dict(index.anchors) == anchors


def test_with_one_skill_the_index_orders_models_as_the_skill_does(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    spec = spec_from_dict({"name": "one", "skills": {"count": 1}, "covariates": ["log_flops"]})
    fit = prior_fit(spec, small_scores, draws=30)
    skill = fit.samples["model_skill"].isel(skill=0)
    mean = skill.mean("sample")
    first, last = (str(mean["model"].values[i]) for i in (mean.argmin(), mean.argmax()))
    scale = ls.capability_index(fit, anchors={first: 0, last: 1})
    for sample in range(30):
        index, theta = (a.isel(sample=sample).values for a in (scale.draws, skill))
        assert abs(np.corrcoef(index, theta)[0, 1]) > 1 - 1e-9


def test_ranks_and_probabilities_are_those_of_the_draws(
    fit: Fit, anchors: dict[str, float]
) -> None:
    index = ls.capability_index(fit, anchors=anchors)
    table = index.table(0.8)
    assert list(table["median"]) == sorted(table["median"], reverse=True)
    assert table["probability_best"].sum() == pytest.approx(1)
    assert (table["rank_lower"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_upper"]).all()
    assert (index.ranks.sum("model") == 12 * 13 / 2).all()
    a, b = table["model"][:2]
    by_hand = (index.draws.sel(model=a) > index.draws.sel(model=b)).mean()
    assert index.probability_above(a, b) == pytest.approx(float(by_hand))
    assert "130" in repr(index) and "leads with" in index._repr_html_()


def test_agreement_with_another_index(fit: Fit, anchors: dict[str, float]) -> None:
    index = ls.capability_index(fit, anchors=anchors)
    published = dict(index.table().set_index("model")["median"]) | {"elsewhere": 3.0}
    agreed = index.agreement(published)
    assert agreed["models"] == 12 and agreed["covered_90"] == 1
    assert agreed["rank_correlation"] == pytest.approx(1)
    with pytest.raises(DataError, match="have 1 model in common; at least 3"):
        index.agreement({"elsewhere": 3.0, next(iter(anchors)): 2.0})
    with pytest.raises(DataError, match="the other index none"):
        index.agreement({})


def test_agreement_takes_what_epoch_index_returns(
    fit: Fit, anchors: dict[str, float], tmp_path: Path
) -> None:
    index = ls.capability_index(fit, anchors=anchors)
    ours = index.table().set_index("model")["median"]
    hub = pd.DataFrame({"Model version": ours.index, "ECI Score": ours.values})
    hub.to_csv(tmp_path / "epoch_capabilities_index.csv", index=False)
    read = ls.readers.epoch_index(tmp_path)
    for published in (read, ours, dict(ours), read.iloc[::-1].drop(columns="released")):
        agreed = index.agreement(published)
        assert agreed["models"] == 12 and agreed["correlation"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("published", "message"),
    [
        (3, "must be values by model.*got 3"),
        (["fam00-m0"], "must be values by model"),
        (pd.DataFrame({"model": ["a"], "eci": [1.0]}), '"index" are missing; it has "model"'),
        (pd.DataFrame({"model": ["a", "a"], "index": [1.0, 2.0]}), 'several values of "a"'),
        (pd.Series([1.0, 2.0], ["a", "a"]), 'several values of "a"'),
        ({"a": "high"}, 'index of "a" is not a number.*Leave the model out'),
    ],
)
def test_an_index_that_is_not_values_by_model_is_refused(
    fit: Fit, anchors: dict[str, float], published: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ls.capability_index(fit, anchors=anchors).agreement(published)


def test_an_anchor_that_was_not_fitted_names_the_nearest_models(fit: Fit) -> None:
    with pytest.raises(DataError, match=r'"Fam00 M0" was not fitted\. Did you mean "fam00-m0"'):
        ls.capability_index(fit, anchors={"Fam00 M0": 1, "fam00-m1": 2})


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        ([1, 2], "values by model"),
        ({"nobody": 1, "fam00-m0": 2}, '"nobody" was not fitted'),
        ({"fam00-m0": "high", "fam00-m1": 2}, "must be a number"),
        ({"fam00-m0": 2, "fam00-m1": 2}, "different values"),
        (pd.Series([1.0, 2.0], ["fam00-m0", "fam00-m0"]), '"fam00-m0" has several values; keep'),
        (pd.Series([1.0, 2.0], [0, 1]), '"0" was not fitted'),
    ],
)
def test_anchors_that_fix_no_scale_are_refused(fit: Fit, anchors: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ls.capability_index(fit, anchors=anchors)


def test_anchors_in_the_opposite_order_are_refused(fit: Fit, anchors: dict[str, float]) -> None:
    low, high = anchors
    with pytest.raises(DataError, match="order opposite"):
        ls.capability_index(fit, anchors={low: 150, high: 130})
    with pytest.raises(ls.LatentscaleError):
        ls.capability_index("fit", anchors=anchors)


def test_anchors_that_are_equally_capable_are_refused(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    """Two models of one family, size and tokens, without deviations of their own."""
    frame = small_scores.to_frame()
    features = [name for name in frame if name not in ("model", *small_scores.benchmarks)]
    frame.loc[frame.index[1], features] = frame.loc[frame.index[0], features]
    spec = spec_from_dict({"name": "one", "skills": {"count": 1}, "covariates": ["log_flops"]})
    fit = prior_fit(spec, Scores.from_frame(frame), draws=30)
    with pytest.raises(DataError, match="equally capable under this fit"):
        ls.capability_index(fit, anchors=dict(zip(frame["model"][:2], (100, 120), strict=True)))


def test_a_point_estimate_has_neither_intervals_nor_probabilities(
    fit: Fit, anchors: dict[str, float]
) -> None:
    point = replace(fit, status=replace(fit.status, is_posterior=False))
    index = ls.capability_index(point, anchors=anchors)
    assert "nan" not in index.headline and "point estimate" in index.headline
    table = index.table()
    unknown = ["lower", "upper", "rank_lower", "rank_upper", "probability_best"]
    assert table[unknown].isna().all(axis=None) and table[["median", "rank"]].notna().all(axis=None)
    assert np.isnan(index.agreement(table.set_index("model")["median"])["covered_90"])
    with pytest.raises(ls.FitError, match="no probabilities"):
        index.probability_above(*table["model"][:2])


def test_every_benchmark_weighs_alike(fit: Fit, anchors: dict[str, float]) -> None:
    """Predictors times weights have the same standard deviation over models on every benchmark."""
    index = ls.capability_index(fit, anchors=anchors)
    table = fit.scores.dataset
    eta = fit.evaluator.at(fit.samples, table, residuals="fitted").eta
    spread = (eta.mean("sample") * index.weights).std("model")
    np.testing.assert_allclose(spread, float(spread[0]), rtol=1e-9)
    moved = (eta * index.weights).sum("benchmark") - index.draws
    assert float(moved.std()) < 1e-9 * float(index.draws.std())


def test_an_index_with_one_value_for_all_models_is_refused(
    fit: Fit, anchors: dict[str, float]
) -> None:
    """NumPy and SciPy warned about a division by 0, and correlations were NaN."""
    index = ls.capability_index(fit, anchors=anchors)
    with pytest.raises(DataError, match="other index is 140 for all 12 models in common"):
        index.agreement(dict.fromkeys(fit.scores.models, 140))
    flat = replace(index, draws=xr.full_like(index.draws, 0.1))
    with pytest.raises(DataError, match=r"index of this fit is 0\.1 for all 12 models in common"):
        flat.agreement(index.table().set_index("model")["median"])
