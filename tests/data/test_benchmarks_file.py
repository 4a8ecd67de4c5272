"""Descriptions of benchmarks from a TOML file, in Python and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from latentscale import Benchmark, DataError
from latentscale.cli import app
from latentscale.data.readers import read_benchmarks


def written(folder: Path, text: str) -> Path:
    path = folder / "benchmarks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_what_from_frame_takes(tmp_path: Path) -> None:
    text = '[arena]\nscale = "real"\nunit = "Elo"\n[mmlu]\nfloor = 0.25\n'
    assert read_benchmarks(written(tmp_path, text)) == {
        "arena": Benchmark(scale="real", unit="Elo"),
        "mmlu": Benchmark(floor=0.25),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[arena]\nscael = "real"', 'Did you mean "scale"'),
        ('[arena]\nscale = "elo"', "must be one of"),
        ("arena = 1", r"table \[arena\]"),
        ("[arena", "not a readable TOML file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_benchmark(tmp_path, text, said) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_benchmarks(written(tmp_path, text))
    assert "arena" in str(caught.value) or "TOML" in str(caught.value)


def test_a_heading_that_needs_quotes_is_shown_with_them(tmp_path: Path) -> None:
    text = '[mmlu]\nfloor = 0.25\n[Cost per task ($)]\nscale = "positive"\n'
    with pytest.raises(DataError, match="has quotes") as caught:
        read_benchmarks(written(tmp_path, text))
    quoted = str(caught.value).partition("quotes: ")[2].removesuffix(".")
    mended = written(tmp_path, text.replace("[Cost per task ($)]", quoted))
    assert list(read_benchmarks(mended)) == ["mmlu", "Cost per task ($)"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.toml cannot be read"):
        read_benchmarks(tmp_path / "none.toml")


def test_the_command_line_shows_a_table_with_a_rating(tmp_path: Path, table) -> None:
    table["arena"] = [1010.0, 1100.0, 1180.0, 1260.0, 1350.0, 1275.0]
    table.to_csv(tmp_path / "table.csv", index=False)
    about = written(tmp_path, '[arena]\nscale = "real"\nunit = "Elo"\n')
    shown = CliRunner().invoke(
        app, ["data", str(tmp_path / "table.csv"), "--benchmarks", str(about)]
    )
    assert shown.exit_code == 0, shown.output
    assert "Elo" in shown.output and "1350" in shown.output
