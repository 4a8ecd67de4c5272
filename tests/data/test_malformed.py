"""Malformed wide tables: each fault gives an error or warning that locates it."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data import Scores
from latentscale.data.readers import read_scores
from latentscale.errors import DataError, DataWarning


def refused(frame: object) -> str:
    """Return the message of the error that a table must raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        with pytest.raises(DataError) as caught:
            Scores.from_frame(frame)  # type: ignore[arg-type]
    return str(caught.value)


def warned(frame: pd.DataFrame, code: str) -> str:
    """Return the message of the one finding with a code, which must also have been issued."""
    with pytest.warns(DataWarning) as caught:
        scores = Scores.from_frame(frame)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    (finding,) = scores.audit.filter(code)
    assert finding.level == "warning"
    assert finding.message in str(caught[0].message)
    return f"{finding.where}: {finding.message}"


def with_cell(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    """Return the table with one cell replaced."""
    changed = frame.astype({column: object})
    changed.at[row, column] = value
    return changed


def test_percentages(table):
    table["mmlu"] *= 100
    message = refused(table)
    assert 'column "mmlu"' in message
    assert "divide the column by 100" in message


def test_percentages_with_a_few_below_one(table):
    table["gsm8k"] = [0.4, 20, 15, 50, np.nan, 5]
    assert "percentages" in refused(table)


def test_percentages_everywhere_name_every_column(table):
    table[["mmlu", "gsm8k"]] *= 100
    message = refused(table)
    assert message.count("percentages") == 2


@pytest.mark.parametrize("value", [1.2, -0.01, 45.0])
def test_a_score_outside_the_unit_interval(table, value):
    message = refused(with_cell(table, 2, "mmlu", value))
    assert "row 2" in message
    assert '"bee-2b"' in message
    assert 'column "mmlu"' in message
    assert f"{value:g}" in message
    assert "0 to 1" in message


@pytest.mark.parametrize("column", ["mmlu", "params_b", "tokens_t"])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinities(table, column, value):
    message = refused(with_cell(table, 1, column, value))
    assert "row 1" in message
    assert column in message
    assert "nfinite" in message


@pytest.mark.parametrize("value", ["N/A", "-", "45.2%", "0.4", "", True, [0.3], 1j, object()])
def test_what_is_no_number_in_a_score_column(table, value):
    message = refused(with_cell(table, 3, "gsm8k", value))
    assert 'row 3 (model "bee-8b"), column "gsm8k"' in message


@pytest.mark.parametrize("value", ["70B", "seven", True, "7"])
def test_what_is_no_number_in_a_size_column(table, value):
    message = refused(with_cell(table, 3, "params_b", value))
    assert 'row 3 (model "bee-8b"), column "params_b"' in message
    assert message.count("row 3") == 1


def test_a_percent_sign_is_explained(table):
    assert "0.452" in refused(with_cell(table, 0, "mmlu", "45.2%"))


def test_a_text_column_is_named_once(table):
    table["notes"] = ["good", "bad", "ugly", "good", None, "bad"]
    message = refused(table)
    assert message.count('column "notes"') == 1
    assert 'features=["notes"], drop it' in message


def test_duplicate_models(table):
    table.loc[3, "model"] = "ant-1b"
    message = refused(table)
    assert '"ant-1b" has 2 rows (0, 3)' in message


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("model", "name"),
        ("family", "famly"),
        ("model", "Model"),
    ],
)
def test_a_missing_required_column(table, column, wrong):
    message = refused(table.rename(columns={column: wrong}))
    assert f'column "{column}"' in message
    assert f'Did you mean "{wrong}"?' in message


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("params_b", "params"), ("tokens_t", "n_tokens"), ("params_b", "PARAMS_B")],
)
def test_a_known_feature_by_another_name_is_not_taken_for_a_benchmark(table, column, wrong):
    message = refused(table.rename(columns={column: wrong}))
    assert f'column "{wrong}"' in message
    assert f'Did you mean "{column}"?' in message
    assert f'features=["{wrong}"]' in message


def test_several_missing_columns_and_no_suggestion(table):
    message = refused(table.drop(columns=["model", "family"]))
    assert "model" in message
    assert "family" in message
    assert "2 problems" in message


