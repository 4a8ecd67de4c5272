"""Declarations of features as texts and files, and the commands that take them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from latentscale.cli import main
from latentscale.data.feature_declarations import feature_of_text, features_of_file
from latentscale.data.features import Feature
from latentscale.errors import DataError, SpecError

TIER = Feature("tier", "ordered", levels=("mini", "flash", "pro"))


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("released", Feature("released")),
        ("context_k:log", Feature("context_k", transform="log")),
        (
            "context_k:log,unit=thousand tokens",
            Feature("context_k", None, "log", "thousand tokens"),
        ),
        ("tier:mini<flash<pro", TIER),
        ("lab:category", Feature("lab", "category")),
        ("lab:reference", Feature("lab", "category", coding="reference")),
        ("context_k:log,estimated", Feature("context_k", transform="log", missing="estimated")),
        ("lab:level", Feature("lab", "category", missing="level")),
    ],
)
def test_a_text_declares_a_feature(text: str, feature: Feature) -> None:
    assert feature_of_text(text) == feature


@pytest.mark.parametrize("text", ["context_k:lag", "", ":log", "x:date,log", "tier:<pro"])
def test_a_text_that_declares_nothing_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        feature_of_text(text)


def test_a_file_declares_features(tmp_path: Path) -> None:
    toml = tmp_path / "features.toml"
    toml.write_text('[[features]]\nname = "tier"\nkind = "ordered"\nlevels = ["mini", "pro"]\n')
    assert features_of_file(toml) == (Feature("tier", "ordered", levels=("mini", "pro")),)
    listed = tmp_path / "features.json"
    listed.write_text('[{"name": "context_k", "transform": "log"}]')
    assert features_of_file(listed) == (Feature("context_k", transform="log"),)
    listed.write_text('[{"name": "context_k", "transfrm": "log"}]')
    with pytest.raises(SpecError, match='Did you mean "transform"'):
        features_of_file(listed)
    for content in ("x = 1", "[[features", "features = 3"):
        toml.write_text(content)
        with pytest.raises(DataError, match=r"features\.toml"):
            features_of_file(toml)
    with pytest.raises(DataError, match="cannot be read"):
        features_of_file(tmp_path / "none.toml")


def test_the_command_that_checks_a_table_shows_its_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "scores.csv"
    pd.DataFrame(
        {
            "model": ["a", "b", "c"],
            "family": ["x", "x", "y"],
            "tier": ["mini", "pro", "flash"],
            "context_k": [8, 128, 1000],
            "mmlu": [0.3, 0.5, 0.6],
        }
    ).to_csv(table, index=False)
    words = ["--feature", "tier:mini<flash<pro", "--feature", "context_k:log"]
    assert main(["data", str(table), *words]) == 0
    said = capsys.readouterr().out
    assert "ordered" in said and "mini" in said and "1000" in said
    assert main(["data", str(table)]) == 2
    assert 'features=["tier"]' in capsys.readouterr().err
    assert main(["data", "--feature", "tier"]) == 2
    assert "table of your own" in capsys.readouterr().err
