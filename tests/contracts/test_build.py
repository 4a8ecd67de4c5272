"""Every shipped spec becomes a plain PyMC model that a user can inspect, extend and sample."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytensor
import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, shipped_specs, spec_from_dict
from latentscale.declare.kinds import LIKELIHOODS
from latentscale.model.design import design

FOR_SIZES = [name for name in shipped_specs() if "released" not in ls.load_spec(name).covariates]
"""Specs for tables with sizes and tokens, such as the bundled one; the others need dates."""

WANTED = {
    "cai2025": {"intercept", "slope", "loading", "anchor_loading", "family_skill", "precision"},
    "cai2025_heteroscedastic": {"loading", "anchor_loading", "precision", "precision_slope"},
    "checkpoints": {
        "intercept",
        "slope",
        "loading",
        "family_skill",
        "family_slope",
        "benchmark_slope",
        "levelling",
        "trend_change",
        "link_power",
        "ceiling",
        "precision",
    },
    "family_flops": {"family_benchmark", "benchmark_slope", "precision"},
    "family_size_tokens": {"family_benchmark", "benchmark_slope", "precision"},
    "latentscale": {
        "intercept",
        "slope",
        "loading",
        "family_skill",
        "lineage_skill",
        "family_benchmark_slope",
        "residual",
        "family_benchmark",
        "link_power",
        "ceiling",
        "instruct_shift",
        "instruct_slope",
        "precision",
    },
    "pooled_flops": {"intercept", "benchmark_slope", "precision"},
    "pooled_size_tokens": {"intercept", "benchmark_slope", "precision"},
    "sloth": {"intercept", "slope", "loading", "family_skill", "link_slope", "precision"},
}


@pytest.mark.parametrize("name", FOR_SIZES)
def test_a_shipped_spec_is_finite_on_the_bundled_table(name: str, evaluated) -> None:
    values = evaluated(ls.load_spec(name))
    assert np.isfinite(values.logp).all()
    assert np.isfinite(values.gradient).all()
    assert (np.abs(values.gradient[0]) > 0).mean() > 0.5


@pytest.mark.parametrize("name", FOR_SIZES)
def test_a_shipped_spec_has_its_terms_with_named_dims(
    name: str, evaluated, bundled: Scores
) -> None:
    values = evaluated(ls.load_spec(name))
    model = values.model
    assert type(model) is pm.Model
    assert WANTED[name] <= set(model.named_vars)
    for variable in [*model.free_RVs, *model.deterministics]:
        assert set(variable.dims) <= set(model.coords), variable.name
        assert variable.dims or variable.name == "lineage_share"
    assert tuple(model.coords["benchmark"]) == bundled.benchmarks
    assert tuple(model.coords["family"]) == values.design.families
    assert [v.name for v in model.observed_RVs] == ["score"]
    assert model["score"].dims == ("cell",)
    assert len(model.coords["cell"]) == values.design.scores.n_observed


def test_only_measured_cells_enter(known, known_spec: ModelSpec) -> None:
    model = ls.build(known_spec, known.scores)
    data = np.asarray(model.rvs_to_values[model["score"]].get_value())
    values = known.scores.dataset["score"].values
    assert np.isnan(values).sum() > 20
    np.testing.assert_array_equal(np.sort(data), np.sort(values[~np.isnan(values)]))


def test_a_drawing_of_the_model(known_spec: ModelSpec, small_scores: Scores) -> None:
    pytest.importorskip("graphviz", reason="the graphviz Python package is not installed")
    drawing = pm.model_to_graphviz(ls.build(known_spec, small_scores))
    for name in ("score", "loading", "family_skill", "precision"):
        assert name in drawing.source


def test_a_user_can_extend_the_model(
    known_spec: ModelSpec, small_scores: Scores, light_compilation: None
) -> None:
    model = ls.build(known_spec, small_scores)
    before = model.compile_logp()(model.initial_point())
    with model:
        extra = pm.Normal("extra", 0, 1)
        pm.Potential("tie", -0.5 * (extra - 1) ** 2)
    after = model.compile_logp()(model.initial_point())
    wanted = before - 0.5 * np.log(2 * np.pi) - 0.5
    assert after == pytest.approx(wanted, rel=1e-9)


def test_pymcs_own_sampler_runs_on_it(
    quick_spec: ModelSpec, small_scores: Scores, light_compilation: None
) -> None:
    with warnings.catch_warnings(), ls.build(quick_spec, small_scores):
        warnings.simplefilter("ignore")
        trace = pm.sample(
            draws=20,
            tune=20,
            chains=1,
            cores=1,
            random_seed=1,
            progressbar=False,
            nuts_sampler="pymc",
            compute_convergence_checks=False,
        )
    posterior = trace["posterior"]
    assert posterior["benchmark_slope"].sizes["benchmark"] == 4
    assert np.isfinite(posterior["intercept"].values).all()
    assert float(posterior["intercept"].std()) > 0


@pytest.mark.parametrize(
    "kind", [name for name, kind in LIKELIHOODS.items() if not kind.needs_items]
)
def test_prior_draws_can_be_fitted_in_turn(kind: str, small_scores: Scores) -> None:
    """With precisions so low that every likelihood's draws underflow, scores are still inside."""
    spec = spec_from_dict(
        {
            "name": "extreme",
            "covariates": ["log_flops"],
            "benchmarks": {"likelihood": {"kind": kind}, "slopes": ["log_flops"]},
            "priors": {
                "intercept": {"dist": "Normal", "mu": 0, "sigma": 30},
                "precision": {"dist": "LogNormal", "mu": -9, "sigma": 1},
            },
        }
    )
    model = ls.build(spec, small_scores)
    drawn = pm.draw(model["score"], 60, random_seed=1, mode="FAST_COMPILE")
    assert (drawn > 0).all() and (drawn < 1).all()
    assert drawn.min() < 1e-300 and drawn.max() == 1 - np.finfo(float).epsneg  # they were clamped
    worst = drawn[np.argmin(drawn.min(axis=1))]
    prepared = design(spec, small_scores)
    table = np.full((len(prepared.scores.models), len(prepared.scores.benchmarks)), np.nan)
    table[prepared.model_of_cell, prepared.benchmark_of_cell] = worst
    scores = Scores(prepared.scores.dataset.assign(score=(("model", "benchmark"), table)))
    again = ls.build(spec, scores)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        logp = again.compile_fn(again.logp())
        slope = again.compile_fn(again.dlogp())
    start = again.initial_point()
    assert np.isfinite(logp(start)) and np.isfinite(slope(start)).all()


def test_tables_of_the_prior_keep_exact_ends(small_scores: Scores) -> None:
    """A simulated table shows underflow as 0 or 1, as a benchmark would."""
    wide = {"intercept": {"dist": "Normal", "mu": 0, "sigma": 60}}
    simulation = ls.simulate(ls.load_spec("pooled_flops").with_priors(wide), small_scores, seed=1)
    values = simulation.scores.dataset["score"].values
    assert ((values == 0) | (values == 1)).any()
    assert (values[values > 0] > 1e-300).all()
