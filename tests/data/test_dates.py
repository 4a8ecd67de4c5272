"""Dates in tables and of cutoffs: unambiguous ones are read, all others are reported."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.dates import as_date, as_day, why_not_a_day
from latentscale.errors import DataError


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-07-23", "2024-07-23"),
        (" 2024/7/3 ", "2024-07-03"),
        ("20240723", "2024-07-23"),
        ("2024-07-23T23:30:00-02:00", "2024-07-24"),
        ("2024-07", "2024-07-01"),
        ("23 July 2024", "2024-07-23"),
        ("Jul 23, 2024", "2024-07-23"),
        ("23/07/2024", "2024-07-23"),  # no month has the number 23
        ("07.07.2024", "2024-07-07"),
    ],
)
def test_a_date_is_read_as_the_day_that_it_names(text: str, day: str) -> None:
    date = as_date(text)
    assert date is not None and str(date)[:10] == day


@pytest.mark.parametrize(
    "text",
    ["24-07-23", "10:30", "Jul-24", "2024.5", "2024-Q1", "01/02/2024", "2024-13-01", "7", "now"],
)
def test_what_is_not_surely_a_date_is_none(text: str) -> None:
    assert as_date(text) is None


def test_a_day_and_month_in_figures_are_asked_for_with_their_row(known) -> None:
    frame = known.frame.head(4).assign(released=["2024-01-02", "13/02/2024", "01/02/2024", None])
    with pytest.raises(DataError, match=r"'01/02/2024'. Which is the day and which the month\?"):
        ls.Scores.from_frame(frame, features=["released"])


def test_a_year_a_quarter_or_a_month_alone_is_its_middle_and_that_is_said(known) -> None:
    frame = known.frame.head(4).assign(released=["2024-01-02", "Q3 2025", "2025", "2024-07"])
    scores = ls.Scores.from_frame(frame, features=["released"])
    days = scores.dataset["released"].values.astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2024-01-02", "2025-08-15", "2025-07-01", "2024-07-15"]
    (said,) = [finding for finding in scores.audit.findings if finding.code == "dates-by-middle"]
    assert said.where == "released" and "Q3 2025 as 2025-08-15" in said.message


def test_a_year_in_a_column_of_numbers_is_asked_for_as_text(known) -> None:
    frame = known.frame.head(2).assign(released=[2024, 2025])
    with pytest.raises(DataError, match='Write a year as text, "2024": its middle is taken'):
        ls.Scores.from_frame(frame, features=["released"])


@pytest.mark.parametrize("cell", ["2999-01-01", "29990101", "1 May 2999", "2999"])
def test_a_date_in_a_year_that_dates_do_not_reach_is_named_with_the_limits(
    known, cell: str
) -> None:
    frame = known.frame.head(2).assign(released=["2024-01-02", cell])
    with pytest.raises(DataError, match="Dates lie in the years 1678 to 2261"):
        ls.Scores.from_frame(frame, features=["released"])
    assert why_not_a_day(pd.Timestamp("2024-03-01")) == why_not_a_day("soon") == ""
    assert "1678 to 2261" in why_not_a_day(datetime(2999, 1, 1))


def test_a_cutoff_is_read_as_the_dates_of_a_table_are(known) -> None:
    frame = known.frame.head(4).assign(released=["2024-01-02", "2024-05-05"] * 2)
    scores = ls.Scores.from_frame(frame, features=["released"])
    with pytest.raises(DataError, match="'24-03-01' is not a date"):
        ls.folds.chronological(scores, ["24-03-01"])
    # In a row, it is the middle of the year or month.
    middles = {"2024": "2024-07-01", "2024-03": "2024-03-15", "March 2024": "2024-03-15"}
    for text, middle in middles.items():
        with pytest.raises(DataError, match=f"{text} has no day: .* its middle, {middle},"):
            ls.folds.chronological(scores, [text])
    (fold,) = ls.folds.chronological(scores, [pd.Timestamp("2024-03-01")])
    assert fold.test == tuple(scores.models[1::2])


@pytest.mark.parametrize("cell", [None, "", " ", pd.NaT])
def test_an_empty_date_that_the_fitted_models_do_not_settle_is_named(prior_fit, cell) -> None:
    frame = pd.DataFrame({"model": ["a", "b", "c"], "family": ["x", "x", "y"]})
    frame = frame.assign(released=["2024-01-01", "2024-05-01", ""], quiz=[0.3, 0.5, 0.4])
    changes = {"covariates": ["released"], "benchmarks.slopes": ["released"]}
    spec = ls.load_spec("pooled_flops").with_(changes)
    with pytest.warns(ls.DataWarning, match='leaves out.* "c"'):
        fit = prior_fit(spec, ls.Scores.from_frame(frame, features=["released"]), draws=4)
    rows = pd.DataFrame({"model": ["new"], "family": ["x"], "released": [cell]})
    with pytest.raises(DataError, match='released is empty for "new"'):
        ls.predict(fit, rows)


@pytest.mark.parametrize(
    "cells",
    [
        [20261105, 20250102],
        [20261105.0, 20250102.0],
        pd.array([20261105, 20250102], dtype="Int64"),
        pd.PeriodIndex(["2026-11-05", "2025-01-02"], freq="D"),
    ],
)
def test_days_as_numbers_and_periods_of_a_day_are_dates(known, cells) -> None:
    frame = known.frame.head(3).assign(released=pd.Series(cells))
    scores = ls.Scores.from_frame(frame, features=["released"])
    days = scores.dataset["released"].values.astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2026-11-05", "2025-01-02", "NaT"]
    assert not scores.audit.filter("dates-by-middle")


def test_days_as_numbers_are_dates_in_a_csv_file_and_of_a_declared_feature(known, tmp_path) -> None:
    known.frame.head(2).assign(launch=[20261105, 20250102]).to_csv(tmp_path / "a.csv", index=False)
    scores = ls.readers.read_scores(tmp_path / "a.csv", features=[ls.Feature("launch", "date")])
    days = scores.to_frame()["launch"].astype("datetime64[ns]").dt.strftime("%Y-%m-%d")
    assert days.tolist() == ["2026-11-05", "2025-01-02"]


@pytest.mark.parametrize("freq", ["M", "Q", "Y"])
def test_a_longer_period_is_its_middle_as_its_text_is(known, freq) -> None:
    cells = pd.PeriodIndex(["2024-07", "2025-02"], freq=freq)
    read = [
        ls.Scores.from_frame(known.frame.head(2).assign(released=column), features=["released"])
        for column in (cells, cells.astype(str))
    ]
    assert read[0].dataset["released"].equals(read[1].dataset["released"])
    said, of_text = (one.audit.filter("dates-by-middle").findings for one in read)
    assert said == of_text and len(said) == 1


@pytest.mark.parametrize("number", [20261345, 11052026, 18991231, 21010101, 20261105.5, 1.7e18])
def test_a_number_that_is_not_surely_a_day_is_refused(known, number) -> None:
    frame = known.frame.head(2).assign(released=[number, number])
    with pytest.raises(DataError, match="Expected a date such as 2024-07-23"):
        ls.Scores.from_frame(frame, features=["released"])


@pytest.mark.parametrize("freq", ["W", "Q-JAN"])
def test_a_period_that_tables_do_not_write_is_refused_with_the_remedy(known, freq) -> None:
    cells = pd.PeriodIndex(["2024-07-01", "2025-02-01"], freq=freq)
    with pytest.raises(DataError, match=r"Give days instead of periods, .*to_timestamp"):
        ls.Scores.from_frame(known.frame.head(2).assign(released=cells), features=["released"])


def test_a_date_that_is_asked_about_may_be_a_number_or_a_period() -> None:
    days = [as_day(20260701), as_day(pd.Period("2026-07-01", "D")), as_day("2026-07-01")]
    assert len(set(days)) == 1 and days[0] is not None
    month = pd.Period("2026-07", "M")
    assert as_day(month) is None and "2026-07 has no day" in why_not_a_day(month)
    assert as_day(2026) is None and as_day(1.7e18) is None
