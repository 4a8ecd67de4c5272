"""Files of the command line: names are checked before any work, nothing is lost silently."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import latentscale as ls
from latentscale import demo
from latentscale.cli import main
from latentscale.data.readers import read_csv, read_table
from latentscale.posterior.fit import Fit

FIGURE_COMMANDS = (
    ("curve", "--family", "fam00"),
    ("skills",),
    ("allocate", "--flops", "1e22"),
)


@pytest.fixture(scope="module")
def fit(small_scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(ls.load_spec("pooled_flops"), small_scores, draws=20)


@pytest.fixture
def folder(fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a fit, fit.nc, its scores and rows to forecast."""
    fit.save(tmp_path / "fit.nc")
    fit.scores.to_frame().to_csv(tmp_path / "scores.csv", index=False)
    text = "model,family,params_b,tokens_t\n=1+1,fam01,30,2\n-b,new,30,2\n"
    (tmp_path / "rows.csv").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must be refused, and return its one message."""
    assert main(words) == 2, words
    said = capsys.readouterr()
    assert said.out == "", words
    assert said.err.startswith("error: ") and said.err.count("\n") == 1, words
    return said.err


@pytest.mark.parametrize("words", FIGURE_COMMANDS)
def test_a_figure_s_name_is_checked_before_the_fit_is_read(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plots.png").mkdir()
    command, *rest = words
    for name, said in (
        ("curve", "its name has no ending"),
        ("curve.xyz", 'its ending ".xyz" is unknown'),
        ("curve.csv", "allowed: .png, .svg, .pdf"),
        ("plots.png", "it is a folder"),
        ("none/curve.png", "does not exist"),
    ):
        out = str(tmp_path / name)
        assert said in _refused(capsys, command, "no.nc", *rest, "--out", out)


def test_a_figure_is_written_where_it_is_said_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    for name in ("a.PNG", "b.svg", "~/c.pdf"):
        assert main(["curve", "fit.nc", "--family", "fam00", "--out", name]) == 0
        (said,) = capsys.readouterr().out.splitlines()
        assert Path(said.removeprefix("wrote ")).is_file()
    assert (folder / "c.pdf").is_file()


def test_what_exists_is_replaced_with_a_word_and_what_is_read_never(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "fit.nc", "rows.csv", "--out", "out.csv"]
    assert main(words) == 0
    assert "replaced" not in capsys.readouterr().err
    (folder / "out.csv").write_text("old")
    assert main(words) == 0
    assert capsys.readouterr().err == "out.csv exists and will be replaced\n"
    assert len(read_csv("out.csv")) == 2 * 4
    (folder / "link.csv").symlink_to("rows.csv")
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    for refused in (
        ["predict", "fit.nc", "rows.csv", "--out", "rows.csv"],
        ["predict", "fit.nc", "rows.csv", "--out", "link.csv"],
        ["predict", "fit.nc", "link.csv", "--out", f"../{folder.name}/rows.csv"],
        ["data", "scores.csv", "--out", "scores.csv"],
        ["fit", "--scores", "scores.csv", "--out", "scores.csv"],
        ["gather", "rows.csv", "--metadata", "scores.csv", "--out", "scores.csv"],
    ):
        assert "it is read by this command" in _refused(capsys, *refused)
    for answer in (
        ["check", "fit.nc", "--csv", "scores.csv"],
        ["curve", "fit.nc", "--family", "fam00", "--csv", "rows.csv"],
        ["predict", "fit.nc", "rows.csv", "--out", "scores.csv"],
    ):
        assert "it holds a table of models" in _refused(capsys, *answer)
    assert "/dev/stdout" in _refused(capsys, "predict", "fit.nc", "rows.csv", "--out", "-")
    (folder / "picture.html").symlink_to("fit.nc")
    assert "is read by" in _refused(capsys, "report", "fit.nc", "-o", "picture.html")
    assert kept.items() <= {path: path.read_bytes() for path in folder.iterdir()}.items()


def test_two_outputs_need_two_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "link.png").symlink_to("both.csv")
    words = ("curve", "fit.nc", "--family", "fam00", "--csv", "both.csv", "--out", "link.png")
    assert "twice" in _refused(capsys, *words)


def test_parquet_goes_in_and_out_wherever_csv_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    read_csv("rows.csv").to_parquet("rows.parquet")
    read_csv("scores.csv").to_parquet("scores.pq")
    assert main(["predict", "fit.nc", "rows.csv", "--out", "a.csv"]) == 0
    assert main(["predict", "fit.nc", "rows.parquet", "--out", "a.parquet"]) == 0
    from_csv = read_csv("a.csv").astype(read_table("a.parquet").dtypes, errors="ignore")
    pd.testing.assert_frame_equal(
        read_table("a.parquet").select_dtypes("number"), from_csv.select_dtypes("number")
    )
    assert main(["data", "scores.pq", "--out", "read.parquet"]) == 0
    assert main(["data", "read.parquet", "--out", "read.tsv"]) == 0
    pd.testing.assert_frame_equal(
        ls.readers.read_scores("read.tsv").to_frame(),
        ls.readers.read_scores("scores.csv").to_frame(),
    )
    capsys.readouterr()
    assert 'ending ".xlsx" is unknown' in _refused(
        capsys, "predict", "no.nc", "rows.csv", "--out", "a.xlsx"
    )


def test_names_like_formulas_are_written_as_text_and_read_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "fit.nc", "rows.csv", "--out", "out.csv"]) == 0
    models = pd.read_csv("out.csv")["model"]
    assert set(models) == {"'=1+1", "'-b"}
    assert set(read_csv("out.csv")["model"]) == {"=1+1", "-b"}
    capsys.readouterr()
    assert main(["predict", "fit.nc", "rows.csv"]) == 0
    assert " =1+1 " in capsys.readouterr().out  # the terminal evaluates nothing


def test_a_read_only_folder_is_refused_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Permissions do not bind the administrator, who may run these tests.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or Path(path) != folder)
    for words in (
        ["fit", "--scores", "no.csv"],
        ["predict", "no.nc", "rows.csv", "--out", "a.csv"],
        ["curve", "no.nc", "--family", "fam00"],
        ["report", "no.nc"],
        ["data", "no.csv", "--out", "a.csv"],
        ["gather", "no", "--metadata", "m.csv", "--out", "a.csv"],
        ["demo", "--folder", str(folder)],
    ):
        assert "cannot be written to" in _refused(capsys, *words)


def test_home_is_expanded_in_every_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir("/")
    assert main(["predict", "~/fit.nc", "~/rows.csv", "--out", "~/out.csv"]) == 0
    assert main(["data", "~/scores.csv", "--out", "~/read.csv"]) == 0
    assert main(["diagnose", "~/fit.nc"]) in (0, 1)
    assert {"out.csv", "read.csv"} <= {path.name for path in folder.iterdir()}


def test_the_demo_says_what_it_replaces_and_takes_no_file_for_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "rows.csv is a file, not a folder" in _refused(capsys, "demo", "--folder", "rows.csv")
    assert "cannot be made" in _refused(capsys, "demo", "--folder", "rows.csv/demo")
    (folder / "summary.csv").write_text("of an earlier demo")
    monkeypatch.setenv("HOME", str(folder))
    asked = []
    monkeypatch.setattr(demo, "run_demo", lambda where, **_: asked.append(where))
    assert main(["demo", "--folder", "~"]) == 0
    assert asked == [folder]
    assert capsys.readouterr().err == f"{folder / 'summary.csv'} exists and will be replaced\n"


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    folder: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "report.html").write_text("old")

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setitem(ls.report.__globals__, "sections_of", lambda *_, **__: ())
    with pytest.raises(ls.FitError, match=r"report\.html: the disk is full"):
        ls.report(fit, "report.html")
    monkeypatch.undo()
    assert (folder / "report.html").read_text() == "old"


def test_what_is_no_folder_of_draws_is_refused_before_a_file_is_said_to_be_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "fit.nc is a file, not a folder of draws" in _refused(capsys, "resume", "fit.nc")
    (folder / "empty").mkdir()
    assert "empty holds no draws" in _refused(capsys, "resume", "empty")
    assert "There is no folder" in _refused(capsys, "resume", "absent")
