"""NUTS recovers the truth behind a table of several scales, in the units of each benchmark.

The table comes from numpy alone. Ratings have stated standard errors, as large as the noise; the
estimated precision is that of the remaining noise.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit

MODELS, FAMILIES = 72, 18
RISE = {"elo": 90.0, "minutes": 0.8, "cost": -0.5}
"""Change of a score, or of its logarithm, with the skill."""
NOISE = {"elo": 18.0, "minutes": 0.16, "cost": 0.1}
"""Standard deviation of a score, or of its logarithm, without sampling error."""
FAR = 4.0
"""Limit in posterior standard deviations: a correct fit exceeds it once in 10,000 times."""


def simulated(seed: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of scores, and one of standard errors of its ratings."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(FAMILIES), MODELS // FAMILIES)
    params, tokens = np.exp(rng.uniform(0, 4.5, MODELS)), rng.uniform(1, 15, MODELS)
    x = np.log(params * tokens)
    skill = (x - x.mean()) / x.std() + 0.5 * rng.standard_normal(FAMILIES)[family]

    def noisy(name: str) -> np.ndarray:
        return RISE[name] * skill + NOISE[name] * rng.standard_normal(MODELS)

    def beta(mean: np.ndarray, phi: float) -> np.ndarray:
        return rng.beta(mean * phi, (1 - mean) * phi)

    error = rng.uniform(5, 40, MODELS)
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(MODELS)],
            "family": [f"f{k}" for k in family],
            "params_b": params,
            "tokens_t": tokens,
            "elo": 1200 + noisy("elo") + error * rng.standard_normal(MODELS),
            "minutes": np.exp(1 + noisy("minutes")),
            "cost": np.exp(2 + noisy("cost")),
            "acc": beta(0.25 + 0.75 / (1 + np.exp(-skill)), 90),
            "mistakes": beta(1 / (1 + np.exp(skill)), 90),
        }
    )
    frame.loc[rng.random(MODELS) < 0.2, ["minutes", "acc"]] = np.nan
    return frame, frame[["model"]].assign(elo=error)


@pytest.fixture(scope="module")
def fit() -> Fit:
    frame, errors = simulated()
    benchmarks = {
        "elo": ls.Benchmark(scale="real", unit="Elo"),
        "minutes": ls.Benchmark(scale="positive"),
        "cost": ls.Benchmark(scale="positive", lower_is_better=True),
        "acc": ls.Benchmark(floor=0.25),
        "mistakes": ls.Benchmark(lower_is_better=True),
    }
    scores = ls.Scores.from_frame(frame, benchmarks=benchmarks, stderr=errors)
    identify = {"kind": "anchored", "anchors": ["elo"]}
    spec = spec_from_dict(
        {
            "name": "mixed",
            "covariates": ["log_flops"],
            "skills": {"count": 1, "identify": identify},
            "family": {"level": "partial"},
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ls.fit(
            spec, scores, method=ls.NUTS(draws=400, tune=400, chains=2), seed=4, progress=False
        )


def near(draws: xr.DataArray, truth: float) -> bool:
    return abs(float(draws.mean()) - truth) < FAR * float(draws.std())


@pytest.mark.parametrize("name", list(NOISE))
def test_the_noise_is_found_beside_the_sampling_error(fit: Fit, name: str) -> None:
    step = abs(float(fit.design.known_curve["step"].sel(benchmark=name)))
    sd = 2 * step / np.sqrt(fit.samples["precision"].sel(benchmark=name))
    assert near(np.log(sd), np.log(NOISE[name]))


@pytest.mark.parametrize("name", ["minutes", "cost"])
def test_scores_rise_and_fall_with_the_skill_as_they_were_made(fit: Fit, name: str) -> None:
    step = fit.design.known_curve["step"]
    rise = fit.samples["loading"].isel(skill=0) * step
    ratio = rise.sel(benchmark=name, drop=True) / rise.sel(benchmark="elo", drop=True)
    assert near(ratio, RISE[name] / RISE["elo"])


def test_expected_scores_lie_near_those_of_the_skill(fit: Fit) -> None:
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    table = ls.predict(fit, rows).table(0.9)
    measured = fit.scores.dataset["score"].to_dataframe()["score"].rename("measured")
    both = table.join(measured, on=["model", "benchmark"]).dropna(subset="measured")
    inside = both["measured"].between(both["lower"], both["upper"])
    assert 0.82 < inside.mean() < 0.97  # of 331 scores
    assert set(both["benchmark"]) == set(fit.scores.benchmarks)
