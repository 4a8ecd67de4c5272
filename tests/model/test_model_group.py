"""Model x group effects: one per model and group, drawn and conditioned like residuals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import logit

import latentscale as ls
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.data.scores import Scores
from latentscale.declare import spec_from_dict
from latentscale.errors import SpecError
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.model.feasible import feasible
from latentscale.model.terms.model_group import ModelGroup
from latentscale.posterior.fit import Fit

SPEC = spec_from_dict(
    {
        "name": "groups",
        "covariates": ["log_flops"],
        "skills": {"count": 1},
        "terms": [{"kind": "model-group"}],
        "priors": {"model_group_scale": {"dist": "HalfNormal", "sigma": 2}},
    }
)
GROUPS = {"alpha": "maths", "beta": "code", "gamma": "maths", "delta": "code", "epsilon": "alone"}
ROW = pd.DataFrame({"model": ["x"], "family": ["fam00"], "params_b": [7.0], "tokens_t": [2.0]})


def in_groups(scores: Scores, groups: dict[str, str]) -> Scores:
    """Return the scores with groups of benchmarks."""
    info = {
        name: ls.Benchmark(floor=b.floor, n_items=b.n_items, group=groups.get(name, ""))
        for name, b in scores.benchmark_info.items()
    }
    return Scores.from_frame(scores.to_frame(), benchmarks=info)


@pytest.fixture(scope="module")
def fit(known, prior_fit: Callable[..., Fit]) -> Fit:
    rows = [f"fam{f:02d}-m{i}" for f in range(6) for i in (0, 1)]
    return prior_fit(SPEC, in_groups(known.scores.select(models=rows), GROUPS), draws=400)


def test_a_model_is_better_at_all_benchmarks_of_a_group_and_at_no_other(fit: Fit) -> None:
    draws, table = fit.samples, fit.scores.dataset
    assert list(draws["benchmark_group"].values) == ["code", "maths"]
    whole = fit.evaluator.at(draws, table, residuals="fitted").eta
    plain = fit.evaluator.at(draws, table, residuals="none").eta
    own = (whole - plain).transpose("sample", "model", "benchmark")
    effect = draws["model_group"].transpose("sample", "model", "benchmark_group").values
    for benchmark in fit.scores.benchmarks:
        place = {"code": 0, "maths": 1}.get(GROUPS.get(benchmark, ""))
        wanted = np.zeros(effect.shape[:2]) if place is None else effect[..., place]
        np.testing.assert_allclose(own.sel(benchmark=benchmark), wanted, atol=1e-9)


def test_new_models_draw_their_effects_and_fitted_ones_keep_theirs(fit: Fit) -> None:
    known = fit.scores.models[0]
    rows = pd.concat([ROW, fit.scores.to_frame().query("model == @known")])[list(ROW)]
    forecast = ls.predict(fit, rows, seed=1)
    at = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").mean
    np.testing.assert_allclose(
        forecast.mean_draws.sel(model=known).transpose("sample", "benchmark"),
        at.sel(model=known).transpose("sample", "benchmark"),
        rtol=1e-9,
    )
    new = planned_rows(fit, ROW)
    curve = fit.evaluator.at(fit.samples, new, residuals="none").eta.isel(model=0, drop=True)
    floor = fit.scores.dataset["floor"]
    eta = logit((forecast.mean_draws.sel(model="x", drop=True) - floor) / (1 - floor))
    own = (eta - curve).where(abs(curve) < 8)  # expected scores stay a millionth from 0 and 1
    for name, group in GROUPS.items():
        if group == "alone":
            assert float(abs(own.sel(benchmark=name)).max()) < 1e-4
            continue
        scale = fit.samples["model_group_scale"].sel(benchmark_group=group)
        unit = own.sel(benchmark=name) / scale
        # Some 400 draws: a standard error of 0.035.
        assert float(unit.std()) == pytest.approx(1.0, abs=0.16)


def test_a_score_moves_the_benchmarks_of_its_group_most(fit: Fit) -> None:
    """One spread and one small loading, so that benchmarks differ only by their group."""
    values = {"model_group_scale": 1.5, "loading": 0.1, "intercept": 0.0, "slope": 0.0}
    draws = fit.posterior.assign({n: xr.full_like(fit.posterior[n], v) for n, v in values.items()})
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(draws)
    wide = replace(fit, tree=tree)
    before = ls.predict(wide, ROW, seed=2).mean_draws.median("sample").isel(model=0)
    score = min(float(before.sel(benchmark="alpha")) + 0.3, 0.97)
    forecast = ls.predict(wide, ROW.assign(alpha=score), seed=2)
    after = forecast.mean_draws.median("sample").isel(model=0)
    change = abs(logit(after) - logit(before))
    assert float(change.sel(benchmark="gamma")) > 2 * float(change.sel(benchmark="zeta"))


def test_without_groups_of_two_a_model_goes_on_without_the_effects(
    small_scores: Scores,
) -> None:
    for scores in (small_scores, in_groups(small_scores, {"alpha": "alone"})):
        with pytest.warns(ls.FitWarning, match="without the term model-group: no group has two"):
            model = ls.build(SPEC, scores)
        assert not any(name.startswith("model_group") for name in model.named_vars)
        with pytest.raises(SpecError, match="no group has two benchmarks"):
            build_design(SPEC, design(SPEC, scores))


def test_priors_of_a_term_that_is_left_out_go_with_it(small_scores: Scores) -> None:
    """The warning about the term covers them; they are not also reported as unused priors."""
    spec = SPEC.with_priors({"intercept": ls.Prior("Normal", mu=0.5, sigma=1)})
    with pytest.warns(ls.FitWarning) as caught:
        reduced = feasible(spec, small_scores)
        design(reduced, small_scores)
    assert len([w for w in caught if issubclass(w.category, ls.FitWarning)]) == 1
    assert set(reduced.priors) == {"intercept"}


def test_shares_of_variance_name_the_effect(fit: Fit) -> None:
    shares = ls.studies.variance_shares(fit)
    assert "model x benchmark group" in shares.draws["component"].values
    assert "other terms" not in shares.draws["component"].values


def test_effects_have_the_standard_deviation_of_their_group(fit: Fit) -> None:
    unit = fit.samples["model_group"] / fit.samples["model_group_scale"]
    # 12 models x 400 draws: a standard error of 0.01.
    np.testing.assert_allclose(unit.std(["sample", "model"]), 1.0, atol=0.05)


def test_an_effect_of_no_spread_has_the_standardised_value_0() -> None:
    draws = xr.Dataset({"model_group_scale": ("benchmark_group", [0.0, 2.0])})
    effect = xr.DataArray([[0.0, 3.0]], dims=("model", "benchmark_group"))
    raw = ModelGroup(kind="model-group").raw_of_model_effect(draws, effect)
    assert raw.transpose(*effect.dims).values.tolist() == [[0.0, 1.5]]


def test_rows_of_families_that_were_not_fitted_have_no_fitted_familys_effects(fit: Fit) -> None:
    """They had the first family's effects; now they have their own."""
    new = planned_rows(fit, ROW.assign(family="other"))
    with pytest.raises(ls.DataError, match=r'"other".*latentscale\.predict.*effects='):
        fit.evaluator.at(fit.samples, new, residuals="none")
    own = fit.samples[["family_skill"]].isel(family=[2])
    at = fit.evaluator.at(
        fit.samples, new, residuals="none", effects=own.assign_coords(family=["other"])
    )
    of_family = planned_rows(fit, ROW.assign(family=str(own["family"].values[0])))
    same = fit.evaluator.at(fit.samples, of_family, residuals="none")
    np.testing.assert_array_equal(at.eta.values, same.eta.values)


def test_rows_that_were_not_fitted_have_no_fitted_effects_by_model(fit: Fit) -> None:
    """They were left out without a warning."""
    table = fit.scores.dataset
    new = xr.concat(
        [table.isel(model=[0]), table.isel(model=[1]).assign_coords(model=["x"])], "model"
    )
    with pytest.raises(ls.DataError, match=r'model_group".*"x".*residuals="none"'):
        fit.evaluator.at(fit.samples, new, residuals="fitted")
    with pytest.raises(ls.DataError, match=r'model_group".*"x"'):
        fit.evaluator.at(fit.samples, new, residuals=fit.samples[["model_group"]])
