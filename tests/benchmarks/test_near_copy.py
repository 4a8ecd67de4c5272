"""The near copy of `capabilities` forecasts hidden scores of a table that numpy simulated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from benchmarks.capabilities_selection.near_copy import Matrix, Structure, sampled

MODELS, BENCHMARKS = 50, 16


@pytest.mark.parametrize(
    "structure", [Structure(skills=2), Structure(2, True, True, True, True, True)], ids=str
)
def test_intervals_of_hidden_scores_cover(structure: Structure) -> None:
    """Control: the intervals do not cover the scores of other models."""
    rng = np.random.default_rng(4)
    days = rng.uniform(0, 600, MODELS)
    skill = 0.004 * (days - 300) + 0.7 * rng.standard_normal(MODELS)
    eta = rng.normal(0, 0.7, BENCHMARKS) + np.outer(skill, rng.uniform(0.6, 1.4, BENCHMARKS))
    mu = expit(eta)
    scores = rng.beta(60 * mu, 60 * (1 - mu))
    hidden = rng.random(scores.shape) < 0.25
    matrix = Matrix(
        scores=scores,
        scale=["fraction"] * BENCHMARKS,
        floor=np.zeros(BENCHMARKS),
        group=["even", "odd"] * (BENCHMARKS // 2),
        series=["first"] * 4 + [""] * (BENCHMARKS - 4),
        days=days,
        reasoning=rng.integers(0, 2, MODELS).astype(float),
        family=[f"f{i % 12}" for i in range(MODELS)],
        lineage=[f"l{i % 4}" for i in range(MODELS)],
    )
    cells = [(int(i), int(j)) for i, j in np.argwhere(hidden)]
    drawn = sampled(matrix, ~hidden, cells, structure, seed=1, warm_up=120, draws=120)
    low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95], axis=0)
    true = scores[hidden]
    assert 0.8 < np.mean((true >= low) & (true <= high)) < 0.98
    other = np.roll(scores, 1, axis=0)[hidden]
    assert np.mean((other >= low) & (other <= high)) < 0.8
    assert np.abs(true - middle).mean() < 0.6 * np.abs(true - np.median(true)).mean()
