"""Rows to forecast as hubs print them: rows without names, percentages with and without signs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from latentscale.data.planned import planned_models
from latentscale.data.readers import read_planned, read_published
from latentscale.data.scores import Scores
from latentscale.errors import DataError, DataWarning

ROWS = {"Model": ["GPT-6", "o7"], "Released": ["2026-04-01", "2026-03-01"]}


def hub_of_bare_percentages() -> Scores:
    return read_published(
        pd.DataFrame(
            {
                "Model": ["GPT-5", "o3", "GPT-4o", "Claude Opus 4.1", "Gemini 2.5 Pro"],
                "Released": ["2025-08-07", "2025-04-16", "2024-05-13", "2025-08-05", "2025-05-06"],
                "HLE": [25.3, 20.3, 0.8, 11.5, 21.6],
                "MMLU": [92.5, 91.0, 88.7, 88.8, 89.0],
            }
        )
    )


def planned(rows: pd.DataFrame, scores: Scores) -> xr.Dataset:
    return planned_models(rows, scores.benchmarks, fitted=scores.dataset)


def test_a_row_that_does_not_name_its_model_is_refused() -> None:
    table = pd.DataFrame(ROWS | {"WER": [None, "3%"]}).assign(Model=["GPT-6", None])
    with pytest.raises(DataError, match=r'row 1, column "Model": .*write the name, or drop'):
        read_planned(table)


def test_empty_rows_and_rows_of_no_model_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "planned.csv"
    file.write_text("Model,Released,WER\n,,\nGPT-6,2026-04-01,3%\n,,\nAverage,,3%\n")
    with pytest.warns(DataWarning, match='1 row with names of people.* "Average"'):
        rows = read_planned(file)
    assert rows["model"].tolist() == ["GPT-6"]


def test_a_percentage_that_is_not_a_share_is_refused_as_it_is_written() -> None:
    table = pd.DataFrame(ROWS | {"MMLU": ["90%", "150%"], "HLE": ["-2%", "3%"]})
    with pytest.raises(DataError, match="2 problems") as caught:
        read_planned(table)
    assert 'row 1 (model "o7"), column "MMLU": \'150%\'. Percentages' in str(caught.value)
    assert 'row 0 (model "GPT-6"), column "HLE": \'-2%\'' in str(caught.value)


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_how_percentages_are_written_is_said_where_a_score_has_no_sign() -> None:
    scores = hub_of_bare_percentages()
    bare = read_planned(pd.DataFrame(ROWS | {"MMLU": [90.0, None], "HLE": [0.25, None]}))
    with pytest.raises(DataError, match=r'"MMLU": Scores .* are fractions.*write 0.9, or "90%"'):
        planned(bare, scores)


@pytest.mark.parametrize(
    ("cell", "warned"), [(0.9, True), ("0.9%", False), (0.3, False), (0, False)]
)
def test_a_small_percentage_without_a_sign_is_warned_of(
    cell: object, warned: bool, recwarn: pytest.WarningsRecorder
) -> None:
    scores = hub_of_bare_percentages()
    rows = read_planned(pd.DataFrame(ROWS | {"HLE": [cell, None]}))
    recwarn.clear()
    planned(rows, scores)
    said = [str(one.message) for one in recwarn]
    assert all("encountered" not in text for text in said)
    assert any('"0.9 of GPT-6": above all 5 fitted scores' in text for text in said) == warned
    assert any('write 0.009, or "0.9%"' in text for text in said) == warned


def test_scores_below_all_fitted_ones_and_of_unbounded_scales_are_not_warned_of(
    recwarn: pytest.WarningsRecorder,
) -> None:
    frame = pd.DataFrame(
        {
            "Model": ["a-1", "a-2", "b-1"],
            "MMLU": ["80%", "85%", "70%"],
            "Arena Elo": [1210, 1300, 900],
        }
    )
    scores = read_published(frame)
    rows = read_planned(pd.DataFrame(ROWS | {"MMLU": ["2%", "97%"], "Arena Elo": [90, 9000]}))
    recwarn.clear()
    planned(rows, scores)
    assert not [one for one in recwarn if "percent" in str(one.message)]


@pytest.mark.parametrize(
    ("cells", "said"),
    [(["90%", "92%"], "Write the fraction 0.9"), (["3h", "4h"], "Expected a number")],
)
def test_text_in_a_fitted_benchmark_is_no_undeclared_feature(cells: list[str], said: str) -> None:
    """The advice was to declare the benchmark as a feature, which rows to forecast cannot do."""
    fitted = hub_of_bare_percentages()
    rows = pd.DataFrame({"model": ["a", "b"], "family": ["a", "b"], "MMLU": cells})
    with pytest.raises(DataError, match=said) as caught:
        planned(rows, fitted)
    assert "features=" not in str(caught.value) and 'row 1 (model "b")' in str(caught.value)


def test_a_table_without_columns_is_said_to_have_none() -> None:
    with pytest.raises(DataError, match=r"The table has no columns\."):
        planned(pd.DataFrame(), hub_of_bare_percentages())


def test_rows_have_the_headings_and_numbers_of_the_published_table() -> None:
    table = pd.DataFrame(
        {
            "Model": ["GPT-5", "o3"],
            r"\textbf{HLE} $\uparrow$": ["24.8%", "20.2%"],
            "AIME correct": [1, 27],
            "AIME total": [30, 30],
        }
    )
    scores, rows = read_published(table), read_planned(table)
    for name in scores.benchmarks:
        assert rows[name].tolist() == scores.dataset["score"].sel(benchmark=name).values.tolist()
    assert "AIME total" not in rows
