"""The compiled log density: right, and reused for tables of another size."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import xarray as xr

from latentscale.engine.fast import compile_density
from latentscale.engine.graphs import graph_of, initial_point
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.model.build import build


@pytest.fixture(scope="module")
def pair(known, known_spec, small_scores):
    """Densities of one spec on two tables, the second after the first, with their models."""
    models = [build(known_spec, scores) for scores in (small_scores, known.scores)]
    return [(model, compile_density(model, kept_names(model))) for model in models]


def test_a_table_of_another_size_reuses_what_was_compiled(pair):
    (_, first), (_, second) = pair
    assert second.reused
    assert second.size > first.size
    sizes = dict(zip(second.dims["family_skill"], second.shapes["family_skill"], strict=True))
    assert sizes == {"family": 26, "skill": 2}


def test_log_density_is_pymcs(pair, light_compilation):
    rng = np.random.default_rng(4)
    for model, density in pair:
        reference = model.compile_logp()
        start = model.initial_point(random_seed=0)
        point = density.start + 0.3 * rng.standard_normal(density.size)
        named, begin = {}, 0
        for name, value in start.items():
            named[name] = point[begin : begin + value.size].reshape(value.shape)
            begin += value.size
        assert begin == density.size
        assert density.log_density(point)[0] == pytest.approx(float(reference(named)), rel=1e-9)


def test_gradient_matches_finite_differences(pair):
    rng = np.random.default_rng(5)
    for _, density in pair:
        point = density.start + 0.2 * rng.standard_normal(density.size)
        direction = rng.standard_normal(density.size)
        step = 1e-5
        ahead, behind = (density.log_density(point + s * direction)[0] for s in (step, -step))
        slope = float(density.log_density(point)[1] @ direction)
        assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


def test_expand_returns_the_natural_scale(pair):
    for _, density in pair:
        expanded = density.expand(density.start)
        assert {name: value.shape for name, value in expanded.items()} == density.shapes
        assert (expanded["precision"] > 0).all()
        assert 0 < expanded["lineage_share"] < 1
        loading = xr.DataArray(expanded["loading"], dims=density.dims["loading"])
        anchors = loading.isel(benchmark=[0, 3]).transpose("benchmark", "skill")
        np.testing.assert_array_equal(anchors, np.eye(2))


def test_a_prior_of_another_kind_is_compiled_anew(known_spec, small_scores, pair):
    other = known_spec.with_priors({"precision": {"dist": "Gamma", "alpha": 3.0, "beta": 1.0}})
    model = build(other, small_scores)
    assert not compile_density(model, kept_names(model)).reused


def graph(spec, scores):
    model = build(spec, scores)
    initial = initial_point(model)
    shapes = [np.shape(initial[model.rvs_to_values[v].name]) for v in model.free_RVs]
    return graph_of(model, tuple(kept_names(model)), shapes, ())


def test_specs_that_differ_in_numbers_alone_have_one_graph(everything_spec, small_scores):
    """Changing a number in any prior, or a link's knots, never triggers compilation."""
    monotone = everything_spec.with_({"benchmarks.link": {"kind": "monotone"}})
    moved = monotone.with_({"benchmarks.link": {"kind": "monotone", "knots": [-2, -0.5, 1.5, 4]}})
    for name in moved.used_priors():
        prior = moved.prior(name)
        numbers = {number: 1.5 * value + 0.1 for number, value in prior.numbers.items()}
        moved = moved.with_priors({name: {"dist": prior.dist, **numbers}})
    first = graph(monotone, small_scores)
    assert first.same_as(graph(moved, small_scores))
    assert not first.same_as(graph(everything_spec, small_scores))


def test_the_garbage_collector_is_left_as_it_was(pair):
    (model, _), _ = pair
    assert gc.isenabled()
    with pytest.raises(KeyError):
        compile_density(model, ["no such variable"])
    assert gc.isenabled()
    gc.disable()
    try:
        compile_density(model, kept_names(model))
        assert not gc.isenabled()
    finally:
        gc.enable()
