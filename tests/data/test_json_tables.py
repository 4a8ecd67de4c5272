"""Tables in JSON with objects in their records, or keyed by model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import latentscale as ls
from latentscale.data.readers import read_csv
from latentscale.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")

ROWS = {
    "GPT-4 (May 2023)": {"pass@1": {"humaneval": 88.4, "mbpp": None}, "size": None},
    "CodeLlama-34B": {"pass@1": {"humaneval": 51.8, "mbpp": 69.3}, "size": 34},
    "GPT-4o": {"pass@1": {"humaneval": 60.0, "mbpp": 65.0}, "size": 7},
}


def written(folder: Path, document: Any) -> Path:
    path = folder / "table.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("within", [False, True])
def test_keys_of_an_object_of_records_are_models(tmp_path: Path, within: bool) -> None:
    document = {"date": "2026-11-01", "models": ROWS} if within else ROWS
    scores = ls.readers.read_published(written(tmp_path, document))
    frame = scores.to_frame().set_index("model")
    assert scores.models == tuple(ROWS) and scores.benchmarks == ("humaneval", "mbpp")
    assert frame["humaneval"].tolist() == [0.884, 0.518, 0.6]
    assert frame["params_b"].tolist()[1:] == [34, 7]


def test_objects_in_records_are_taken_apart(tmp_path: Path) -> None:
    records = [
        {"id": 1, "name": "o3", "maker": {"id": 7, "name": "OpenAI"}, "scores": {"gpqa": 0.83}},
        {"id": 2, "name": "o1", "maker": {"id": 7, "name": "OpenAI"}, "scores": {"hle": 0.08}},
    ]
    frame = read_csv(written(tmp_path, records))
    assert list(frame) == ["id", "name", "maker.id", "maker.name", "gpqa", "hle"]
    assert frame["gpqa"].tolist()[0] == 0.83 and frame["hle"].tolist()[1] == 0.08


def test_lists_in_records_are_named_and_no_scores(tmp_path: Path) -> None:
    records = [
        {"model": "o3", "gpqa": 0.83, "runs": [0.82, 0.84]},
        {"model": "o1", "gpqa": 0.75, "runs": []},
    ]
    path = written(tmp_path, records)
    scores = ls.readers.read_published(path)
    assert scores.benchmarks == ("gpqa",)
    assert "runs" in str(scores.audit.filter("ignored-column"))
    with pytest.raises(DataError, match="list of 2 values"):
        ls.readers.read_scores(written(tmp_path, [{**row, "family": "o"} for row in records]))


def test_keys_that_are_tasks_are_no_models(tmp_path: Path) -> None:
    tasks = {"arc_easy": {"acc": 0.5}, "hellaswag": {"acc": 0.6}, "gsm8k": {"acc": 0.1}}
    with pytest.raises(DataError, match="no list of records"):
        read_csv(written(tmp_path, {"results": tasks, "versions": {"arc_easy": 1}}))
