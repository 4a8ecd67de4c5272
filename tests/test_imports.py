"""The direction of imports, read from the sources, and how light importing the package is."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "latentscale"
SOURCE = Path(__file__).resolve().parents[1] / PACKAGE

# A part imports only from parts of a lower rank; data and declare share theirs: neither knows the
# other. PACKAGE stands for the public names: whoever imports those depends on all of the library.
# One inversion is on purpose, as with entry points: at the first look-up of a kind `registry`
# imports by name the folders of the built-in kinds, which are in `model`, and other packages'
# modules. Nothing in `declare` names a class of `model`.
RANKS = {
    "errors": 0,
    "registry": 1,
    "validate": 1,
    "dims": 2,
    "expect": 2,
    "files": 2,
    "markup": 2,
    "numerics": 2,
    "maths": 3,
    "result": 3,
    "verb": 3,
    "verbs": 4,
    "data": 4,
    "declare": 4,
    "engine": 5,
    "model": 6,
    "posterior": 7,
    "inference": 8,
    "extend": 9,
    "analysis": 9,
    "plots": 10,
    "reporting": 11,
    "explore": 11,
    "methods": 12,
    "results": 12,
    "rotations": 12,
    "studies": 12,
    PACKAGE: 12,
    "demo": 13,
    "cli": 14,
    "__main__": 15,
}
ORDER = (
    "errors <- registry, validate <- dims, expect, files, markup, numerics <- maths, result, verb"
    " <- data | declare <- engine <- model <- posterior <- inference <- extend, analysis <- plots,"
    " reporting, explore <- cli"
)
# Inside `inference`: methods know the tools, and no method knows another.
METHODS = ("approximations", "gibbs", "marginal", "nuts", "partitioned", "stochastic")
DRAWING = {"matplotlib", "mpl_toolkits"}
OPTIONAL = {
    "dask",
    "distributed",
    "huggingface_hub",
    "jax",
    "jaxlib",
    "numpyro",
    "polars",
    "pyarrow",
    "pymc_extras",
    "ray",
    "statsmodels",
}
HEAVY = {"arviz", "matplotlib", "nutpie", "pymc"}


class Import(NamedTuple):
    """One imported module, its place in the file, and whether it runs when the file is imported."""

    target: str
    line: int
    on_import: bool


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _targets(node: ast.AST, module: tuple[str, ...], is_package: bool) -> list[str]:
    """Return absolute dotted names that a node imports; `module` is the importing module's name."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module.split(".") if node.module else []
        if node.level:
            base = [*module[: len(module) - node.level + is_package], *base]
        if base == [PACKAGE]:  # `from latentscale import data` means the part, not the package
            return [f"{PACKAGE}.{a.name}" if a.name in RANKS else PACKAGE for a in node.names]
        return [".".join(base)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def _walk(node: ast.AST, on_import: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node below with whether it runs on import: not in a function, not for types."""
    yield node, on_import
    deferred: list[ast.AST] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        deferred = list(node.body)
    elif isinstance(node, ast.Lambda):
        deferred = [node.body]
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        deferred = list(node.body)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, on_import and not any(child is one for one in deferred))


def imports_of(path: Path, root: Path) -> list[Import]:
    """Read one file's imports; `root` is the package's folder."""
    parts = path.relative_to(root).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = (PACKAGE, *(parts[:-1] if is_package else parts))
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return [
        Import(target, getattr(node, "lineno", 0), on_import)
        for node, on_import in _walk(tree)
        for target in _targets(node, module, is_package)
    ]


def _fault(part: str, imported: Import) -> str | None:
    """Return what is wrong with an import inside `part`, or None."""
    first, _, rest = imported.target.partition(".")
    if first in DRAWING and part != "plots":
        return f"imports {first}; only plots may"
    if first in OPTIONAL and imported.on_import:
        return (
            f"imports {first} at module level; an optional engine belongs in the function using it"
        )
    if first != PACKAGE:
        return None
    other = rest.partition(".")[0] or PACKAGE
    if other not in RANKS:
        return f"imports {imported.target}, a part that RANKS does not place"
    if other != part and RANKS[other] >= RANKS[part]:
        return f"imports {imported.target}; {part} may not import {other} ({ORDER})"
    return None


def faults(root: Path) -> list[str]:
    """Return one line for each import below the folder `root` that breaks the rules."""
    lines = []
    for path in sorted(root.rglob("*.py")):
        shown = path.relative_to(root).as_posix()
        part = shown.partition("/")[0].removesuffix(".py")
        if shown == "__init__.py":  # the public names come from everywhere
            continue
        if part not in RANKS:
            lines.append(f"{shown}: RANKS does not place the part {part}")
            continue
        for imported in imports_of(path, root):
            if fault := _fault(part, imported):
                lines.append(f"{shown}:{imported.line} {fault}")
    return lines


def test_imports_follow_the_direction() -> None:
    messages = faults(SOURCE)
    assert not messages, "\n".join(messages)


def test_no_method_of_inference_imports_another() -> None:
    room = SOURCE / "inference"
    for folder in (*METHODS, "tools"):
        others = [f"{PACKAGE}.inference.{name}" for name in METHODS if name != folder]
        for path in (room / folder).glob("*.py"):
            targets = [one.target for one in imports_of(path, SOURCE)]
            assert not [t for t in targets if t.startswith(tuple(others))], path
    assert {path.name for path in room.iterdir() if path.is_dir()} >= {*METHODS, "tools"}


def test_importing_the_package_is_light() -> None:
    code = f"import sys, {PACKAGE}; print(*sorted(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_no_warning_of_ours_stops_a_session_that_makes_errors_of_them() -> None:
    code = f"""
import importlib, pkgutil, {PACKAGE}
for module in pkgutil.walk_packages({PACKAGE}.__path__, "{PACKAGE}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    libraries = "import arviz, joblib, matplotlib.pyplot, nutpie, pymc, scoringrules, typer"

    def run(text: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", text]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    if run(libraries).returncode:
        pytest.skip("a library warns by itself when it is imported")
    done = run(code)
    assert done.returncode == 0, done.stderr


FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
IN_FUNCTION = "def f():\n    "

WRONG = [
    ("data/scores.py", "from latentscale.declare import ModelSpec", "data may not import declare"),
    ("declare/spec.py", "from ..data.scores import Scores", "declare may not import data"),
    ("model/build.py", "from latentscale.posterior import fit", "model may not import posterior"),
    ("model/build.py", IN_FUNCTION + "import latentscale.cli", "model may not import cli"),
    ("model/__init__.py", "from ..inference import nuts", "model may not import inference"),
    ("errors.py", "from . import dims", "errors may not import dims"),
    (
        "analysis/skills/skills.py",
        "import latentscale as ls",
        "analysis may not import latentscale",
    ),
    ("data/x.py", FOR_TYPES + "from latentscale.model import a", "data may not import model"),
    (
        "analysis/curves/curves.py",
        IN_FUNCTION + "import matplotlib.pyplot as plt",
        "only plots may",
    ),
    ("reporting.py", "import importlib\nimportlib.import_module('matplotlib')", "only plots may"),
    (
        "inference/nuts.py",
        "try:\n    import numpyro\nfinally:\n    pass",
        "numpyro at module level",
    ),
    ("inference/laplace.py", "class A:\n    from pymc_extras import b", "pymc_extras at module"),
    ("model/build.py", "from latentscale.helpers import x", "does not place"),
    ("stray.py", "x = 1", "does not place the part stray"),
]

RIGHT = [
    ("__init__.py", "from latentscale.cli import main\nfrom .data import Scores"),
    ("data/readers/hub.py", "from ...errors import DataError\nfrom ..scores import Scores"),
    ("data/readers/hub.py", IN_FUNCTION + "import huggingface_hub\n    from .. import audit"),
    ("model/build.py", "from latentscale import errors\nfrom latentscale.declare.io import a"),
    ("inference/numpyro.py", FOR_TYPES + "import jax"),
    ("plots/curve.py", "import matplotlib.pyplot as plt\nfrom latentscale.analysis import a"),
    ("demo.py", "import latentscale as ls\nfrom latentscale import predict"),
    ("cli/__init__.py", "from latentscale import demo"),
]


def _tree(root: Path, name: str, text: str) -> Path:
    path = root / PACKAGE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    return root / PACKAGE


@pytest.mark.parametrize(("name", "text", "said"), WRONG)
def test_a_wrong_import_is_caught(tmp_path: Path, name: str, text: str, said: str) -> None:
    messages = faults(_tree(tmp_path, name, text))
    assert len(messages) == 1
    assert messages[0].startswith(name)
    assert said in messages[0]


@pytest.mark.parametrize(("name", "text"), RIGHT)
def test_a_right_import_passes(tmp_path: Path, name: str, text: str) -> None:
    assert faults(_tree(tmp_path, name, text)) == []


def test_the_version_is_that_of_the_project() -> None:
    import latentscale

    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert latentscale.__version__ == project["version"]
