"""Tables in practice: CSV and Parquet files, and other spellings of benchmarks."""

from __future__ import annotations

import sys

import pytest

from latentscale.data import Benchmark, Scores
from latentscale.data.readers import (
    match_benchmarks,
    read_csv,
    read_parquet,
    read_scores,
    same_benchmark,
)
from latentscale.errors import DataError, DataWarning


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


HEAD = "model,family,params_b,tokens_t,mmlu\n"


def test_a_saved_table_reads_back(tmp_path, table):
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    expected = Scores.from_frame(table).dataset
    assert read_scores(tmp_path / "t.csv").dataset.identical(expected)
    assert read_scores(str(tmp_path / "t.tsv")).dataset.identical(expected)


def test_a_long_table_is_recognised(tmp_path, long_table):
    long_table.to_csv(tmp_path / "t.csv", index=False)
    assert read_scores(tmp_path / "t.csv").n_observed == 11


def test_names_stay_and_empty_cells_are_missing(tmp_path):
    text = HEAD + 'None,NA,7,,0.5\n"a, ""b""",null,3,NA,0.4\n007,ü,1,0.5,\n'
    frame = read_csv(write(tmp_path / "t.csv", text, "utf-8-sig"))
    assert frame["model"].tolist() == ["None", 'a, "b"', "007"]
    assert frame["family"].tolist() == ["NA", "null", "ü"]
    assert frame["tokens_t"].isna().tolist() == [True, True, False]
    assert frame["mmlu"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (HEAD.replace("tokens_t", "mmlu"), "more than once"),
        (HEAD + "a,f,7,1,0.5,9,9\n", "as many cells"),
    ],
)
def test_files_that_are_no_table(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_csv(write(tmp_path / "t.csv", text))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x14\x00", "Excel workbook or a zip"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        ("model,family\n".encode("utf-16"), "UTF-16"),
        (b"\n <!DOCTYPE html><html>", "web page"),
        (b"[[1, 2], [3, 4]]", "no list of records"),
        (b'{"results": {"arc": {"acc": 0.5}}}', "read from their folder"),
        (b'[{"model": "a-1b", "mmlu": 0.5}', "begins as JSON, but is not"),
        (b'[{"model": "a-1b", "mmlu": 0.5, "mmlu": 0.6}]', "mmlu"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, content, said):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_csv(file)


def test_an_address_is_no_file(tmp_path):
    with pytest.raises(DataError, match="an address, not a file"):
        read_csv("https://example.org/scores.csv")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path)
    (tmp_path / "t.csv").write_bytes(b"\xf0\xfe\x00m")
    with pytest.raises(DataError, match="UTF-8"):
        read_csv(tmp_path / "t.csv")


def test_bad_cells_are_named_by_scores(tmp_path):
    path = write(tmp_path / "t.csv", HEAD + "a,f,7B,1,0.5\nb,f,8,1,0.6\n")
    with pytest.raises(DataError, match=r'row 0 \(model "a"\), column "params_b"'):
        read_scores(path)


def test_an_empty_name_is_still_missing(tmp_path):
    path = write(tmp_path / "t.csv", HEAD + "a,,7,1,0.5\nb,f,8,1,0.6\n")
    with pytest.raises(DataError, match="family name is missing"):
        read_scores(path)


def test_parquet_reads_like_csv(tmp_path, table):
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "t.parquet")
    table.set_index("model").to_parquet(tmp_path / "indexed.pq")
    expected = Scores.from_frame(table).dataset
    assert read_scores(tmp_path / "t.parquet").dataset.identical(expected)
    assert read_scores(tmp_path / "indexed.pq").dataset.identical(expected)
    with pytest.raises(DataError, match="no such file"):
        read_parquet(tmp_path / "absent.parquet")
    (tmp_path / "bad.parquet").write_text("model,family\n")
    with pytest.raises(DataError, match=r"bad\.parquet: not a well-formed Parquet file"):
        read_scores(tmp_path / "bad.parquet")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, table, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"latentscale\[hub\]"):
        read_parquet(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("ARC-Challenge", "arc"),
        ("HellaSwag", "hellaswag"),
        ("MMLU-PRO", "mmlu_pro"),
        ("MMLU", "mmlu"),
        ("TruthfulQA MC2", "truthfulqa"),
        ("leaderboard_math_hard", "math_lvl5"),
        ("MATH", None),
        ("hellaswga", None),
        ("arc_easy", None),
    ],
)
def test_spellings_of_known_benchmarks(name, known):
    assert same_benchmark(name) == known


