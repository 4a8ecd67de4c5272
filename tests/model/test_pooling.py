"""Partially pooled benchmarks: hierarchies by hand, defaults, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.model.design import design
from latentscale.model.pooling import benchmark_groups
from latentscale.model.terms.base import terms_of
from latentscale.posterior.fit import Fit


def spec_of(identify: str = "anchored", **benchmarks: Any) -> ModelSpec:
    return spec_from_dict(
        {
            "name": "pooled",
            "covariates": ["log_flops"],
            "skills": {"count": 2, "identify": {"kind": identify}},
            "benchmarks": {"pooled": True, **benchmarks},
        }
    )


def in_groups(scores: Scores) -> Scores:
    names = {"alpha": "one", "beta": "one", "gamma": "two", "delta": "two"}
    info = {
        name: ls.Benchmark(floor=b.floor, n_items=b.n_items, group=names[name])
        for name, b in scores.benchmark_info.items()
    }
    return Scores.from_frame(scores.to_frame(), benchmarks=info)


@pytest.mark.parametrize("identify", ["anchored", "free"])
def test_prior_draws_scatter_around_the_mean_by_the_spread(
    identify: str, prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    """z = (x - mean) / spread is standard normal: 4 benchmarks x 1,500 draws, limits of 5 s.e."""
    draws = prior_fit(spec_of(identify), small_scores, draws=1500).samples
    pairs = {"intercept": draws["intercept"], "precision": np.log(draws["precision"])}
    for name, x in pairs.items():
        z = ((x - draws[f"{name}_mean"]) / draws[f"{name}_spread"]).values
        assert abs(z.mean()) < 5 / np.sqrt(z.size)
        assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
    name = "loading" if identify == "anchored" else "signed_loading"
    assert f"{name}_spread" in draws
    loading = draws["loading"].values
    assert (loading >= 0).all() if identify == "anchored" else (loading < 0).any()


def test_pooled_precisions_stay_below_the_largest(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    """The pooled quantity is x in 1 / phi = exp(-x) + 1 / largest, within the limits above."""
    largest = 60.0  # below the prior's median, 90
    draws = prior_fit(spec_of(largest_precision=largest), small_scores, draws=1500).samples
    phi = draws["precision"]
    assert float(phi.max()) < largest and float(phi.median()) > largest / 3
    x = -np.log(1 / phi - 1 / largest)
    z = ((x - draws["precision_mean"]) / draws["precision_spread"]).values
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)


def test_gibbs_sampling_refuses_bounded_precisions(small_scores: Scores) -> None:
    bounded = spec_of(likelihood={"kind": "student-t"}, largest_precision=2500)
    with pytest.raises(ls.FitError, match=r"largest_precision = 2500 bounds pooled precisions"):
        ls.fit(bounded, small_scores, method=ls.methods.Gibbs(draws=10, tune=10), progress=False)


def test_benchmarks_of_one_group_are_alike(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    spec = spec_of().with_priors(
        {
            "intercept_spread": ls.Prior("HalfNormal", sigma=0.01),
            "intercept_group_spread": ls.Prior("HalfNormal", sigma=3),
        }
    )
    draws = prior_fit(spec, in_groups(small_scores), draws=200).samples["intercept"]
    within = abs(draws.sel(benchmark="alpha") - draws.sel(benchmark="beta")).mean()
    between = abs(draws.sel(benchmark="alpha") - draws.sel(benchmark="gamma")).mean()
    assert float(between) > 20 * float(within)


def test_ceilings_are_pooled_where_they_are_estimated(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    assert "ceiling_share_mean" not in spec_of().used_priors()
    fit = prior_fit(spec_of(ceiling="estimated"), small_scores, draws=50)
    assert {"ceiling_share_mean", "ceiling_share_spread"} <= set(fit.posterior)
    assert bool(((fit.samples["ceiling"] > 0) & (fit.samples["ceiling"] < 1)).all())


def test_the_populations_take_the_place_of_single_benchmarks_priors() -> None:
    used = spec_of().used_priors()
    assert {"intercept_mean", "loading_spread", "precision_group_spread"} <= set(used)
    assert not {"intercept", "loading", "precision", "signed_loading_mean"} & set(used)


def test_pooled_loadings_of_free_skills_can_be_aligned(
    prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    fit = prior_fit(spec_of("free"), small_scores, draws=40)
    aligned = ls.align(fit).fit
    assert "signed_loading_spread" not in aligned.posterior
    rows = small_scores.to_frame().drop(columns=list(small_scores.benchmarks))
    plain, turned = (ls.predict(f, rows, seed=1).mean_draws for f in (fit, aligned))
    np.testing.assert_allclose(turned.values, plain.values, rtol=1e-6)


def test_a_benchmark_alone_in_its_group_varies_around_the_mean_of_all(small_scores: Scores) -> None:
    """As a benchmark without a group does; two of a group vary around the group's mean."""
    names = {"alpha": "two", "beta": "alone", "gamma": "two", "delta": ""}
    info = {
        name: ls.Benchmark(floor=b.floor, n_items=b.n_items, group=names[name])
        for name, b in small_scores.benchmark_info.items()
    }
    table = design(spec_of(), Scores.from_frame(small_scores.to_frame(), benchmarks=info))
    assert benchmark_groups(table.scores.dataset) == ["two"]
    several = ("benchmark", ["b", "", "alone", "", "a", "b", "a"])
    assert benchmark_groups(xr.Dataset({"group": several})) == ["a", "b"]
    (pooling,) = (p for t in terms_of(spec_of()) for p in t.poolings() if p.name == "intercept")
    assert set(pooling.parameters(table)) == {
        "intercept_mean",
        "intercept_spread",
        "intercept_group_spread",
    }
    values = {
        "intercept_mean": xr.DataArray([0.5, -1.0], dims="sample"),
        "intercept_group_spread": xr.DataArray([2.0, 3.0], dims="sample"),
        "intercept_group_raw": xr.DataArray([[0.1], [1.0]], dims=("sample", "benchmark_group")),
    }
    middle: Any = pooling.middle(values, table)
    wanted = [[0.7, 0.5, 0.7, 0.5], [2.0, -1.0, 2.0, -1.0]]
    np.testing.assert_allclose(middle.transpose("sample", "benchmark").values, wanted, rtol=1e-12)