def test_model_names_in_the_index(table):
    assert "reset_index" in refused(table.set_index("model"))


@pytest.mark.parametrize("column", ["model", "family"])
@pytest.mark.parametrize("value", [None, np.nan, "", "   ", pd.NA])
def test_missing_names(table, column, value):
    message = refused(with_cell(table, 4, column, value))
    assert "row 4" in message
    assert f"{column} name is missing" in message


@pytest.mark.parametrize("column", ["model", "family", "lineage"])
def test_names_that_are_no_text(table, column):
    message = refused(with_cell(table, 4, column, 42))
    assert "row 4" in message
    assert "Names are text" in message


@pytest.mark.parametrize("column", ["params_b", "tokens_t"])
@pytest.mark.parametrize("value", [0, -7])
def test_sizes_and_tokens_are_positive(table, column, value):
    message = refused(with_cell(table, 5, column, value))
    assert 'row 5 (model "cat-3b")' in message
    assert "above 0" in message


def test_tokens_in_billions(table):
    table["tokens_t"] *= 1000
    message = refused(table)
    assert "looks like billions" in message
    assert "divide by 1000" in message


def test_one_token_count_in_billions(table):
    table.loc[2, "tokens_t"] = 300
    assert "row 2" in refused(table)


def test_tokens_as_a_raw_count(table):
    table["tokens_t"] *= 1e12
    assert "divide by 1e12" in refused(table)


def test_sizes_as_a_raw_count(table):
    table["params_b"] *= 1e9
    message = refused(table)
    assert "divide by 1e9" in message


def test_odd_units_that_could_just_be_are_warned_of(table):
    table.loc[0, "params_b"] = 7000.0
    assert "ant-1b: 7000" in warned(table, "odd-size")


def test_an_odd_ratio_of_tokens_to_parameters_is_warned_of(table):
    table.loc[0, ["params_b", "tokens_t"]] = [0.1, 30.0]
    assert "tokens per parameter" in warned(table, "odd-ratio")


def test_a_model_without_scores(table):
    table.loc[5, ["mmlu", "gsm8k"]] = np.nan
    assert '"cat-3b"' in warned(table, "model-without-score")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "cat-3b" in Scores.from_frame(table).models


def test_a_benchmark_without_scores_is_dropped(table):
    table["arc"] = np.nan
    assert "arc" in warned(table, "benchmark-without-score")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Scores.from_frame(table).benchmarks == ("mmlu", "gsm8k")


def test_no_score_at_all(table):
    table[["mmlu", "gsm8k"]] = np.nan
    assert "no benchmark has a single score" in refused(table)


def test_a_constant_benchmark(table):
    table["gsm8k"] = 0.3
    assert "all 6 scores are 0.3" in warned(table, "constant-benchmark")


def test_a_benchmark_with_one_score(table):
    table["arc"] = [0.5, *[np.nan] * 5]
    assert "only one model" in warned(table, "constant-benchmark")


def test_a_family_in_two_lineages(table):
    table.loc[1, "lineage"] = "bee"
    message = warned(table, "two-lineages")
    assert message.startswith("ant: ")
    assert '"ant", "bee"' in message


def test_an_empty_table(table):
    assert "no rows" in refused(table.iloc[:0])
    assert "missing" in refused(pd.DataFrame())


def test_no_benchmark_column(table):
    message = refused(table.drop(columns=["mmlu", "gsm8k"]))
    assert "no benchmark column" in message
    assert '"mmlu"' in message


def test_duplicate_columns(table):
    twice = pd.concat([table, table[["mmlu"]]], axis=1)
    assert 'column "mmlu": this name occurs 2 times' in refused(twice)
    spaced = table.assign(**{" mmlu": 0.3})
    assert "occurs 2 times" in refused(spaced)


@pytest.mark.parametrize("value", [2, 0.5, "maybe", -1])
def test_instruct_is_zero_or_one(table, value):
    message = refused(with_cell(table, 2, "instruct", value))
    assert 'row 2 (model "bee-2b"), column "instruct"' in message


def test_an_empty_instruct_is_taken_as_base_and_reported(table):
    assert '"bee-2b"' in warned(with_cell(table, 2, "instruct", None), "instruct-missing")


