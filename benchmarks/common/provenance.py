"""How a result was made: command, seed, versions and machine."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("latentscale", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "xarray")


def provenance(seed: int) -> str:
    """Return one Markdown paragraph on how to reproduce the numbers."""
    program = ".".join(Path(sys.argv[0]).resolve().with_suffix("").parts[-3:])
    command = shlex.join(["python", "-m", program, *sys.argv[1:]])
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return (
        f"Last written by `{command}`; seed {seed}; Python {platform.python_version()}, "
        f"{versions}; {machine}."
    )
