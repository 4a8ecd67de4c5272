"""Chains of free skills in separate modes: which chains, and where they disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.dims import CHAIN, DRAW, POSTERIOR
from latentscale.posterior.fit import Fit

OTHER = "delta"


@pytest.fixture(scope="module")
def free(prior_fit: Callable[..., Fit], small_scores: Scores) -> Fit:
    """Return narrow chains around one place, with skills free to rotate and no score on delta."""
    spec = ls.load_spec("sloth").with_({"name": "free", "skills.count": 2})
    first = small_scores.models[0]
    frame = small_scores.to_frame()
    frame.loc[frame["model"] != first, OTHER] = np.nan
    return prior_fit(spec, Scores.from_frame(frame), draws=4)


def narrow(fit: Fit, scale: float, chains: int = 3, draws: int = 60) -> Fit:
    """Return chains that scatter around the first draw, with loadings of delta times a factor."""
    rng = np.random.default_rng(2)
    place = fit.posterior.isel({CHAIN: 0, DRAW: 0}, drop=True)
    labels = {CHAIN: np.arange(chains), DRAW: np.arange(draws)}
    posterior = place.expand_dims(labels).copy(deep=True)
    loading = posterior["loading"].transpose(CHAIN, DRAW, ...)
    noise = xr.DataArray(0.01 * rng.standard_normal(loading.shape), dims=loading.dims)
    factor = xr.ones_like(loading)
    factor.loc[{CHAIN: chains - 1, "benchmark": OTHER}] = scale
    tree = fit.tree.copy()
    tree[POSTERIOR] = xr.DataTree(posterior.assign(loading=loading * factor + noise))
    for group in ("log_likelihood",):
        one = fit.tree[group].to_dataset().isel({CHAIN: 0, DRAW: 0}, drop=True)
        tree[group] = xr.DataTree(one.expand_dims(labels))
    return replace(fit, tree=tree)


def test_chains_of_free_skills_in_separate_modes_are_named(free: Fit) -> None:
    lines = [a for a in ls.diagnose(narrow(free, -1.0)).advice if "separate groups" in a]
    assert len(lines) == 1
    assert "2 separate groups: 67% (chain 0, chain 1;" in lines[0] and "33% (chain 2;" in lines[0]
    assert f", {OTHER} (" in lines[0] and "elsewhere" in lines[0] and "fit.with_chains" in lines[0]


def test_chains_of_free_skills_in_one_mode_are_left_alone(free: Fit) -> None:
    assert not any("separate groups" in a for a in ls.diagnose(narrow(free, 1.0)).advice)


def test_a_rotation_of_one_chain_is_not_a_mode(free: Fit) -> None:
    """It affects neither scores nor linear predictors."""
    fit = narrow(free, 1.0)
    turn = np.array([[np.cos(0.8), np.sin(0.8)], [-np.sin(0.8), np.cos(0.8)]])
    posterior = fit.posterior.copy(deep=True)
    for name, draws in posterior.items():
        if "skill" in draws.dims:
            last = draws.transpose(CHAIN, DRAW, ..., "skill").copy(deep=True)
            last[2] = last[2].values @ turn
            posterior[name] = last.transpose(*draws.dims)
    tree = fit.tree.copy()
    tree[POSTERIOR] = xr.DataTree(posterior)
    turned = replace(fit, tree=tree)
    assert turned.convergence().max_rhat == pytest.approx(fit.convergence().max_rhat, abs=0.05)
    assert not any("separate groups" in a for a in ls.diagnose(turned).advice)
