"""Public functions, classes and their members, as the API reference and ``?`` show them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import latentscale as ls
import latentscale.declare
import latentscale.extend
from latentscale.maths import Maths
from latentscale.result import Picture

MODULES: tuple[ModuleType, ...] = (
    ls,
    ls.studies,
    ls.methods,
    ls.results,
    ls.datasets,
    ls.folds,
    ls.plots,
    ls.readers,
    ls.rotations,
    latentscale.declare,
    latentscale.extend,
)
"""The front door and the public modules behind it."""

INTERFACES: tuple[type, ...] = (Maths, latentscale.extend.Term, latentscale.extend.FeatureKind)
"""Base classes of new kinds, with dozens of methods: one line for each is enough."""


@dataclass(frozen=True)
class Public:
    """A public name: a function or class, or a method or property of a public class.

    `owner` is the class, if there is one, and `called` the function whose signature users call.
    """

    name: str
    value: Any
    owner: type | None = None
    called: Callable[..., Any] | None = None

    @property
    def function(self) -> Callable[..., Any]:
        """The function behind it."""
        return getattr(self.value, "fget", None) or getattr(self.value, "func", self.value)

    @property
    def text(self) -> str:
        """The docstring, as ``?`` shows it."""
        return inspect.getdoc(self.value) or ""


def public_names() -> Iterator[Public]:
    """Yield every public function and class, and the members of public classes, each once."""
    classes: dict[type, str] = {}
    seen: set[int] = set()
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if id(value) in seen:
                continue
            seen.add(id(value))
            if inspect.isclass(value):
                classes[value] = name
                yield Public(name, value, called=value)
            elif inspect.isroutine(value):
                yield Public(name, value, called=value)
    for owner, name in classes.items():
        for member in _members(owner, name, classes):
            if id(member.value) not in seen:  # several classes may inherit it from one base
                seen.add(id(member.value))
                yield member


def _members(owner: type, name: str, public: dict[type, str]) -> Iterator[Public]:
    """Yield members from the package's own code that no public base of the class already shows."""
    for member in dir(owner):
        if member.startswith("_") or owner in INTERFACES:
            continue
        home = next(base for base in owner.__mro__ if member in vars(base) or base is object)
        ours = home.__module__.partition(".")[0] == "latentscale"
        if not ours or (home is not owner and home in public):
            continue
        value = inspect.getattr_static(owner, member)
        if isinstance(value, Picture):  # as the function that it calls: see test_result.py
            continue
        value = getattr(value, "__func__", value)
        if isinstance(value, property | cached_property):
            yield Public(f"{name}.{member}", value, owner)
        elif callable(function := getattr(owner, member)) and not inspect.isclass(function):
            yield Public(f"{name}.{member}", function, owner, called=function)
