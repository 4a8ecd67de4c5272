"""Every number at the top of a module has its reason next to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAIN = {0, 1}
"""Numbers that need no reason: 0 and 1."""


def _numbers(value: ast.expr) -> list[float]:
    return [
        node.value
        for node in ast.walk(value)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
        and node.value not in PLAIN
    ]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def unexplained(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of numbers at the top of a module without a comment or docstring.

    A comment above a group of assignments without an empty line between them serves them all,
    and so does a docstring below the group.
    """
    lines, body = text.splitlines(), ast.parse(text).body
    for place, node in enumerate(body):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if not _numbers(node.value):
            continue
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        while first and lines[first - 1].strip() and not lines[first - 1].startswith("#"):
            first -= 1
        above = first > 0 and lines[first - 1].startswith("#")
        beside = any("#" in line for line in lines[node.lineno - 1 : last + 1])
        group = iter(body[place + 1 :])
        after = next((n for n in group if not isinstance(n, ast.Assign | ast.AnnAssign)), None)
        below = after is not None and _is_text(after)
        if not (above or beside or below):
            name = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield node.lineno, ast.unparse(name)


def test_every_number_at_the_top_of_a_module_has_its_reason_beside_it() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sorted((ROOT / "latentscale").rglob("*.py"))
        for line, name in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert not bare, "\n".join(bare)


def test_a_number_without_a_reason_is_caught() -> None:
    assert list(unexplained("import x\n\nA = 3\nB = 'b'\n")) == [(3, "A")]
    for said in ("# why\nA = 3\n", "A = 3  # why\n", 'A = 3\n"""Why."""\n', "A = 1\n"):
        assert not list(unexplained("import x\n\n" + said))


def bound_twice(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of names that the top of a module assigns a second time."""
    seen: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if ast.unparse(target) in seen:
                    yield node.lineno, ast.unparse(target)
                seen.add(ast.unparse(target))


def test_no_module_assigns_a_name_at_its_top_twice() -> None:
    """A merge once left a second definition, with other values, below the first."""
    twice = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for folder in ("latentscale", "benchmarks", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name in bound_twice(path.read_text(encoding="utf-8"))
    ]
    assert not twice, "\n".join(twice)
