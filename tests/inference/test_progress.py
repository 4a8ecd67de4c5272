"""Progress: a few lines in a log, one line in a notebook, nothing when switched off."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from latentscale.inference.nuts.on_pymc import _counted
from latentscale.inference.progress import Waiting, WorkProgress

SOURCE = str(Path(__file__).resolve().parents[2])


def test_a_log_gets_at_most_five_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with WorkProgress(1000, "NUTS", "draws", enabled=True) as shown:
        for done in range(0, 1001, 7):
            shown.update(done, "3 divergences")
        shown.update(1000, "3 divergences")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert len(lines) == 5
    assert "1000 of 1000" in lines[-1] and "3 divergences" in lines[-1]


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with WorkProgress(10, "NUTS", "draws", enabled=False) as shown:
        shown.update(10)
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out == ""


@pytest.fixture
def run_cell(monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs code in a notebook and returns the text of its outputs."""
    monkeypatch.setenv("PYTHONPATH", SOURCE)

    def run(source: str) -> list[str]:
        head = "import threading, time\n"
        head += "from latentscale.inference.progress import Waiting, WorkProgress\n"
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(head + source)])
        NotebookClient(book, timeout=100, kernel_name="python3").execute()
        return [out["data"]["text/plain"] for out in book.cells[0].outputs]

    return run


def test_a_saved_notebook_holds_the_last_state_in_one_line(run_cell) -> None:
    code = """
with WorkProgress(10, "NUTS", "draws", enabled=True) as shown:
    for done in range(11):
        shown.update(done, "2 divergences")
with WorkProgress(1000, "NUTS", "draws", enabled=True) as stopped:
    work = threading.Thread(target=lambda: stopped.update(501))  # as a sampler's
    work.start()
    work.join()
with WorkProgress(10, "NUTS", "draws", enabled=False) as silent:
    silent.update(10)
"""
    ended, stopped = run_cell(code)
    assert ended.startswith("[" + "#" * 30 + "] NUTS: 10 of 10 draws, 0:00:0")
    assert ended.endswith(" 2 divergences")
    assert stopped.startswith("[" + "#" * 15 + "-" * 15 + "] NUTS: 501 of 1000 draws, 0:00:0")
    assert "left" not in stopped


def test_a_notebook_shows_for_how_long_the_compiler_has_worked(run_cell) -> None:
    (line,) = run_cell("""
with Waiting("NUTS: compiling the model", enabled=True):
    time.sleep(2.2)
with Waiting("short", enabled=True):
    pass
with Waiting("silent", enabled=False):
    time.sleep(1.1)
""")
    assert line in ("NUTS: compiling the model, 0:00:02", "NUTS: compiling the model, 0:00:03")


def test_a_log_gets_one_line_of_a_wait(capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting("NUTS: compiling the model", enabled=True):
        time.sleep(1.2)
    assert capsys.readouterr().err == "NUTS: compiling the model\n"


@pytest.mark.skipif(find_spec("ipywidgets") is not None, reason="for notebooks without widgets")
def test_progress_needs_no_widgets(run_cell) -> None:
    (line,) = run_cell("with WorkProgress(3, 'Laplace', 'stages', enabled=True) as p: p.update(2)")
    assert "Laplace: 2 of 3 stages" in line


def test_a_closed_standard_error_does_not_stop_the_work() -> None:
    code = (
        "import sys; from latentscale.inference.progress import WorkProgress\n"
        "with WorkProgress(2, 'NUTS', 'draws', enabled=True) as p: p.update(1); p.update(2)\n"
        "print('done')"
    )
    for closing in ("2>&-", "2>/dev/full"):
        done = subprocess.run(
            ["sh", "-c", f'"$0" -c "$1" {closing}', sys.executable, code],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": SOURCE},
        )
        assert done.stdout == "done\n", closing


def test_draws_of_pymc_s_sampler_are_counted_with_divergences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with WorkProgress(5, "NUTS", "draws", enabled=True) as shown:
        report = _counted(shown)
        for number in range(5):
            draw = SimpleNamespace(tuning=number < 2, stats=[{"diverging": number % 2 == 0}])
            report(None, draw)
    assert capsys.readouterr().err.splitlines()[-1] == "NUTS: 5 of 5 draws 2 divergences"
