"""Versions of the software that computed a fit."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from latentscale.dims import VERSION
from latentscale.engine.choice import engine_in_use

_LIBRARIES = ("pymc", "pytensor", "nutpie", "numba", "numpy", "xarray", "arviz")
_OPTIONAL = ("jax", "numpyro")


def library_versions() -> dict[str, str]:
    """Return versions of Python, of latentscale and of the libraries that it computes with.

    ``"engine"`` is the engine that compiled the model (`latentscale.engine.choice`).
    """
    versions = {"python": platform.python_version(), "latentscale": VERSION}
    for library in (*_LIBRARIES, *_OPTIONAL):
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    return versions | {"engine": engine_in_use()}
