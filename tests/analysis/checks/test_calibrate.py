"""Calibration figures compared with closed forms and a bootstrap enumerated by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import latentscale as ls
from latentscale.analysis.checks.calibrate import (
    bootstrap_errors,
    cell_figures,
    pit_histogram,
    reliability,
)
from latentscale.errors import DataError


def claimed(spread: float, *, prob: float = 0.9, size: int = 4000) -> pd.DataFrame:
    """Return scores with spread 0.1, and a forecast that assumes another spread."""
    rng = np.random.default_rng(8)
    score = 0.5 + rng.normal(0, 0.1, size)
    law = stats.norm(0.5, spread)
    return pd.DataFrame(
        {
            "family": rng.integers(40, size=size).astype(str),
            "benchmark": rng.choice(["x", "y"], size),
            "score": score,
            "median": 0.5,
            "lower": law.ppf(0.5 - prob / 2),
            "upper": law.ppf(0.5 + prob / 2),
            "prob": prob,
            "crps": 0.0,
            "log_score": law.logpdf(score),
            "pit": law.cdf(score),
        }
    )


@pytest.mark.parametrize("prob", [0.5, 0.9])
def test_the_interval_score_takes_the_table_s_own_probability(prob: float) -> None:
    table = claimed(0.1, prob=prob, size=20_000)
    row = ls.studies.summarise(table).iloc[0]
    low, high = table[["lower", "upper"]].iloc[0]
    law = stats.norm(0.5, 0.1)
    # By Gneiting and Raftery 2007, eq. 43: width + 2 / tail times the expected overshoot.
    over = law.expect(lambda y: y - high, lb=high)
    assert row["interval_score"] == pytest.approx(high - low + 2 / (1 - prob) * 2 * over, rel=0.02)
    assert row["cover"] == pytest.approx(prob, abs=0.01)
    assert row["width"] == pytest.approx(2 * law.std() * stats.norm.ppf(0.5 + prob / 2))


def test_coverage_by_interval_and_by_pit_agree() -> None:
    row = ls.studies.summarise(claimed(0.06)).iloc[0]
    assert row["cover"] == row["cover_90"]
    honest = stats.norm(0, 0.1).cdf(0.06 * stats.norm.ppf(0.75))
    assert row["cover_50"] == pytest.approx(2 * honest - 1, abs=0.02)


def test_groups_have_their_own_rows() -> None:
    table = claimed(0.1)
    by = ls.studies.summarise(table, ["benchmark"]).set_index("benchmark")
    for name, part in table.groupby("benchmark"):
        assert by.loc[name, "mae"] == pytest.approx((part["score"] - 0.5).abs().mean())
        assert by.loc[name, "cells"] == len(part)
    one = ls.studies.summarise(table, ["family"])
    assert len(one) == 40 and one["mae_se"].isna().all()


@pytest.mark.parametrize("inside", [True, False])
def test_a_coverage_of_all_or_none_has_the_error_of_the_jeffreys_posterior(inside: bool) -> None:
    table = claimed(0.1).head(8).assign(family=list("aabbccdd"), pit=0.5 if inside else 0.001)
    table["score"] = table["median"] if inside else table["upper"] + 0.1
    row = ls.studies.summarise(table).iloc[0]
    exact = stats.beta(4.5, 0.5).std()  # of four families, whose cells are not independent
    for name in ("cover", "cover_50", "cover_95"):
        assert row[name] == inside and row[f"{name}_se"] == pytest.approx(exact)
    assert row["mae_se"] < 1e-9  # identical errors do not give such a posterior
    alone = ls.studies.summarise(table.assign(family="a")).iloc[0]
    assert np.isnan(alone["cover_se"])


def test_other_coverages_keep_the_bootstrap_s_error() -> None:
    table = claimed(0.1)
    row = ls.studies.summarise(table, seed=3).iloc[0]
    inside = pd.DataFrame({"cover": table["score"].between(table["lower"], table["upper"])})
    figures = cell_figures(table)
    rng = np.random.default_rng(3)
    errors = bootstrap_errors(figures, table["family"], 2000, rng)
    assert 0 < row["cover"] == inside["cover"].mean() < 1
    assert row["cover_se"] == errors[list(figures).index("cover")]


def test_bootstrap_error_is_that_of_all_resamples() -> None:
    values = pd.DataFrame({"gap": [1.0, 3.0, 5.0, 2.0]})
    families = pd.Series(["a", "a", "b", "c"])
    error = bootstrap_errors(values, families, 20_000, np.random.default_rng(0))[0]
    total, size = np.array([4.0, 5.0, 2.0]), np.array([2.0, 1.0, 1.0])
    drawn = np.array(np.meshgrid([0, 1, 2], [0, 1, 2], [0, 1, 2])).reshape(3, -1)
    exact = (total[drawn].sum(axis=0) / size[drawn].sum(axis=0)).std()
    assert error == pytest.approx(exact, rel=0.03)


def test_reliability_follows_the_normal_law() -> None:
    curve = reliability(claimed(0.05, size=20_000), [0.2, 0.5, 0.9]).set_index("nominal")
    for level, row in curve.iterrows():
        exact = 2 * stats.norm(0, 0.1).cdf(0.05 * stats.norm.ppf(0.5 + level / 2)) - 1
        assert row["actual"] == pytest.approx(exact, abs=0.015)
        assert row["lower"] < row["actual"] < row["upper"]
        assert row["upper"] - row["lower"] < 0.06


def test_the_band_is_wider_where_cells_of_a_family_go_together() -> None:
    table = claimed(0.1)
    together = table.assign(
        pit=np.random.default_rng(1).uniform(size=40)[table["family"].astype(int)]
    )
    apart, clustered = (reliability(t, [0.5]).iloc[0] for t in (table, together))
    assert clustered["upper"] - clustered["lower"] > 4 * (apart["upper"] - apart["lower"])


def test_pit_histogram_counts_and_its_band() -> None:
    table = claimed(0.1)
    histogram = pit_histogram(table, 10)
    assert histogram["count"].sum() == len(table)
    assert histogram["count"].iloc[0] == (table["pit"] < 0.1).sum()
    law = stats.binom(len(table), 0.1)
    assert histogram["lower"].iloc[0] == law.ppf(0.05) and histogram["upper"].iloc[0] == law.ppf(
        0.95
    )
    inside = histogram["count"].between(histogram["lower"], histogram["upper"])
    assert inside.mean() >= 0.7
    bold = pit_histogram(claimed(0.05), 10)
    assert bold["count"].iloc[0] > 2 * bold["upper"].iloc[0]


def test_scores_that_a_table_lacks_are_left_out() -> None:
    table = claimed(0.1).drop(columns=["crps", "pit", "log_score"])
    assert list(cell_figures(table)) == ["mae", "width", "interval_score", "cover"]


def test_misuse_is_refused() -> None:
    table = claimed(0.1, size=50)
    with pytest.raises(DataError, match='"pit"'):
        ls.studies.summarise(table.drop(columns="pit"))
    with pytest.raises(DataError, match='"planet"'):
        ls.studies.summarise(table, ["planet"])
    with pytest.raises(DataError, match=r'by must be a list of columns, such as \["family"\]'):
        ls.studies.summarise(table, "family")
    with pytest.raises(DataError, match="empty"):
        ls.studies.summarise(table.iloc[:0])
    with pytest.raises(DataError, match="levels"):
        reliability(table, [0.5, 1.0])
    with pytest.raises(DataError, match="levels"):
        reliability(table, [])
    with pytest.raises(DataError, match="bins"):
        pit_histogram(table, 1)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("pit", np.nan, "row 3 has nan"),
        ("pit", 1.5, "from 0 to 1"),
        ("score", np.nan, '"score"'),
        ("log_score", np.nan, '"log_score"'),
        ("family", None, "a name"),
        ("prob", 90.0, "strictly between 0 and 1"),
    ],
)
def test_a_row_that_cannot_be_counted_is_named(column: str, value: object, said: str) -> None:
    table = claimed(0.1, size=50)
    table.loc[3, column] = value
    with pytest.raises(DataError, match=said):
        ls.studies.summarise(table)
    if column == "pit":
        with pytest.raises(DataError, match=said):
            pit_histogram(table)
        with pytest.raises(DataError, match=said):
            reliability(table)


def test_text_for_numbers_is_refused() -> None:
    table = claimed(0.1, size=50)
    with pytest.raises(DataError, match=r'"pit".*a number'):
        pit_histogram(table.assign(pit=table["pit"].astype(str)))


@pytest.mark.parametrize("verb", [ls.studies.summarise, reliability, pit_histogram])
@pytest.mark.parametrize("table", [3, None, "table.csv", {"pit": [0.5]}, ls.Benchmark()])
def test_what_is_no_table_is_refused(verb: Callable, table: object) -> None:
    with pytest.raises(DataError, match=r"table must be a table from latentscale\.backtest: give"):
        verb(table)


def test_settings_of_other_types_are_refused() -> None:
    table = claimed(0.1, size=50)
    for levels in (0.5, "0.5", [0.5, 0.5], ["a"], None):
        with pytest.raises(DataError, match="levels"):
            reliability(table, levels)  # type: ignore[arg-type]
    for resamples in (1, 2.5, "many"):
        with pytest.raises(DataError, match="resamples"):
            ls.studies.summarise(table, resamples=resamples)  # type: ignore[arg-type]
    for by in (3, {"family": 1}, [3]):
        with pytest.raises(DataError, match="by must be a list"):
            ls.studies.summarise(table, by)  # type: ignore[arg-type]
    for prob in (90, "0.9", True):
        with pytest.raises(ls.LatentscaleError, match="prob"):
            pit_histogram(table, prob=prob)  # type: ignore[arg-type]


def test_groups_without_a_name_are_kept() -> None:
    table = claimed(0.1, size=50).assign(size=[None, "large"] * 25)
    assert ls.studies.summarise(table, ["size"])["cells"].tolist() == [25, 25]
