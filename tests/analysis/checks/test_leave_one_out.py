"""Leave-one-out: against a conjugate normal model in closed form, and on a fit of known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.checks.leave_one_out import observed_cells, psis, weighted_quantiles
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit


def with_likelihood(fit: Fit, values: np.ndarray) -> Fit:
    """Return the fit with other log likelihoods, shape (chain, draw, cell)."""
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    old = groups["log_likelihood"]["score"].isel(draw=slice(values.shape[1]))
    groups["log_likelihood"] = xr.Dataset({"score": old.copy(data=values)})
    return replace(fit, tree=xr.DataTree.from_dict(groups))


def test_log_densities_of_a_conjugate_normal(
    prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    base = prior_fit(quick_spec, small_scores, draws=4000)
    count = base.tree["log_likelihood"].sizes["cell"]
    rng = np.random.default_rng(2)
    y = rng.normal(0.3, 1, count)
    # theta ~ N(0, 1), y ~ N(theta, 1): the posterior is N(sum y / (n + 1), 1 / (n + 1)).
    theta = rng.normal(y.sum() / (count + 1), (count + 1) ** -0.5, (1, 4000))
    smoothed = psis(with_likelihood(base, stats.norm.logpdf(y, theta[..., None])))
    left = (y.sum() - y) / count
    exact = stats.norm(left, np.sqrt(1 + 1 / count)).logpdf(y)
    np.testing.assert_allclose(smoothed.elpd, exact, atol=0.02)
    assert (smoothed.pareto_k < 0.7).all()


def test_weighted_quantiles_of_a_tilted_normal() -> None:
    draws = np.random.default_rng(0).standard_normal((200_000, 2))
    # exp(x) tilts N(0, 1) to N(1, 1); weights of 1 do not change it.
    weights = np.column_stack([np.exp(draws[:, 0]), np.ones(200_000)])
    weights /= weights.sum(axis=0)
    dims = ("sample", "cell")
    quantiles = weighted_quantiles(
        xr.DataArray(draws, dims=dims), xr.DataArray(weights, dims=dims), (0.05, 0.5, 0.95)
    ).transpose("cell", "quantile")
    exact = [stats.norm(mean).ppf([0.05, 0.5, 0.95]) for mean in (1, 0)]
    np.testing.assert_allclose(quantiles, exact, atol=0.05)


def test_the_table_of_a_fit(pooled_fit: Fit, spoiled: tuple[ls.Scores, tuple[str, str]]) -> None:
    loo = ls.leave_one_out(pooled_fit, seed=3)
    table = loo.table().set_index(["model", "benchmark"])
    assert len(table) == pooled_fit.scores.n_observed
    scores = pooled_fit.scores.dataset["score"]
    for model, benchmark in table.index[::37]:
        row = table.loc[(model, benchmark)]
        assert row["score"] == float(scores.sel(model=model, benchmark=benchmark))
        assert row["lower"] < row["median"] < row["upper"]
    clean = table.drop(index=spoiled[1])
    inside = clean["score"].between(clean["lower"], clean["upper"])
    assert inside.mean() == pytest.approx(0.9, abs=0.05)
    assert stats.kstest(clean["pit"], "uniform").pvalue > 0.001
    assert clean["z"].abs().max() < 5
    bad = table.loc[spoiled[1]]
    assert abs(bad["z"]) > 5 and min(bad["pit"], 1 - bad["pit"]) < 0.001
    assert not bad["lower"] <= bad["score"] <= bad["upper"]
    assert loo.elpd == pytest.approx(table["elpd"].sum())


def test_leaving_out_agrees_with_unsmoothed_weights(pooled_fit: Fit) -> None:
    table = ls.leave_one_out(pooled_fit).table()
    logs = pooled_fit.tree["log_likelihood"]["score"].stack(sample=("chain", "draw"))
    plain = -np.log(np.exp(-logs).mean("sample"))
    safe = (table["pareto_k"] < 0.3).to_numpy()
    assert safe.sum() > 100
    np.testing.assert_allclose(table["elpd"][safe], plain.values[safe], atol=0.03)
    assert (table["elpd"].to_numpy() <= logs.max("sample").values).all()


def test_cells_that_alone_hold_an_effect_are_named(
    prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    base = prior_fit(quick_spec, small_scores, draws=400)
    cells = base.tree["log_likelihood"].sizes["cell"]
    values = np.random.default_rng(0).normal(0, 0.1, (1, 400, cells))
    values[..., 5] = -stats.pareto(0.5).rvs((1, 400), random_state=1)
    loo = ls.leave_one_out(with_likelihood(base, values))
    cell = observed_cells(base)[5]
    constant = with_likelihood(base, np.zeros_like(values))
    with pytest.raises(ls.FitError, match="The draws hardly vary"):
        ls.leave_one_out(constant)
    extreme = values.copy()
    extreme[0, 0, 7] = -1e6  # one draw outweighs all others
    lost = ls.leave_one_out(with_likelihood(base, extreme)).table().iloc[7]
    assert lost["elpd"] == pytest.approx(-1e6 + np.log(400)) and not lost["reliable"]
    assert np.isnan(lost["z"])
    assert loo.unreliable["model"].tolist() == [cell["cell_model"].item()]
    assert loo.unreliable["benchmark"].tolist() == [cell["cell_benchmark"].item()]
    assert "1 of them have Pareto k above" in loo.headline
    assert "<table" in loo._repr_html_()


def test_point_estimates_and_few_draws_are_refused(
    prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    fit = prior_fit(quick_spec, small_scores, draws=10)
    with pytest.raises(ls.FitError, match="at least 25 draws"):
        ls.leave_one_out(fit)
    point = replace(fit, status=replace(fit.status, is_posterior=False))
    with pytest.raises(ls.FitError, match="point estimate"):
        ls.leave_one_out(point)


def test_a_diagnosis_and_leave_one_out_count_the_same_scores(
    prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    """For tails of many shapes, both counts agree; with 400 draws the limit is 0.62."""
    base = prior_fit(quick_spec, small_scores, draws=400)
    cells = base.tree["log_likelihood"].sizes["cell"]
    rng = np.random.default_rng(6)
    shapes = np.linspace(0.2, 1.2, cells)
    values = np.log(rng.random((1, 400, cells))) * shapes
    values[..., 3] = np.arange(400) % 2  # no tail
    values[0, 9, 4] = -np.inf
    fit = with_likelihood(base, values)
    loo, diagnosis = ls.leave_one_out(fit), ls.diagnose(fit)
    assert loo.k_limit == diagnosis.k_limit == pytest.approx(1 - 1 / np.log10(400))
    assert 5 < len(loo.unreliable) == diagnosis.high_pareto_k < cells - 5
    between = loo.table()["pareto_k"].between(loo.k_limit, 0.7)
    assert between.any()  # what a limit of 0.7 would not count


@pytest.mark.slow
def test_log_densities_are_those_of_refits_without_the_score(known) -> None:
    """Exact leave-one-out of six scores, each from a fit that did not see it."""
    frame = known.frame[known.frame["family"] < "fam10"].drop(columns=["epsilon", "zeta"])
    names = ["alpha", "beta", "gamma", "delta"]
    info = {name: ls.Benchmark() for name in names}
    document = {
        "name": "normal",
        "covariates": ["log_flops"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
        "family": {"level": "partial"},
        "benchmarks": {"likelihood": {"kind": "logit-normal"}},
    }
    spec, method = spec_from_dict(document), ls.methods.Gibbs(draws=1500, chains=2, cores=1)

    def fitted(table: pd.DataFrame) -> Fit:
        scores = ls.Scores.from_frame(table, benchmarks=info)
        return ls.fit(spec, scores, method=method, seed=1, progress=False)

    rows = ls.leave_one_out(fitted(frame), seed=1).table()
    rows = rows[rows["pareto_k"] < 0.5].iloc[:: max(1, len(rows) // 6)]
    for row in rows.itertuples():
        mine = frame["model"] == row.model
        without = fitted(frame.assign(**{row.benchmark: frame[row.benchmark].mask(mine)}))
        planned = frame.loc[mine].drop(columns=names)
        score = xr.DataArray(
            [[row.score]],
            {"model": [row.model], "benchmark": [row.benchmark]},
            ("model", "benchmark"),
        )
        exact = ls.predict(without, planned, seed=1).log_score(score)
        # With 1,500 autocorrelated draws, log densities are known to a few hundredths.
        assert abs(float(exact.sel(model=row.model, benchmark=row.benchmark)) - row.elpd) < 0.15
