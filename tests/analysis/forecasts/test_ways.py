"""Weights of posterior draws: how they are judged, and which of several methods is chosen."""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts import condition as condition_module
from latentscale.analysis.forecasts.few_shot import IMPORTANCE, SAMPLER
from latentscale.analysis.forecasts.weights import DrawWeights, refuse_degenerate
from latentscale.errors import FitError, FitWarning
from latentscale.posterior.fit import Fit

NEW = pd.DataFrame(
    {
        "model": ["fresh-1", "fresh-2"],
        "family": "fresh",
        "params_b": [3.0, 9.0],
        "tokens_t": 1.0,
        "alpha": [0.72, None],
        "beta": [None, 0.8],
    }
)


def test_weights_that_allow_an_answer_go_before_larger_ones_that_do_not(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sampler's weights have more effective draws, and a tail that cannot be trusted."""
    weigh, from_fit = condition_module.weigh, condition_module.from_fit
    latents = []

    def weighed(groups, method):  # type: ignore[no-untyped-def]
        heavy = {"ess": 300.0, "pareto_k": 0.9}
        light = {"ess": 60.0, "pareto_k": 0.1}
        return replace(weigh(groups, method), **(heavy if method == SAMPLER else light))

    def counted(problem, few_shot, rng):  # type: ignore[no-untyped-def]
        latents.append(few_shot.latents)
        return from_fit(problem, few_shot, rng)

    monkeypatch.setattr(condition_module, "weigh", weighed)
    monkeypatch.setattr(condition_module, "from_fit", counted)
    with pytest.warns(FitWarning, match="its intervals are rough"):
        ahead = ls.predict(held_fit, NEW, seed=1)
    assert ahead.conditioning is not None and ahead.conditioning.method == IMPORTANCE
    assert sorted(set(latents)) == [8, 64]  # more candidates are tried before a warning


@pytest.mark.parametrize(
    ("ess", "pareto_k", "count", "outcome"),
    [
        (400, 0.3, 2000, None),
        (80, 0.3, 2000, "rough"),
        (49, 0.3, 2000, "at least 50"),
        (400, 0.71, 4000, "at most 0.70"),
        (400, 0.71, 4000, "too heavy a tail"),
        (30, 0.71, 4000, "too few posterior draws"),
        (400, 0.68, 1000, "at most 0.67"),  # with fewer draws the limit of k is lower
        (12, np.nan, 60, "rough"),
        (7, np.nan, 60, "at least 8"),
        (1, np.nan, 1, None),  # a point estimate has no draws to weight
    ],
)
def test_weights_are_judged_by_both_figures(
    ess: float, pareto_k: float, count: int, outcome: str | None
) -> None:
    weights = DrawWeights((), SAMPLER, np.ones(1), ess, pareto_k)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if outcome is None:
            refuse_degenerate(weights, 3, count, ls.FewShot())
        else:
            error = FitWarning if outcome == "rough" else FitError
            with pytest.raises(error, match=outcome) as raised:
                refuse_degenerate(weights, 3, count, ls.FewShot())
            assert "nan" not in str(raised.value)


def test_draws_that_the_correction_drops_are_not_counted() -> None:
    """Half of the chosen draws are impossible under the true density of their shifts."""
    count = 200
    possible = np.arange(count) % 2 == 0
    shared = xr.Dataset({"shift": (("sample", "shift"), np.zeros((count, 1)))})
    corrections: Any = SimpleNamespace(
        log_correction=lambda chosen, u: np.where(possible, 0.0, -np.inf)
    )
    weights = DrawWeights((), SAMPLER, np.full(count, 1 / count), 120.0, 0.1)
    rng = np.random.default_rng(1)
    both, again = condition_module._corrected(weights, corrections, np.arange(count), shared, rng)
    assert both.ess == pytest.approx(60.0)
    assert possible[again].all() and len(again) == count
