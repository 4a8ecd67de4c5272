"""The sampler nutpie, imported without plotting libraries, which a fit does not need."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import Any

_importing = threading.Lock()


def nutpie_module() -> Any:
    """Return nutpie.

    It imports all of `arviz`, and so matplotlib, to make data sets of draws. `arviz_base`, which
    `arviz` re-exports, is enough for that and saves half a second in each process.
    """
    with _importing:
        if "nutpie" in sys.modules or "arviz" in sys.modules:
            return import_module("nutpie")
        sys.modules["arviz"] = _without_pictures()
        try:
            return import_module("nutpie")
        finally:
            del sys.modules["arviz"]


def _without_pictures() -> ModuleType:
    """Return a stand-in for `arviz`, which imports the real one for names not in `arviz_base`."""
    import arviz_base

    def named(name: str) -> Any:
        whole = arviz_base if hasattr(arviz_base, name) else import_module("arviz")
        return getattr(whole, name)

    module = ModuleType("arviz", "What nutpie needs of ArviZ.")
    module.__getattr__ = named  # type: ignore[method-assign]
    return module
