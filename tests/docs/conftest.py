"""The scripts of ``docs``, which is not a package, as modules; and shared fixtures."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
sys.path[:0] = [str(DOCS), str(DOCS / "_ext"), str(Path(__file__).parent)]
