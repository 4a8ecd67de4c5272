"""The record of `capabilities`: candidates are specs, comparisons are paired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.capabilities_selection import run as study
from latentscale import NUTS


def test_candidates_are_specs_that_differ_from_each_other() -> None:
    digests = {study.candidate(name, "capabilities", NUTS()).digest for name in study.CANDIDATES}
    assert len(digests) >= len(study.CANDIDATES) - 1  # a chosen candidate is the base itself


def test_scores_of_candidates_are_compared_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [(f"m{i}", f"b{j}") for i in range(5) for j in range(4)]
    monkeypatch.setattr(study, "units", lambda: pd.Series({f"b{j}": 100.0 for j in range(4)}))
    base = pd.DataFrame(names, columns=["model_id", "benchmark_id"]).assign(split=0)
    base["crps"] = np.random.default_rng(1).uniform(0.01, 0.1, len(base))
    worse = base.assign(crps=base["crps"] + 0.02).sample(frac=1, random_state=2)
    mean, error = study.less_base(worse, base)
    assert mean == pytest.approx(2.0) and error == pytest.approx(0, abs=1e-12)


@pytest.mark.skipif(not study.SHARED.is_dir(), reason="the public table is not beside the project")
def test_a_split_hides_visible_cells_of_every_model_and_none_of_its_fold() -> None:
    outer, inner = (set(part.itertuples(index=False, name=None)) for part in study.split(0))
    assert inner and not outer & inner
    scores = pd.read_csv(Path(study.SHARED) / "scores.csv")
    assert {model for model, _ in inner} == set(scores["model_id"])
