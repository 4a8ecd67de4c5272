"""The notebooks are stored with outputs, run from top to bottom, and reproduce the stored numbers.

A run here has few draws, so its means differ from the stored ones by Monte Carlo error.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from notebooks.execute import FOLDER, KEY, executed, read

DRAWS = 60  # enough for every function to work, far too few to conclude anything
NAMES = (
    "1_first_posterior",
    "2_prior_sensitivity",
    "3_unseen_members",
    "4_compute_planning",
    "5_published_analyses",
    "6_published_forecasts",
)
PATH_OF_CODE = re.compile(r"(?<![\w:/])/[\w.-]+/[\w./-]+\.py\b")
"""An absolute path of a Python file, as in tracebacks and warnings."""
MOST_BYTES = 1_200_000  # code hosts show notebooks of several megabytes slowly or not at all

Numbers = dict[str, list[float]]


def test_every_notebook_is_executed_by_a_test() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_with_outputs_figures_and_numbers(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert figures(notebook) >= 2
    assert notebook.metadata[KEY], "no numbers of a fit are stored"
    assert notebook.cells[0].source.startswith("# ")
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_no_output_holds_an_error_a_warning_or_a_path_of_a_machine(name: str) -> None:
    for cell in read(name).cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            shown = json.dumps(output)
            assert "Warning" not in shown and str(Path.home()) not in shown
            assert PATH_OF_CODE.search(shown) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_gives_the_stored_numbers(name: str) -> None:
    again = executed(name, draws=DRAWS)
    assert figures(again) == figures(read(name))
    stored = read(name).metadata[KEY]
    assert set(again.metadata[KEY]) == set(stored)
    for label, numbers in again.metadata[KEY].items():
        assert share_that_agrees(stored[label], numbers) > 0.95, label


def test_means_that_differ_by_a_standard_deviation_do_not_agree() -> None:
    rng = np.random.default_rng(1)
    stored = {f"x[{k}]": [float(k), 2.0, 0.02] for k in range(50)}
    noisy = {k: [m + rng.normal(0, 0.2), s, 0.2] for k, (m, s, _) in stored.items()}
    moved = {k: [m + 2.0, s, e] for k, (m, s, e) in noisy.items()}
    assert share_that_agrees(stored, noisy) == 1.0
    assert share_that_agrees(stored, moved) < 0.05


def figures(notebook: nbformat.NotebookNode) -> int:
    """Return how many figures a notebook shows."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def share_that_agrees(stored: Numbers, again: Numbers) -> float:
    """Return the share of parameters whose means agree within Monte Carlo error.

    The limit is five standard errors, as their estimates from few draws are rough.
    """
    assert set(stored) == set(again)
    ours, theirs = (np.array([part[name] for name in stored]) for part in (stored, again))
    error = np.hypot(ours[:, 2], theirs[:, 2])
    return float(np.mean(np.abs(ours[:, 0] - theirs[:, 0]) < 5 * error))
