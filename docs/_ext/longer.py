"""The notebooks as pages: copies with the outputs that they are stored with, not run again.

`python -m notebooks.execute` runs them, which takes long, and ``tests/notebooks`` compares them
with runs of few draws.
"""

from __future__ import annotations

import json
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def write(folder: Path) -> None:
    """Write the pages; left as they are where nothing changed, removed where one is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted(NOTEBOOKS.glob("*.ipynb"))
    for source in sources:
        text, path = page(source.read_text(encoding="utf-8")), folder / source.name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.ipynb"):
        if path.name not in {source.name for source in sources}:
            path.unlink()


def page(notebook: str) -> str:
    """Return a notebook that is shown as it is stored, without running it."""
    document = json.loads(notebook)
    document["metadata"]["mystnb"] = {"execution_mode": "off"}
    return json.dumps(document, ensure_ascii=False)
