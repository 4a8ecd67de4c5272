"""A fit that is easy enough to converge fully in seconds."""

from __future__ import annotations

from typing import Any

import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.posterior.fit import Fit
from latentscale.spec import ModelSpec


@pytest.fixture(scope="session")
def good_fit(quick_spec: ModelSpec, small_scores: Scores) -> Fit:
    """Pooled curves, simulated from themselves, with plenty of draws."""
    simulated = ls.simulate(quick_spec, small_scores, seed=5).scores
    method = ls.NUTS(draws=700, tune=500, chains=2, cores=2)
    return ls.fit(quick_spec, simulated, method=method, seed=1, progress=False)


@pytest.fixture(scope="session")
def spoiled(quick_spec: ModelSpec, known: Any) -> tuple[Scores, tuple[str, str]]:
    """Pooled curves simulated from themselves, with one score that cannot be, and its place."""
    simulated = ls.simulate(quick_spec, known.scores, seed=5).scores
    score = simulated.dataset["score"].copy()
    model = str(score["model"].values[17])
    expected = float(score.sel(benchmark="alpha").max())
    score.loc[{"model": model, "benchmark": "alpha"}] = 0.01 if expected > 0.5 else 0.99
    return Scores(simulated.dataset.assign(score=score)), (model, "alpha")


@pytest.fixture(scope="session")
def pooled_fit(quick_spec: ModelSpec, spoiled: tuple[Scores, tuple[str, str]]) -> Fit:
    """A fit of the right spec to the table with one spoiled score."""
    method = ls.NUTS(draws=400, tune=400, chains=2, cores=1)
    return ls.fit(quick_spec, spoiled[0], method=method, seed=1, progress=False)
