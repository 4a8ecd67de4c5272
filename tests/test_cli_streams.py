"""The command line with other programs: encodings, pipes, stop signals and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.cli.console import guarded, say
from latentscale.cli.stops import saving
from latentscale.data.readers import read_csv

SOURCE = str(Path(__file__).resolve().parents[1])
ROWS = "model,family,params_b,tokens_t\n模型-1,fam00,30,2\n=1+1,new,30,2\n"

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")


@pytest.fixture(autouse=True)
def python_hears_interrupts() -> Iterator[None]:
    """A background job inherits ignored signals, which would then have no effect."""
    usual = {"SIGINT": signal.default_int_handler, "SIGHUP": signal.SIG_DFL}
    numbers = {getattr(signal, name): way for name, way in usual.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, way) for number, way in numbers.items()}
    yield
    for number, way in before.items():
        signal.signal(number, way)


@pytest.fixture(scope="module")
def folder(
    small_scores: ls.Scores,
    prior_fit: Callable[..., ls.Fit],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with a fit of prior draws, fit.nc, and rows to forecast, rows.csv."""
    made = tmp_path_factory.mktemp("streams")
    prior_fit(ls.load_spec("pooled_flops"), small_scores, draws=20).save(made / "fit.nc")
    (made / "rows.csv").write_text(ROWS, encoding="utf-8")
    return made


def _run(folder: Path, *words: str, stdout: int = subprocess.PIPE, **env: str):
    return subprocess.run(
        [sys.executable, "-m", "latentscale", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": SOURCE} | env,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
def test_a_name_that_the_output_cannot_hold_is_written_by_its_code_points(
    folder: Path, settings: dict[str, str]
) -> None:
    done = _run(folder, "predict", "fit.nc", "rows.csv", **settings)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode("ascii").splitlines()
    assert len([line for line in lines if r"\u6a21\u578b-1" in line]) == 4
    done = _run(folder, "predict", "fit.nc", "rows.csv", "--out", "模.xyz", **settings)
    assert done.returncode == 2
    assert ".xyz: its ending" in done.stderr.decode("ascii")


@posix
def test_a_reader_that_leaves_is_no_failed_diagnosis(folder: Path) -> None:
    for words in (["data"], ["diagnose", "fit.nc"], ["--help"], ["fit", "--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = _run(folder, *words, stdout=writer)
        os.close(writer)
        assert done.returncode == 141, words
        assert done.stderr == b"", words


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_under_the_output_is_said(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = _run(folder, "specs", stdout=full.fileno())
    assert done.returncode == 2
    assert done.stderr == b"error: No space left on device\n"


@posix
def test_a_closed_output_is_said(folder: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" -m latentscale specs >&-', sys.executable],
        cwd=folder,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: standard output is closed")


@posix
def test_process_substitution_carries_rows_in_and_tables_and_figures_out(folder: Path) -> None:
    command = f"{sys.executable} -m latentscale"
    script = (
        f"{command} data <(cat scores.csv) --out >(cat >read.csv) && "
        f"{command} predict fit.nc <(cat rows.csv) --out >(cat >out.csv) && "
        f"{command} curve fit.nc --family fam00 --out >(cat >out.png) && "
        f"{command} predict fit.nc rows.csv --out /dev/stdout >>log; code=$?; sleep .3; exit $code"
    )
    ls.load(folder / "fit.nc").scores.to_frame().to_csv(folder / "scores.csv", index=False)
    (folder / "log").write_text("before\n")
    env = os.environ | {"PYTHONPATH": SOURCE}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = ls.predict(ls.load(folder / "fit.nc"), read_csv(folder / "rows.csv")).table()
    assert len(read_csv(folder / "read.csv")) == 12
    pd.testing.assert_frame_equal(
        read_csv(folder / "out.csv")[list(expected)[:2]], expected.iloc[:, :2]
    )
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "log").read_text(encoding="utf-8").startswith("before\nmodel,benchmark,")


@posix
def test_fits_are_not_read_from_or_written_to_pipes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main(["diagnose", str(pipe)]) == 2
    assert main(["fit", "--out", str(pipe)]) == 2
    assert capsys.readouterr().err.count("a pipe or device") == 2


def _signalled(number: int) -> Callable[[], int]:
    def run() -> int:
        os.kill(os.getpid(), number)
        time.sleep(10)
        return 0

    return run


@posix
def test_each_stop_signal_has_its_exit_code_and_handlers_are_put_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    earlier = signal.getsignal(signal.SIGTERM)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        assert guarded(_signalled(number), verbose=False) == code
        assert capsys.readouterr().err == "stopped\n"
    assert signal.getsignal(signal.SIGTERM) is earlier


@posix
def test_a_stop_counts_whatever_a_library_makes_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    def another_error() -> int:
        try:
            return _signalled(signal.SIGINT)()
        except KeyboardInterrupt:
            raise ImportError("numpy failed to import") from None

    def our_error() -> int:
        try:
            return _signalled(signal.SIGINT)()
        except KeyboardInterrupt:
            raise ls.FitError("Stopped before a draw was kept.") from None

    def partial_result() -> int:
        try:
            return _signalled(signal.SIGINT)()
        except KeyboardInterrupt:
            return 0

    assert guarded(another_error, verbose=False) == 130
    assert guarded(partial_result, verbose=False) == 130
    assert capsys.readouterr().err == "stopped\nstopped\n"
    assert guarded(our_error, verbose=False) == 130
    assert capsys.readouterr().err == "error: Stopped before a draw was kept.\n"


@posix
def test_a_stop_waits_for_a_save_and_a_second_one_does_not() -> None:
    done = []

    def save(signals: int) -> Callable[[], int]:
        def run() -> int:
            with saving():
                for _ in range(signals):
                    os.kill(os.getpid(), signal.SIGINT)
                done.append(signals)
            done.append("afterwards")
            return 0

        return run

    assert guarded(save(0), verbose=False) == 0
    assert guarded(save(1), verbose=False) == 130
    assert guarded(save(2), verbose=False) == 130
    assert done == [0, "afterwards", 1]


@posix
def test_a_sampler_s_process_ends_as_it_would_without_our_handlers() -> None:
    ends = []

    def run() -> int:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"ready")  # Python forgets signals that arrive while it forks
            time.sleep(10)
            os._exit(3)
        os.read(reader, 5)
        os.close(reader)
        os.close(writer)
        os.kill(child, signal.SIGTERM)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return 0

    assert guarded(run, verbose=False) == 0
    assert ends == [-signal.SIGTERM]


def test_ctrl_c_while_the_command_line_is_imported_is_quiet() -> None:
    code = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from latentscale.__main__ import run\n"
        "sys.exit(run())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": SOURCE}, capture_output=True
    )
    assert (done.returncode, done.stderr) == (130, b"")


def test_only_errors_in_words_are_taken_for_such(capsys: pytest.CaptureFixture[str]) -> None:
    class Alike(Exception):
        def format_message(self) -> str:
            return "not of the command line"

    def fail() -> int:
        raise Alike("boom")

    assert guarded(fail, verbose=False) == 70
    assert "Alike: boom" in capsys.readouterr().err
    assert main(["specs", "--no-such"]) == 2
    assert "error: No such option: --no-such" in capsys.readouterr().err


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[31mred\x9b, two\nlines")
    assert capsys.readouterr().out == "a\\x1b[31mred\\x9b, two\nlines\n"


def test_a_narrow_terminal_gets_the_same_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for columns in ("30", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["predict", str(folder / "fit.nc"), str(folder / "rows.csv")]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 2 + 2 * 4
