"""Scores as counts of successes, columns of dates, and findings reported once."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.counts import successes_of
from latentscale.data.dates import shown_dates
from latentscale.data.readers import read_planned, read_published
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from tests.data.published_tables import FOUR as MODELS
from tests.data.published_tables import of_four as table
from tests.data.published_tables import said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
COUNTS = ["28/30", "27/30", "20/30", "25/30"]
SHARES = [28 / 30, 27 / 30, 20 / 30, 25 / 30]
DAYS = ["2025-08-07", "2025-04-16", "2025-08-05", "2025-03-25"]


def stated(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"model": MODELS, "family": list("abcd"), "quiz": [0.5] * 4} | columns)


def scored(scores: Scores, name: str) -> list[float]:
    return list(scores.dataset["score"].sel(benchmark=name).values.tolist())


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("28/30", (28, 30)),
        (" 28 / 30 (93.3%) ", (28, 30)),
        ("0/12", (0, 12)),
        ("28 of 30", (28, 30)),
        ("28 out of 30 (93%)", (28, 30)),
        ("28 30", None),
        ("31/30", None),  # more than all
        ("28/30 (39%)", None),  # another percentage
        ("08/25", None),  # a month of a year
        ("3/0", None),
        ("8.5/10", None),
        (0.5, None),
    ],
)
def test_a_count_is_successes_of_trials(cell: object, read: tuple[int, int] | None) -> None:
    assert successes_of(cell) == read


@pytest.mark.parametrize("benchmarks", [{}, {"AIME": ls.Benchmark()}])
def test_a_column_of_counts_is_fractions_with_their_items(
    benchmarks: dict[str, ls.Benchmark],
) -> None:
    scores = read_published(table(AIME=COUNTS), benchmarks=benchmarks)
    assert scored(scores, "AIME") == pytest.approx(SHARES)
    assert scores.item_counts.sel(benchmark="AIME").values.tolist() == [30.0] * 4
    assert np.isnan(scores.item_counts.sel(benchmark="GPQA").values).all()
    assert "28/30 is 93.33% of 30 items" in said(scores, "counts-read")
    assert not scores.audit.filter("mixed-units")


def test_counts_of_other_items_and_percentages_with_a_sign_are_read_beside_each_other() -> None:
    scores = read_published(table(Web=["14/20 (70%)", "9/10", "66.7%", "31/30"]))
    assert scored(scores, "Web") == pytest.approx([0.7, 0.9, 0.667, math.nan], nan_ok=True)
    items = scores.item_counts.sel(benchmark="Web").values
    assert items == pytest.approx([20.0, 10.0, math.nan, math.nan], nan_ok=True)
    assert '"Gemini 2.5 Pro: 31/30"' in said(scores, "cell-unread")


def test_counts_in_a_table_with_one_row_a_score_are_read_by_benchmark() -> None:
    long = table(AIME=COUNTS, LCB=["28/30", "0.4", "0.5", "0.6"]).astype(str)
    long = long.melt("Model", var_name="benchmark", value_name="score")
    scores = read_published(long)
    assert scored(scores, "AIME") == pytest.approx(SHARES)
    assert scores.item_counts.sel(benchmark="AIME").values.tolist() == [30.0] * 4
    assert scored(scores, "LCB") == pytest.approx([math.nan, 0.4, 0.5, 0.6], nan_ok=True)
    assert '"GPT-5: 28/30"' in said(scores, "cell-unread")
    assert "3 cells" not in said(scores, "cell-unread")


def test_a_count_among_plain_numbers_is_left_out_and_named_with_what_to_write() -> None:
    few = read_published(table(LCB=["28/30", "27", "60", "25"]))
    assert scored(few, "LCB") == pytest.approx([math.nan, 0.27, 0.6, 0.25], nan_ok=True)
    assert few.audit.filter("cell-unread").table()["where"].tolist() == ["LCB"]
    assert '"GPT-5: 28/30"' in said(few, "cell-unread")
    assert '"28/30" as 93.33%' in said(few, "cell-unread")
    many = read_published(table(LCB=["28/30", "27/30", "0.6", "25/30"]))
    assert many.benchmarks == ("GPQA",)
    assert "counts such as 28/30 beside plain numbers" in said(many, "ignored-column")


def test_points_of_a_judge_and_months_of_years_are_not_counts_of_items() -> None:
    judged = read_published(table(**{"MT-Bench": ["8/10", "7/10", "9/10", "6/10"]}))
    assert judged.benchmarks == ("GPQA",)
    assert "points of a judge, such as 8/10: write 8" in said(judged, "ignored-column")
    months = read_published(table(Quiz=["8/25", "1/24", "12/25", "3/24"]))
    assert months.benchmarks == ("GPQA",)
    assert "or months of years" in said(months, "ignored-column")


def test_counts_of_models_to_forecast_are_shares() -> None:
    rows = pd.DataFrame({"Model": MODELS, "Release date": DAYS, "AIME": COUNTS})
    assert read_planned(rows)["AIME"].tolist() == pytest.approx(SHARES)


def test_a_table_of_scores_names_the_remedy_for_counts() -> None:
    with pytest.raises(DataError, match=r'"AIME": holds counts .* \(0\.9333\), or read the table'):
        Scores.from_frame(stated(AIME=COUNTS))
    with pytest.raises(DataError, match=r"row 1 .*'28/30'.* Write the fraction 0\.9333"):
        Scores.from_frame(stated(AIME=[0.1, "28/30", 0.2, 0.3]))


@pytest.mark.parametrize(
    "name", ["launch", "Launched", "launch_date", "available_since", "published"]
)
def test_days_of_release_are_read_by_their_other_names(name: str) -> None:
    scores = read_published(table(**{name: DAYS}))
    released = scores.dataset["released"].values.astype("datetime64[D]").astype(str)
    assert released.tolist() == DAYS
    assert f"released from {name}" in said(scores, "columns-recognised")


@pytest.mark.parametrize(
    "cells",
    [
        DAYS,
        pd.to_datetime(DAYS),
        ["Aug 2025", "", "Aug 2025", "Mar 2025"],
        [20250807] * 4,
        [2025, 2024, 2025, 2023],
        ["2025", "n/a", "2024", "2023"],
        [2025.5, 2024.3, 2025.1, 2024.1],
    ],
)
def test_a_column_of_dates_is_not_a_benchmark_and_offered_as_released(cells: object) -> None:
    scores = read_published(table(first_seen=cells))
    assert scores.benchmarks == ("GPQA",)
    assert 'rename the column to "released"' in said(scores, "ignored-column")
    with pytest.raises(DataError, match=r'"first_seen": holds dates .* rename it to "released"'):
        Scores.from_frame(stated(first_seen=cells))


def test_dates_that_are_not_of_a_release_by_name_are_not_offered_as_such() -> None:
    scores = read_published(table(**{"Knowledge cutoff": ["Jan 2026", "", "2025", "Mar 2025"]}))
    assert "dates such as Jan 2026, by its name not of release" in said(scores, "ignored-column")


def test_ratings_are_not_years() -> None:
    assert shown_dates(pd.Series(["1450", "n/a", "1502"])) is None
    assert shown_dates(pd.Series([1990, 2025, 2061])) is None
    assert shown_dates(pd.Series([2029, None, 2024])) is None
    assert shown_dates(pd.Series([2025, 2024, 2024])) == "2025"
    assert read_published(table(Codeforces=[1891, 2727, 2029, 2016])).benchmarks[-1] == "Codeforces"
    elo = read_published(table(Elo=[2019, 2020, 2021, 2022]))
    assert scored(elo, "Elo") == [2019.0, 2020.0, 2021.0, 2022.0]


def test_a_declared_column_of_dates_is_what_it_is_declared_to_be() -> None:
    scores = read_published(
        table(first_seen=[2025, 2024, 2025, 2023]),
        benchmarks={"first_seen": ls.Benchmark(scale="real")},
    )
    assert "first_seen" in scores.benchmarks
    dated = read_published(table(first_seen=DAYS), features=["first_seen"])
    assert [one.kind for one in dated.features if one.name == "first_seen"] == ["date"]


def test_a_fraction_among_percentages_is_said_once_with_its_row_and_column() -> None:
    scores = read_published(table(HLE=[30.6, 45.1, 0.306, 25.0]))
    found = [one for one in scores.audit.warnings if "0.306" in one.message]
    assert [one.where for one in found] == ["HLE"]
    assert '"HLE of Claude Opus 4.1: 0.306"' in found[0].message
    assert not scores.audit.filter("mixed-units")
    assert "0.306" in scores._repr_html_()


def test_floors_are_said_of_shares_and_not_of_ratings() -> None:
    elo = pd.DataFrame({"Model": MODELS, "Elo": [1400, 1380, 1420, 1390]})
    assert "floor" not in said(read_published(elo), "scales-assumed")
    both = elo.assign(Quiz=[10.0, 20.0, 35.0, 40.0])
    assert "floors of shares are 0" in said(read_published(both), "scales-assumed")


def test_a_part_keeps_what_the_reader_found_of_what_is_left() -> None:
    scores = read_published(table(HLE=[30.6, 45.1, 0.306, 25.0]))
    part = scores.select(models=MODELS[:3])
    assert set(scores.audit.filter("scores-tiny")) <= set(part.audit)
    assert part.audit.filter("columns-recognised") and not part.audit.filter("mixed-units")
    assert not scores.select(benchmarks=["GPQA"]).audit.filter("scores-tiny")
    assert len(set(part.audit)) == len(part.audit)


def test_features_that_are_drawn_leave_the_audit_of_the_reader() -> None:
    scores = read_published(table(released=[*DAYS[:3], ""]))
    drawn = scores.with_estimated(["released"])
    assert set(scores.audit.filter("columns-recognised")) <= set(drawn.audit)
