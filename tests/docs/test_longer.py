"""The notebooks are pages of the site, with their stored outputs."""

from __future__ import annotations

import json
from pathlib import Path

import longer


def test_every_notebook_is_a_page_that_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "gone.ipynb").write_text("{}", encoding="utf-8")
    longer.write(tmp_path)
    names = {path.name for path in longer.NOTEBOOKS.glob("*.ipynb")}
    assert {path.name for path in tmp_path.iterdir()} == names and len(names) >= 6
    for name in names:
        shown = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        stored = json.loads((longer.NOTEBOOKS / name).read_text(encoding="utf-8"))
        assert shown["metadata"]["mystnb"] == {"execution_mode": "off"}
        assert shown["cells"] == stored["cells"]
        assert any(cell.get("outputs") for cell in shown["cells"])


def test_the_page_of_longer_analyses_names_every_notebook() -> None:
    text = (Path(longer.__file__).parents[1] / "learn" / "longer.md").read_text(encoding="utf-8")
    for path in longer.NOTEBOOKS.glob("*.ipynb"):
        assert f"(../generated/notebooks/{path.name})" in text
