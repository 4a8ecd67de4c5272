"""The report on where chains end and stay: runs are counted, and rows are ordered by table."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.capabilities_selection import chains as study


def test_the_longest_stay_is_the_longest_run_of_one_chain() -> None:
    rejected = np.array([[1, 1, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1]], dtype=bool)
    assert study.longest_stay(rejected) == 3
    assert study.longest_stay(np.ones((2, 4), dtype=bool)) == 4
    assert study.longest_stay(np.zeros((2, 4), dtype=bool)) == 0


def test_settings_of_one_table_and_seed_stand_together() -> None:
    figures: dict[str, Any] = dict.fromkeys(
        ("models", "benchmarks", "rhat", "ess", "divergences", "longest stay"), 1
    ) | dict.fromkeys(("gradients", "seconds", "error", "inside", "cells"), 1)
    runs = [("25 newest models", "shipped", 1), ("models of OpenAI", "shipped", 2)]
    runs += [("models of OpenAI", name, 1) for name in ("shipped", "acceptance 0.8")]
    table = study._stays([{"what": list(run), **figures} for run in runs])
    assert list(table["seed"]) == [1, 1, 2, 1]
    assert list(table["setting"]) == ["acceptance 0.8", "shipped", "shipped", "shipped"]
    assert table["table"].iloc[-1] == "25 newest models, 1 x 1"


def test_every_table_is_run_with_settings_that_there_are() -> None:
    for _, settings in study.TABLES.values():
        assert set(settings) <= set(study.SETTINGS) and "shipped" in settings
