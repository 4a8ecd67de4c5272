"""Covariates compared with numpy, and values outside the fitted range."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from latentscale.data import CovariateTransform, Scores, planned_models
from latentscale.errors import DataError, DataWarning, SpecError

NAMES = ("log_flops", "log_params:log_tokens", "instruct", "log_params", "log_tokens")


@pytest.fixture
def scores(table):
    """The small table as scores."""
    return Scores.from_frame(table)


def standard(values):
    values = np.asarray(values, dtype=float)
    return (values - values.mean()) / values.std()


def test_values_against_numpy(table, scores):
    transform = CovariateTransform.fit(scores, NAMES)
    x = transform.apply(scores.dataset)
    assert x.dims == ("model", "covariate")
    assert x["covariate"].to_numpy().tolist() == list(NAMES)
    assert x["model"].to_numpy().tolist() == list(scores.models)
    params, tokens = np.log(table["params_b"]), np.log(table["tokens_t"])
    flops = np.log(6 * table["params_b"] * 1e9 * table["tokens_t"] * 1e12)
    expected = {
        "log_flops": standard(flops),
        "log_params:log_tokens": standard(params) * standard(tokens),
        "instruct": table["instruct"],
        "log_params": standard(params),
        "log_tokens": standard(tokens),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(x.sel(covariate=name), values, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(transform.mean["log_flops"], flops.mean())
    np.testing.assert_allclose(transform.upper["log_params"], np.log(8))


def test_a_flops_count_of_a_known_recipe(scores):
    transform = CovariateTransform.fit(scores, ["log_flops"])
    row = pd.DataFrame({"model": ["m"], "family": ["f"], "params_b": [70.0], "tokens_t": [1.4]})
    value = transform.apply(planned_models(row, ())).item()
    raw = value * transform.scale["log_flops"] + transform.mean["log_flops"]
    assert np.exp(raw) == pytest.approx(5.88e23)


def test_later_rows_use_the_fitted_centre(scores):
    transform = CovariateTransform.fit(scores, ["log_params"])
    part = scores.select(models=["ant-7b", "cat-3b"])
    whole = transform.apply(scores.dataset).sel(model=["ant-7b", "cat-3b"])
    np.testing.assert_array_equal(transform.apply(part.dataset), whole)


def test_equal_sizes_are_not_divided_by_zero(table):
    table["params_b"] = 7.3
    table["tokens_t"] = 1.7
    scores = Scores.from_frame(table)
    transform = CovariateTransform.fit(scores, ["log_params", "log_tokens", "log_flops"])
    assert set(transform.scale.values()) == {1.0}
    np.testing.assert_allclose(transform.apply(scores.dataset), 0, atol=1e-9)


def test_only_instruct_or_nothing(scores):
    x = CovariateTransform.fit(scores, ["instruct"]).apply(scores.dataset)
    assert x.to_numpy()[:, 0].tolist() == [0, 0, 0, 0, 1, 0]
    assert CovariateTransform.fit(scores, []).apply(scores.dataset).shape == (6, 0)


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_rows_without_tokens(table):
    table.loc[1, "tokens_t"] = np.nan
    scores = Scores.from_frame(table)
    with_tokens = CovariateTransform.fit(scores, ["log_params", "log_flops"])
    assert with_tokens.needs("log_flops")
    assert with_tokens.mean["log_params"] == pytest.approx(np.log(table["params_b"].drop(1)).mean())
    x = with_tokens.apply(scores.dataset)
    assert np.isnan(x.sel(model="ant-7b", covariate="log_flops"))
    assert np.isfinite(x.sel(model="ant-7b", covariate="log_params"))
    size_only = CovariateTransform.fit(scores, ["log_params", "instruct"])
    assert not size_only.needs("log_flops")
    assert size_only.mean["log_params"] == pytest.approx(np.log(table["params_b"]).mean())


def test_a_model_without_scores_does_not_move_the_centre(table):
    table.loc[1, ["mmlu", "gsm8k"]] = np.nan
    with pytest.warns(DataWarning):
        scores = Scores.from_frame(table)
    transform = CovariateTransform.fit(scores, ["log_params"])
    assert transform.mean["log_params"] == pytest.approx(np.log(table["params_b"].drop(1)).mean())


def test_no_row_left(table):
    table["tokens_t"] = np.nan
    scores = Scores.from_frame(table)
    with pytest.raises(DataError, match="tokens_t"):
        CovariateTransform.fit(scores, ["log_flops"])


def test_extrapolation(scores):
    transform = CovariateTransform.fit(scores, ["log_params", "log_tokens:instruct"])
    row = pd.DataFrame(
        {
            "model": ["big", "inside", "small"],
            "family": ["f", "f", "f"],
            "params_b": [70.0, 4.0, 0.5],
            "tokens_t": [np.nan, 1.0, 15.0],
        }
    )
    said = transform.extrapolates(planned_models(row, ()))
    assert said["big"] == "log_params above the fitted range (4.248 > 2.079)"
    assert said["inside"] == ""
    assert "log_params below the fitted range" in said["small"]
    assert "log_tokens above the fitted range" in said["small"]
    assert (transform.extrapolates(scores.dataset) == "").all()


def test_json_round_trip(scores):
    transform = CovariateTransform.fit(scores, NAMES)
    text = json.dumps(transform.to_dict())
    assert CovariateTransform.from_dict(json.loads(text)) == transform
    assert hash(transform) == hash(CovariateTransform.from_dict(json.loads(text)))


@pytest.mark.parametrize("change", [{"names": "log_params"}, {"mean": {}}, {"scale": None}])
def test_a_damaged_record_is_refused(scores, change):
    data = CovariateTransform.fit(scores, ["log_params"]).to_dict()
    with pytest.raises(SpecError):
        CovariateTransform.from_dict({**data, **change})
    with pytest.raises(SpecError, match="fields"):
        CovariateTransform.from_dict({"names": []})


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["log_param"], 'Did you mean "log_params"'),
        (["log_params:log_token"], 'Did you mean "log_tokens"'),
        (["log_params", "log_params"], "twice"),
        ("log_params", "list"),
        ([""], "Unknown covariate"),
    ],
)
def test_bad_names(scores, names, said):
    with pytest.raises(SpecError, match=said):
        CovariateTransform.fit(scores, names)


def test_nothing_is_warned_of(scores):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform = CovariateTransform.fit(scores, NAMES)
        transform.extrapolates(scores.dataset)
