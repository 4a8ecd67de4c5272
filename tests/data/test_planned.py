"""Rows to forecast share the validation of scores, with additional rules."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from latentscale.data import Scores, planned_models
from latentscale.data.assumed_values import assumed_note
from latentscale.data.datasets import open_llm_leaderboard
from latentscale.data.features import Feature
from latentscale.errors import DataError, DataWarning

BENCHMARKS = ("mmlu", "gsm8k")


@pytest.fixture
def rows():
    """Two rows without scores: a known family and a new one."""
    return pd.DataFrame(
        {
            "model": ["bee-70b", "dog-7b"],
            "family": ["bee", "dog"],
            "params_b": [70, 7],
            "tokens_t": [2.0, np.nan],
        }
    )


def refused(frame, lineages=None) -> str:
    with pytest.raises(DataError) as caught:
        planned_models(frame, BENCHMARKS, lineages)
    return str(caught.value)


def test_rows_without_scores(rows):
    before = rows.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = planned_models(rows, BENCHMARKS, {"bee": "insects"})
    assert data["lineage"].to_numpy().tolist() == ["insects", "dog"]
    assert data["params"].to_numpy().tolist() == [70.0, 7.0]
    assert np.isnan(data["tokens"].to_numpy()[1])
    assert data["instruct"].to_numpy().tolist() == [0.0, 0.0]
    assert "score" not in data
    pd.testing.assert_frame_equal(rows, before)


def test_rows_with_some_scores(rows):
    rows["gsm8k"] = [0.7, np.nan]
    data = planned_models(rows, BENCHMARKS)
    assert data["score"].dims == ("model", "benchmark")
    assert data["benchmark"].to_numpy().tolist() == ["gsm8k"]
    assert float(data["score"][0, 0]) == 0.7
    assert np.isnan(float(data["score"][1, 0]))


def test_a_new_family_keeps_the_lineage_that_it_states(rows):
    rows["lineage"] = [None, "wolf"]
    data = planned_models(rows, BENCHMARKS, {"bee": "bee"})
    assert data["lineage"].to_numpy().tolist() == ["bee", "wolf"]


def test_rows_of_a_new_family_share_a_lineage(rows):
    rows["family"] = "dog"
    rows["lineage"] = ["wolf", None]
    data = planned_models(rows, BENCHMARKS)
    assert data["lineage"].to_numpy().tolist() == ["wolf", "wolf"]


def test_a_new_family_in_two_lineages_is_warned_of(rows):
    rows["family"] = "dog"
    rows["lineage"] = ["wolf", "fox"]
    with pytest.warns(DataWarning, match='"wolf", "fox"'):
        data = planned_models(rows, BENCHMARKS)
    assert data["lineage"].to_numpy().tolist() == ["wolf", "wolf"]


def test_a_contradicted_lineage_is_warned_of_and_the_fitted_one_is_used(rows):
    rows["lineage"] = ["wasp", "dog"]
    with pytest.warns(DataWarning, match='states lineage "wasp".*fitted in lineage "bee"'):
        data = planned_models(rows, BENCHMARKS, {"bee": "bee"})
    assert data["lineage"].to_numpy()[0] == "bee"


def test_the_fitted_table_itself_can_be_forecast():
    scores = open_llm_leaderboard()
    with pytest.warns(DataWarning, match="wizardlm-70b-v1.0"):
        data = planned_models(
            scores.to_frame(), scores.benchmarks, scores.family_lineage().to_dict()
        )
    assert data["score"].equals(scores.dataset["score"])
    assert str(data["lineage"].sel(model="wizardlm-70b-v1.0").item()) == "llama"


def test_an_unknown_column(rows):
    rows["gsm8"] = 0.5
    message = refused(rows)
    assert 'column "gsm8"' in message
    assert 'Did you mean "gsm8k"?' in message


def test_repeated_models(rows):
    rows["model"] = "bee-70b"
    assert '"bee-70b" has 2 rows (0, 1)' in refused(rows)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("params_b", "70B", 'row 0 (model "bee-70b"), column "params_b"'),
        ("params_b", 0, "above 0"),
        ("tokens_t", 2000.0, "billions"),
        ("family", "", "family name is missing"),
        ("gsm8k", 1.5, "fractions from 0 to 1"),
        ("instruct", 3, "instruction-tuned"),
    ],
)
def test_cells_are_judged_as_in_scores(rows, column, value, said):
    if column not in rows:
        rows[column] = 0
    rows[column] = rows[column].astype(object)
    rows.at[0, column] = value
    message = refused(rows)
    assert said in message
    assert message.startswith("These rows cannot be forecast")


def test_missing_columns_and_no_rows(rows):
    assert 'Did you mean "params_b"?' in refused(rows.rename(columns={"params_b": "params"}))
    assert "no rows" in refused(rows.iloc[:0])
    assert "DataFrame" in refused(None)


def warned(frame, fitted=None, lineages=None) -> str:
    with pytest.warns(DataWarning) as caught:
        planned_models(frame, BENCHMARKS, lineages, fitted=fitted)
    assert len(caught) == 1
    return str(caught[0].message)


@pytest.mark.parametrize(
    "family",
    ["Bee", "b e e", "be-e", "b.ee", "b_ee", "be\u2212e", "b\u00b7ee", "b\u00e9e", "be\u0301e"],
)
def test_a_family_that_differs_from_a_fitted_one_in_spelling_is_warned_of(rows, family):
    rows.loc[0, "family"] = family
    message = warned(rows, lineages={"bee": "bee"})
    assert f'"{family}" differs from the fitted family "bee"' in message
    assert message.count(f'"{family}"') == 1  # not repeated for the lineage named after it


def test_a_lineage_that_differs_from_a_fitted_one_in_spelling_is_warned_of(rows):
    rows["lineage"] = [None, "Bee"]
    assert 'differs from the fitted lineage "bee"' in warned(rows, lineages={"bee": "bee"})


def test_a_model_that_differs_from_a_fitted_one_in_spelling_is_warned_of(rows, table):
    fitted = Scores.from_frame(table).dataset
    name = str(fitted["model"].values[0])
    rows.loc[1, "model"] = name.upper()
    rows["instruct"] = 0
    assert f'differs from the fitted model "{name}"' in warned(rows, fitted)


def test_sizes_are_no_spelling(rows):
    rows["model"] = ["opt-1.3b", "opt-13b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planned_models(rows, BENCHMARKS)


def test_two_spellings_within_the_rows_are_warned_of(rows):
    rows["family"] = ["dog-2", "Dog 2"]
    assert '"dog-2", "Dog 2" differ only in case' in warned(rows)


def test_a_benchmark_spelt_in_another_way_is_named(rows):
    assert 'Did you mean "mmlu"' in refused(rows.assign(MMLU=0.5))
    assert 'Did you mean "gsm8k"' in refused(rows.assign(**{"GSM-8K": 0.5}))


def test_odd_units_are_warned_of(rows):
    rows.loc[0, "params_b"] = 7000
    with pytest.warns(DataWarning, match="implausible") as caught:
        planned_models(rows, BENCHMARKS)
    assert caught[0].filename == __file__


def test_scores_are_a_source_of_rows(table):
    scores = Scores.from_frame(table)
    data = planned_models(scores.to_frame(), scores.benchmarks)
    for name in ("params", "tokens", "instruct", "family", "lineage", "score"):
        assert data[name].equals(scores.dataset[name])


def test_what_the_fit_s_audit_said_of_fitted_rows_is_not_repeated(table):
    table.loc[:1, "params_b"] = [0.0002, 70000.0]
    table.loc[3, "family"], table.loc[3, "lineage"] = "Bee", "Bee"
    with pytest.warns(DataWarning, match="implausible"):
        fitted = Scores.from_frame(table).dataset
    lineages = {"ant": "ant", "bee": "bee", "Bee": "Bee", "bee-chat": "bee", "cat": "cat"}
    rows = table.drop(columns=["mmlu", "gsm8k"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planned_models(rows, ["mmlu"], lineages, fitted=fitted)
    rows.loc[1, "params_b"] = 80000.0
    with pytest.warns(DataWarning, match="1 rows have implausible billions"):
        planned_models(rows, ["mmlu"], lineages, fitted=fitted)


@pytest.mark.parametrize("blank", ["", "  ", None, pd.NA, np.nan])
def test_a_blank_instruct_is_left_out_whatever_stands_for_blank(table, blank):
    scores = Scores.from_frame(table.assign(instruct=1))
    fitted = scores.dataset.isel(model=slice(1, None))
    row = scores.to_frame()[["model", "family", "params_b", "tokens_t"]].head(1)
    data = planned_models(
        row.assign(instruct=pd.Series([blank], dtype=object)),
        BENCHMARKS,
        fitted=fitted,
        uses=["instruct"],
    )
    assert data["instruct"].values.tolist() == [1.0]
    assert "instruct=1" in data["assumed"].item()


@pytest.mark.parametrize("columns", [["benchmark", "score"], ["benchmark", "lower", "upper"]])
def test_a_table_with_one_row_a_score_is_refused_by_what_it_is(rows, columns):
    message = refused(rows.assign(**dict.fromkeys(columns, 0.5)))
    what = "a table of scores" if "score" in columns else "a forecast's own table"
    assert what in message and "one row per model" in message


@pytest.mark.parametrize("blank", [None, np.nan])
@pytest.mark.parametrize("missing", ["estimated", "leave-out"])
def test_a_row_may_leave_out_its_date_beside_rows_that_state_it(missing, blank):
    """Undetermined values stay empty: the fit draws them, or refuses the row by name."""
    frame = pd.DataFrame({"model": list("abc"), "family": list("xyz"), "mmlu": [0.1, 0.2, 0.3]})
    frame["released"] = ["2024-01-01", "2024-02-01", "2024-03-01"]
    fitted = Scores.from_frame(frame, features=[Feature("released", "date", missing=missing)])
    new = pd.DataFrame({"model": ["d", "e"], "family": ["x", "v"]})
    new["released"] = pd.Series(["2024-05-01", blank], dtype=object)
    read = planned_models(new, ["mmlu"], fitted=fitted.dataset, uses=["released"])
    assert np.isnat(read["released"].values).tolist() == [False, True]


def test_active_parameters_below_a_billion_are_no_benchmark(rows):
    """They are numbers from 0 to 1, like scores, but no benchmark has that name."""
    planned = planned_models(rows.assign(active_params_b=[0.5, 0.2]), BENCHMARKS)
    assert planned["active_params_b"].values.tolist() == [0.5, 0.2]


def settings_of_releases() -> Scores:
    """Two settings of o3, one release of gpt-5, two releases of one name."""
    return Scores.from_frame(
        pd.DataFrame(
            {
                "model": ["o3_low", "o3_high", "gpt-5", "b_low", "b_high"],
                "family": ["o", "o", "o", "b", "b"],
                "released": ["2025-04-16", "2025-04-16", "2025-08-07", "2025-01-01", "2025-02-01"],
                "provider": ["OpenAI", "OpenAI", "OpenAI", "B", "B"],
                "params_b": [100.0, 100.0, 50.0, 7.0, 7.0],
                "tokens_t": [3.0, 3.0, np.nan, 1.0, 1.0],
                "instruct": [1, 1, 0, 0, 0],
                "effort": ["low", "high", None, "low", "high"],
                "mmlu": [0.5, 0.6, 0.7, 0.3, 0.4],
            }
        )
    )


USES = ["released", "provider", "effort", "flops", "instruct"]


@pytest.mark.filterwarnings("ignore:Scores were read")
def test_a_new_setting_has_what_its_fitted_release_states() -> None:
    """Except for settings; a name of several releases is not informative; stated cells stay."""
    fitted = settings_of_releases().dataset
    rows = pd.DataFrame(
        {
            "model": ["o3_medium", "gpt-5_high", "b_max", "o3_max", "o3_none"],
            "family": ["o", "o", "b", "o", "p"],
            "effort": ["medium", "high", "max", "max", "none"],
            "released": [None, None, None, "2025-06-01", None],
            "instruct": [None, None, None, 1, 1],
        }
    )
    with pytest.warns(DataWarning) as caught:
        read = planned_models(rows, ["mmlu"], fitted=fitted, uses=USES)
    released = [str(day)[:10] for day in read["released"].values]
    assert released == ["2025-04-16", "2025-08-07", "NaT", "2025-06-01", "NaT"]
    assert read["provider"].values.tolist()[:2] == ["OpenAI", "OpenAI"]
    np.testing.assert_array_equal(read["params"].values, [100.0, 50.0, *[np.nan] * 3])
    np.testing.assert_array_equal(read["tokens"].values, [3.0, *[np.nan] * 4])
    assert read["instruct"].values.tolist() == [1, 0, 0, 1, 1]
    said = read["assumed"].values.tolist()
    for text in ("released=2025-04-16 (release)", "params_b=100 (release)", "tokens_t=3 (release)"):
        assert text in said[0]
    assert "instruct=1 (release)" in said[0] and "instruct=0 (release)" in said[1]
    assert "(release)" not in "".join(said[2:])
    text = "\n".join(str(w.message) for w in caught)
    assert text.count("2 new settings of fitted releases leave out") == 1
    assert '"o3_medium", "gpt-5_high"' in text
    assert (
        '"o3_max" states released 2025-06-01, and the fitted settings of its name 2025-04' in text
    )


@pytest.mark.filterwarnings("ignore:Scores were read")
def test_rows_that_state_what_their_release_does_are_not_warned_of() -> None:
    fitted = settings_of_releases()
    again = fitted.to_frame().drop(columns="mmlu")
    new = again.head(1).assign(model="o3_medium", effort="medium")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = planned_models(pd.concat([again, new]), ["mmlu"], fitted=fitted.dataset, uses=USES)
    assert "(release)" not in "".join(read["assumed"].values.tolist())


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("mmlu", [93.0, 90.0], r"row 1 .*90\. Scores are fractions.*\n.*write 0\.93, or \"93%\""),
        ("mmlu", [1300.0, -2.0], r"row 0 .*1300\. Scores are fractions.*\n.*row 1 .*-2\. Scores"),
        ("size_class", ["huge", "mini"], r"levels=\[\.\.\.\]\) when the table of scores is read"),
        ("params_b", [0.0, 1.0], r'with transform="identity" when the table of scores is read'),
        ("provider", [["a"], "b"], r"column \"provider\": \['a'\]"),
    ],
)
def test_hints_name_no_argument_that_forecasts_do_not_have(rows, column, cells, message) -> None:
    scores = open_llm_leaderboard()
    frame = rows.assign(**{column: pd.Series(cells)})
    with pytest.raises(DataError, match=message) as caught:
        planned_models(frame, scores.benchmarks, fitted=scores.dataset)
    assert "benchmarks={" not in str(caught.value) and "features=[" not in str(caught.value)


def test_what_was_assumed_is_one_line_with_counts():
    name, own = "reasoning=0 (name)", "lineage=bee (the family's own)"
    texts = [f"{name}; {own}", f"{name}; {own.replace('bee', 'dog')}", "released drawn (prior)", ""]
    assert assumed_note(texts) == (
        "Left out and assumed: reasoning=0 (name) in 2 of 4 rows; "
        "lineage (the family's own) in 2 of 4 rows; released drawn (prior) in 1 of 4 rows",
    )
    assert assumed_note([name]) == ("Left out and assumed: reasoning=0 (name) in 1 of 1 row",)
    assert assumed_note(["", ""]) == ()
    assert assumed_note(["lineage=bee (family)"]) == ()  # a fact of the fit, as the table says
