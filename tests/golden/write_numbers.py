"""Write the golden numbers of a checkout of latentscale to tests/golden/<commit>/numbers.npz.

    git worktree add ../then 590bc21
    python tests/golden/write_numbers.py --checkout ../then

The package is imported from the checkout, this script and its equations of comparison from here.
The file states the versions of the libraries and of Python that it was made with.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

LIBRARIES = ("numpy", "pandas", "pymc", "pytensor", "scipy", "xarray")


def main() -> None:
    """Write the numbers of every kept spec on the bundled table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, required=True)
    checkout = parser.parse_args().checkout.resolve()
    sys.path.insert(0, str(checkout))
    import latentscale as ls

    if Path(ls.__file__).resolve().parents[1] != checkout:
        raise SystemExit(f"latentscale was imported from {ls.__file__}, not from {checkout}.")
    from numbers_of import numbers_of, specs  # next to this script

    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short=7", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    scores = ls.datasets.open_llm_leaderboard()
    numbers: dict[str, np.ndarray] = {}
    for name, spec in specs().items():
        print(name, flush=True)
        numbers |= {f"{name}|{key}": value for key, value in numbers_of(spec, scores).items()}
    versions = {library: version(library) for library in LIBRARIES}
    stated = {"commit": commit, "python": platform.python_version(), **versions}
    path = Path(__file__).parent / commit / "numbers.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, stated=np.array(json.dumps(stated)), **numbers)  # type: ignore[arg-type]
    print(path)


if __name__ == "__main__":
    main()
