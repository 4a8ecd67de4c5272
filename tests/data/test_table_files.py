"""Written tables are read back unchanged, and spreadsheets do not evaluate names."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from latentscale.data.readers import read_csv, read_table
from latentscale.data.table_files import write_table
from latentscale.errors import DataError

NAMES = ["=1+1", "+a", "-b", "@c", "'=d", "''=e", "'f", "\ttab", "\uff1dwide", "plain", "NA"]


@pytest.fixture
def table() -> pd.DataFrame:
    count = len(NAMES)
    return pd.DataFrame(
        {"model": NAMES, "family": NAMES[::-1], "-score": [-0.5] * count, "n": range(count)}
    )


@pytest.mark.parametrize("name", ["t.csv", "t.TSV", "t.tab", "t"])
def test_every_name_is_read_back_as_it_was(table: pd.DataFrame, tmp_path: Path, name: str) -> None:
    pd.testing.assert_frame_equal(read_csv(write_table(table, tmp_path / name)), table)


@pytest.mark.parametrize("name", ["t.parquet", "t.PQ"])
def test_parquet_is_read_back_as_it_was(table: pd.DataFrame, tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    pd.testing.assert_frame_equal(read_table(write_table(table, tmp_path / name)), table)


def test_no_cell_of_text_begins_like_a_formula(table: pd.DataFrame, tmp_path: Path) -> None:
    write_table(table.assign(kind=pd.Categorical(["=x"] * len(table))), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream))
    assert header == ["model", "family", "'-score", "n", "kind"]
    texts = [cell for model, family, _, _, kind in rows for cell in (model, family, kind)]
    assert not [text for text in texts if text[:1] in "=+-@\t\r\n\uff1d"]
    assert {row[2] for row in rows} == {"-0.5"}
    assert {row[4] for row in rows} == {"'=x"}


def test_another_ending_is_refused_with_those_allowed(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'"\.xlsx" is unknown.*allowed: \.csv, \.tsv'):
        write_table(table, tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_parquet_without_pyarrow_names_the_extra(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"writing Parquet needs pyarrow.*latentscale\[hub\]"):
        write_table(table, tmp_path / "t.parquet")


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame
) -> None:
    path = write_table(table, tmp_path / "t.csv")
    old = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(DataError, match=r"t\.csv: the disk is full"):
        write_table(table.head(1), path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_pipe_is_read_once_whatever_it_carries(
    table: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    data = write_table(table, tmp_path / f"t.{ending}").read_bytes()
    out, into = os.pipe()
    os.write(into, data)  # less than a pipe holds
    os.close(into)
    pd.testing.assert_frame_equal(read_table(f"/dev/fd/{out}"), table)
    os.close(out)


def test_home_is_expanded_where_tables_are_read_and_written(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_table(table, "~/t.csv")
    pd.testing.assert_frame_equal(read_table("~/t.csv"), table)
    with pytest.raises(DataError, match="no such home folder"):
        read_table("~nobody-of-this-name/t.csv")
