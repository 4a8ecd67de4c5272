"""Several attempts per item: pass@1 and pass@k of a task depend on one skill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import DataError, SpecError
from latentscale.model.attempts import first_of_each, over_attempts
from latentscale.model.build import build_design
from latentscale.model.evaluate import NO_RESIDUALS
from latentscale.posterior.fit import Fit

SPREAD = {"code": 0.8, "proofs": 4.0}
ATTEMPTS = (1, 10, 100)


def spec() -> ModelSpec:
    part = {"name": "several attempts", "covariates": ["log_params"], "skills": {"count": 0}}
    part |= {"family": {"level": "none"}, "benchmarks": {"slopes": ["log_params"]}}
    return spec_from_dict(part | {"terms": [{"kind": "attempts"}]})


def table(models: int = 80, attempts: tuple[int, ...] = ATTEMPTS) -> ls.Scores:
    """Scores over 400 items with individually drawn rates, at several attempts each."""
    rng = np.random.default_rng(4)
    size = np.exp(rng.uniform(-1, 4, models))
    x = (np.log(size) - np.log(size).mean()) / np.log(size).std()
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(models)], "family": "f"})
    frame = frame.assign(params_b=size)
    info = {}
    for task, spread in SPREAD.items():
        mean = 1 / (1 + np.exp(-(x - 0.7)))
        for k in attempts:
            rate = rng.beta(mean * spread, (1 - mean) * spread, (400, models))
            name = task if k == 1 else f"{task} pass@{k}"
            frame[name] = (rng.random(rate.shape) < 1 - (1 - rate) ** k).mean(axis=0)
            info[name] = ls.Benchmark(n_items=400, attempts=k, task=task)
    return ls.Scores.from_frame(frame, benchmarks=info)


@pytest.mark.parametrize("k", [1, 2, 10, 100])
@pytest.mark.parametrize("mean", [1e-6, 0.03, 0.5, 0.98])
def test_the_expected_score_is_the_mean_over_beta_rates(mean: float, k: int) -> None:
    for spread in (0.2, 1.0, 20.0):
        rates = stats.beta(mean * spread, (1 - mean) * spread)
        wanted = -np.expm1(
            np.log([(1 - mean) * spread + r for r in range(k)]).sum()
            - np.log([spread + r for r in range(k)]).sum()
        )
        mean_score = over_attempts(*(xr.DataArray(float(v)) for v in (mean, spread, k)))
        assert float(mean_score) == pytest.approx(wanted, rel=1e-6)
        if mean > 0.01:
            drawn = rates.rvs(20000, random_state=1)
            assert float(mean_score) == pytest.approx(1 - np.mean((1 - drawn) ** k), abs=0.012)


def test_benchmarks_of_one_task_have_its_predictor_and_more_attempts_score_higher(
    prior_fit: Callable[..., Fit],
) -> None:
    fit = prior_fit(spec(), table(8), draws=6)
    at = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=NO_RESIDUALS)
    for task in SPREAD:
        names = [task, f"{task} pass@10", f"{task} pass@100"]
        eta, mean = at.eta.sel(benchmark=names), at.mean.sel(benchmark=names)
        assert (eta == eta.isel(benchmark=0, drop=True)).all()
        assert (mean.diff("benchmark") >= 0).all() and (mean.diff("benchmark") > 1e-3).any()
        xr.testing.assert_allclose(
            mean.isel(benchmark=0, drop=True), 1 / (1 + np.exp(-eta.isel(benchmark=0, drop=True)))
        )


@pytest.mark.parametrize("link", ["power-logistic", "monotone"])
def test_more_attempts_never_score_lower_whatever_of_the_curve_is_estimated(
    prior_fit: Callable[..., Fit], link: str
) -> None:
    curve = {"link": {"kind": link}, "ceiling": "estimated", "ceiling_open": 0.5}
    changes = {f"benchmarks.{name}": value for name, value in curve.items()}
    estimated = spec().with_({**changes, "benchmarks.floor": "estimated"})
    # Items are always or never solved: more attempts change little.
    estimated = estimated.with_priors({"item_spread": ls.Prior("LogNormal", mu=-3, sigma=0.5)})
    scores = table(6)
    info = {n: replace(b, floor=0.1) for n, b in scores.benchmark_info.items()}
    info["alone"] = ls.Benchmark(floor=0.2)
    frame = scores.to_frame().assign(alone=[0.3, 0.5, 0.4, 0.7, 0.6, 0.8])
    fit = prior_fit(estimated, ls.Scores.from_frame(frame, benchmarks=info), draws=40)
    mean = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=NO_RESIDUALS).mean
    for task in SPREAD:
        names = [task, f"{task} pass@10", f"{task} pass@100"]
        assert (mean.sel(benchmark=names).diff("benchmark") >= -1e-12).all()
        assert not fit.samples["open_ceiling"].sel(benchmark=names).any()
    assert fit.samples["open_ceiling"].sel(benchmark="alone").sum() > 0
    by_model = build_design(estimated, fit.design)
    free = [v.name for v in by_model.free_RVs]
    assert set(free) >= {"ceiling_share", "floor_shift", "task_item_spread"}
    assert [name for name in free if name.endswith("_of_each")]


def test_other_bounds_for_benchmarks_of_one_task_are_refused() -> None:
    scores = table(6)
    info = dict(scores.benchmark_info)
    info["code"] = replace(info["code"], floor=0.25)
    other = ls.Scores.from_frame(scores.to_frame(), benchmarks=info)
    with pytest.raises(SpecError, match=r'"code pass@10" states the floor 0, but "code".* 0\.25'):
        ls.build(spec(), other)


def test_the_spread_of_items_and_the_curve_are_recovered() -> None:
    # At 100 attempts many scores are exactly 1, and half an item less biases the spread by some 7%.
    method = ls.Laplace(draws=400)
    fit = ls.fit(spec(), table(attempts=(1, 3, 10)), method=method, seed=1, progress=False)
    for task, wanted in SPREAD.items():
        drawn = np.log(fit.samples["task_item_spread"].sel(attempted_task=task))
        assert abs(float(drawn.mean()) - np.log(wanted)) < 4 * float(drawn.std()) < 0.8
        slope = fit.samples["benchmark_slope"].sel(benchmark=task)
        assert float(slope.mean()) == pytest.approx(1.0, abs=0.15)


def test_a_spec_without_such_benchmarks_says_what_to_declare(small_scores: ls.Scores) -> None:
    with pytest.raises(SpecError, match="no benchmark of this table has several attempts"):
        ls.build(spec(), small_scores)


def test_attempts_are_of_shares_of_solved_items() -> None:
    with pytest.raises(DataError, match="whole number of at least 1"):
        ls.Benchmark(attempts=0)
    with pytest.raises(DataError, match="shares of solved items"):
        ls.Benchmark(scale="real", attempts=5)


def test_tables_keep_attempts_through_files(tmp_path) -> None:
    scores = table(4)
    scores.save(tmp_path / "t.csv")
    read = ls.readers.read_scores(tmp_path / "t.csv")
    assert read.benchmark_info == scores.benchmark_info


def test_tasks_are_those_with_several_attempts_and_begin_with_their_own_benchmark() -> None:
    """Whatever the order of columns; a benchmark with one attempt has no spread of items."""
    frame = pd.DataFrame({"model": list("abc"), "family": "f", "params_b": [1.0, 3.0, 9.0]})
    frame = frame.assign(**{"quiz": 0.4, "code pass@10": 0.6, "code": [0.2, 0.3, 0.5]})
    info = {
        "code": ls.Benchmark(task="code"),
        "code pass@10": ls.Benchmark(attempts=10, task="code"),
    }
    scores = ls.Scores.from_frame(frame, benchmarks=info)
    assert first_of_each(scores.dataset).tolist() == [0, 2, 2]
    assert list(ls.build(spec(), scores).coords["attempted_task"]) == ["code"]
