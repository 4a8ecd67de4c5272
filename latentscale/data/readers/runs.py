"""One result file of lm-evaluation-harness, whatever its version, read into one record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import pandas as pd

from latentscale.data.columns import as_number
from latentscale.errors import DataError

# An adapter is named together with the model that it adapts, and then it is what was evaluated.
_NAME_KEYS: Final = ("peft", "delta", "pretrained", "model", "path", "engine")
_ARCHIVE: Final = re.compile(r"^harness\|(?P<task>[^|]+)\|(?P<shots>\d+)$")
_COMMIT: Final = re.compile(r"^[0-9a-f]{40}$")
_STAMP: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2})[-:](\d{2})[-:](\d{2})")


@dataclass(frozen=True)
class Run:
    """What one result file says.

    Parameters
    ----------
    path
        The file.
    model
        Name of the model that was evaluated.
    date
        When it was run, seconds since 1970; 0 if the file does not say.
    figures
        By task, the figures by ``metric,filter``; standard errors are left out.
    items
        By task, the number of items that were scored and that there are.
    shots
        By task, the number of examples in the prompt.
    groups
        By task that is a group, the tasks in it; empty if the file does not list them.
    limited
        Whether the run was limited to some items of each task.
    """

    path: Path
    model: str
    date: float
    figures: Mapping[str, Mapping[str, float]]
    items: Mapping[str, tuple[float, float]]
    shots: Mapping[str, float]
    groups: Mapping[str, tuple[str, ...]]
    limited: bool


def read_run(path: Path) -> Run:
    """Read one result file.

    Raises
    ------
    DataError
        If it is not JSON, holds no ``results``, or names no model.
    """
    document = _document(path)
    shots: dict[str, float] = {}
    figures: dict[str, dict[str, float]] = {}
    for name, entry in document["results"].items():
        archived = _ARCHIVE.match(str(name))
        task = archived["task"] if archived else str(name)
        if archived:
            shots[task] = float(archived["shots"])
        if isinstance(entry, Mapping) and task != "all":
            figures[task] = _figures(entry)
    config = _mapping(document, "config")
    shots |= _shots(document, config, list(figures))
    listed = _mapping(document, "group_subtasks")
    groups: dict[str, tuple[str, ...]] = {str(name): () for name in _mapping(document, "groups")}
    groups |= {str(name): tuple(parts) for name, parts in listed.items() if parts}
    return Run(
        path=path,
        model=_model(document, config, path),
        date=_date(document, path),
        figures=figures,
        items=_items(document),
        shots=shots,
        groups=groups,
        limited=config.get("limit") is not None,
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON ({error}). The run may have been cut off: run it again, or take "
            "the file out of the folder."
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
        raise DataError(
            f'{path}: no "results" in it, so it is no result file of lm-evaluation-harness. Take '
            "it out of the folder, or give it another name than results*.json."
        )
    return document


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _figures(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return numbers by ``metric,filter``; version 0.3 names no filter."""
    found = {}
    for key, value in entry.items():
        metric, _, kind = str(key).partition(",")
        number = as_number(value)
        if number is None or not isfinite(number) or metric.endswith("_stderr"):
            continue
        found[f"{metric},{kind or 'none'}"] = number
    return found


def _items(document: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    found = {}
    for task, counts in _mapping(document, "n-samples").items():
        if isinstance(counts, Mapping):
            done = as_number(counts.get("effective"))
            there = as_number(counts.get("original"))
            if done is not None and done > 0:
                found[str(task)] = (done, done if there is None else there)
    return found


def _shots(
    document: Mapping[str, Any], config: Mapping[str, Any], tasks: list[str]
) -> dict[str, float]:
    told = _mapping(document, "n-shot")
    of_all = as_number(config.get("num_fewshot"))
    found = {}
    for task in tasks:
        own = _mapping(_mapping(document, "configs"), task).get("num_fewshot")
        first = as_number(told.get(task))
        number = first if first is not None else as_number(own)
        number = number if number is not None else of_all
        if number is not None:
            found[task] = number
    return found


def _model(document: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> str:
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        pairs = (pair.partition("=") for pair in arguments.split(","))
        arguments = {key.strip(): value.strip() for key, _, value in pairs}
    arguments = arguments if isinstance(arguments, Mapping) else {}
    general = _mapping(document, "config_general")
    candidates = (
        document.get("model_name"),
        general.get("model_name"),
        *(arguments.get(key) for key in _NAME_KEYS),
    )
    for name in candidates:
        if isinstance(name, str) and name.strip():
            return name.strip() + _checkpoint(arguments.get("revision"))
    raise DataError(
        f'{path}: names no model: neither "model_name" nor "model_args" of its "config" has one. '
        'Write it into the file as "model_name".'
    )


def _checkpoint(revision: object) -> str:
    """Return what tells a checkpoint from its model: "@step3000"; commits only pin the model."""
    text = str(revision or "main").strip()
    return "" if text in ("", "main", "None") or _COMMIT.match(text) else f"@{text}"


def _date(document: Mapping[str, Any], path: Path) -> float:
    stamp = _STAMP.search(path.name)
    if stamp:
        day, *clock = stamp.groups()
        try:
            return pd.Timestamp(f"{day}T{':'.join(clock)}").timestamp()
        except ValueError:
            pass
    return as_number(document.get("date")) or 0.0
