"""Scaling curves: forecasts along a line, and a description of what is held and what is fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError, SpecError
from latentscale.posterior.fit import Fit

FAMILY = "fam03"


@pytest.fixture(scope="module")
def members(known) -> pd.DataFrame:
    """The family's rows of the simulated table."""
    return known.frame[known.frame["family"] == FAMILY]


def natural(frame: pd.DataFrame, over: str) -> np.ndarray:
    params, tokens = frame["params_b"].to_numpy(), frame["tokens_t"].to_numpy()
    return {
        "log_params": params,
        "log_tokens": tokens,
        "log_flops": 6 * params * 1e9 * tokens * 1e12,
    }[over]


@pytest.mark.parametrize("over", ["log_flops", "log_params", "log_tokens"])
def test_a_curve_is_the_forecast_along_its_line(
    known_fit: Fit, members: pd.DataFrame, over: str
) -> None:
    curve = ls.scaling_curve(known_fit, over=over, family=FAMILY, points=9)
    at = curve.mean_draws["at"].values
    assert curve.mean_draws.dims == ("sample", "point", "benchmark") == curve.draws.dims
    own = natural(members, over)
    np.testing.assert_allclose([at[0], at[-1]], [own.min() / 3, own.max() * 3], rtol=1e-9)
    np.testing.assert_allclose(np.diff(np.log(at)), np.log(at[1] / at[0]), rtol=1e-9)
    params = np.exp(np.log(members["params_b"]).mean())
    tokens = np.exp(np.log(members["tokens_t"]).mean())
    if over == "log_params":
        line = pd.DataFrame({"params_b": at, "tokens_t": tokens})
        assert f"{tokens:.3g}" in curve.held
    elif over == "log_tokens":
        line = pd.DataFrame({"params_b": params, "tokens_t": at})
        assert f"{params:.3g}" in curve.held
    else:
        ratio = tokens / params
        size = np.sqrt(at / 6e21 / ratio)
        line = pd.DataFrame({"params_b": size, "tokens_t": size * ratio})
    line = line.assign(model=[f"p{i}" for i in range(9)], family=FAMILY, instruct=0)
    wanted = ls.predict(known_fit, line)
    np.testing.assert_allclose(curve.mean_draws.values, wanted.mean_draws.values, rtol=1e-7)


def test_over_compute_the_ratio_of_tokens_to_size_is_held(small_scores, prior_fit) -> None:
    spec = ls.ModelSpec(name="both", covariates=("log_params", "log_tokens"))
    fit = prior_fit(spec, small_scores)
    curve = ls.scaling_curve(fit, over="log_flops", family="fam00", points=5)
    own = small_scores.to_frame().query("family == 'fam00'")
    ratio = np.exp(np.log(own["tokens_t"] / own["params_b"]).mean())
    size = np.sqrt(curve.draws["at"].values / 6e21 / ratio)
    line = pd.DataFrame({"params_b": size, "tokens_t": size * ratio, "family": "fam00"})
    wanted = ls.predict(fit, line.assign(model=[f"p{i}" for i in range(5)])).mean_draws
    np.testing.assert_allclose(curve.mean_draws.values, wanted.values, rtol=1e-7)
    assert f"{1000 * ratio:,.0f}" in curve.held


def test_it_rises_where_the_slope_does(known_fit: Fit) -> None:
    table = ls.scaling_curve(known_fit, family=FAMILY).table()
    for _, part in table.groupby("benchmark"):
        assert (np.diff(part["median"]) > 0).all()


def test_observed_points_are_the_familys_scores(known_fit: Fit, members, known) -> None:
    curve = ls.scaling_curve(known_fit, over="log_params", family=FAMILY)
    seen = curve.observed
    assert list(seen.columns) == ["model", "benchmark", "at", "score"]
    names = list(known.scores.benchmarks)
    wanted = members.melt(["model", "params_b"], names, "benchmark", "score").dropna()
    merged = seen.merge(wanted, on=["model", "benchmark"], suffixes=("", "_given"))
    assert len(seen) == len(merged) == len(wanted)
    np.testing.assert_allclose(merged["at"], merged["params_b"])
    np.testing.assert_allclose(merged["score"], merged["score_given"])


def test_the_fitted_range_is_told_and_marked(known_fit: Fit, known, members) -> None:
    curve = ls.scaling_curve(known_fit, family=FAMILY, limits=(1e20, 1e26), points=25)
    every, own = natural(known.frame, "log_flops"), natural(members, "log_flops")
    np.testing.assert_allclose(curve.fitted_range, (every.min(), every.max()))
    np.testing.assert_allclose(curve.family_range, (own.min(), own.max()))
    table = curve.table()
    outside = (table["at"] < every.min()) | (table["at"] > every.max())
    assert outside.any() and not outside.all()
    assert (table["beyond_fitted"] == outside).all()
    assert table["at"].min() == pytest.approx(1e20) and table["at"].max() == pytest.approx(1e26)


