"""Registries: the kinds of one concept by name, from this package and from others.

Nothing else keeps a list of kinds. Each kind is a class in its own module in the concept's folder,
and every module of that folder is imported at the first look-up, so adding a file there registers
a kind. Other packages register theirs with the same decorator, and name the modules concerned as
entry points of the group ``latentscale.kinds``, so that a spec file, a saved fit and the command
line find them in any process.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from latentscale.errors import LatentscaleError, SpecError, listed, nearest

ENTRY_POINTS = "latentscale.kinds"
PLUGINS = "LATENTSCALE_PLUGINS"
"""Environment variable: names of further modules to import, separated by commas."""


class Registry[Kind](Mapping[str, type[Kind]]):
    """Classes of one concept by the name of their kind; read as a mapping.

    Parameters
    ----------
    concept
        What they are, for messages, such as ``"link"``.
    folder
        Dotted name of the package whose modules hold the built-in kinds.
    name_of
        Returns the name under which a class is registered.
    error
        What is raised for a name that is unknown or taken.

    Examples
    --------
    >>> from latentscale.declare.kinds import LINKS
    >>> "logistic" in LINKS
    True
    """

    def __init__(
        self,
        concept: str,
        folder: str,
        name_of: Callable[[type[Kind]], str],
        error: type[LatentscaleError] = SpecError,
    ) -> None:
        self.concept = concept
        self._error = error
        self._folder = folder
        self._name_of = name_of
        self._kinds: dict[str, type[Kind]] = {}
        self._complete = False

    def add(self, kind: type[Kind]) -> type[Kind]:
        """Register a class; for use as a decorator.

        Raises
        ------
        LatentscaleError
            If another class has that name.
        """
        name = self._name_of(kind)
        had = self._kinds.get(name)
        # A module that is run again (a notebook's cell, a reload) replaces its own class.
        if had is not None and _path_of(had) != _path_of(kind):
            raise self._error(
                f'A {self.concept} called "{name}" is registered already, by '
                f"{_path_of(had)}; choose another name."
            )
        self._kinds[name] = kind
        return kind

    def remove(self, name: str) -> None:
        """Remove a kind, for tests that register one."""
        self._kinds.pop(name, None)

    def __getitem__(self, name: str) -> type[Kind]:
        self._load()
        if name not in self._kinds:
            raise self._error(
                f'No {self.concept} is called "{name}"; allowed are {listed(self._kinds, 30)}.'
                + nearest(str(name), self._kinds)
            )
        return self._kinds[name]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._kinds

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._kinds)

    def __len__(self) -> int:
        self._load()
        return len(self._kinds)

    def _load(self) -> None:
        if self._complete:
            return
        self._complete = True  # before importing: modules of the folder may look kinds up
        try:
            package = importlib.import_module(self._folder)
            for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
                importlib.import_module(f"{self._folder}.{module}")
            load_plugins()
        except BaseException:
            self._complete = False  # so that the next look-up says what is wrong again
            raise


def _path_of(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


_importing = False


def load_plugins() -> None:
    """Import the modules in which other packages register kinds.

    Modules that they import may look kinds up meanwhile. Such a look-up does not wait for the
    others: each registers its kinds when its turn comes.

    Raises
    ------
    SpecError
        If one cannot be imported.
    """
    global _importing
    if _importing:
        return
    _importing = True
    try:
        _import_plugins()
    finally:
        _importing = False


@cache
def _import_plugins() -> None:
    named = [name.strip() for name in os.environ.get(PLUGINS, "").split(",") if name.strip()]
    named += [point.value for point in entry_points(group=ENTRY_POINTS)]
    for name in named:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise SpecError(
                f'The module "{name}", named by {PLUGINS} or by an entry point of '
                f"{ENTRY_POINTS}, cannot be imported: {error}"
            ) from error
