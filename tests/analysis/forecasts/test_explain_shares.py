"""Shares of a forecast's variance compared with simulation by numpy and with known regressions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

import latentscale as ls
from latentscale.analysis.forecasts.sources import shapley
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit

DRAWS = 3000
SIMULATED = 400_000
INTERCEPT, SLOPE, FAMILY, RESIDUAL, PHI = (-0.3, 0.25), (0.6, 0.2), 0.5, 0.35, 60.0
"""A synthetic posterior: means and standard deviations, spreads of effects, and a precision."""
ROW = pd.DataFrame(
    {"model": ["new"], "family": ["new"], "params_b": [30.0], "tokens_t": [6.0], "instruct": [0]}
)


@pytest.fixture(scope="module")
def fit(
    small_scores: ls.Scores,
    prior_fit: Callable[..., Fit],
    with_posterior: Callable[[Fit, xr.Dataset], Fit],
) -> Fit:
    """One skill; intercepts and the slope vary independently, spreads and loadings are known."""
    spec = spec_from_dict(
        {
            "name": "synthetic",
            "covariates": ["log_flops"],
            "skills": {
                "count": 1,
                "identify": {"kind": "anchored", "anchors": ["alpha"], "unit": "anchor"},
                "residual": True,
            },
            "family": {"level": "partial"},
        }
    )
    posterior = prior_fit(spec, small_scores, draws=DRAWS).posterior.copy(deep=True)
    rng = np.random.default_rng(4)
    known = {"loading": 1.0, "family_scale": FAMILY, "residual_scale": RESIDUAL, "precision": PHI}
    for name, value in known.items():
        posterior[name] = xr.full_like(posterior[name], value)
    for name, (mean, sd) in {"intercept": INTERCEPT, "slope": SLOPE}.items():
        drawn = mean + sd * rng.standard_normal(posterior[name].shape)
        posterior[name] = posterior[name].copy(data=drawn)
    for name in ("family_skill", "residual"):  # of fitted models: the level is the intercept
        posterior[name] = xr.zeros_like(posterior[name])
    return with_posterior(prior_fit(spec, small_scores, draws=2), posterior)


def by_simulation(fit: Fit) -> dict[str, float]:
    """Return the shares by simulating the row's score again with some of its sources held.

    The covariance of two expected scores that share some sources, and are independent in the
    others, is the variance of the conditional mean given those sources (law of total variance).
    """
    rng = np.random.default_rng(5)
    data = fit.scores.dataset
    flops = np.log(6e21 * data["params"].values * data["tokens"].values)
    x = (np.log(6e21 * 30.0 * 6.0) - flops.mean()) / flops.std()
    floor = float(data["floor"].sel(benchmark="beta"))
    wider = np.sqrt(1 + 1 / len(fit.scores.families))
    shared = [
        INTERCEPT[0]
        + INTERCEPT[1] * rng.standard_normal(SIMULATED)
        + x * (SLOPE[0] + SLOPE[1] * rng.standard_normal(SIMULATED))
        for _ in range(2)
    ]
    family = wider * FAMILY * rng.standard_normal((2, SIMULATED))
    single = RESIDUAL * rng.standard_normal((2, SIMULATED))
    names = ("shared parameters", "family and lineage", "single model")
    draws = dict(zip(names, (np.array(shared), family, single), strict=True))

    def score(held: tuple[str, ...]) -> np.ndarray:
        eta = sum(both[0 if name in held else 1] for name, both in draws.items())
        return floor + (1 - floor) * expit(eta)

    whole = score(names)
    closed = {
        some: float(np.cov(whole, score(some))[0, 1])
        for count in range(len(names) + 1)
        for some in combinations(names, count)
    }
    noise = float((whole * (1 - whole) / (1 + PHI)).mean())
    total = whole.var() + noise
    shares = {"noise": noise / total}
    for name in names:
        others = [one for one in names if one != name]
        added = [
            (closed[tuple(n for n in names if n in some or n == name)] - closed[some])
            / comb(len(others), count)
            for count in range(len(names))
            for some in combinations(others, count)
        ]
        shares[name] = sum(added) / len(names) / total
    return shares


def test_shares_are_those_of_a_simulation(fit: Fit) -> None:
    explanation = ls.studies.explain(fit, ROW, "beta", seed=1)
    found = explanation.shares.squeeze(["model", "benchmark"]).to_series()
    wanted = by_simulation(fit)
    assert set(found.index) == set(wanted)
    assert found.sum() == pytest.approx(1)
    for name, share in wanted.items():
        # A variance from 3,000 draws has a relative standard error of 0.026, and so have shares.
        assert found[name] == pytest.approx(share, abs=0.03), name
    table = explanation.shares_table().set_index("source")
    drawn = explanation.forecast.draws.sel(benchmark="beta")
    np.testing.assert_allclose(table["sd"], float(drawn.std(ddof=1)))
    np.testing.assert_allclose(table["share"], found[table.index])


def test_a_ceiling_that_is_not_known_is_of_the_shared_parameters(
    small_scores: ls.Scores,
    prior_fit: Callable[..., Fit],
    with_posterior: Callable[[Fit, xr.Dataset], Fit],
) -> None:
    """Near the ceiling scores vary only with the ceiling, and linear predictors with families."""
    spec = spec_from_dict(
        {
            "name": "ceilings",
            "covariates": ["log_flops"],
            "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
            "family": {"level": "partial"},
            "benchmarks": {"ceiling": "estimated"},
        }
    )
    fit = prior_fit(spec, small_scores, draws=400)
    posterior = fit.posterior.copy(deep=True)
    ceiling = np.random.default_rng(2).uniform(0.7, 0.95, posterior["ceiling"].shape)
    posterior["ceiling"] = posterior["ceiling"].copy(data=ceiling)
    for name, value in {"intercept": 9.0, "loading": 1.0, "slope": 0.0, "precision": 1e5}.items():
        posterior[name] = xr.full_like(posterior[name], value)
    shares = ls.studies.explain(with_posterior(fit, posterior), ROW, "beta", seed=1).shares
    assert shares.sel(source="shared parameters").item() > 0.97


def test_sources_that_go_together_divide_what_they_explain() -> None:
    rng = np.random.default_rng(3)
    count = 200_000
    common, own = rng.standard_normal((2, count))
    a, b = common + 0.3 * own, -common + 0.3 * rng.standard_normal(count)
    shares = shapley(a + b, {"a": a[:, None], "b": b[:, None], "none": np.zeros((count, 0))})
    assert shares["none"] == 0
    assert shares["a"] == pytest.approx(0.5, abs=0.01)
    assert sum(shares.values()) == pytest.approx(1)
    c = rng.standard_normal(count)
    independent = shapley(2 * common + c, {"a": common[:, None], "b": c[:, None]})
    assert independent["a"] == pytest.approx(0.8, abs=0.01)


def test_noise_explains_nothing() -> None:
    """Twenty variables unrelated to a hundred values explain none of their variance."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(40):
        target = rng.standard_normal(100)
        groups = {"own": target[:, None], "idle": rng.standard_normal((100, 20))}
        found.append(shapley(target, groups)["idle"])
    assert np.mean(found) < 0.06  # without the adjustment 0.1


def test_what_does_not_vary_has_no_shares() -> None:
    groups = {"a": np.ones((50, 1)), "b": np.arange(50.0)[:, None]}
    assert shapley(np.full(50, 0.3), groups) == {"a": 0.0, "b": 0.0}
