"""Gibbs sampling finds which models of a table simulated by numpy are noisier than others.

One curve per benchmark on the logit scale, Student-t noise. Controls: the same check fails for
noise permuted between models, and for a spread half as large.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit

MODELS, BENCHMARKS = 60, 12
SPREAD, TAIL = 1.0, 4.0
SPEC = spec_from_dict(
    {
        "name": "noise by model",
        "skills": {"count": 0},
        "family": {"level": "none"},
        "benchmarks": {"slopes": ["log_flops"], "likelihood": {"kind": "student-t"}},
        "terms": [{"kind": "model-precision"}],
        "priors": {"model_precision_scale": {"dist": "HalfNormal", "sigma": 1}},
    }
)
RNG = np.random.default_rng(5)
EFFECT = SPREAD * RNG.standard_normal(MODELS)
"""True log precisions of models."""


@pytest.fixture(scope="module")
def fit() -> Fit:
    params = np.exp(RNG.uniform(0, 4, MODELS))
    x = (np.log(params) - np.log(params).mean()) / np.log(params).std()
    phi = 60.0 * np.exp(EFFECT)[:, None]
    noise = RNG.standard_t(TAIL, (MODELS, BENCHMARKS)) * 2 / np.sqrt(phi)
    eta = RNG.normal(0, 0.5, BENCHMARKS) + x[:, None] * RNG.uniform(0.5, 1.5, BENCHMARKS)
    names = [f"b{j}" for j in range(BENCHMARKS)]
    frame = pd.DataFrame(expit(eta + noise), columns=names)
    frame = frame.assign(
        model=[f"m{i}" for i in range(MODELS)], family="f", params_b=params, tokens_t=1.0
    )
    method = ls.methods.Gibbs(draws=400, tune=300, chains=2, cores=1)
    return ls.fit(SPEC, Scores.from_frame(frame), method=method, seed=3, progress=False)


def covered(fit: Fit, effect: np.ndarray, prob: float = 0.9) -> float:
    """Return the share of models whose interval holds a log precision."""
    ends = [(1 - prob) / 2, (1 + prob) / 2]
    low, high = fit.samples["model_precision"].quantile(ends, "sample")
    order = [fit.scores.models.index(f"m{i}") for i in range(MODELS)]
    return float(((effect >= low.values[order]) & (effect <= high.values[order])).mean())


def test_intervals_hold_the_noise_of_each_model(fit: Fit) -> None:
    # Three standard errors, 3 sqrt(p (1 - p) / 60); for 90% that reaches all of them, so intervals
    # that are too wide show at 50%.
    assert covered(fit, EFFECT) >= 0.78
    assert 0.31 <= covered(fit, EFFECT, 0.5) <= 0.69
    assert covered(fit, np.roll(EFFECT, 1)) < 0.7


def test_the_spread_and_the_tail_of_the_noise_are_found(fit: Fit) -> None:
    for name, true, wrong in (("model_precision_scale", SPREAD, SPREAD / 2), ("tail", TAIL, 30.0)):
        draws = fit.samples[name].values
        low, high = np.quantile(draws, [0.005, 0.995])
        assert low <= true <= high, name
        assert not low <= wrong <= high, name
