"""Ctrl-C while one of many refits runs stops all of them, and keeps no partial refit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import latentscale as ls
from latentscale.analysis import backtest as backtests
from latentscale.analysis.sensitivity import sensitivity_grid as grids
from latentscale.posterior.draws import NothingKept
from latentscale.posterior.fit import Fit

Stopping = Callable[..., Fit]


@pytest.fixture(params=["some draws were kept", "stopped in warm-up"])
def stopping(request: pytest.FixtureRequest, prior_fit: Callable[..., Fit]) -> Stopping:
    """Fit by prior draws; the second fit is stopped, and keeps the draws that it has, if any."""
    calls = []

    def fit(spec, scores, *, method, seed, progress):  # type: ignore[no-untyped-def]
        calls.append(spec)
        fitted = prior_fit(spec, scores, draws=20, seed=seed)
        if len(calls) != 2:
            return fitted
        if request.param == "stopped in warm-up":
            raise NothingKept
        return replace(fitted, status=replace(fitted.status, interrupted=True))

    return fit


def test_a_stopped_fold_ends_the_backtest_and_is_not_kept(
    stopping: Stopping,
    quick_spec: ls.ModelSpec,
    small_scores: ls.Scores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backtests, "fit", stopping)
    folds = ls.folds.leave_one_family_out(small_scores)[:3]
    with pytest.raises(KeyboardInterrupt):
        ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    assert len(list(tmp_path.rglob("*.csv"))) == 1
    table = ls.backtest(quick_spec, small_scores, folds, folder=tmp_path, progress=False)
    assert table["fold"].nunique() == 3 and not table.attrs["failed"]


def test_a_stopped_variant_ends_the_grid_and_is_not_kept(
    stopping: Stopping,
    quick_spec: ls.ModelSpec,
    small_scores: ls.Scores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grids, "fit", stopping)
    wide = {"wide": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 4}}}
    with pytest.raises(KeyboardInterrupt):
        ls.studies.sensitivity_grid(quick_spec, small_scores, wide, folder=tmp_path, progress=False)
    assert len(list(tmp_path.rglob("*.csv"))) == 1
