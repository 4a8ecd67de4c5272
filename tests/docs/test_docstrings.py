"""Docstrings of public names have what users look for: parameters, return values and errors."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytest
from public_members import public_names

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
NAMES = {public.name: public for public in public_names()}
CALLED = {
    name: public
    for name, public in NAMES.items()
    if public.called and not (inspect.isclass(public.value) and issubclass(public.value, Exception))
}


def sections(text: str) -> dict[str, str]:
    """Return a docstring's sections by heading."""
    lines = text.splitlines()
    found: dict[str, list[str]] = {}
    heading = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below.startswith("---") and len(below) == len(line):
            heading = line
        elif not line.startswith("---"):
            found.setdefault(heading, []).append(line)
    return {name: "\n".join(body) for name, body in found.items()}


def described(text: str) -> set[str]:
    """Return the names that Parameters and Attributes describe."""
    found = sections(text)
    lines = [*found.get("Parameters", "").splitlines(), *found.get("Attributes", "").splitlines()]
    heads = [line.partition(" : ")[0] for line in lines if line and not line.startswith(" ")]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def parameters(called: Callable[..., Any]) -> list[str]:
    """Return the names that a caller gives; none for protocols, which are not called."""
    given = inspect.signature(called).parameters
    if inspect.isclass(called):
        given = {name: value for name, value in given.items() if value.kind not in VARIADIC}
    return [name for name in given if name not in ("self", "cls")]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_examples(name: str) -> None:
    assert ">>> " in sections(NAMES[name].text).get("Examples", "")


def test_properties_show_their_own_docstring() -> None:
    # `?` on a cached property shows the docstring of its value.
    assert not [name for name, p in NAMES.items() if isinstance(p.value, cached_property)]


@pytest.mark.parametrize("name", CALLED)
def test_every_parameter_is_described(name: str) -> None:
    value = CALLED[name].value
    # A field of a base is described there, as its methods are.
    bases = [inspect.getdoc(base) or "" for base in value.__mro__] if inspect.isclass(value) else []
    known = set().union(*map(described, [CALLED[name].text, *bases]))
    missing = set(parameters(CALLED[name].called)) - known
    assert not missing, f"{name} does not describe {sorted(missing)}"


@pytest.mark.parametrize("name", [n for n, p in CALLED.items() if not inspect.isclass(p.value)])
def test_what_is_returned_is_described_below_its_type(name: str) -> None:
    if inspect.signature(CALLED[name].called).return_annotation in ("None", None):
        return
    found = sections(CALLED[name].text)
    kind, *description = found.get("Returns", found.get("Yields", ".")).splitlines()
    assert not kind.endswith(".") and description
    assert all(line.startswith("    ") or not line for line in description)


def raising(function: Callable[..., Any], seen: set[str]) -> Iterator[str]:
    """Yield the calls and statements by which a function refuses its arguments."""
    function = inspect.unwrap(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    scope = vars(sys.modules[function.__module__])
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield ast.unparse(node.exc)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = scope.get(node.func.id)
            home = getattr(called, "__module__", "")
            if home in ("latentscale.validate", "latentscale.expect"):
                yield node.func.id
            elif home == function.__module__ and node.func.id not in seen:
                seen.add(node.func.id)
                if inspect.isfunction(called):
                    yield from raising(called, seen)


@pytest.mark.parametrize("name", [n for n, p in CALLED.items() if not inspect.isclass(p.value)])
def test_what_is_raised_is_described(name: str) -> None:
    reasons = list(raising(CALLED[name].called, set()))
    reasons += ["prob"] if "prob" in parameters(CALLED[name].called) else []
    assert not reasons or "Raises" in sections(CALLED[name].text), reasons
