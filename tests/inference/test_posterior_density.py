"""The compiled density: values by hand, gradients by finite differences, named parameters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.inference.tools.posterior_density import (
    PosteriorDensity,
    kept_names,
    posterior_density,
)
from latentscale.model.build import build_design
from latentscale.model.design import Design, design


@pytest.fixture(scope="module")
def pooled(quick_spec: ModelSpec, small_scores: Scores) -> tuple[PosteriorDensity, Design]:
    """The density of pooled curves: intercepts, slopes and log precisions."""
    prepared = design(quick_spec, small_scores)
    return posterior_density(build_design(quick_spec, prepared)), prepared


def by_hand(spec: ModelSpec, prepared: Design, point: np.ndarray) -> float:
    """Priors, the Jacobian of log precisions, and Beta scores, with SciPy alone."""
    intercept, slope, log_phi = point.reshape(3, 4)
    phi = np.exp(log_phi)
    priors = {"intercept": intercept, "benchmark_slope": slope, "precision": phi}
    total = sum(spec.prior(name).log_density(value).sum() for name, value in priors.items())
    j = prepared.benchmark_of_cell
    x = prepared.x.sel(covariate="log_flops").values[prepared.model_of_cell]
    floor = prepared.floor.values[j]
    mean = floor + (1 - floor) * expit(intercept[j] + slope[j] * x)
    scores = stats.beta.logpdf(prepared.score_of_cell, mean * phi[j], (1 - mean) * phi[j])
    return float(total + log_phi.sum() + scores.sum())


def test_the_density_is_the_models(pooled, quick_spec: ModelSpec) -> None:
    density, prepared = pooled
    assert density.size == 12 and quick_spec.benchmarks.link.kind == "logistic"
    rng = np.random.default_rng(1)
    for _ in range(4):
        point = np.concatenate([rng.normal(0, 0.7, 8), rng.normal(3, 0.5, 4)])
        value, gradient = density.value_and_gradient(point)
        assert value == pytest.approx(by_hand(quick_spec, prepared, point), rel=1e-9)
        for index in range(density.size):
            step = np.zeros(density.size)
            step[index] = 1e-5
            rise = by_hand(quick_spec, prepared, point + step) - by_hand(
                quick_spec, prepared, point - step
            )
            assert gradient[index] == pytest.approx(rise / 2e-5, rel=1e-4, abs=1e-4)


def test_where_there_is_no_density_the_gradient_is_zero(pooled) -> None:
    density, _ = pooled
    value, gradient = density.value_and_gradient(np.full(density.size, 800.0))
    assert value == -np.inf and not gradient.any()


def test_points_become_named_parameters(pooled) -> None:
    density, prepared = pooled
    points = np.random.default_rng(0).normal(size=(5, 12))
    posterior = density.to_posterior(points)
    assert dict(posterior.sizes) | {"chain": 1, "draw": 5, "benchmark": 4} == dict(posterior.sizes)
    np.testing.assert_allclose(posterior["intercept"].isel(chain=0), points[:, :4])
    np.testing.assert_allclose(posterior["precision"].isel(chain=0), np.exp(points[:, 8:]))
    assert tuple(posterior["benchmark"].values) == prepared.scores.benchmarks


def test_raw_parts_of_effects_are_not_parameters(known_spec: ModelSpec, small_scores) -> None:
    names = kept_names(build_design(known_spec, design(known_spec, small_scores)))
    assert {"intercept", "loading", "family_skill", "lineage_share"} <= set(names)
    assert not [name for name in names if name.endswith("_raw")]
