"""The selection of `capabilities`: candidates are specs, comparisons are paired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.capabilities_selection import run as study
from benchmarks.capabilities_selection import screen
from benchmarks.common.clusters import mean_and_error
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


def test_differences_to_the_base_are_grouped_by_their_own_models(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Some cells are not percentages, so the compared cells do not match the table's rows."""
    names = [(f"m{i}", f"b{j}") for i in range(6) for j in range(10)]
    base = pd.DataFrame(names, columns=["model", "benchmark"]).assign(error=1.0, width=1.0)
    base = base.assign(percent=base.index % 3 > 0, below=False, above=False, crps=1.0)
    of_model = base["model"].str[1:].astype(float)
    worse = base.assign(crps=base["crps"] + of_model)
    monkeypatch.setattr(screen, "KEPT", tmp_path)
    base.to_csv(screen.kept("base", "split 0"), index=False)
    shown = screen.row("series", "split 0", worse)["CRPS less base"]
    percent = base["percent"]
    mean, error = mean_and_error(of_model[percent], base.loc[percent, "model"])
    assert shown == f"{mean:.2f} ± {error:.2f}"


@pytest.mark.skipif(not study.SHARED.is_dir(), reason="the public table is not beside the project")
def test_a_split_hides_visible_cells_of_every_model_and_none_of_its_fold() -> None:
    outer, inner = (set(part.itertuples(index=False, name=None)) for part in study.split(0))
    assert inner and not outer & inner
    scores = pd.read_csv(Path(study.SHARED) / "scores.csv")
    assert {model for model, _ in inner} == set(scores["model_id"])
