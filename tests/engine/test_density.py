"""The compiled log density: right, and reused for tables of another size."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import xarray as xr

from latentscale.engine.fast import compile_density
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


def test_other_priors_are_compiled_anew(known_spec, small_scores, pair):
    other = known_spec.with_priors({"precision": {"dist": "LogNormal", "mu": 3.0, "sigma": 1.0}})
    model = build(other, small_scores)
    assert not compile_density(model, kept_names(model)).reused


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
