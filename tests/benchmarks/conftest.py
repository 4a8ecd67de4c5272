"""The benchmark scripts are no package: their folder is put on the path while these tests run."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"

if FOLDER.is_dir():
    sys.path.insert(0, str(FOLDER))
else:  # a source distribution has no benchmarks
    collect_ignore_glob = ["test_*.py"]
