"""The public names: few, imported when used, typed; old names work for one more release."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import latentscale as ls

PACKAGE = Path(ls.__file__).parent


def test_the_front_door_has_about_40_names_and_a_few_modules() -> None:
    values = {name: getattr(ls, name) for name in ls.__all__}
    modules = {name for name, value in values.items() if isinstance(value, ModuleType)}
    assert modules == {
        "datasets", "folds", "methods", "plots", "readers", "results", "rotations", "studies"
    }  # fmt: skip
    assert 30 <= len(values) - len(modules) <= 46
    assert dir(ls) == sorted([*ls.__all__, "__version__"])


BESIDE = ("latentscale.data", "latentscale.declare", "latentscale.extend")
"""Public modules that are imported by name."""
MODULES = [
    *(value for name in ls.__all__ if isinstance(value := getattr(ls, name), ModuleType)),
    *(import_module(name) for name in BESIDE),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_completion_offers_the_public_names_of_a_module_alone(module: ModuleType) -> None:
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in dir(module))


def test_every_name_has_its_use_documented() -> None:
    for name in ls.__all__:
        assert getattr(ls, name).__doc__, name


def test_older_names_work_and_say_where_they_are_now() -> None:
    assert len(ls._NEW_HOME) > 45
    for name, home in ls._NEW_HOME.items():
        assert name not in ls.__all__ and name not in dir(ls)
        with pytest.warns(DeprecationWarning, match=rf"latentscale\.{home}\.{name} now") as caught:
            value = getattr(ls, name)
        assert value is getattr(import_module(f"latentscale.{home}"), name)
        assert caught[0].filename == __file__


def test_new_names_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ls.__all__:
            getattr(ls, name)
        for module in (ls.methods, ls.results, ls.rotations, ls.studies):
            assert sorted(module.__all__) == sorted(n for n in module.__all__ if hasattr(module, n))


def test_a_wrong_name_is_an_attribute_error_of_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'latentscale' has no attribute 'predct'"):
        _ = ls.predct  # type: ignore[attr-defined]


def test_every_result_is_in_results() -> None:
    from latentscale.result import FixedTable, Result

    left, kinds = [Result], []
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        kinds += [kind] if kind.__module__.startswith("latentscale.") else []
    for kind in kinds:
        if kind not in (Result, FixedTable):
            assert getattr(ls.results, kind.__name__) is kind


PROJECT = Path(__file__).parent / "types_project" / "use.py"

WRONG = """
import latentscale as ls
from latentscale import results

ls.predict(3, ls.load("fit.nc"))
curve: results.Forecast = ls.scaling_curve(ls.load("fit.nc"), family="qwen2")
"""


def _checked(script: Path, folder: Path) -> str:
    """Return mypy's output on a script outside the package."""
    strictly = ("--strict", "--ignore-missing-imports", "--follow-imports=silent")
    command = [sys.executable, "-m", "mypy", *strictly, str(script)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_the_project_uses_every_public_name() -> None:
    text = PROJECT.read_text(encoding="utf-8")
    unused = [name for name in ls.__all__ if not re.search(rf"\b{name}\b", text)]
    assert not unused


@pytest.mark.slow
def test_mypy_strict_passes_a_project_that_uses_every_public_name(tmp_path: Path) -> None:
    assert (PACKAGE / "py.typed").is_file()
    said = _checked(PROJECT, tmp_path)
    assert said.startswith("Success"), said


@pytest.mark.slow
def test_mypy_sees_wrong_types_from_outside(tmp_path: Path) -> None:
    script = tmp_path / "wrong.py"
    script.write_text(WRONG, encoding="utf-8")
    said = _checked(script, tmp_path)
    assert 'Argument 1 to "predict" has incompatible type "int"' in said, said
    assert 'expression has type "Curve", variable has type "Forecast"' in said, said
