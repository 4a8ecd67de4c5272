"""Help of commands uses the words of the command line, also where it comes from docstrings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.cli.wording import for_command
from latentscale.declare import ModelSpec
from latentscale.posterior.fit import Fit
from latentscale.verb import VERBS


@pytest.mark.parametrize("command", sorted(VERBS))
def test_help_has_no_python(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert not re.search(r"latentscale\.\w+", said), "a call of Python"
    assert not re.search(r'\{"|": \d', said), "numbers by name as Python has them"
    assert not re.search(r"--[\w-]+ <list", said), "a type of Python"
    usage = said.partition("\n\n")[0]
    assert "[[" not in usage and "{" not in usage
    texts = re.findall(r"^  --[\w-]+.*?\s{2,}(\S.*?)(?=^  -)", said, re.MULTILINE | re.DOTALL)
    assert len(set(texts)) == len(texts), "two options with one text"


def test_docstrings_are_put_into_words_of_the_command_line() -> None:
    options = {"given": "--given", "frame": "ROWS.csv"}
    text = "Rows as for `latentscale.predict`, of `given`, not `frame` or `limits`."
    wanted = "Rows as for \0latentscale predict\0, of --given, not ROWS.csv or `limits`."
    assert for_command(text, options) == wanted
    numbers = 'such as ``{"Claude 3.5 Sonnet": 130, "GPT-5": 150.5}``'
    assert for_command(numbers, {}) == 'such as "Claude 3.5 Sonnet=130" and "GPT-5=150.5"'


def test_options_that_share_a_paragraph_have_a_text_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """--workers and --cluster of influence shared one text, on three arguments."""
    assert main(["influence", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--workers <int> Number of refits that run at once, each in its own process." in said
    assert "--cluster <str> Address of a dask.distributed scheduler" in said


def test_numbers_by_name_are_refused_by_the_name_of_their_option(
    prior_fit: Callable[..., Fit],
    known_spec: ModelSpec,
    small_scores: ls.Scores,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message named --anchors, which is not an option."""
    prior_fit(known_spec, small_scores, draws=20).save(tmp_path / "fit.nc")
    for word, said in (("a", "--anchor takes NAME=NUMBER"), ("a=b", "--anchor takes a number")):
        assert main(["capability-index", str(tmp_path / "fit.nc"), "--anchor", word]) == 2
        assert said in capsys.readouterr().err
