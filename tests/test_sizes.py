"""Modules and functions are short enough to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST_MODULE, LONGEST_FUNCTION = 500, 60
"""Limits in lines, from CONTRIBUTING.md; for functions, the body without the docstring."""


def sources() -> list[Path]:
    """Return every Python file of the package, its tests and its studies."""
    folders = (ROOT / name for name in ("latentscale", "tests", "benchmarks", "docs"))
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def _long_functions(text: str) -> Iterator[tuple[int, str, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines >= LONGEST_FUNCTION:
                yield node.lineno, node.name, lines


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert len(lengths) > LONGEST_MODULE  # hundreds of files, so the folders were found
    long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST_MODULE}
    assert not long


def test_no_function_has_sixty_lines_of_code() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{line} {name} has {lines} lines"
        for path in sources()
        for line, name, lines in _long_functions(path.read_text(encoding="utf-8"))
    ]
    assert not long, "\n".join(long)


def test_a_long_function_is_caught() -> None:
    text = 'def f():\n    """Say\n    so."""\n' + "    x = 1\n" * LONGEST_FUNCTION
    assert [name for _, name, _ in _long_functions(text)] == ["f"]
    assert not list(_long_functions(text.removesuffix("    x = 1\n")))
