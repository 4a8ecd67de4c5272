"""The BenchPress report: folds are paired with the published ones, and chains with each other."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.benchpress import run as study


def test_a_fold_is_paired_with_its_published_error() -> None:
    names = [f"{seed}-{fold}.csv" for seed in range(42, 52) for fold in range(3)]
    assert [study.place_of(Path(name)) for name in names] == list(range(len(study.PUBLISHED)))


def test_other_chains_are_compared_on_the_folds_that_both_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "figures", lambda cells: {"MedAE": float(cells["error"].iloc[0])})
    for name, errors in {"d-120+120": [4.0, 4.2, 3.9], "d-150+150": [3.8, 4.1]}.items():
        (tmp_path / name).mkdir()
        for fold, error in enumerate(errors):
            pd.DataFrame({"error": [error]}).to_csv(tmp_path / name / f"42-{fold}.csv")
    text = study.beside(tmp_path / "d-120+120", tmp_path / "d-150+150")
    assert "## Chains of 150 + 150 draws" in text and "On 2 folds" in text
    assert "| MedAE | 4.100 | 3.950 | -0.150 | 0.050 |" in text
    assert study.beside(tmp_path / "d-120+120", tmp_path / "d-120+120") == ""
