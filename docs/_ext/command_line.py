"""The page of the command line: what every command says with ``--help``, written at each build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from latentscale.cli import app
from latentscale.verb import VERBS

_HEAD = """# Command line

What `latentscale --help` and each command's `--help` say, written from the commands at every build.
A first session is in [start in five minutes](../start.md).
"""


def write(path: Path) -> None:
    """Write the page; left as it is where nothing changed."""
    text = "\n".join(page())
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page() -> Iterator[str]:
    """Return the page, line by line: a table of questions, and a section a command."""
    yield _HEAD
    yield "| question | command |"
    yield "| --- | --- |"
    for name in sorted(VERBS):
        yield f"| {VERBS[name].question()} | [`{name}`](#{name}) |"
    yield "\n## All commands\n"
    yield from _help()
    for name in sorted(VERBS):
        yield f"## {name}\n"
        yield from _help(name)


def _help(*command: str) -> Iterator[str]:
    """Return the help of a command as a block, as wide as a terminal of 80 columns."""
    asked = CliRunner().invoke(
        app, [*command, "--help"], prog_name="latentscale", env={"COLUMNS": "80"}
    )
    if asked.exit_code:
        raise RuntimeError(f"latentscale {' '.join(command)} --help: {asked.output}")
    yield f"```text\n{asked.output.rstrip()}\n```\n"
