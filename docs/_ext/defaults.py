"""Defaults in signatures as values: ``prob=0.9``, where the source names a constant."""

from __future__ import annotations

import re
import sys
from dataclasses import fields, is_dataclass
from inspect import unwrap
from typing import Any

from sphinx.application import Sphinx

_CONSTANT = re.compile(r"=(_?[A-Z][A-Z_]+)\b")


def shown(value: object) -> str:
    """Return a default as a call would give it: a record by what differs from its own defaults."""
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    given = ", ".join(
        f"{field.name}={getattr(value, field.name)!r}"
        for field in fields(value)
        if getattr(value, field.name) != field.default
    )
    return f"{type(value).__name__}({given})"


def with_values(signature: str, names: dict[str, Any]) -> str:
    """Return a signature in which the constants of a module are their values."""
    return _CONSTANT.sub(
        lambda found: f"={shown(names[found[1]])}" if found[1] in names else found[0], signature
    )


def _replaced(
    _app: Sphinx, _kind: str, _name: str, value: Any, _options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    module = sys.modules.get(getattr(unwrap(value), "__module__", "") or "")
    if not signature or module is None:
        return None
    return with_values(signature, vars(module)), returned


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("autodoc-process-signature", _replaced)
    return {"parallel_read_safe": True}
