"""An inference method from outside the package fits, is saved, and is run by the command line."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.inference.method import METHODS, method_of
from latentscale.registry import PLUGINS

HERE = Path(__file__).parent
MODULE = "metropolis_method"
SHORT = {"draws": 300, "tune": 300, "chains": 2}


@pytest.fixture(scope="module", autouse=True)
def metropolis() -> Iterator[type[Any]]:
    """Register the method only for these tests."""
    sys.path.insert(0, str(HERE))
    yield importlib.import_module(MODULE).Metropolis
    METHODS.remove("Metropolis")
    del sys.modules[MODULE]
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def fitted(quick_spec: ModelSpec, small_scores: Scores, metropolis: type[Any]) -> ls.Fit:
    return ls.fit(quick_spec, small_scores, method=metropolis(**SHORT), seed=3, progress=False)


def test_its_fit_is_a_fit_like_any_other(fitted: ls.Fit, tmp_path: Path) -> None:
    assert fitted.posterior.sizes["chain"] == 2 and fitted.posterior.sizes["draw"] == 300
    assert fitted.provenance.method == "Metropolis" and fitted.provenance.settings == SHORT
    assert float(fitted.posterior["intercept"].std()) > 0
    again = ls.load(fitted.save(tmp_path / "fit.nc"))
    assert again.provenance == fitted.provenance and again.status == fitted.status
    row = pd.DataFrame([{"model": "n", "family": "n", "params_b": 9.0, "tokens_t": 2.0}])
    pd.testing.assert_frame_equal(ls.predict(again, row).table(), ls.predict(fitted, row).table())
    page = ls.report(again, tmp_path / "page.html")
    assert "Metropolis" in page.read_text(encoding="utf-8")


def test_the_method_is_made_again_from_what_a_file_says_of_it(fitted: ls.Fit) -> None:
    record = fitted.provenance
    assert method_of(record.method, record.settings) == METHODS["Metropolis"](**SHORT)


def test_a_wrong_setting_is_refused_by_its_name(metropolis: type[Any]) -> None:
    with pytest.raises(ls.FitError, match=r"Metropolis\.tune must be a whole number"):
        metropolis(tune=0)
    with pytest.raises(ls.FitError, match=r'Metropolis has no setting "tunes".*"tune"'):
        method_of("metropolis", {"tunes": 3})


def test_the_command_line_lists_it_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    assert "Metropolis " in capsys.readouterr().out
    assert main(["methods", "metropolis"]) == 0
    said = capsys.readouterr().out
    assert "Random-walk Metropolis" in said and "draws" in said and "2000" in said


def test_the_command_line_fits_by_it_in_a_new_process(small_scores: Scores, tmp_path: Path) -> None:
    table, path = tmp_path / "scores.csv", tmp_path / "fit.nc"
    small_scores.to_frame().to_csv(table, index=False)
    paths = [str(HERE), str(Path(ls.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    words = ["fit", "--spec", "pooled_flops", "--scores", table, "--out", path, "--draws", 20]
    words += ["--method", "metropolis", "--set", "tune=60", "--set", "chains=2"]
    done = subprocess.run(
        [sys.executable, "-m", "latentscale", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), PLUGINS: MODULE},
    )
    assert done.returncode == 0, done.stderr
    fit = ls.load(path)
    assert fit.provenance.method == "Metropolis"
    assert fit.provenance.settings == {"draws": 20, "tune": 60, "chains": 2}
    assert np.isfinite(fit.tree["log_likelihood"]["score"]).all()
