"""A kind of feature from outside: in fit, forecast, curve, saved file and command line."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.features import FEATURES
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit
from latentscale.registry import PLUGINS

HERE = Path(__file__).parent
MODULE = "percent_feature"
SPEC = {"name": "shares", "covariates": ["code", "code:code"], "skills": {"count": 1}}
ROWS = pd.DataFrame({"model": ["a", "b"], "family": ["fam00", "new"], "instruct": 0})
ROWS["code"] = ["20%", "97%"]


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    sys.path.insert(0, str(HERE))
    importlib.import_module(MODULE)
    yield
    FEATURES.remove("percent")
    del sys.modules[MODULE]
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def frame(known: Any) -> pd.DataFrame:
    table = known.frame.head(24).drop(columns=["params_b", "tokens_t", "epsilon", "zeta"])
    return table.assign(code=[f"{5 + 3 * (i % 9)}%" for i in range(len(table))])


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(spec_from_dict(SPEC), ls.Scores.from_frame(frame, features=["code"]))


def run(*words: object, known: bool = True) -> subprocess.CompletedProcess[str]:
    paths = [str(HERE), str(Path(ls.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop(PLUGINS, None)
    if known:
        environment[PLUGINS] = MODULE
    command = [sys.executable, "-m", "latentscale", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_file_is_short_and_imports_public_names_alone() -> None:
    text = (HERE / f"{MODULE}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
    named = {str(n.module) for n in nodes if str(n.module).startswith("latentscale")}
    assert named == {"latentscale.extend"}


def test_its_covariate_is_standardised_and_its_range_marked_in_its_own_terms(fit: Fit) -> None:
    x = fit.design.x.sel(covariate="code").values
    share = fit.scores.dataset["code"].values
    odds = np.log(share / (1 - share))
    np.testing.assert_allclose(x, (odds - odds.mean()) / odds.std())
    table = ls.predict(fit, ROWS).table()
    assert "code above the fitted range (97% > 29%)" in set(table["extrapolates"])


def test_a_curve_runs_along_it(fit: Fit) -> None:
    curve = ls.scaling_curve(fit, over="code", family="fam00", points=5)
    assert curve.table()["at"].between(0, 1).all()
    curve.plot()


def test_a_bad_cell_is_named_by_its_own_rule(frame: pd.DataFrame) -> None:
    wrong = frame.assign(code=["130%", *frame["code"][1:]])
    with pytest.raises(ls.DataError, match=r'row 0 \(model "fam00-m0"\), column "code".*such as'):
        ls.Scores.from_frame(wrong, features=["code"])


def test_a_saved_fit_answers_in_a_new_process(fit: Fit, tmp_path: Path, seed_shift: int) -> None:
    path, rows, out = (tmp_path / name for name in ("fit.nc", "rows.csv", "out.csv"))
    fit.save(path)
    ROWS.to_csv(rows, index=False)
    done = run("predict", path, rows, "--out", out, "--seed", 3 + seed_shift)
    assert done.returncode == 0, done.stderr
    table = ls.predict(fit, ROWS, seed=3).table()
    written = pd.read_csv(out, keep_default_na=False)[list(table)]
    pd.testing.assert_frame_equal(written, table, check_dtype=False)
    done = run("diagnose", path, known=False)
    assert done.returncode == 2 and '"percent"' in done.stderr and "Traceback" not in done.stderr


def test_the_command_line_reads_its_columns(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    frame.to_csv(table, index=False)
    done = run("data", table, "--feature", "code")
    assert done.returncode == 0, done.stderr
    assert "percent" in done.stdout and "29%" in done.stdout
