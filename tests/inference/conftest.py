"""Short fits of the spec that compiles fastest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.inference.tools.posterior_density import PosteriorDensity
from latentscale.posterior.fit import Fit


@pytest.fixture(scope="session")
def quick_fits(quick_spec: ModelSpec, small_scores: Scores) -> Callable[..., Fit]:
    """Return a fitter with a cache by seed and backend."""
    done: dict[tuple[int, str, int], Fit] = {}

    def fit(seed: int = 1, backend: str = "nutpie", again: int = 0) -> Fit:
        if (seed, backend, again) not in done:
            method = ls.NUTS(draws=40, tune=60, chains=2, cores=1, backend=backend)  # type: ignore[arg-type]
            done[seed, backend, again] = ls.fit(
                quick_spec, small_scores, method=method, seed=seed, progress=False
            )
        return done[seed, backend, again]

    return fit


@pytest.fixture(scope="session")
def normal_density() -> Callable[[np.ndarray, np.ndarray], PosteriorDensity]:
    """Return a maker of normal log densities, unnormalised, by mean and covariance."""

    def make(mean: np.ndarray, covariance: np.ndarray) -> PosteriorDensity:
        inverse = np.linalg.inv(covariance)

        def evaluate(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            slope = -inverse @ (point - mean)
            return np.asarray(0.5 * (point - mean) @ slope), slope

        return PosteriorDensity(
            start=np.zeros(len(mean)),
            evaluate=evaluate,
            expand=lambda point: {"x": point},
            dims={"x": ("place",)},
            coords={"place": list(range(len(mean)))},
        )

    return make


APPROXIMATIONS = {
    "Laplace": ls.Laplace(draws=100),
    "Pathfinder": ls.Pathfinder(draws=100),
    "ADVI": ls.ADVI(draws=100, steps=4000),
    "ADVI full-rank": ls.ADVI(draws=100, steps=6000, approximation="full_rank"),
}


@pytest.fixture(scope="session")
def approximate(quick_spec: ModelSpec, small_scores: Scores) -> Callable[..., Fit]:
    """Return a fitter by approximate methods, with a cache."""
    done: dict[tuple[str, int, int], Fit] = {}

    def fit(name: str, seed: int = 1, again: int = 0) -> Fit:
        if (name, seed, again) not in done:
            method = APPROXIMATIONS[name]
            done[name, seed, again] = ls.fit(
                quick_spec, small_scores, method=method, seed=seed, progress=False
            )
        return done[name, seed, again]

    return fit


@pytest.fixture(scope="session")
def plain_spec(known_spec: ModelSpec) -> ModelSpec:
    """The spec of the simulated table, without lineages, which quadrature cannot integrate out."""
    family = known_spec.family.model_copy(update={"lineage": False})
    return known_spec.model_copy(update={"family": family, "name": "no lineage"})
