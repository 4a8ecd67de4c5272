"""The study of spreads that free skills share."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentscale as ls
from benchmarks.epoch import scales


def test_the_rows_differ_in_the_spreads_alone() -> None:
    """One of them is the shipped spec."""
    shipped = ls.load_spec("capabilities")
    specs = [shipped.with_({"skills.identify.scales": one}) for one in scales.SCALES]
    assert shipped in specs and len({one.digest for one in specs}) == len(specs)
    assert [one.skills.scale_dims for one in specs] == [("skill",), ()]


def test_a_table_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scales, "SHARED", tmp_path / "gone")
    monkeypatch.setattr("sys.argv", ["scales", "2025-01-01"])
    with pytest.raises(SystemExit, match="is not there"):
        scales.main()
