"""Commands, options and names of the package that pages mention exist."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

import latentscale as ls
from latentscale.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
    ]
)
BLOCK = re.compile(r"^```\{?([\w-]+)[^\n]*\n(.*?)^```", re.S | re.M)
NAME = re.compile(r"\bls((?:\.[A-Za-z_]\w*)+)")
COMMAND = re.compile(r"latentscale ([a-z][a-z-]*)((?: [^`#\n]*)?)")


def texts() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in PAGES]


def commands() -> set[tuple[str, str]]:
    """Return every command that a page shows, with what follows it."""
    shown = [body for text in texts() for kind, body in BLOCK.findall(text) if kind == "sh"]
    shown += [code for text in texts() for code in re.findall(r"`(latentscale [^`\n]+)`", text)]
    return {match for code in shown for match in COMMAND.findall(code)}


@cache
def usage(command: str) -> str:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0, f"latentscale {command}: {result.output}"
    return result.output


@pytest.mark.parametrize(("command", "rest"), sorted(commands()))
def test_a_command_of_the_pages_has_the_options_that_they_give(command: str, rest: str) -> None:
    for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest):
        assert re.search(rf"{option}\b", usage(command)), f"{command} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_the_pages_is_of_names_that_exist(page: Path) -> None:
    for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind not in ("python", "code-cell"):
            continue
        source = "\n".join(line for line in body.splitlines() if not line.startswith(":"))
        ast.parse(source)
        for name in NAME.findall(source):
            value: object = ls
            for part in name.split(".")[1:]:
                value = getattr(value, part)
                if not inspect.ismodule(value):
                    break  # attributes of results are for the pages' own run
