"""Use an installed copy of the package: ``python -P tests/installed.py tests/golden``.

Not run by pytest: it runs outside the sources, with the Python into which the wheel was installed
(`make wheels`). It imports every public name, reads what the wheel ships, loads fits of earlier
versions, builds a model, forecasts and calls the command line.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

import pandas as pd

import latentscale as ls


def use(golden: Path) -> None:
    """Raise if something installed does not work."""
    home = Path(ls.__file__).parent
    if not home.is_relative_to(sysconfig.get_paths()["purelib"]):
        raise SystemExit(f"latentscale comes from {home}, not from the wheel.")
    for name in ls.__all__:
        getattr(ls, name)
    scores = ls.datasets.open_llm_leaderboard()
    ls.build(ls.load_spec("pooled_flops"), scores)
    row = pd.DataFrame(
        {"model": ["new-8b"], "family": ["new"], "params_b": [8.0], "tokens_t": [6.0]}
    )
    fits = sorted(golden.glob("*/*.nc"))
    if not fits:
        raise SystemExit(f"No fits in {golden}.")
    for path in fits:
        table = ls.predict(ls.load(path), row).table()
        if table.isna().any(axis=None):
            raise SystemExit(f"{path}: a forecast is missing.")
    command = Path(sysconfig.get_path("scripts")) / "latentscale"
    for arguments in (["--version"], ["specs"], ["predict", "--help"]):
        subprocess.run([command, *arguments], check=True, stdout=subprocess.DEVNULL)
    print(f"latentscale {ls.__version__} on Python {platform.python_version()}: {len(fits)} fits")


if __name__ == "__main__":
    use(Path(sys.argv[1]).resolve())