@pytest.mark.parametrize("value", ["soon", 2024, 20241345.0])
def test_release_dates(table, value):
    table["released"] = ["2024-07-23", value, None, None, None, None]
    message = refused(table)
    assert 'row 1 (model "ant-7b"), column "released"' in message


@pytest.mark.parametrize("frame", [None, {"model": ["a"]}, "table.csv", [1], np.eye(2)])
def test_what_is_no_table(frame):
    assert "give a pandas DataFrame, not" in refused(frame)


def test_columns_that_are_not_named_by_text(table):
    assert "must be text" in refused(table.rename(columns={"mmlu": 3}))
    assert "must be text" in refused(table.rename(columns={"mmlu": " "}))
    levels = table.copy()
    levels.columns = pd.MultiIndex.from_product([["x"], table.columns])
    assert "several levels" in refused(levels)


GROUPS = ",,Maths,,Code\n"
SPANNED = "Model,Released,Maths,,Code\n,,"
TWO_ROWS = {
    "names below groups": GROUPS + "Model,Released,AIME,MATH,SWE\n",
    "cells that span both": SPANNED + "AIME,MATH,SWE\n",
    "one name in two groups": ",,Maths,Maths,Code\nModel,Released,A,B,A\n",
}
READERS = (read_scores, ls.readers.read_published, Scores.from_frame)


@pytest.mark.parametrize("head", TWO_ROWS.values(), ids=TWO_ROWS)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_columns_of_two_levels_are_refused_with_a_remedy_that_works(head, reader) -> None:
    text = head + "gpt-5,2025-08-07,90,95,70\no3,2025-04-16,80,91,60\n"
    frame = pd.read_csv(io.StringIO(text), header=[0, 1])
    with pytest.raises(DataError, match="several levels") as caught:
        reader(frame)
    code = re.search(r"as by (frame\.columns = .*)\.$", str(caught.value))
    assert code is not None
    exec(code[1], {"frame": frame})
    scores = read_scores(frame)
    assert (scores.models, scores.n_observed) == (("gpt-5", "o3"), 6)
    assert [str(day)[:10] for day in scores.dataset["released"].values] == [
        "2025-08-07",
        "2025-04-16",
    ]


def test_spaces_at_the_ends_of_names_are_cut_and_reported(table):
    table.loc[0, "model"] = " ant-1b"
    table.loc[1, "family"] = "ant "
    assert '" ant-1b", "ant "' in warned(table, "names-stripped")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = Scores.from_frame(table)
    assert scores.models[0] == "ant-1b"
    assert scores.families == ("ant", "bee", "bee-chat", "cat")


def test_models_that_differ_by_a_space_are_duplicates(table):
    table.loc[1, "model"] = "ant-1b "
    assert '"ant-1b" has 2 rows' in refused(table)


def test_spaces_in_column_names(table):
    assert '"mmlu "' in warned(table.rename(columns={"mmlu": "mmlu "}), "names-stripped")


def test_names_that_look_alike(table):
    table.loc[1, ["family", "lineage"]] = ["Ant", "ant"]
    assert '"ant", "Ant"' in warned(table, "similar-names")


@pytest.mark.parametrize("other", ["a nt", "an-t", "a.n.t", "a_nt"])
def test_names_that_differ_in_spaces_dots_or_dashes_look_alike(table, other):
    table.loc[1, ["family", "lineage"]] = [other, "ant"]
    assert f'"ant", "{other}"' in warned(table, "similar-names")


def test_unknown_tokens_are_allowed_and_explained(table):
    table.loc[[1, 3], "tokens_t"] = np.nan
    message = warned(table, "unknown-tokens")
    assert '"ant-7b", "bee-8b"' in message
    assert "log_flops" in message
    assert "log_params" in message


