"""A table that is saved and read again is the same, with all it states on scores and benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import latentscale as ls
from latentscale.cli import app
from latentscale.data.readers import read_benchmarks, read_scores


def rich(*, long: bool) -> ls.Scores:
    """Return a table with a rating, an error rate, a feature and a model without scores."""
    frame = pd.DataFrame(
        {
            "model": ["=a", "b", "c"],
            "family": ["011", "1e5", "nan "],
            "params_b": [1.5, np.nan, 70],
            "tokens_t": [1 / 3, 2, np.nan],
            "shots": [0, 5, 5],
            "quiz": [np.nan, 0.1 + 0.2, np.nan],
            "arena": [1010.0, 1200.5, np.nan],
            "ARC-Challenge": [0.4, 0.5, np.nan],
            "wrong": [0.4, np.nan, np.nan],
        }
    )
    about = {
        "quiz": ls.Benchmark(floor=0.25, n_items=40, suite="own", basis='so "they" say, é'),
        "arena": ls.Benchmark(scale="real", unit="Elo"),
        "wrong": ls.Benchmark(lower_is_better=True, ceiling=0.02, group="g"),
    }
    features = [ls.Feature("shots", unit="examples")]
    if not long:
        return ls.Scores.from_frame(frame, features=features, benchmarks=about)
    cells = frame.melt(["model", "family", "params_b", "tokens_t", "shots"], var_name="benchmark")
    cells = cells.rename(columns={"value": "score"})
    cells["stderr"] = np.where(cells["benchmark"] == "quiz", 0.07, np.nan)
    cells["n_items"] = np.where(cells["model"] == "=a", 20.0, np.nan)
    return ls.Scores.from_long(cells, features=features, benchmarks=about)


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("long", [False, True])
def test_a_saved_table_is_read_back_as_it_was(tmp_path: Path, ending: str, long: bool) -> None:
    scores = rich(long=long)
    assert ("stderr" in scores.dataset) is ("cell_items" in scores.dataset) is long
    files = scores.save(tmp_path / f"table.{ending}")
    beside = ["table.audit.json", "table.benchmarks.json", "table.features.json"]
    names = [*beside, f"table.{ending}"]
    assert sorted(file.name for file in files) == sorted(names)
    again = read_scores(files[0])
    xr.testing.assert_identical(again.dataset, scores.dataset)
    assert {f.where for f in again.audit.findings if f.code == "described-beside"} == set(beside)


HUB = pd.DataFrame(
    {
        "Model": ["Qwen3-30B-A3B", "Qwen3-32B", "gpt-oss-120b", "claude-opus-4"],
        "Bench A": ["60%", "62%", "72%", "81%"],
        "Bench B": ["50%", "52%", "713%", "60%"],
        "GPQA": [44.0, 46.0, 55.0, 60.0],
    }
)


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_a_source_s_reader_found_travels_with_the_table(tmp_path: Path, ending: str) -> None:
    source = ls.readers.read_published(HUB)
    files = source.save(tmp_path / f"table.{ending}")
    assert tmp_path / "table.audit.json" in files
    again = read_scores(files[0])
    kept = [finding for finding in source.audit if finding in tuple(again.audit)]
    assert {"families-from-names", "active-sizes-from-names", "scales-assumed"} <= {
        finding.code for finding in kept
    }
    for code in source.audit.codes:
        assert len(again.audit.filter(code)) == len(source.audit.filter(code)), code
    second = read_scores(again.save(tmp_path / f"second.{ending}")[0])
    assert [f.code for f in second.audit] == [f.code for f in again.audit]


def test_warnings_of_a_source_are_said_once_when_its_table_is_read(tmp_path: Path) -> None:
    with pytest.warns(ls.DataWarning):
        path = ls.readers.read_published(HUB).save(tmp_path / "table.csv")[0]
    with pytest.warns(ls.DataWarning) as caught:
        read_scores(path)
    assert sum(str(one.message).count('"Bench B"') for one in caught) == 1


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
def test_an_audit_of_a_table_that_was_edited_says_so(tmp_path: Path) -> None:
    path = ls.readers.read_published(HUB).save(tmp_path / "table.csv")[0]
    path.write_text(path.read_text().replace("0.72", "0.71"))
    audit = read_scores(path).audit
    (said,) = audit.filter("audit-of-older-table")
    assert said.where == "table.audit.json" and "the table was changed since" in said.message
    assert "table.audit.json" not in [f.where for f in audit.filter("described-beside")]
    assert len(audit.filter("families-from-names")) == 1
    copy = read_scores(path).save(tmp_path / "copy.csv")[0]
    assert [f.message for f in read_scores(copy).audit.filter("audit-of-older-table")] == [
        said.message
    ]


def test_a_table_is_saved_without_an_ending(tmp_path: Path) -> None:
    plain = pd.DataFrame({"model": ["a"], "family": ["x"], "params_b": [1.0], "arc": [0.5]})
    path = ls.Scores.from_frame(plain).save(tmp_path / "table")[0]
    assert path.name == "table" and read_scores(path).to_frame()["arc"].tolist() == [0.5]
    assert sorted(file.name for file in tmp_path.iterdir())[0].startswith("table")


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
def test_an_audit_of_an_older_source_is_replaced(tmp_path: Path) -> None:
    ls.readers.read_published(HUB).save(tmp_path / "table.csv")
    plain = pd.DataFrame({"model": ["a"], "family": ["x"], "params_b": [1.0], "arc": [0.5]})
    path = ls.Scores.from_frame(plain).save(tmp_path / "table.csv")[0]
    assert not read_scores(path).audit.filter("families-from-names")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"findings": [{"level": "info"}]}',
        '{"findings": [{"level": "loud", "code": "a", "where": "b", "message": "c"}]}',
    ],
)
def test_a_wrong_audit_beside_a_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text("model,family,params_b,tokens_t,quiz\na,x,1,1,0.5\n")
    (tmp_path / "t.audit.json").write_text(text)
    with pytest.raises(ls.DataError, match=r"t\.audit\.json: .*Delete the file"):
        read_scores(tmp_path / "t.csv")


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
def test_frames_of_scores_give_the_scores_back() -> None:
    for long, method in ((False, "from_frame"), (True, "from_long")):
        scores = rich(long=long)
        frame = scores.to_long() if long else scores.to_frame()
        about = {"features": scores.features, "benchmarks": scores.benchmark_info}
        again = getattr(ls.Scores, method)(frame, **about)
        kept = (one.dataset.drop_vars("feature_record") for one in (again, scores))
        xr.testing.assert_identical(*kept)


def test_known_benchmarks_need_no_file_beside_them(tmp_path: Path) -> None:
    bundled = ls.datasets.open_llm_leaderboard()
    assert bundled.save(tmp_path / "table.csv") == (tmp_path / "table.csv",)
    xr.testing.assert_identical(
        read_scores(tmp_path / "table.csv").dataset.drop_vars("basis"),
        bundled.dataset.drop_vars("basis"),
    )


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
def test_what_an_older_table_had_beside_it_does_not_describe_a_new_one(tmp_path: Path) -> None:
    rich(long=False).save(tmp_path / "table.csv")
    bundled = ls.datasets.open_llm_leaderboard()
    assert len(bundled.save(tmp_path / "table.csv")) == 3
    again = read_scores(tmp_path / "table.csv")
    xr.testing.assert_equal(again.dataset["floor"], bundled.dataset["floor"])
    assert "shots" not in [feature.name for feature in again.features]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"quiz": {"floor": 0.1, "floor": 0.2}}', '"floor" occurs 2 times'),
        ('{"other": {"floor": 0.1}}', 'describes "other", which is not a benchmark'),
        ('{"quiz": {"flor": 0.1}}', 'unknown key "flor"'),
        ("[1]", "one table or object a benchmark"),
        ("[" * 100_000, "not a readable JSON file"),
    ],
)
def test_a_wrong_file_beside_a_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text("model,family,params_b,tokens_t,quiz\na,x,1,1,0.5\n")
    (tmp_path / "t.benchmarks.json").write_text(text)
    with pytest.raises(ls.DataError, match=said) as caught:
        read_scores(tmp_path / "t.csv")
    assert "t.benchmarks.json" in str(caught.value)


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
def test_the_command_line_writes_all_of_a_table(tmp_path: Path) -> None:
    rich(long=True).save(tmp_path / "one.csv")
    shown = CliRunner().invoke(
        app, ["data", str(tmp_path / "one.csv"), "--out", str(tmp_path / "two.csv")]
    )
    assert shown.exit_code == 0, shown.output
    assert "two.benchmarks.json, which is read with the table" in shown.output
    pairs = [read_scores(tmp_path / name).dataset for name in ("one.csv", "two.csv")]
    xr.testing.assert_identical(*pairs)
    assert json.loads((tmp_path / "two.benchmarks.json").read_text())["quiz"]["n_items"] == 40
    assert read_benchmarks(tmp_path / "two.benchmarks.json")["arena"].unit == "Elo"


def test_a_table_that_cannot_be_written_leaves_its_old_descriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.csv"
    rich(long=False).save(path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    frame = pd.DataFrame({"model": ["a", "b"], "family": "f", "params_b": 1.0, "new": [0.1, 0.2]})
    other = ls.Scores.from_frame(frame.assign(tokens_t=1.0), benchmarks={"new": ls.Benchmark(0.1)})

    def full(*_: object) -> None:
        raise ls.DataError("the disk is full")

    monkeypatch.setattr("latentscale.data.saving.write_table", full)
    with pytest.raises(ls.DataError, match="full"):
        other.save(path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.filterwarnings("ignore::latentscale.DataWarning")
@pytest.mark.parametrize(
    ("levels", "lost"),
    [
        (["NA", "EU", None], "NA"),
        (["007", "x", "7"], "007"),
        (["1e5", "x", None], "1e5"),
        (["True", "False", None], "True"),
        (["7", "x", "true"], None),
        (["None", "8", ""], None),
    ],
)
def test_a_level_that_a_text_file_would_lose_is_refused(
    tmp_path: Path, levels: list[str | None], lost: str | None
) -> None:
    table = pd.DataFrame({"model": ["a", "NA", "c"], "family": "f", "quiz": [0.1, 0.2, 0.3]})
    region = ls.Feature("region", kind="category", missing="level")
    scores = ls.Scores.from_frame(table.assign(region=levels), features=[region])
    if lost is not None:
        with pytest.raises(ls.DataError, match=f'"region" has the level "{lost}".*Parquet'):
            scores.save(tmp_path / "scores.csv")
        assert not (tmp_path / "scores.csv").exists()
    for ending in ("parquet",) if lost else ("parquet", "csv", "tsv"):
        scores.save(tmp_path / f"scores.{ending}")
        back = read_scores(tmp_path / f"scores.{ending}")
        assert back.dataset["region"].values.tolist() == [level or "" for level in levels]
