"""The laws written by hand in Stan: programs, their data, and repairs that PyStan needs to load."""

from __future__ import annotations

import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.speed.peers.law_data import LawData

SERVICES = "LATENTSCALE_BENCHMARK_STAN"
"""Environment variable: the folder in which `load_pystan` keeps what it compiles."""

_INDICES = (
    "family_of_model",
    "lineage_of_family",
    "model_of_cell",
    "benchmark_of_cell",
    "anchors",
    "others",
)
_ONLY_RECOMMENDED = (
    "x_family",
    "x_family_benchmark",
    "x_instruct",
    "instruct",
    "lineage_of_family",
    "lineages",
    "family_slopes",
    "family_benchmark_slopes",
    "instruct_slopes",
)


def stan_program(data: LawData) -> str:
    """Return the Stan program of a law."""
    return Path(__file__).with_name(f"{data.law}.stan").read_text(encoding="utf-8")


def stan_data(data: LawData) -> dict[str, Any]:
    """Return a law's data as its Stan program declares them, indices from 1."""
    arrays: dict[str, Any] = {name: getattr(data, name) + 1 for name in _INDICES}
    for name in ("x", "x_family", "x_family_benchmark", "x_instruct", "instruct"):
        arrays[name] = getattr(data, name)
    arrays["score_of_cell"] = data.score_of_cell
    arrays |= data.sizes | {"floor_of": data.floor}
    for name, numbers in data.priors.items():
        arrays[f"prior_{name}"] = numbers[0] if len(numbers) == 1 else np.array(numbers)
    if data.law == "framework":
        for name in _ONLY_RECOMMENDED:
            del arrays[name]
    return arrays


def load_pystan(folder: Path) -> Any:
    """Import PyStan, with services compiled for this Python where the wheel's are not.

    Some wheels of httpstan carry an object file compiled for another Python than the wheel's
    own. The source is in the wheel, so it is compiled once into `folder`; the installation is not
    changed.
    """
    import aiohttp.client
    import httpstan.compile
    import httpstan.models
    import stan

    # PyStan gives its compiling server five minutes, and that the translation to C++ one second.
    # Slow or busy machines need more.
    aiohttp.client.DEFAULT_TIMEOUT = aiohttp.ClientTimeout(total=None)
    httpstan.compile.subprocess = SimpleNamespace(run=_run_to_its_end)

    shadow = folder / f"httpstan-{version('httpstan')}-{sysconfig.get_config_var('SOABI')}"
    services = shadow / "stan_services.o"
    if not services.exists():
        shadow.mkdir(parents=True, exist_ok=True)
        installed = Path(httpstan.__file__).parent  # PACKAGE_DIR may be an earlier shadow
        for name in ("include", "lib"):
            link = shadow / name
            if not link.exists():
                link.symlink_to(installed / name, target_is_directory=True)
        _compile_services(installed, services)
    httpstan.models.PACKAGE_DIR = shadow
    return stan


def _run_to_its_end(
    command: list[Any], capture_output: bool, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=capture_output, check=False)


def _compile_services(installed: Path, services: Path) -> None:
    macros = ("BOOST_DISABLE_ASSERTS", "BOOST_PHOENIX_NO_VARIADIC_EXPRESSION", "STAN_THREADS")
    made = services.with_suffix(".part")
    command = ["g++", "-O3", "-std=c++17", "-fPIC", "-w", "-D_REENTRANT"]
    command += ["-D_GLIBCXX_USE_CXX11_ABI=0", *[f"-D{name}" for name in macros]]
    command += [f"-I{installed / 'include'}", f"-I{installed}"]
    command += [f"-I{sysconfig.get_path('include')}"]
    command += ["-c", str(installed / "stan_services.cpp"), "-o", str(made)]
    subprocess.run(command, check=True)
    made.rename(services)
