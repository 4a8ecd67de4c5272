"""The index of the API reference: every public name, grouped by the part that it comes from.

Written from ``latentscale.__all__`` and from what the public modules list, so that a new public
name has its page at the next build.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import latentscale as ls

_HEAD = """# API reference

Every public name. `import latentscale as ls`, and names are `ls.NAME`; those of other modules are
given with their module.
"""

_GROUPS = (
    ("Tables", ("latentscale.data",), "Read and check what was measured."),
    ("Specs", ("latentscale.declare", "latentscale.model.spec_for"), "Declare a model."),
    ("Fitting", ("latentscale.inference", "latentscale.posterior"), "Methods, and what they give."),
    ("Models", ("latentscale.model",), "A plain PyMC model, and tables simulated from one."),
    (
        "Questions to a fit",
        ("latentscale.analysis", "latentscale.reporting", "latentscale.explore"),
        "One verb each.",
    ),
    ("Errors and warnings", ("latentscale.errors",), "What users read when something is wrong."),
)
"""Heading, parts of the package whose names are below it, and what they are for."""

_MODULES = (
    ("Studies", "latentscale.studies", "Questions that are asked less often."),
    ("Further methods", "latentscale.methods", "How `latentscale.fit` draws."),
    ("Results", "latentscale.results", "What verbs return."),
    ("Rotations", "latentscale.rotations", "For `latentscale.align`."),
    ("Bundled tables", "latentscale.data.datasets", "`ls.datasets`."),
    ("Readers of files", "latentscale.data.readers", "`ls.readers`."),
    ("Folds", "latentscale.analysis.folds", "`ls.folds`, for `latentscale.backtest`."),
    ("Plots", "latentscale.plots", "`from latentscale.plots import ...`."),
    ("Extending", "latentscale.extend", "What a module outside the package imports."),
)
"""Heading, module whose own public names are below it, and how it is reached."""


def write(path: Path) -> None:
    """Write the index page, and remove pages of names that are public no longer.

    The index is left as it is where nothing changed, so that builds stay short.
    """
    text = "\n".join([_HEAD, *_front_door(), *_modules()])
    path.parent.mkdir(parents=True, exist_ok=True)
    named = set(re.findall(r"^   (latentscale\.[\w.]+)$", text, re.MULTILINE))
    for page in (path.parent / "generated").glob("*.rst"):
        if page.stem not in named:  # of a name that is public no longer
            page.unlink()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _front_door() -> list[str]:
    left = {name: getattr(ls, name) for name in ls.__all__}
    left = {name: value for name, value in left.items() if not inspect.ismodule(value)}
    lines: list[str] = []
    for heading, parts, meaning in _GROUPS:
        names = [n for n, value in left.items() if str(value.__module__).startswith(parts)]
        left = {n: value for n, value in left.items() if n not in names}
        functions = [n for n in names if inspect.isfunction(getattr(ls, n))]
        classes = [n for n in names if n not in functions]
        lines += _section(heading, meaning)
        lines += _table(f"latentscale.{name}" for name in [*functions, *classes])
    if left:
        raise LookupError(f"public names of no group: {', '.join(left)}; add their part.")
    return lines


def _modules() -> list[str]:
    lines: list[str] = []
    listed = [getattr(ls, name) for name in ls.__all__]
    for heading, name, meaning in _MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if missing.name != name:
                raise
            continue
        lines += _section(heading, meaning)
        # What a module hands on from the front door has its page there.
        members = [
            m for m in public_names(module) if not any(getattr(module, m) is v for v in listed)
        ]
        listed += [getattr(module, member) for member in members]
        lines += _table(f"{name}.{member}" for member in members)
    return lines


def public_names(module: ModuleType) -> list[str]:
    """Return what a module lists in ``__all__``, or the functions and classes that it defines."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return sorted(n for n in names if not inspect.ismodule(getattr(module, n)))
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and str(value.__module__).startswith(module.__name__)
    )


def _section(heading: str, meaning: str) -> list[str]:
    return ["", f"## {heading}", "", meaning, ""]


def _table(names: Iterable[str]) -> list[str]:
    return [
        "```{eval-rst}",
        ".. autosummary::",
        "   :toctree: generated",
        "   :nosignatures:",
        "",
        *(f"   {name}" for name in names),
        "```",
    ]
