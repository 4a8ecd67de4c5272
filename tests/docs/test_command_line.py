"""The page of the command line has every command, its question and its options."""

from __future__ import annotations

import re

import command_line
import pytest
from typer.testing import CliRunner

from latentscale.cli import app
from latentscale.verb import VERBS


@pytest.fixture(scope="module")
def page() -> str:
    return "\n".join(command_line.page())


def test_every_command_has_its_question_and_its_section(page: str) -> None:
    for name, verb in VERBS.items():
        assert f"| {verb.question()} | [`{name}`](#{name}) |" in page
    assert sorted(re.findall(r"^## ([a-z][a-z-]*)$", page, re.M)) == sorted(VERBS)


def test_a_section_is_what_the_command_s_help_says(page: str) -> None:
    section = page.split("\n## predict\n")[1].split("\n## ")[0]
    said = CliRunner().invoke(app, ["predict", "--help"]).output
    assert section.split() == ["```text", *said.split(), "```"]
    assert "Usage: latentscale predict" in section
