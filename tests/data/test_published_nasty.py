"""Published tables as spreadsheets, web pages and careless exports leave them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.dates import spreadsheet_days
from latentscale.data.empty import is_empty
from latentscale.data.readers import effort, read_csv, read_planned, read_published, reasoning
from latentscale.data.readers.published.cells import dates, score_cells
from latentscale.data.releases import named_release_of_rows
from latentscale.data.scores import Scores
from latentscale.errors import DataError
from tests.data.published_tables import EIGHT as MODELS
from tests.data.published_tables import said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
GPQA = np.linspace(40.0, 80.0, 8).round(1)


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"Model": MODELS} | {"GPQA": [f"{v}%" for v in GPQA]} | columns)


def scored(scores: Scores, name: str) -> dict[str, float]:
    column = scores.dataset["score"].sel(benchmark=name)
    return dict(zip(scores.models, column.values.tolist(), strict=True))


def test_an_interval_belongs_to_the_benchmark_with_scores_where_it_has_cells() -> None:
    elo = ["1400", "", "1380", "", "1420", "", "1390", "1385"]
    width = ["+7/-8" if cell else "" for cell in elo]
    mmmu = ["", "60%", "", "70%", "", "80%", "", "75%"]
    moved = table(MMMU=mmmu, **{"95% CI": width, "Arena Score": elo})
    scores = read_published(moved)
    stderr = scores.dataset["stderr"]
    expected = [7.5 / 1.96 if cell else math.nan for cell in elo]
    assert stderr.sel(benchmark="Arena Score").values == pytest.approx(expected, nan_ok=True)
    assert np.isnan(stderr.sel(benchmark="MMMU").values).all()
    assert '"Arena Score"' in said(scores, "errors-read")


def test_an_interval_stays_with_the_benchmark_to_its_left_but_for_a_slip() -> None:
    many = pd.DataFrame({"Model": [f"a-{size}b" for size in range(1, 21)]})
    many = many.assign(GPQA=np.linspace(30, 60, 20), Elo=np.linspace(1200, 1400, 20))
    many.loc[3, "Elo"] = np.nan
    many["95% CI"] = "±5"
    stderr = read_published(many).dataset["stderr"]
    assert np.isnan(stderr.sel(benchmark="GPQA").values).all()
    assert np.isfinite(stderr.sel(benchmark="Elo").values).sum() == 19


def test_ratings_with_a_dot_between_thousands_are_refused_and_named() -> None:
    scores = read_published(table(**{"Arena Score": np.linspace(1.165, 1.522, 8)}))
    assert scores.benchmarks == ("GPQA",)
    assert "write 1522 for 1.522" in said(scores, "ignored-column")
    kept = read_published(table(**{"Arena-Hard": np.linspace(1.5, 60.0, 8)}))
    assert scored(kept, "Arena-Hard")["GPT-5.2"] == pytest.approx(0.015)


def test_fractions_among_cells_with_percent_signs_are_read_as_such() -> None:
    cells = ["20%", "0.761", "90%", "0.3", "55.5%", "0.95", "70%", "60"]
    scores = read_published(table(LiveCodeBench=cells))
    expected = [0.2, 0.761, 0.9, 0.3, 0.555, math.nan, 0.7, 0.6]
    read = list(scored(scores, "LiveCodeBench").values())
    assert read == pytest.approx(expected, nan_ok=True)
    assert '"GPT-5: 0.761"' in said(scores, "fractions-among-percentages")
    assert '"Grok 4: 0.95"' in said(scores, "unit-unsure")


def test_small_percentages_without_their_sign_stay_and_doubtful_ones_are_left_out() -> None:
    cells = ["0.2%", "0.5", "3%", "1%", "2%", "4%", "0.1%", "0.7%"]
    assert scored(read_published(table(CritPt=cells)), "CritPt")["GPT-5"] == pytest.approx(0.005)
    wide = ["0.2%", "0.5", "80%", "1%", "2%", "4%", "30%", "0.7%"]
    doubtful = read_published(table(CritPt=wide))
    assert math.isnan(scored(doubtful, "CritPt")["GPT-5"])
    assert '"GPT-5: 0.5"' in said(doubtful, "unit-unsure")


def test_a_1_without_a_sign_among_percentages_is_1_percent_and_named() -> None:
    cells = ["60%", "1", "100%", "55%", "58%", "70%", "81%", "90%"]
    read = read_published(table(LCB=cells))
    assert scored(read, "LCB")["GPT-5"] == pytest.approx(0.01)
    assert '"GPT-5: 1". If all items were solved, write 100%' in said(read, "percent-sign")
    assert not said(read, "fractions-among-percentages")
    low = read_published(table(CritPt=["0.2%", "1", "3%", "1%", "2%", "4%", "0.1%", "0.7%"]))
    assert scored(low, "CritPt")["GPT-5"] == pytest.approx(0.01)
    assert not said(low, "percent-sign")  # as a fraction it would be far above all others


def test_a_1_beside_fractions_without_a_sign_may_be_one_and_is_left_out() -> None:
    cells = ["60%", "1", "100%", "55%", "0.92", "70%", "81%", "90%"]
    read = read_published(table(LCB=cells))
    assert math.isnan(scored(read, "LCB")["GPT-5"])
    assert '"GPT-5: 1"' in said(read, "unit-unsure")
    assert list(scored(read, "LCB").values()).count(0.92) == 1


def test_scores_below_1_among_percentages_are_named_with_model_and_value() -> None:
    scores = read_published(table(LCB=[30.0, 0.306, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]))
    assert '"LCB of GPT-5: 0.306"' in said(scores, "scores-tiny")
    long = table(LCB=["30", "0.306", "40", "50", "60", "70", "80", "90"])
    long = long.melt(id_vars="Model", var_name="benchmark", value_name="score")
    assert '"LCB of GPT-5: 0.306"' in said(read_published(long), "scores-tiny")


def test_tags_entities_and_bold_type_are_removed_from_cells() -> None:
    cells = ["<b>20%</b>", '<span class="x">30%</span>', "40%<br/>", "&nbsp;50%", "**60%**"]
    cells += [r"\textbf{70%}", "80%<sup>1</sup>", "<span></span>"]
    scores = read_published(table(LCB=cells))
    read = list(scored(scores, "LCB").values())
    assert read == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, math.nan], nan_ok=True)
    assert '"LCB"' in said(scores, "markup-removed")
    assert not scores.audit.filter("cell-unread")


def test_a_raised_exponent_is_not_taken_for_a_footnote() -> None:
    flops = ["3.1x10<sup>25</sup>", *["1e24"] * 7]
    scores = read_published(table(**{"Training compute": flops}))
    read = scores.dataset["flops"].values
    assert math.isnan(read[0]) or read[0] == pytest.approx(3.1e25)
    assert read[1:].tolist() == [1e24] * 7


def test_signs_that_are_not_tags_are_left_and_named() -> None:
    scores = read_published(table(LCB=["<5%", ">90%", "~45%", "20%", "30%", "40%", "50%", "60%"]))
    assert np.isfinite(list(scored(scores, "LCB").values())).sum() == 5
    message = said(scores, "cell-unread")
    assert '"GPT-5.2: <5%", "GPT-5: >90%", "o3: ~45%"' in message
    assert "Write one number, or empty the cell." in message


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("1 407", 1407.0), ("1\u202f407", 1407.0), ("1\u00a0407", 1407.0), ("1'407", 1407.0)),
        *(("1\u2019407.5", 1407.5), ("12 407 300", 12407300.0), ("1,407", 1407.0)),
        *(("0.947 [a]", 0.947), ("0.243(a)", 0.243), ("69.5%^a", 69.5), ("85.3*", 85.3)),
        *(("72.1†", 72.1), ("72.1#", 72.1)),
    ],
)
def test_thousands_and_footnotes_are_read(cell: str, value: float) -> None:
    cells = score_cells(pd.Series([cell]))
    assert (cells.values.tolist(), cells.unread) == ([value], [])


@pytest.mark.parametrize("cell", ["1 40", "12 3456", "45 [1]", "1 407 12", "0 407"])
def test_what_may_be_two_numbers_is_not_read(cell: str) -> None:
    assert score_cells(pd.Series([cell])).unread == [0]


@pytest.mark.parametrize("cell", ["#DIV/0!", "#VALUE!", "#REF!", "n.d.", "Not tested", "not run"])
def test_errors_of_spreadsheets_and_words_for_nothing_are_empty(cell: str) -> None:
    assert is_empty(cell)


@pytest.mark.parametrize("name", ["Std. dev.", "Standard deviation", "Stdev", "Max", "Count"])
def test_rows_of_statistics_are_left_out(name: str) -> None:
    rows = pd.concat([table(), pd.DataFrame({"Model": [name], "GPQA": ["12%"]})])
    scores = read_published(rows)
    assert set(scores.models) == set(MODELS)
    assert said(scores, "rows-of-no-model").startswith("1 row with")


def test_headings_repeated_among_the_rows_are_left_out() -> None:
    again = pd.DataFrame({"Model": ["Model"], "GPQA": ["GPQA"]})
    scores = read_published(pd.concat([table()[:4], again, table()[4:]]))
    assert (len(scores.models), scores.audit.filter("cell-unread").findings) == (8, ())
    assert said(scores, "headings-repeated") == "1 row with the headings again was left out."


@pytest.mark.parametrize(
    "cells",
    [
        ["45959", "", "45838"],
        [45959, None, 45838],
        [45959.0, math.nan, 45838.0],
        ["29-Oct-25", None, "30-Jun-25"],
        ["20251029", "", "20250630"],
        [20251029, None, 20250630],
        [20251029.0, math.nan, 20250630.0],
    ],
)
def test_dates_of_spreadsheets_are_read(cells: list[object]) -> None:
    read, odd, _ = dates(pd.Series(cells, dtype=object))
    assert [str(day)[:10] for day in read] == ["2025-10-29", "None", "2025-06-30"]
    assert odd == []


@pytest.mark.parametrize("cells", [["45959", "2025-10-29"], ["1761696000"], ["459"], ["Oct-25"]])
def test_other_numbers_are_not_taken_for_dates(cells: list[str]) -> None:
    assert spreadsheet_days(cells) is None
    assert cells[0] in dates(pd.Series(cells))[1]


def test_a_name_listed_with_reasoning_as_well_is_taken_not_to_reason() -> None:
    names = ["Grok 4.1 Fast", "Grok 4.1 Fast (Reasoning)", "Grok 5", "GPT-5", "GPT-5 (high)"]
    read = reasoning(names)
    assert read.values.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]
    assert '"Grok 4.1 Fast"' in str(read.audit)


def test_commas_of_thousands_stay_in_a_table_split_by_semicolons(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("Model;GPQA;Votes;Price\nGPT-5;85.7%;12,930;$2.11\no3;0.5;1,200;$1.25\n")
    assert read_csv(file)["Votes"].tolist() == ["12,930", "1,200"]
    file.write_text("Model;Elo;Votes\nGPT-5;1.250;12,930\no3;1.300;1,200\n")
    with pytest.raises(DataError, match="decimal comma, or one between thousands"):
        read_csv(file)


@pytest.mark.parametrize(
    ("mark", "message"),
    [("\t", r"split by tabs. Name it \.tsv"), ("|", "split by bars. Save it with commas")],
)
def test_what_columns_are_split_by_is_named_though_headings_hold_commas(
    tmp_path: Path, mark: str, message: str
) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(mark.join(["Model", "Price (Input, USD)", "GPQA"]) + "\n")
    with pytest.raises(DataError, match=message):
        read_csv(file)


def test_scores_of_models_to_forecast_may_have_markup_too() -> None:
    rows = pd.DataFrame({"Model": ["gpt-6"], "Release date": ["2026-10-20"], "GPQA": ["<b>9%</b>"]})
    assert read_planned(rows)["GPQA"].tolist() == [0.09]


def test_rows_that_differ_in_the_word_reasoning_are_one_release() -> None:
    names = ["Grok 4.1 Fast", "Grok 4.1 Fast (Reasoning)", "Grok 5", "GLM-5 (Non-reasoning)"]
    rows = pd.DataFrame({"model": [*names, "GLM-5 (Reasoning)"], "family": list("aaabb")})
    rows["reasoning"] = reasoning(rows["model"]).values.to_numpy()
    assert rows["reasoning"].tolist() == [0.0, 1.0, 1.0, 0.0, 1.0]
    assert named_release_of_rows(rows).tolist() == [0, 0, 1, 2, 2]
    assert effort(names).values.tolist() == ["unstated", "unstated", "unstated", "none"]


def test_settings_of_one_release_with_other_dates_are_named() -> None:
    rows = table(Released=["2026-01-10"] * 8)
    rows.loc[6:, "Model"] = ["GLM-5 (Reasoning)", "GLM-5 (Non-reasoning)"]
    rows.loc[7, "Released"] = "Jan 2026"
    message = said(read_published(rows), "torn-releases")
    assert "GLM-5 (Reasoning) and GLM-5 (Non-reasoning) (released)" in message


def test_points_are_shares_of_the_most_that_a_heading_names() -> None:
    aime = [28, 27, 25, 22, 20, 18, 15, 12]
    columns = {"AIME (/30)": aime, "HLE (out of 2,500)": [1000 - 50 * i for i in range(8)]}
    scores = read_published(table(**columns))
    assert list(scored(scores, "AIME (/30)").values()) == pytest.approx([v / 30 for v in aime])
    hle = list(scored(scores, "HLE (out of 2,500)").values())
    assert hle == pytest.approx([0.4 - 0.02 * i for i in range(8)])
    assert "AIME (/30) (28 is 93.3%)" in said(scores, "points-read")


@pytest.mark.parametrize("name", ["Judge score (1-5)", "Score /5", "Coherence (out of five)"])
def test_points_of_a_judge_keep_their_scale(name: str) -> None:
    points = [4.5, 4.4, 4.3, 4.0, 3.8, 3.2, 3.1, 2.9]
    scores = read_published(table(**{name: points}))
    assert (scores.benchmark_info[name].scale, scores.benchmark_info[name].unit) == (
        "real",
        "points",
    )
    assert list(scored(scores, name).values()) == points


@pytest.mark.parametrize("name", ["Terminal-Bench / 2", "FrontierMath T1/4", "Tier 1-5", "AIME 26"])
def test_percentages_beside_such_numbers_stay(name: str) -> None:
    percentages = [45.0, 44.0, 43.0, 40.0, 38.0, 32.0, 31.0, 29.0]
    scores = read_published(table(**{name: percentages}))
    assert list(scored(scores, name).values()) == pytest.approx([v / 100 for v in percentages])


def test_points_of_models_to_forecast_are_shares_too() -> None:
    rows = pd.DataFrame({"Model": ["gpt-6"], "AIME (/30)": [27]})
    assert read_planned(rows)["AIME (/30)"].tolist() == [0.9]


@pytest.mark.parametrize(
    "name", ["AA Index v4.0", "Intelligence", "Artificial Analysis Intelligence"]
)
def test_an_index_by_name_is_left_out(name: str) -> None:
    rng = np.random.default_rng(1)
    others = {n: rng.uniform(20, 80, 8).round(1) for n in ("HLE", "AIME", "MMMU")}
    scores = read_published(table(**others, **{name: np.linspace(70, 40, 8)}))
    assert name not in scores.benchmarks
    assert f'"{name}": a mean, sum or index' in said(scores, "ignored-column")


def test_a_mean_of_all_others_is_left_out_whatever_its_name() -> None:
    rng = np.random.default_rng(2)
    parts = {n: rng.uniform(20, 80, 8).round(1) for n in ("HLE", "AIME")}
    parts["AIME"][2] = math.nan
    mean = np.nanmean([GPQA, *parts.values()], axis=0).round(1)
    scores = read_published(table(**parts, Capability=mean))
    assert set(scores.benchmarks) == {"GPQA", "HLE", "AIME"}
    assert '"Capability": the mean of all others' in said(scores, "ignored-column")
    off = mean.copy()
    off[4] += 3.0
    assert "Capability" in read_published(table(**parts, Capability=off)).benchmarks


def test_an_interval_of_a_column_that_is_not_used_goes_to_no_other() -> None:
    rating = {"Arena Score": np.linspace(1.165, 1.522, 8), "95% CI": "+5/-6", "AIME": GPQA + 1}
    scores = read_published(table(**rating))
    assert np.isnan(scores.dataset["stderr"]).all() if "stderr" in scores.dataset else True
    assert '"95% CI": by its name errors or ends of intervals of Arena Score' in said(
        scores, "ignored-column"
    )


def test_an_interval_right_of_votes_belongs_to_the_score_before_them() -> None:
    elo = {"Elo": np.linspace(1300, 1400, 8), "Votes": "12,300", "95% CI": "±5"}
    stderr = read_published(table(**elo)).dataset["stderr"]
    assert stderr.sel(benchmark="Elo").values == pytest.approx([5 / 1.96] * 8)
    assert np.isnan(stderr.sel(benchmark="GPQA").values).all()


def test_errors_that_name_their_benchmark_are_its_own_where_scores_are_few() -> None:
    few = {"HLE": ["10%", "", "", "", "12%", "", "", "14%"], "HLE stderr": ["1"] * 8}
    stderr = read_published(table(**few)).dataset["stderr"]
    known = np.flatnonzero(np.isfinite(stderr.sel(benchmark="HLE").values)).tolist()
    assert known == [0, 4, 7]