def test_the_table_holds_numpys_quantiles(known_fit: Fit) -> None:
    curve = ls.scaling_curve(known_fit, family=FAMILY, points=5, benchmarks=["zeta", "alpha"])
    table = curve.table(prob=0.5)
    assert list(table["benchmark"].unique()) == ["zeta", "alpha"] and len(table) == 10
    for row in table.itertuples():
        point = int(np.argmin(abs(curve.draws["at"].values - row.at)))
        mean = curve.mean_draws.isel(point=point).sel(benchmark=row.benchmark).values
        score = curve.draws.isel(point=point).sel(benchmark=row.benchmark).values
        shown = [row.mean, row.median, row.lower, row.upper, row.score_lower, row.score_upper]
        wanted = [
            mean.mean(),
            *np.quantile(mean, [0.5, 0.25, 0.75]),
            *np.quantile(score, [0.25, 0.75]),
        ]
        np.testing.assert_allclose(shown, wanted, rtol=1e-9)
        assert row.score_upper - row.score_lower > row.upper - row.lower
    with pytest.raises(ValueError, match="prob"):
        curve.table(prob=1)


def test_the_seed_decides(known_fit: Fit) -> None:
    one, same, other = (
        ls.scaling_curve(known_fit, family=FAMILY, points=3, seed=s).draws for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)


REFUSED = [
    ({"over": "log_flop"}, SpecError, ["log_flop", "log_flops"]),
    ({"over": "instruct"}, SpecError, ["instruct"]),
    ({"family": "fam3"}, DataError, ["fam3", "Did you mean"]),
    ({"benchmarks": ["alpa"]}, DataError, ["alpa", '"alpha"']),
    ({"benchmarks": "alpha"}, DataError, ["alpha"]),
    ({"benchmarks": []}, DataError, ["benchmark"]),
    ({"points": 1}, DataError, ["points", "1"]),
    ({"points": 2.5}, DataError, ["points", "2.5"]),
    ({"limits": (2.0, 1.0)}, DataError, ["limits"]),
    ({"limits": (0.0, 1.0)}, DataError, ["limits"]),
    ({"limits": (1.0, np.inf)}, DataError, ["limits"]),
    ({"limits": (1.0, np.nan)}, DataError, ["limits"]),
    ({"limits": (1.0,)}, DataError, ["limits"]),
    ({"limits": ("a", "b")}, DataError, ["limits"]),
]


@pytest.mark.parametrize(("change", "kind", "said"), REFUSED)
def test_a_wrong_question_is_refused(known_fit: Fit, change: dict, kind, said) -> None:
    with pytest.raises(kind) as caught:
        ls.scaling_curve(known_fit, **{"family": FAMILY, **change})
    for part in said:
        assert part in str(caught.value)


def without_tokens(scores: ls.Scores, prior_fit) -> Fit:
    frame = scores.to_frame()
    frame.loc[frame["family"] == "fam00", "tokens_t"] = np.nan
    table = ls.Scores.from_frame(frame, benchmarks=scores.benchmark_info)
    return prior_fit(ls.ModelSpec(name="size", covariates=("log_params",)), table)


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_a_family_without_tokens(small_scores, prior_fit) -> None:
    fit = without_tokens(small_scores, prior_fit)
    curve = ls.scaling_curve(fit, over="log_params", family="fam00")
    assert np.isfinite(curve.draws.values).all()
    assert "nan" not in curve.held
    for limits in (None, (1e22, 1e24)):
        with pytest.raises(DataError, match="tokens"):
            ls.scaling_curve(fit, over="log_flops", family="fam00", limits=limits)


def test_a_spec_that_does_not_use_the_covariate(small_scores, prior_fit) -> None:
    size = prior_fit(ls.ModelSpec(name="size", covariates=("log_params",)), small_scores)
    with pytest.raises(SpecError, match="log_tokens"):
        ls.scaling_curve(size, over="log_tokens", family="fam00")
    flat = prior_fit(ls.ModelSpec(name="flat", covariates=()), small_scores)
    with pytest.raises(SpecError, match="flat"):
        ls.scaling_curve(flat, over="log_flops", family="fam00")


