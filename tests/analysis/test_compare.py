"""Comparison and stacking against ArviZ, a known optimum and mixtures by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentscale as ls
from latentscale.analysis.compare import stacking_weights
from latentscale.analysis.leave_one_out import psis
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit


@pytest.fixture(scope="session")
def rival(pooled_fit: Fit) -> Fit:
    """The same draws, but with a noise that is far too large: a worse account of the scores."""
    posterior = pooled_fit.posterior
    posterior = posterior.assign(precision=posterior["precision"] / 8)
    drawn = Draws(posterior, None, pooled_fit.status, {})
    return replace(pooled_fit, tree=to_tree(pooled_fit.spec, pooled_fit.design, drawn))


def test_stacking_weights_of_a_mixture() -> None:
    rng = np.random.default_rng(3)
    first = rng.random(20_000) < 0.7
    y = np.where(first, rng.normal(-2, 1, 20_000), rng.normal(2, 1, 20_000))
    elpd = pd.DataFrame({m: stats.norm(m, 1).logpdf(y) for m in (-2, 2)})
    assert stacking_weights(elpd)[0] == pytest.approx(0.7, abs=0.02)
    assert stacking_weights(elpd - 900)[0] == pytest.approx(0.7, abs=0.02)


def test_a_comparison_agrees_with_arviz(pooled_fit: Fit, rival: Fit) -> None:
    found = ls.compare({"bad": rival, "good": pooled_fit})
    theirs = azs.compare(
        {"bad": psis(rival), "good": psis(pooled_fit)}, method="stacking", round_to="none"
    )
    assert list(found.table["name"]) == ["good", "bad"]
    by_name = found.table.set_index("name")
    for name in ("good", "bad"):
        assert by_name.loc[name, "elpd"] == pytest.approx(theirs.loc[name, "elpd"])
        assert by_name.loc[name, "p_loo"] == pytest.approx(theirs.loc[name, "p"])
        assert found.weights[name] == pytest.approx(theirs.loc[name, "weight"], abs=0.02)
    wide = found.cells.pivot(index=["model", "benchmark"], columns="name", values="elpd")

    def merit(weights: pd.Series) -> float:
        return float(np.log(np.exp(wide) @ weights.loc[list(wide)].astype(float)).sum())

    assert merit(pd.Series(found.weights)) >= merit(theirs["weight"]) - 1e-9
    assert by_name.loc["bad", "difference"] == pytest.approx(theirs.loc["bad", "elpd_diff"])
    assert by_name.loc["good", "difference"] == 0 and by_name.loc["bad", "difference_se"] > 0
    assert by_name.loc["bad", "high_k"] == (psis(rival).pareto_k > psis(rival).good_k).sum()
    assert len(found.cells) == 2 * pooled_fit.scores.n_observed
    assert "<table" in found._repr_html_() and "good" in str(found)


def test_different_scores_are_refused(
    pooled_fit: Fit, quick_spec: ls.ModelSpec, prior_fit: Callable[..., Fit]
) -> None:
    scores = pooled_fit.scores
    fewer = prior_fit(quick_spec, scores.without([scores.models[3]]))
    with pytest.raises(ls.FitError, match=f"such as .{scores.models[3]} on alpha"):
        ls.compare({"a": pooled_fit, "b": fewer})
    other = scores.dataset.assign(score=scores.dataset["score"] * 0.9)
    with pytest.raises(ls.FitError, match="different scores of the same cells"):
        ls.compare({"a": pooled_fit, "b": prior_fit(quick_spec, ls.Scores(other))})
    with pytest.raises(ls.FitError, match="at least two fits"):
        ls.compare({"a": pooled_fit})
    with pytest.raises(ls.FitError, match=r"fits\[.b.\] must be a Fit"):
        ls.compare({"a": pooled_fit, "b": scores})  # type: ignore[dict-item]


def backtested(seed: int, error: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    family = np.repeat([f"f{k}" for k in range(8)], 5)
    score = rng.uniform(0.2, 0.8, 40)
    median = score + np.random.default_rng(seed).normal(0, error, 40)
    return pd.DataFrame(
        {
            "fold": family,
            "model": [f"m{k}" for k in range(40)],
            "family": family,
            "benchmark": "b",
            "score": score,
            "median": median,
            "lower": median - 0.1,
            "upper": median + 0.1,
            "crps": (score - median).__abs__(),
            "log_score": stats.norm(median, 0.05).logpdf(score),
        }
    )


def test_backtests_by_hand() -> None:
    good, bad = backtested(1, 0.03), backtested(2, 0.15)
    found = ls.compare_backtests({"bad": bad.sample(frac=1, random_state=1), "good": good})
    row = found.table.set_index("name").loc["bad"]
    assert row["elpd"] == pytest.approx(bad["log_score"].sum())
    assert row["difference"] == pytest.approx((bad["log_score"] - good["log_score"]).sum())
    errors = (bad["score"] - bad["median"]).abs() - (good["score"] - good["median"]).abs()
    assert row["mae_difference"] == pytest.approx(errors.mean())
    # Families are of one size: the standard error of a mean of 8 family means.
    by_family = errors.groupby(bad["family"]).mean()
    assert row["mae_difference_se"] == pytest.approx(by_family.std(ddof=0) / np.sqrt(8), rel=0.1)
    assert found.held_out and found.weights["good"] > 0.9
    assert sum(found.weights.values()) == pytest.approx(1)


def test_backtests_of_different_folds_are_refused() -> None:
    table = backtested(1, 0.03)
    with pytest.raises(ls.DataError, match='such as m0 on b in the fold "f0"'):
        ls.compare_backtests({"a": table, "b": table.iloc[1:]})
    with pytest.raises(ls.DataError, match='"log_score"'):
        ls.compare_backtests({"a": table, "b": table.drop(columns="log_score")})
    with pytest.raises(ls.DataError, match="at least two"):
        ls.compare_backtests({"a": table})
    with pytest.raises(ls.DataError, match="different scores"):
        ls.compare_backtests({"a": table, "b": table.assign(score=0.5)})


def frame_of(fit: Fit) -> pd.DataFrame:
    return pd.DataFrame(
        {"model": ["new", "other"], "family": ["n", "o"], "params_b": [7, 70], "tokens_t": [2, 9]}
    )


def test_a_stacked_forecast_is_the_mixture(pooled_fit: Fit, rival: Fit) -> None:
    frame = frame_of(pooled_fit)
    fits = {"a": pooled_fit, "b": rival}
    found = ls.stack(fits, frame, {"a": 3.0, "b": 1.0}, seed=2)
    parts = {name: ls.predict(fit, frame, seed=2) for name, fit in fits.items()}
    assert found.draws.sizes["sample"] == 800
    mean = 0.75 * parts["a"].mean_draws.mean("sample") + 0.25 * parts["b"].mean_draws.mean("sample")
    np.testing.assert_allclose(found.mean_draws.mean("sample"), mean, atol=0.04)
    # Every draw keeps its own expectation and precision: it comes whole from one of the fits.
    a = parts["a"]
    pairs = {
        (float(m), float(d)) for m, d in zip(a.mean_draws[:, 0, 0], a.draws[:, 0, 0], strict=True)
    }
    mine = zip(found.mean_draws[:, 0, 0].values, found.draws[:, 0, 0].values, strict=True)
    assert sum((float(m), float(d)) in pairs for m, d in mine) == 600
    truth = parts["a"].draws.isel(sample=0, drop=True).clip(0.01, 0.99)
    mixed = np.log(0.75 * np.exp(a.log_score(truth)) + 0.25 * np.exp(parts["b"].log_score(truth)))
    np.testing.assert_allclose(found.log_score(truth), mixed, atol=0.1)
    assert len(found.table()) == 2 * len(pooled_fit.scores.benchmarks)


def test_a_weight_of_zero_leaves_one_fit(pooled_fit: Fit, rival: Fit) -> None:
    frame = frame_of(pooled_fit)
    found = ls.stack({"a": pooled_fit, "b": rival}, frame, {"a": 1.0, "b": 0.0}, seed=2)
    alone = ls.predict(pooled_fit, frame, seed=2)
    np.testing.assert_allclose(
        np.sort(found.draws.isel(model=0, benchmark=0)),
        np.sort(alone.draws.isel(model=0, benchmark=0)),
    )


def test_stacking_misused(pooled_fit: Fit, rival: Fit) -> None:
    frame, fits = frame_of(pooled_fit), {"a": pooled_fit, "b": rival}
    for weights, said in (
        ({"a": 1.0}, 'missing "b"'),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, 'unknown "c"'),
        ({"a": -1.0, "b": 1.0}, 'weight of "a"'),
        ({"a": 0.0, "b": 0.0}, "All weights are 0"),
    ):
        with pytest.raises(ls.DataError, match=said):
            ls.stack(fits, frame, weights)
