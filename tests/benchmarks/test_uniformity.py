"""Ranks and their tests on numbers known to be uniform or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.sbc.uniformity import band, holm, rank, scaled, uniformity

DRAWS = 63


def ranks(shift: float = 0.0, spread: float = 1.0, count: int = 200, seed: int = 1) -> np.ndarray:
    """Rank truths from Normal(shift, spread) among draws of a standard normal."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(shift, spread, count)
    return (rng.standard_normal((count, DRAWS)) < truth[:, None]).sum(axis=1)


def test_rank_counts_draws_below() -> None:
    rng = np.random.default_rng(0)
    assert rank(0.5, np.array([0.1, 0.4, 0.6, 0.9]), rng) == 2
    assert rank(-1.0, np.array([0.1, 0.4]), rng) == 0
    assert rank(2.0, np.array([0.1, 0.4]), rng) == 2


def test_ties_are_broken_evenly() -> None:
    rng = np.random.default_rng(0)
    ranks = [rank(0.0, np.array([-1.0, 0.0, 0.0, 1.0]), rng) for _ in range(3000)]
    counts = np.bincount(ranks, minlength=5)
    assert counts[0] == counts[4] == 0
    assert stats.chisquare(counts[1:4]).pvalue > 1e-3


def test_scaled_ranks_stay_in_their_cell() -> None:
    unit = scaled(np.array([0, 10, DRAWS]), DRAWS, np.random.default_rng(0))
    assert np.array_equal(np.floor(unit * (DRAWS + 1)), [0, 10, DRAWS])


def test_the_band_holds_uniform_numbers_at_its_rate() -> None:
    rng = np.random.default_rng(3)
    held = np.mean([band(rng.uniform(size=60)).holds for _ in range(200)])
    assert 0.90 <= held <= 0.99


@pytest.mark.parametrize("shift, spread", [(0.6, 1.0), (0.0, 1.8), (0.0, 0.5)])
def test_wrong_posteriors_are_caught(shift: float, spread: float) -> None:
    """Biased, too narrow and too wide posteriors."""
    columns = {"wrong": ranks(shift, spread)} | {f"ok {i}": ranks(seed=i + 2) for i in range(20)}
    table = uniformity(pd.DataFrame(columns), DRAWS).set_index("quantity")
    assert table.loc["wrong", "p_holm"] < 0.001
    assert not table.loc["wrong", "in_band"]
    assert (table.loc["ok 0":, "p_holm"] > 0.05).all()


def test_right_posteriors_are_rarely_rejected() -> None:
    """Family-wise error of 5% or less: of 60 studies of 5 quantities, few are rejected."""
    wrong = 0
    for study in range(60):
        columns = {f"q{i}": ranks(count=80, seed=1000 + 10 * study + i) for i in range(5)}
        wrong += (uniformity(pd.DataFrame(columns), DRAWS)["p_holm"] < 0.05).any()
    assert wrong <= 8


def test_coverage_columns() -> None:
    table = uniformity(pd.DataFrame({"narrow": ranks(spread=3.0, count=400)}), DRAWS)
    inside = 2 * stats.norm.cdf(stats.norm.ppf(0.95) / 3.0) - 1
    assert table["cover_90"][0] == pytest.approx(inside, abs=0.08)


def test_empty_ranks_are_left_out_of_their_column() -> None:
    whole = ranks(count=80)
    late = pd.Series(whole, dtype="Int64").mask(np.arange(80) < 30)
    table = uniformity(pd.DataFrame({"all": whole, "late": late}), DRAWS)
    assert list(table["simulations"]) == [80, 50]
    assert table["mean_rank"][1] == pytest.approx(np.mean(whole[30:]) / DRAWS, abs=0.05)


def test_holm_by_hand() -> None:
    given = np.array([0.01, 0.04, 0.03, 0.5])
    assert holm(given) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert np.all(holm(np.array([0.9, 0.8])) <= 1)