def test_matched_names_bring_their_floors(tmp_path, table, long_table):
    spelt = {"mmlu": "MMLU", "gsm8k": "GSM-8K"}
    table.rename(columns=spelt).to_csv(tmp_path / "t.csv", index=False)
    scores = read_scores(tmp_path / "t.csv")
    assert scores.benchmarks == ("mmlu", "gsm8k")
    assert scores.benchmark_info["mmlu"].floor == 0.25
    assert scores.audit.codes == ("benchmark-renamed",)
    long_table.replace({"benchmark": spelt}).to_csv(tmp_path / "l.csv", index=False)
    assert set(read_scores(tmp_path / "l.csv").benchmarks) == {"mmlu", "gsm8k"}
    with pytest.warns(DataWarning, match="known benchmark"):
        assert read_scores(tmp_path / "t.csv", match_names=False).benchmarks == ("MMLU", "GSM-8K")
    described = {"MMLU": Benchmark(floor=0.1)}
    scores = read_scores(tmp_path / "t.csv", benchmarks=described)
    assert scores.benchmarks == ("MMLU", "gsm8k")
    assert scores.benchmark_info["MMLU"].floor == 0.1


def test_two_names_of_one_benchmark_are_kept_apart(table):
    both = table.assign(MMLU=table["mmlu"], **{"ARC-C": 0.5, "arc_challenge": 0.4})
    matched, findings = match_benchmarks(both)
    assert list(matched) == list(both)
    assert findings == []


RECORDS = '{"model": "None", "family": "a", "mmlu": 0.5}', '{"model": "b", "mmlu": null}'


@pytest.mark.parametrize(
    "text",
    [
        f"[{RECORDS[0]},\n{RECORDS[1]}]",
        f"\ufeff{RECORDS[0]}\n{RECORDS[1]}\n",
        f'{{"updated": "2026-09-01", "data": [{RECORDS[0]}, {RECORDS[1]}]}}',
    ],
)
def test_records_in_json_are_a_table(tmp_path, text):
    frame = read_csv(write(tmp_path / "t.json", text))
    assert frame["model"].tolist() == ["None", "b"]
    assert frame["mmlu"].iloc[0] == 0.5 and frame["mmlu"].isna().tolist() == [False, True]


def test_semicolons_and_decimal_commas_are_read(tmp_path):
    rows = 'a;x;12.05.2026;85,2%;0,812;1.250,5\n"b;c";x;;"9,5 ± 1,1";;980\n'
    text = "model;family;released;gpqa;mmlu;elo\n" + rows
    frame = read_csv(write(tmp_path / "t.csv", text))
    assert frame["model"].tolist() == ["a", "b;c"]
    assert frame["released"].tolist()[0] == "12.05.2026"
    assert frame["gpqa"].tolist() == ["85.2%", "9.5 ± 1.1"]
    assert frame["mmlu"].tolist()[0] == 0.812 and frame["elo"].tolist() == [1250.5, 980.0]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("85,2", "80.5"), 'row 0, column "gpqa": 85,2.*row 1, column "gpqa": 80.5'),
        (("1,234", "1,250"), "decimal comma, or one between thousands"),
    ],
)
def test_commas_that_may_mean_either_are_refused(tmp_path, cells, said):
    text = f"model;gpqa\na;{cells[0]}\nb;{cells[1]}\n"
    with pytest.raises(DataError, match=said):
        read_csv(write(tmp_path / "t.csv", text))


def test_semicolons_with_decimal_dots_are_read(tmp_path):
    frame = read_csv(write(tmp_path / "t.csv", "model;mmlu\na;0.5\nb;\n"))
    assert frame["mmlu"].tolist()[0] == 0.5


def test_a_comma_within_a_heading_does_not_hide_semicolons(tmp_path):
    text = "model;GPQA, diamond;elo\na;50,5;1200\n"
    frame = read_csv(write(tmp_path / "t.csv", text))
    assert frame.columns.tolist() == ["model", "GPQA, diamond", "elo"]
    assert frame["GPQA, diamond"].tolist() == [50.5]


def test_a_title_above_the_columns_is_named(tmp_path):
    text = "Leaderboard September 2026\nmodel,mmlu,gpqa\na,0.5,0.4\n"
    with pytest.raises(DataError, match="seems to be a title"):
        read_csv(write(tmp_path / "t.csv", text))
