"""Outputs of executed pages are kept only for the code that made them."""

from __future__ import annotations

from pathlib import Path

import executed
import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small checkout."""
    for name in ("latentscale/engine/fast.py", "model_specs/sloth.toml", "docs/fits/small.nc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("numpy==2.3.0\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "latentscale/engine/fast.py",
        "latentscale/data/a.csv",
        "model_specs/sloth.toml",
        "docs/fits/small.nc",
        "constraints.txt",
    ],
)
def test_outputs_of_older_code_are_removed_and_not_shown(root: Path, name: str) -> None:
    folder = root / "docs" / "_build" / "executed"
    before = executed.cache(folder, root)
    before.mkdir(parents=True)
    (before / "global.db").write_text("outputs", encoding="utf-8")
    (folder / "global.db").write_text("of a cache without a key", encoding="utf-8")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("changed", encoding="utf-8")
    after = executed.cache(folder, root)
    assert after != before
    assert list(folder.iterdir()) == []


def test_outputs_stay_where_the_code_does(root: Path) -> None:
    folder = root / "docs" / "_build" / "executed"
    before = executed.cache(folder, root)
    before.mkdir(parents=True)
    (root / "latentscale" / "__pycache__").mkdir()
    (root / "latentscale" / "__pycache__" / "a.pyc").write_bytes(b"0")
    (root / "docs" / "index.md").write_text("a page", encoding="utf-8")
    assert executed.cache(folder, root) == before and before.is_dir()


def test_a_file_that_moves_is_a_change(root: Path) -> None:
    before = executed.key(root)
    (root / "latentscale/engine/fast.py").rename(root / "latentscale/engine/slow.py")
    assert executed.key(root) != before


def test_the_site_is_built_with_this_cache() -> None:
    settings = (executed.ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert 'nb_execution_cache_path = str(executed.cache(DOCS / "_build" / "executed"))' in settings
    assert all((executed.ROOT / source).exists() for source in executed.SOURCES)