def test_exact_zeros_and_ones_are_info(table):
    table.loc[0, "gsm8k"] = 0
    table.loc[3, "gsm8k"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = Scores.from_frame(table)
    (finding,) = scores.audit.filter("exact-bounds")
    assert finding.level == "info"
    assert "gsm8k: 2" in finding.message


def test_a_misspelt_optional_column(table):
    assert 'Did you mean "instruct"?' in refused(table.rename(columns={"instruct": "Instruct"}))
    assert 'Did you mean "lineage"?' in refused(table.rename(columns={"lineage": "linage"}))
    message = warned(table.rename(columns={"instruct": "instruc"}), "near-metadata-column")
    assert 'If it is "instruct"' in message


def test_a_column_that_is_no_benchmark_is_named_once(table):
    table["elo"] = 1200
    message = refused(table)
    assert "1 problem." in message
    assert "drop it" in message
    assert 'features=["elo"]' in message


def test_percentages_with_a_slip_and_a_negative(table):
    table["mmlu"] = [26, 45, 400, 60, 62, -3]
    message = refused(table)
    assert "divide the column by 100" in message
    assert "row 2" in message
    assert "row 5" in message


def test_a_saved_row_index(table):
    table.insert(0, "Unnamed: 0", range(6))
    assert "row index" in refused(table)


def test_a_long_table_in_the_wrong_place(long_table):
    assert "from_long" in refused(long_table)


def test_every_bad_cell_is_named_at_once(table):
    table = with_cell(table, 0, "mmlu", "N/A")
    table = with_cell(table, 1, "gsm8k", 1.5)
    table.loc[2, "params_b"] = -1
    table.loc[3, "family"] = ""
    message = refused(table)
    assert "4 problems" in message
    for part in ("row 0", "row 1", "row 2", "row 3"):
        assert part in message


def test_a_long_list_of_problems_is_cut_and_counted():
    rows = 40
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(rows)],
            "family": "f",
            "params_b": 1.0,
            "tokens_t": 1.0,
            "arc": [-0.1] * 30 + [0.5] * 10,
        }
    )
    message = refused(frame)
    assert message.startswith("This table cannot be used as scores: 30 problems.")
    assert message.count("\n") == 21
    assert "and 10 more (arc: 10)" in message


def test_several_findings_come_in_one_warning(table):
    table.loc[1, "lineage"] = "bee"
    table["arc"] = np.nan
    with pytest.warns(DataWarning) as caught:
        Scores.from_frame(table)
    assert len(caught) == 1
    assert "2 findings to check" in str(caught[0].message)


HEADER = "model,family,params_b,tokens_t,quiz\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER.replace(",", "\t") + "a\tx\t1\t1\t0.5\n", r"split by tabs. Name it \.tsv"),
        (HEADER.replace(",", "|") + "a|x|1|1|0.5\n", "split by bars. Save it with commas"),
        ("Model info,,,,Scores\n" + HEADER + "a,x,1,1,0.5\n", "3 of 5 columns without a name"),
        (HEADER + "a,x,1" + "0" * 400 + ",1,0.5\n", r'"params_b": inf\. '),
        (HEADER + "a,x,1,1,0.5\nb,x,-" + "9" * 400 + ",1,0.5\n", r'"params_b": -inf\. '),
    ],
)
def test_a_file_of_another_form_is_named_as_what_it_is(tmp_path, text, said) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_scores(file)


LONG = "model,family,params_b,benchmark,score\nm1,f,7,mmlu,0.5\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LONG + "m2,f,,mmlu,0.5\nm2,f,70e6,arc,0.4\n", 'row 2 (model "m2"), column "params_b": 7e'),
        (LONG + "m2,f,7,mmlu,1.5\n", 'row 1 (model "m2"), column "score [mmlu]": 1.5'),
        ("a,b\n1,2\n", 'column "model": this required column'),
        ("Model,Price\nGPT-5,2\n", "no column is a benchmark"),
        ("run,step,arc_acc\na,1,0.4\na,2,0.3\n", 'the tokens of the checkpoints of "a"'),
    ],
)
def test_errors_of_a_file_name_it_and_the_row_that_states_the_value(
    text: str, said: str, tmp_path: Path
) -> None:
    """They said "This table", and named a model's first row for a size stated in another one."""
    file = tmp_path / "scores.csv"
    file.write_text(text)
    with pytest.raises(DataError) as raised:
        ls.readers.read_scores(file)
    assert str(raised.value).startswith(str(file)) and said in str(raised.value)
    with pytest.raises(DataError) as raised:
        ls.readers.read_scores(pd.read_csv(file))
    assert str(file) not in str(raised.value)
