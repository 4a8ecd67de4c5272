"""A fit that converges fully in seconds, and one with constant parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts import condition as condition_module
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.posterior.convergence import convergence
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import status_of_chains

DRAWS = 1500

Simulate = Callable[[ModelSpec, Scores, int], Scores]


@pytest.fixture(scope="session")
def good_fit(quick_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    """Two chains of 2,000 independent draws each, with sampler statistics without problems."""
    fit = prior_fit(quick_spec, small_scores, draws=4000)
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    for name, group in groups.items():
        if "draw" in group.dims:
            halves = [group.isel(chain=0, draw=slice(k, k + 2000)) for k in (0, 2000)]
            numbered = [half.assign_coords(draw=np.arange(2000)) for half in halves]
            groups[name] = xr.concat(numbered, dim="chain").assign_coords(chain=[0, 1])
    energy = np.random.default_rng(6).normal(0, 3, (2, 2000))
    dims = ("chain", "draw")
    groups["sample_stats"] = xr.Dataset(
        {"diverging": (dims, np.zeros((2, 2000), dtype=bool)), "energy": (dims, energy)}
    )
    status = status_of_chains(
        convergence(groups["posterior"], groups["sample_stats"]), interrupted=False
    )
    return replace(fit, tree=xr.DataTree.from_dict(groups), status=status)


@pytest.fixture(scope="session")
def spoiled(
    quick_spec: ModelSpec, known: Any, simulated: Simulate
) -> tuple[Scores, tuple[str, str]]:
    """A table simulated from pooled curves, with one impossible score, and that score's place."""
    scores = simulated(quick_spec, known.scores, 5)
    score = scores.dataset["score"].copy()
    model = str(score["model"].values[17])
    expected = float(score.sel(benchmark="alpha").max())
    score.loc[{"model": model, "benchmark": "alpha"}] = 0.01 if expected > 0.5 else 0.99
    return Scores(scores.dataset.assign(score=score)), (model, "alpha")


@pytest.fixture(scope="session")
def pooled_fit(quick_spec: ModelSpec, spoiled: tuple[Scores, tuple[str, str]]) -> Fit:
    """A fit of the right spec to the table with one corrupted score."""
    method = ls.NUTS(draws=400, tune=400, chains=2, cores=1)
    return ls.fit(quick_spec, spoiled[0], method=method, seed=1, progress=False)


@pytest.fixture(scope="session")
def with_posterior() -> Callable[[Fit, xr.Dataset], Fit]:
    """Return a function that replaces the draws of a fit."""

    def change(fit: Fit, posterior: xr.Dataset) -> Fit:
        tree = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
        return replace(fit, tree=xr.DataTree.from_dict(tree | {"posterior": posterior}))

    return change


@pytest.fixture(scope="session")
def repeated(with_posterior) -> Callable[..., Fit]:
    """Return a maker of fits whose draws are all the first one: only latents are uncertain."""

    def make(fit: Fit, count: int = DRAWS) -> Fit:
        first = fit.posterior.isel(draw=np.zeros(count, int))
        return with_posterior(fit, first.assign_coords(draw=np.arange(count)))

    return make


@pytest.fixture(scope="session")
def one_skill() -> ModelSpec:
    """One skill of families with unit variance, and nothing else that varies between them."""
    return spec_from_dict(
        {
            "name": "one skill",
            "covariates": ["log_flops"],
            "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
            "family": {"level": "partial"},
        }
    )


@pytest.fixture(scope="session")
def held_fit(small_scores, prior_fit, one_skill, with_posterior, repeated, fixed) -> Fit:
    """Twelve models, one skill, parameters held at one typical set of values.

    alpha, beta, gamma, delta: intercepts 0.2, -0.3, 0.1, -0.6; loadings 1.1, slope 0.6,
    precision 40.
    """
    with fixed():
        fit = prior_fit(one_skill, small_scores, draws=2)
    calm = fit.posterior.copy(deep=True)
    for name, value in {"precision": 40.0, "loading": 1.1, "slope": 0.6}.items():
        calm[name] = xr.full_like(calm[name], value)
    levels = xr.DataArray([0.2, -0.3, 0.1, -0.6], dims="benchmark")
    calm["intercept"] = (calm["intercept"] * 0 + levels).transpose(*calm["intercept"].dims)
    return repeated(with_posterior(fit, calm))


@pytest.fixture(autouse=True)
def parameters_held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch shifts off for fits whose draws all repeat one value, which is not a posterior."""
    if "held_fit" in request.fixturenames:
        monkeypatch.setattr("latentscale.analysis.forecasts.condition.shifts_for", lambda *_: None)


@pytest.fixture
def by_shifts_alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return settings by which new scores condition forecasts only through shared effects."""

    def weights(fit, draws, groups, few_shot, rng, fitted):  # type: ignore[no-untyped-def]
        problem, shifts = condition_module._shifted(fit, draws, groups, rng, fitted)
        found = problem.candidates(condition_module.from_mode, few_shot, rng)
        return [(condition_module.weigh([found], condition_module.SAMPLER), shifts)]

    return lambda: monkeypatch.setattr(condition_module, "_weights", weights)


@pytest.fixture
def by_prior_draws(prior_fit: Callable[..., Fit], monkeypatch: pytest.MonkeyPatch) -> list[Scores]:
    """Fit folds by prior draws, and return the tables that were fitted."""
    fitted: list[Scores] = []

    def fit(spec, train, *, method, seed, progress):  # type: ignore[no-untyped-def]
        fitted.append(train)
        return prior_fit(spec, train, draws=20, seed=seed)

    monkeypatch.setattr("latentscale.analysis.backtest.fit", fit)
    return fitted
