"""Tests of the studies in `benchmarks/`, which a source distribution may come without."""

from __future__ import annotations

from pathlib import Path

if not (Path(__file__).resolve().parents[2] / "benchmarks").is_dir():
    collect_ignore_glob = ["test_*.py"]
