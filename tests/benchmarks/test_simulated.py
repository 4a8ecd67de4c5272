"""The study of few-shot forecasts of simulated scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from benchmarks.epoch import simulated as study
from latentscale.analysis.backtest import forecast_fold, training_scores


def test_only_measured_scores_of_later_models_are_simulated(
    prior_fit: Callable[..., ls.Fit], known: Any, known_spec: ls.ModelSpec
) -> None:
    scores = known.scores
    later = tuple(scores.models[-3:])
    fold = ls.folds.Fold("later", tuple(m for m in scores.models if m not in later), later)
    fit = prior_fit(known_spec, training_scores(scores, fold), draws=200)
    made = [study.simulated(fit, scores, fold, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    before = scores.dataset["score"]
    first, again, other = (table.dataset["score"] for table in made)
    assert first.equals(again) and not first.equals(other)
    assert first.sel(model=list(fold.train)).equals(before.sel(model=list(fold.train)))
    assert first.notnull().equals(before.notnull())
    assert not bool((first == before).sel(model=list(later)).any())

    # What is simulated comes from the forecast that it is compared with.
    tables = [
        forecast_fold(fit, study.simulated(fit, scores, fold, np.random.default_rng(seed)), fold)
        for seed in range(30)
    ]
    pit = pd.concat(tables)["pit"]
    # Standard deviation of the mean over 30 independent tables, if cells of one move together.
    assert abs(pit.mean() - 0.5) < 4 * 0.29 / np.sqrt(30)
    assert 0.8 < ((pit - 0.5).abs() < 0.45).mean() < 0.97


def test_a_missing_table_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(study, "SHARED", tmp_path / "gone")
    monkeypatch.setattr("sys.argv", ["simulated"])
    with pytest.raises(SystemExit, match="is not there"):
        study.main()
