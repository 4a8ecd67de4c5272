"""The built wheel carries the model specs and the bundled figures, and finds them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "model_specs"
DATASETS = ROOT / "latentscale" / "data" / "datasets"

pytestmark = pytest.mark.slow


def _run(*command: str, cwd: Path, path: Path | None = None) -> str:
    env = os.environ if path is None else {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source archive, and the wheel from that archive, without a network."""
    out = tmp_path_factory.mktemp("dist")
    _run("-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    (wheels,) = out.glob("*.whl")
    return wheels


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def test_every_model_spec_is_in_the_wheel(unpacked: Path) -> None:
    shipped = unpacked / "latentscale" / "model_specs"
    specs = sorted(SPECS.glob("*.toml"))
    assert specs
    for spec in specs:
        assert (shipped / spec.name).read_bytes() == spec.read_bytes()


def test_every_bundled_figure_is_in_the_wheel(unpacked: Path) -> None:
    shipped = unpacked / "latentscale" / "data" / "datasets"
    figures = sorted(DATASETS.rglob("*.csv"))
    assert figures
    for figure in figures:
        assert (shipped / figure.relative_to(DATASETS)).read_bytes() == figure.read_bytes()


def test_the_wheel_says_that_it_is_typed(unpacked: Path) -> None:
    assert (unpacked / "latentscale" / "py.typed").is_file()
    ours = ROOT / "latentscale" / "__init__.pyi"
    assert (unpacked / "latentscale" / "__init__.pyi").read_bytes() == ours.read_bytes()


def test_the_wheel_holds_the_package_and_nothing_else(unpacked: Path) -> None:
    names = sorted(path.name for path in unpacked.iterdir())
    assert len(names) == 2
    assert names[0] == "latentscale"
    assert names[1].endswith(".dist-info")
    assert not list(unpacked.rglob("__pycache__"))
    assert list(unpacked.glob("*.dist-info/licenses/LICENSE"))
    entry = next(unpacked.glob("*.dist-info/entry_points.txt")).read_text()
    assert "latentscale = latentscale.__main__:run" in entry


def test_an_installed_copy_reads_its_own_specs_and_figures(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import latentscale as ls\n"
        "print(ls.__file__)\n"
        "print(ls.load_spec('latentscale').name)\n"
        "print(len(ls.datasets.open_llm_leaderboard().models))\n"
    )
    where, name, count = _run("-c", code, cwd=tmp_path, path=unpacked).splitlines()
    assert Path(where).is_relative_to(unpacked)
    assert name == "latentscale"
    assert int(count) == 194
