"""Nominal probabilities that give intervals the wanted coverage, where spreads are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentscale as ls
from latentscale.errors import DataError


def backtest_of(factor: float, *, size: int = 20_000, families: int = 400) -> pd.DataFrame:
    """Return pits of forecasts whose spread is too small by a factor."""
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "family": rng.integers(families, size=size).astype(str),
            "benchmark": rng.choice(["x", "y"], size),
            "pit": stats.norm.cdf(factor * rng.standard_normal(size)),
        }
    )


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_the_nominal_probability_covers_what_is_wanted(factor: float) -> None:
    asked = ls.studies.nominal_for(backtest_of(factor), [0.5, 0.9], resamples=300)
    assert asked["factor"].to_numpy() == pytest.approx(factor, rel=0.03)
    true = 2 * stats.norm.cdf(factor * stats.norm.ppf([0.75, 0.95])) - 1
    assert asked["nominal"].to_numpy() == pytest.approx(true, abs=0.015)
    later = backtest_of(factor)["pit"].sample(frac=0.5, random_state=1)
    for wanted, nominal in zip(asked["wanted"], asked["nominal"], strict=True):
        inside = (2 * (later - 0.5)).abs() <= nominal
        assert inside.mean() == pytest.approx(wanted, abs=0.02)


def test_the_band_holds_the_truth_and_is_wider_where_few_families_move_together() -> None:
    table = backtest_of(1.2)
    rows = table.groupby("family").head(1).index
    few = table.loc[rows.repeat(10)].reset_index(drop=True)
    many, clustered = (ls.studies.nominal_for(t, [0.9]).iloc[0] for t in (table, few))
    true = 2 * stats.norm.cdf(1.2 * stats.norm.ppf(0.95)) - 1
    spread = many["upper"] - many["lower"]
    assert many["lower"] - spread < true < many["upper"] + spread
    assert clustered["upper"] - clustered["lower"] > 2 * spread


def test_groups_have_their_own_factors() -> None:
    table = backtest_of(1.0)
    wide = table["benchmark"] == "x"
    moved = stats.norm.cdf(1.5 * stats.norm.ppf(table["pit"]))
    table["pit"] = table["pit"].where(~wide, moved)
    asked = ls.studies.nominal_for(table, [0.9], by=["benchmark"], resamples=50)
    factor = asked.set_index("benchmark")["factor"]
    assert factor["x"] == pytest.approx(1.5, rel=0.05)
    assert factor["y"] == pytest.approx(1.0, rel=0.05)


def test_one_family_has_no_band_and_pits_of_0_and_1_count() -> None:
    table = pd.DataFrame({"family": "a", "pit": [0.0, 0.5, 1.0]})
    row = ls.studies.nominal_for(table, [0.9]).iloc[0]
    assert np.isnan(row["lower"]) and np.isnan(row["upper"])
    assert 2 < row["factor"] < 3 and row["nominal"] < 1


@pytest.mark.parametrize(
    ("table", "coverages", "said"),
    [
        (pd.DataFrame({"family": ["a"]}), [0.9], 'no "pit"'),
        (pd.DataFrame({"family": ["a"], "pit": [1.2]}), [0.9], "from 0 to 1"),
        (pd.DataFrame({"family": ["a"], "pit": [0.2]}), [1.0], "strictly between 0 and 1"),
        (pd.DataFrame({"family": ["a"], "pit": [0.2]}), 0.9, "coverages must be a list of numbers"),
    ],
)
def test_other_tables_and_coverages_are_refused(
    table: pd.DataFrame, coverages: Sequence[float], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        ls.studies.nominal_for(table, coverages)