def test_a_family_of_one_model(known, prior_fit, known_spec) -> None:
    keep = ["fam00-m0", *[m for m in known.scores.models[4:24]]]
    fit = prior_fit(known_spec, known.scores.select(models=keep))
    curve = ls.scaling_curve(fit, family="fam00", points=3)
    at = curve.draws["at"].values
    assert at[2] / at[0] == pytest.approx(9) and set(curve.observed["model"]) == {"fam00-m0"}


def test_without_a_covariate_a_curve_runs_along_what_the_spec_uses(small_scores, prior_fit) -> None:
    family = small_scores.families[0]
    sizes = {"covariates": ["log_params", "log_tokens"], "name": "sizes"}
    products = {"covariates": ["log_tokens", "log_tokens:log_params"], "name": "products"}
    for document, wanted in [({"name": "flops"}, "log_flops"), (sizes, "log_params")]:
        fit = prior_fit(spec_from_dict(document), small_scores, draws=4)
        assert ls.scaling_curve(fit, family=family).over == wanted
    fit = prior_fit(spec_from_dict(products), small_scores, draws=4)
    assert ls.scaling_curve(fit, family=family).over == "log_params"


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_scores_without_a_place_on_the_curve_are_named(small_scores, prior_fit) -> None:
    frame = small_scores.to_frame()
    frame.loc[frame["model"] == "fam00-m1", "params_b"] = np.nan
    table = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    fit = prior_fit(ls.ModelSpec(name="tokens", covariates=("log_tokens",)), table, draws=20)
    sized = fit.spec.with_({"covariates": ["log_tokens", "log_params"]})
    every = prior_fit(sized, small_scores, draws=20)
    assert ls.scaling_curve(every, over="log_params", family="fam00", points=3).left_out == ()
    curve = ls.scaling_curve(fit, over="log_tokens", family="fam00", points=3)
    assert curve.left_out == () and "fam00-m1" in set(curve.observed["model"])
    estimated = ls.Scores.from_frame(
        frame,
        features=[ls.Feature("params_b", missing="estimated")],
        benchmarks=small_scores.benchmark_info,
    )
    part = prior_fit(sized, estimated, draws=20)
    curve = ls.scaling_curve(part, over="log_params", family="fam00", points=3)
    assert curve.left_out == ("fam00-m1",) and set(curve.observed["model"]) == {"fam00-m0"}
    caption = " ".join(curve.plot().get_suptitle().split())
    assert 'their place is unknown along parameters: "fam00-m1"' in caption


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_a_family_without_sizes(small_scores, prior_fit) -> None:
    """The text said that NaN was held, and the error over compute blamed the tokens."""
    frame = small_scores.to_frame()
    frame.loc[frame["family"] == "fam00", "params_b"] = np.nan
    table = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    fit = prior_fit(ls.ModelSpec(name="tokens", covariates=("log_tokens",)), table, draws=20)
    curve = ls.scaling_curve(fit, over="log_tokens", family="fam00", points=3)
    assert np.isfinite(curve.draws.values).all() and curve.held == "as base model"
    for limits in (None, (1e22, 1e24)):
        with pytest.raises(DataError, match="size"):
            ls.scaling_curve(fit, over="log_flops", family="fam00", limits=limits)
    stated = frame.assign(flops=1e22 * np.arange(1.0, len(frame) + 1))
    table = ls.Scores.from_frame(stated, benchmarks=small_scores.benchmark_info)
    fit = prior_fit(ls.ModelSpec(name="flops", covariates=("log_flops",)), table, draws=20)
    curve = ls.scaling_curve(fit, family="fam00", points=3)
    assert np.isfinite(curve.draws.values).all() and "nan" not in curve.held
    along = ls.scaling_curve(fit, over="log_tokens", family="fam00", points=3)
    assert along.held == "parameters undisclosed; as base model"


def test_a_point_estimate_has_no_interval_of_the_expected_score(small_scores, prior_fit) -> None:
    fit = prior_fit(ls.ModelSpec(name="tokens", covariates=("log_tokens",)), small_scores, draws=20)
    point = replace(fit, status=replace(fit.status, is_posterior=False))
    curve = ls.scaling_curve(point, family="fam00", points=3)
    table = curve.table()
    assert table[["lower", "upper"]].isna().all(axis=None) and table["median"].notna().all()
    assert "a point estimate" in curve.headline
    for noise, said in ((True, "bands show the noise only"), (False, "A point estimate.")):
        figure = curve.plot(noise=noise)
        assert said in figure.get_suptitle() and "Bands" not in figure.get_suptitle()
        labels = figure.axes[0].get_legend_handles_labels()[1]
        assert ("90% interval" in labels) is noise
