"""The command that explains forecasts prints and writes the library's results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.posterior.fit import Fit

ROWS = pd.DataFrame(
    {
        "model": ["fam00-big", "new-1"],
        "family": ["fam00", "new"],
        "params_b": [70.0, 8.0],
        "tokens_t": [15.0, 4.0],
        "instruct": [0, 0],
    }
)
WORDS = ["explain", "fit.nc", "rows.csv", "--seed", "2", "--benchmark", "beta"]


@pytest.fixture(scope="module")
def fit(quick_spec: ls.ModelSpec, small_scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(quick_spec, small_scores, draws=100)


@pytest.fixture
def folder(fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the fit and rows; weights of prior draws are not used."""
    fit.save(tmp_path / "fit.nc")
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "latentscale.analysis.forecasts.condition.refuse_degenerate", lambda *_: None
    )
    return tmp_path


def test_the_command_prints_and_writes_what_the_library_answers(
    folder: Path, fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ls.studies.explain(fit, ROWS, ["beta"], seed=2)
    assert main([*WORDS, "--prob", "0.5", "--csv", "parts.csv", "--out", "why.png"]) == 0
    said = capsys.readouterr().out
    assert wanted.headline in said and "shared parameters" in said and "given" not in said
    written = pd.read_csv(folder / "parts.csv")
    pd.testing.assert_frame_equal(written, wanted.table(0.5), check_dtype=False)
    assert (folder / "why.png").stat().st_size > 0


def test_given_scores_have_a_table_of_their_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ROWS.assign(alpha=[np.nan, 0.6]).to_csv(folder / "rows.csv", index=False)
    assert main([*WORDS, "--benchmark", "gamma"]) == 0
    said = capsys.readouterr().out
    assert "alpha of new-1" in said and "gamma" in said and "pull" in said
    assert main([*WORDS, "--no-given-scores"]) == 0
    assert "alpha of new-1" not in capsys.readouterr().out


def test_advice_names_the_option(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentscale.analysis.forecasts.explain._MOST_GIVEN", 0)
    ROWS.assign(alpha=[np.nan, 0.6]).to_csv(folder / "rows.csv", index=False)
    assert main(WORDS) == 0
    assert "On the command line: --given-scores." in capsys.readouterr().out


def test_faults_are_one_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "fit.nc", "rows.csv", "--benchmark", "alfa"]) == 2
    said = capsys.readouterr().err
    assert 'error: Benchmark "alfa" is not in the fit' in said and "Traceback" not in said
    assert main([*WORDS, "--draws", "10"]) == 2
    assert "at least 50 draws" in capsys.readouterr().err
