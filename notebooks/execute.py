"""Execute: run the notebooks and store them with their outputs.

    python -m notebooks.execute [NAME...]

Beside the outputs a notebook keeps, in its metadata, what its fits gave: mean, standard deviation
and Monte Carlo error of every parameter. `tests/notebooks` runs the notebooks again, with few
draws, and compares.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
KEY = "latentscale"
"""Where a notebook's metadata keep the numbers of its fits."""
SECONDS_A_CELL = 1500
"""The longest cell fits several specs: some minutes on two busy cores."""

_NUMBERS = """
import json as _json
import arviz_stats as _azs
import latentscale as _ls

def _found(name, value):
    if isinstance(value, _ls.Fit):
        yield name, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _found(f"{name}[{key}]", one)

_kept = {}
for _name, _value in list(globals().items()):
    if _name.startswith("_"):
        continue
    for _label, _fit in _found(_name, _value):
        _post = _fit.posterior
        _post = _post[[k for k, v in _post.items() if "model" not in v.dims]]
        _sd, _error = _post.std(("chain", "draw")), _azs.mcse(_post)
        _kept[_label] = {
            f"{k}[{i}]": [float(f"{x:.5g}") for x in three]
            for k in _post
            for i, three in enumerate(zip(
                _post[k].mean(("chain", "draw")).values.ravel(),
                _sd[k].values.ravel(),
                _error[k].values.ravel(),
            ))
            if three[1] > 1e-9  # an anchor's loading is the same in all draws
        }
print(_json.dumps(_kept))
"""


def read(name: str) -> nbformat.NotebookNode:
    """Return a notebook as it is stored."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def executed(name: str, draws: int | None = None) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom and return it with its outputs and its numbers.

    Parameters
    ----------
    name
        Its file's name without the ending.
    draws
        Draws a chain, in place of those that the notebook sets.

    Raises
    ------
    CellExecutionError
        If a cell raises.
    """
    notebook = copy.deepcopy(read(name))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(_NUMBERS))
    environment = {"PYTHONPATH": os.pathsep.join([str(FOLDER.parent), *sys.path])}
    if draws is not None:
        environment["LATENTSCALE_NOTEBOOK_DRAWS"] = str(draws)
    before = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    try:
        NotebookClient(
            notebook,
            timeout=SECONDS_A_CELL,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(FOLDER)}},
        ).execute()
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
    last = notebook.cells.pop()
    said = "".join(one.text for one in last.outputs if one.get("name") == "stdout")
    notebook.metadata[KEY] = json.loads(said)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source if cell.cell_type == "code" else "" for cell in notebook.cells]


def main(names: list[str]) -> None:
    """Run the notebooks named, or all of them, and write each with its outputs."""
    for name in names or sorted(path.stem for path in FOLDER.glob("*.ipynb")):
        found = executed(name)
        notebook = read(name)  # words may have changed meanwhile, code may not
        if _code(notebook) != _code(found):
            raise SystemExit(f"{name}: its code changed while it ran; nothing written.")
        for cell, ran in zip(notebook.cells, found.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
        notebook.metadata = found.metadata
        text = nbformat.writes(notebook)
        if str(FOLDER.parent) in text:
            raise SystemExit(f"{name}: an output holds the path of this checkout; nothing written.")
        (FOLDER / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {len(text) / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
