"""LiveBench's public tables, read from small files of their format."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import livebench_measurements, read_livebench
from latentscale.errors import DataError

TABLE = """model,AMPS_Hard,LCB_generation,connections,zebra_puzzle
claude-3-5-sonnet-20241022,53.0,60.256,43.167,44.0
gpt-4o-2024-11-20,50.0,46.154,36.667,47.25
phi-3-small-8k-instruct,18.0,24.528,,17.75
"""
CATEGORIES = {
    "Reasoning": ["zebra_puzzle"],
    "Coding": ["LCB_generation"],
    "Mixed": ["AMPS_Hard", "connections"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "table_2024_11_25.csv").write_text(TABLE)
    (tmp_path / "table_2024_06_24.csv").write_text(TABLE.replace("53.0", "49.0"))
    (tmp_path / "categories_2024_11_25.json").write_text(json.dumps(CATEGORIES))
    return tmp_path


def test_the_latest_release_is_read_with_its_categories(folder):
    read = livebench_measurements(folder)
    cells = read.cells.set_index(["model", "benchmark"])["score"]
    assert cells["claude-3-5-sonnet-20241022", "AMPS_Hard"] == 53.0
    assert len(cells) == 11
    assert {name: b.group for name, b in read.benchmarks.items()} == {
        "AMPS_Hard": "Mixed",
        "LCB_generation": "Coding",
        "connections": "Mixed",
        "zebra_puzzle": "Reasoning",
    }
    assert {b.scale for b in read.benchmarks.values()} == {"percent"}


def test_another_release_has_the_categories_of_known_tasks(folder):
    read = livebench_measurements(folder, release="2024-06-24")
    assert read.cells["score"].iloc[0] == 49.0
    assert read.benchmarks["AMPS_Hard"].group == "Mathematics"
    assert set(read.cells["source"]) == {"2024_06_24"}


def test_categories_are_means_of_the_tasks_that_a_model_has(folder):
    read = livebench_measurements(folder, level="category")
    cells = read.cells.set_index(["model", "benchmark"])["score"]
    assert cells["claude-3-5-sonnet-20241022", "Mixed"] == pytest.approx((53.0 + 43.167) / 2)
    assert cells["phi-3-small-8k-instruct", "Mixed"] == 18.0


@pytest.mark.parametrize(
    "tasks",
    [
        "AMPS_Hard LCB_generation coding_completion connections cta math_comp olympiad paraphrase "
        "plot_unscrambling simplify story_generation summarize tablejoin tablereformat typos "
        "web_of_lies_v2 zebra_puzzle",  # the columns of 2024-06-24
        "AMPS_Hard code_completion code_generation connections javascript math_comp olympiad "
        "paraphrase plot_unscrambling python simplify spatial story_generation summarize tablejoin "
        "tablereformat typescript typos web_of_lies_v3 zebra_puzzle",  # of 2025-05-30
        "AMPS_Hard code_completion code_generation connections consecutive_events "
        "integrals_with_game javascript logic_with_navigation math_comp olympiad paraphrase "
        "plot_unscrambling python simplify spatial story_generation summarize tablejoin "
        "tablereformat theory_of_mind typescript typos zebra_puzzle",  # of 2026-06-25
    ],
)
def test_the_tasks_of_past_releases_have_a_category(tmp_path, tasks):
    names = tasks.split()
    path = tmp_path / "table_2026_06_25.csv"
    rows = [",".join([model, *("50.5" for _ in names)]) for model in ("gpt-5.5-xhigh", "glm-5.2")]
    path.write_text("\n".join([",".join(["model", *names]), *rows]))
    read = livebench_measurements(path)
    assert not read.audit.filter("task-without-category")
    assert {b.group for b in read.benchmarks.values()} >= {"Reasoning", "Coding", "IF"}


def test_names_say_what_the_table_does_not(folder):
    models = livebench_measurements(folder).models.set_index("model")
    assert models["provider"].tolist() == ["Anthropic", "OpenAI", "Microsoft"]
    assert models["released"].fillna("").tolist() == ["2024-10-22", "2024-11-20", ""]
    assert models["size_class"].tolist() == ["medium", "unknown", "mini"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("46.154", "146", r'row 1 \(model "gpt-4o-2024-11-20"\), column "LCB_generation": 146'),
        ("46.154", "n/k", r"'n/k'. Scores are percentages"),
        ("gpt-4o-2024-11-20", "phi-3-small-8k-instruct", "models with several rows"),
        ("model,", "name,", 'These have a column "model"'),
        ("gpt-4o-2024-11-20", "", 'row 1, column "model": empty'),
        (TABLE[TABLE.index("\n") :], "\ngpt-4o,,,,\n", "no score in it"),
        (TABLE[TABLE.index("\n") :], "\ngpt-4o,0.4,0.5,0.1,0.4\n", "percentages from 0 to 100"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(folder, old, new, message):
    (folder / "table_2024_11_25.csv").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        livebench_measurements(folder)


def test_row_numbers_of_a_saved_table_are_no_task(folder):
    file = folder / "table_2024_11_25.csv"
    lines = file.read_text().splitlines()
    numbered = [f"{'' if row == 0 else row},{line}" for row, line in enumerate(lines)]
    file.write_text("\n".join(numbered))
    assert "zebra_puzzle" in set(livebench_measurements(file).cells["benchmark"])
    assert livebench_measurements(file).cells["benchmark"].nunique() == 4


def test_a_task_in_fractions_is_named() -> None:
    table = pd.read_csv(StringIO(TABLE))
    table["zebra_puzzle"] /= 100
    found = livebench_measurements(table).audit.filter("scores-tiny")
    assert ["zebra_puzzle" in finding.message for finding in found] == [True]
    assert not livebench_measurements(pd.read_csv(StringIO(TABLE))).audit.filter("scores-tiny")


@pytest.mark.parametrize("name", ["Global Average", "Average", "index"])
def test_a_mean_of_the_tasks_or_an_index_is_no_task(name) -> None:
    table = pd.read_csv(StringIO(TABLE)).assign(**{name: [50.0, 45.0, 20.0]})
    read = livebench_measurements(table)
    assert name not in read.benchmarks and name in str(read.audit.filter("ignored-column"))


def test_wrong_paths_releases_and_levels_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match='no table of the release "2025-01-01"'):
        livebench_measurements(folder, release="2025-01-01")
    with pytest.raises(DataError, match='not named as the table of the release "2024-06-24"'):
        livebench_measurements(folder / "table_2024_11_25.csv", release="2024-06-24")
    with pytest.raises(DataError, match="no such file or folder"):
        livebench_measurements(folder / "absent")
    with pytest.raises(DataError, match='level="all" is not known'):
        livebench_measurements(folder, level="all")  # type: ignore[arg-type]
    (tmp_path / "cost_2024_11_25.csv").write_text(TABLE)
    with pytest.raises(DataError, match="a table of costs"):
        livebench_measurements(tmp_path / "cost_2024_11_25.csv")


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_table_becomes_scores(folder):
    scores = read_livebench(folder)
    assert scores.n_observed == 11
    assert np.isclose(float(scores.dataset["score"].max()), 0.60256)
