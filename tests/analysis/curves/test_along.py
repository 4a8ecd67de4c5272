"""Curves, targets and allocation of fits whose covariates are dates and other features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError, SpecError
from latentscale.posterior.fit import Fit

CONTEXT = ls.Feature("context_k", transform="log", unit="thousand tokens")
FAMILY = "fam03"


@pytest.fixture(scope="module")
def frame(known: Any) -> pd.DataFrame:
    """Forty models with sizes, dates and providers."""
    table = known.frame.head(40).drop(columns=["epsilon", "zeta"])
    place = np.arange(len(table))
    return table.assign(
        released=pd.Timestamp("2024-01-01") + pd.to_timedelta((37 * place) % 700, "D"),
        provider=[f"p{i % 4}" for i in place],
        context_k=np.array([8.0, 32, 128])[place % 3],
    )


@pytest.fixture(scope="module")
def make(frame: pd.DataFrame, prior_fit: Callable[..., Fit]) -> Callable[..., Fit]:
    def fit_of(*covariates: str, sizes: bool = False) -> Fit:
        table = frame if sizes else frame.drop(columns=["params_b", "tokens_t"])
        scores = ls.Scores.from_frame(table, features=[CONTEXT])
        document = {"name": "x", "covariates": list(covariates), "skills": {"count": 1}}
        return prior_fit(spec_from_dict(document), scores)

    return fit_of


@pytest.fixture(scope="module")
def dated(make: Callable[..., Fit]) -> Fit:
    return make("released", "context_k", "provider")


def test_a_curve_over_dates_is_the_forecast_of_models_of_these_days(
    dated: Fit, frame: pd.DataFrame
) -> None:
    curve = ls.scaling_curve(dated, family=FAMILY, points=5, limits=("2024-06-01", "2026-06-01"))
    assert curve.over == "released" and not curve.is_log
    days = pd.to_datetime(pd.Series(curve.mean_draws["at"].values))
    assert str(days.iloc[0].date()) == "2024-06-01" and str(days.iloc[-1].date()) == "2026-06-01"
    mine = frame[frame["family"] == FAMILY]
    rows = pd.DataFrame(
        {
            "model": [f"at {k}" for k in range(5)],
            "family": FAMILY,
            "instruct": int(mine["instruct"].mean() > 0.5),
            "released": days,
            "provider": mine["provider"].min(),
            "context_k": float(np.exp(np.log(mine["context_k"]).mean())),
        }
    )
    forecast = ls.predict(dated, rows).mean_draws
    np.testing.assert_allclose(
        curve.mean_draws.transpose("sample", "point", "benchmark").values,
        forecast.transpose("sample", "model", "benchmark").values,
        rtol=1e-9,
    )
    assert "context_k held at" in curve.held and "provider held at p0" in curve.held
    table = curve.table()
    latest = frame["released"].max()
    assert (table["beyond_fitted"] == (table["at"] > latest)).all()


def test_without_limits_a_curve_goes_on_past_the_family_by_a_standard_deviation(
    dated: Fit, frame: pd.DataFrame
) -> None:
    curve = ls.scaling_curve(dated, family=FAMILY, points=3)
    last = frame.loc[frame["family"] == FAMILY, "released"].max()
    beyond = (pd.Timestamp(curve.ends[1]) - last) / pd.Timedelta(days=1)
    assert abs(beyond - 365.25 * dated.transform.scale["released"]) < 1
    wide = ls.scaling_curve(dated, over="context_k", family=FAMILY, points=3)
    own = frame.loc[frame["family"] == FAMILY, "context_k"]
    np.testing.assert_allclose(wide.ends, [own.min() / 3, own.max() * 3])
    assert wide.label == "context_k (thousand tokens)" and wide.is_log


def test_curves_over_dates_and_numbers_are_drawn(dated: Fit) -> None:
    for over in ("released", "context_k"):
        sheet = ls.scaling_curve(dated, over=over, family=FAMILY, points=5).plot()
        assert over in sheet.axes[0].get_xlabel()


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (
            {"over": "provider"},
            SpecError,
            'over must be one of "(released|context_k)", "[a-z_]+"; g',
        ),
        ({"over": "log_flops"}, SpecError, "does not use log_flops"),
        ({"limits": ("2026-01-01", "2025-01-01")}, DataError, "two increasing values of released"),
        ({"limits": ("2026-01-01", "soon")}, DataError, "two increasing values of released"),
        ({"limits": (2025, 2027)}, DataError, r"\(the family's: 20..-..-.. to 20..-..-..\); got"),
        ({"over": "context_k", "limits": (-1, 5)}, DataError, "two increasing values"),
        ({"limits": 3}, DataError, "two increasing values"),
    ],
)
def test_what_a_curve_cannot_run_along_is_refused(
    dated: Fit, settings: dict, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ls.scaling_curve(dated, family=FAMILY, **settings)


def test_a_fit_without_numbers_has_no_curve(make: Callable[..., Fit]) -> None:
    with pytest.raises(SpecError, match="no covariate along which"):
        ls.scaling_curve(make("provider"), family=FAMILY)
    with pytest.raises(SpecError, match="no covariate along which"):
        ls.scaling_curve(make("provider"), family=FAMILY, over="log_params")


def test_names_that_are_allowed_are_those_that_a_curve_takes(make: Callable[..., Fit]) -> None:
    """The message named log_flops, log_params and log_tokens for fits that use none of them."""
    fit = make("log_params", "released", sizes=True)
    with pytest.raises(
        SpecError, match='one of "log_flops", "log_params", "released"; got'
    ) as said:
        ls.scaling_curve(fit, family=FAMILY, over="provider")
    for name in ("log_flops", "log_params", "released"):
        assert f'"{name}"' in str(said.value)
        assert ls.scaling_curve(fit, family=FAMILY, over=name, points=3).over == name


def test_targets_and_allocation_hold_other_features_at_the_familys(
    make: Callable[..., Fit],
) -> None:
    fit = make("log_params", "log_tokens", "released", "provider", sizes=True)
    needed = ls.flops_for_target(fit, benchmark="alpha", family=FAMILY, target=0.5, points=5)
    assert needed.draws.notnull().all()
    allocation = ls.optimal_allocation(fit, flops=1e22, family=FAMILY)
    assert np.isfinite(allocation.draws["params"]).all()
    size = ls.scaling_curve(fit, over="log_params", family=FAMILY, points=3)
    assert "released held at" in size.held
    days = ls.scaling_curve(fit, over="released", family=FAMILY, points=3)
    assert "parameters held at" in days.held and "tokens held at" in days.held


def test_a_family_whose_commonest_level_is_the_missing_one_has_its_curve(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    table = frame.assign(provider=frame["provider"].where(frame["family"] != FAMILY))
    features = [ls.Feature("provider", kind="category", missing="level")]
    scores = ls.Scores.from_frame(table.drop(columns="context_k"), features=features)
    document = {"name": "x", "covariates": ["log_params", "log_tokens", "provider"]}
    fit = prior_fit(spec_from_dict(document | {"skills": {"count": 1}}), scores, draws=8)
    assert "provider held at (missing)" in ls.scaling_curve(fit, family=FAMILY, points=3).held
    needed = ls.flops_for_target(fit, "alpha", 0.5, family=FAMILY, points=5)
    assert "provider held at (missing)" in needed.held


def test_allocation_and_targets_say_that_they_need_sizes(dated: Fit) -> None:
    with pytest.raises(SpecError, match="size and tokens"):
        ls.optimal_allocation(dated, flops=1e22)
    with pytest.raises(SpecError, match="do not change with compute"):
        ls.flops_for_target(dated, benchmark="alpha", family=FAMILY, target=0.5)


def test_a_report_of_a_table_without_sizes_is_whole(dated: Fit, tmp_path: Any) -> None:
    page = ls.report(dated, tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    assert "undisclosed" in text and "Features of models" in text and "fam" in text


def test_compute_that_is_given_alone_makes_a_curve(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    flops = 6e21 * frame["params_b"] * frame["tokens_t"]
    table = frame.drop(columns=["params_b", "tokens_t"]).assign(flops=flops)
    scores = ls.Scores.from_frame(table, features=[CONTEXT])
    given = prior_fit(ls.load_spec("pooled_flops"), scores)
    whole = prior_fit(ls.load_spec("pooled_flops"), ls.Scores.from_frame(frame, features=[CONTEXT]))
    one, other = (ls.scaling_curve(f, family=FAMILY, points=3) for f in (given, whole))
    np.testing.assert_allclose(one.mean_draws.values, other.mean_draws.values, rtol=1e-9)
    rows = pd.DataFrame({"model": ["n"], "family": ["q"], "instruct": 0, "flops": [1e23]})
    assert np.isfinite(ls.predict(given, rows).draws).all()


def test_compute_alone_says_nothing_of_active_parameters(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    table = frame.drop(columns="context_k").assign(active_params_b=frame["params_b"] / 8)
    document = {
        "name": "mixtures",
        "covariates": ["log_params", "log_active_params", "log_tokens"],
        "skills": {"count": 1},
    }
    fit = prior_fit(spec_from_dict(document), ls.Scores.from_frame(table), draws=20)
    target = fit.scores.benchmarks[0]
    for ask in (
        lambda: ls.flops_for_target(fit, target, 0.6, family=FAMILY),
        lambda: ls.optimal_allocation(fit, flops=1e22, target=target),
        lambda: ls.scaling_curve(fit, family=FAMILY, over="log_flops"),
    ):
        with pytest.raises(SpecError, match="uses log_active_params"):
            ask()
    assert "active_params_b held at" in ls.scaling_curve(fit, family=FAMILY, points=3).held


def test_a_planned_mixture_whose_compute_counts_all_parameters_is_named(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    document = {"name": "compute", "covariates": ["log_flops"], "skills": {"count": 1}}
    scores = ls.Scores.from_frame(frame.drop(columns="context_k"))
    fit = prior_fit(spec_from_dict(document), scores, draws=20)
    row = pd.DataFrame(
        {
            "model": ["next"],
            "family": [FAMILY],
            "params_b": [671.0],
            "active_params_b": [37.0],
            "tokens_t": [15.0],
        }
    )
    with pytest.warns(ls.DataWarning, match='of "next" it is counted as 6 x params_b'):
        whole = ls.predict(fit, row, seed=1)
    stated = ls.predict(fit, row.assign(flops=6e21 * 37.0 * 15.0), seed=1)
    assert not whole.mean_draws.equals(stated.mean_draws)


def test_size_and_tokens_grow_with_compute_that_is_stated_too(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    """The curve says that it holds their ratio; earlier versions held both."""
    stated = frame.assign(flops=1.3 * 6e21 * frame["params_b"] * frame["tokens_t"])
    document = {"name": "both", "covariates": ["log_flops", "log_tokens"], "skills": {"count": 1}}
    scores = ls.Scores.from_frame(stated.drop(columns="context_k"))
    fit = prior_fit(spec_from_dict(document), scores, draws=20)
    members = stated[stated["family"] == FAMILY]
    own, size, tokens = (
        float(np.exp(np.log(members[name]).mean())) for name in ("flops", "params_b", "tokens_t")
    )
    curve = ls.scaling_curve(
        fit, over="log_flops", family=FAMILY, points=3, limits=(own / 100, own * 100)
    )
    assert f"tokens per parameter held at {1000 * tokens / size:,.0f}" in curve.held
    rows = pd.DataFrame(
        {
            "model": ["a", "b", "c"],
            "family": FAMILY,
            "instruct": float(members["instruct"].mean() > 0.5),
            "params_b": size * np.array([0.1, 1.0, 10.0]),
            "tokens_t": tokens * np.array([0.1, 1.0, 10.0]),
            "flops": own * np.array([0.01, 1.0, 100.0]),
        }
    )
    expected = ls.predict(fit, rows).mean_draws.transpose("sample", "model", "benchmark")
    drawn = curve.mean_draws.transpose("sample", "point", "benchmark")
    np.testing.assert_allclose(drawn.values, expected.values, rtol=1e-9)


def test_compute_that_is_stated_is_held_along_dates(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    """The compute of a mixture of experts is a small part of 6 x parameters x tokens."""
    stated = frame.assign(flops=0.05 * 6e21 * frame["params_b"] * frame["tokens_t"])
    document = {"name": "both", "covariates": ["released", "log_flops"], "skills": {"count": 1}}
    scores = ls.Scores.from_frame(stated.drop(columns="context_k"))
    fit = prior_fit(spec_from_dict(document), scores, draws=20)
    members = stated[stated["family"] == FAMILY]
    usual = float(np.exp(np.log(members["flops"]).mean()))
    ends = ("2024-06-01", "2025-06-01")
    curve = ls.scaling_curve(fit, over="released", family=FAMILY, points=2, limits=ends)
    assert f"training compute held at {usual:.3g} FLOPs" in curve.held
    assert "parameters held" not in curve.held
    row = {"family": FAMILY, "instruct": float(members["instruct"].mean() > 0.5), "flops": usual}
    rows = pd.DataFrame([{**row, "model": day, "released": day} for day in ends])
    expected = ls.predict(fit, rows).mean_draws.transpose("sample", "model", "benchmark")
    drawn = curve.mean_draws.transpose("sample", "point", "benchmark")
    np.testing.assert_allclose(drawn.values, expected.values, rtol=1e-9)


def test_compute_that_is_stated_grows_along_sizes_from_what_it_is(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    stated = frame.assign(flops=0.05 * 6e21 * frame["params_b"] * frame["tokens_t"])
    document = {"name": "compute", "covariates": ["log_flops"], "skills": {"count": 1}}
    scores = ls.Scores.from_frame(stated.drop(columns="context_k"))
    fit = prior_fit(spec_from_dict(document), scores, draws=20)
    members = stated[stated["family"] == FAMILY]
    size, usual = (float(np.exp(np.log(members[name]).mean())) for name in ("params_b", "flops"))
    curve = ls.scaling_curve(
        fit, over="log_params", family=FAMILY, points=3, limits=(size / 10, size * 10)
    )
    rows = pd.DataFrame({"model": list("abc"), "family": FAMILY})
    rows["instruct"] = float(members["instruct"].mean() > 0.5)
    rows["flops"] = usual * np.array([0.1, 1.0, 10.0])
    expected = ls.predict(fit, rows).mean_draws.transpose("sample", "model", "benchmark")
    drawn = curve.mean_draws.transpose("sample", "point", "benchmark")
    np.testing.assert_allclose(drawn.values, expected.values, rtol=1e-9)


def test_a_family_without_a_size_is_said_to_lack_it(
    frame: pd.DataFrame, prior_fit: Callable[..., Fit]
) -> None:
    document = {"name": "sized", "covariates": ["log_params"], "skills": {"count": 1}}
    sized = ls.Feature("params_b", missing="estimated")
    table = frame.drop(columns="context_k")
    table = table.assign(params_b=table["params_b"].where(table["family"] != FAMILY))
    fit = prior_fit(
        spec_from_dict(document), ls.Scores.from_frame(table, features=[sized]), draws=5
    )
    with pytest.raises(DataError, match=r"discloses its parameters \(billions\); give limits"):
        ls.scaling_curve(fit, over="log_params", family=FAMILY)
