"""The page of recipes: every file of ``tests/extending`` that adds a kind from outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

EXTENDING = Path(__file__).parents[2] / "tests" / "extending"

_HEAD = """# Recipes: kinds from outside, one file each

These files import public names of `latentscale.extend` alone. The tests fit, forecast,
save, load and report with each.
What they have in common is in [how to extend](../extend.md).
"""


def write(path: Path) -> None:
    """Write the page; left as it is where nothing changed."""
    text = "\n".join(page())
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page() -> Iterator[str]:
    """Return the page, line by line: a section a file, headed by the file's own first line."""
    yield _HEAD
    for file in sorted(EXTENDING.glob("*.py")):
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        if file.name.startswith(("test_", "_", "conftest")) or not about:
            continue
        yield f"## {file.stem.replace('_', ' ').capitalize()}\n"
        yield about.split("\n\n")[0].replace("``", "`") + "\n"
        yield f"```{{literalinclude}} ../../tests/extending/{file.name}\n:language: python\n```\n"
