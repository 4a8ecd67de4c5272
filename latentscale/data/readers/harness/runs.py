"""One result file of lm-evaluation-harness, whatever its version, read into one record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from latentscale.data.readers.documents import checked_name, read_document
from latentscale.data.readers.harness.metrics import errors_of, figures_of
from latentscale.data.readers.harness.settings import finite_number, settings_of
from latentscale.errors import DataError

# If an adapter is named together with the model that it adapts, the adapter was evaluated.
_ADAPTERS: Final = ("peft", "delta", "lora_local_path")
_BASES: Final = ("pretrained", "model", "path", "engine")
_ARCHIVE: Final = re.compile(r"^harness\|(?P<task>[^|]+)\|(?P<shots>\d+)$")
_COMMIT: Final = re.compile(r"^[0-9a-f]{40}$")
_STAMP: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2})[-:](\d{2})[-:](\d{2}(?:\.\d+)?)")
_LATEST: Final = 1e11
"""The year 5138 in seconds: larger numbers are milliseconds."""
_INDENT: Final = re.compile(r"^( *)- ")
"""How the harness prints a task of a group: one space and a dash, with one more space per level."""
_FILTERED: Final = ("configs", "group_subtasks", "n-samples", "n-shot", "higher_is_better")
"""Parts of a file of version 0.4, which names the filter of every metric."""
_NO_VERSION: Final = ("", "n/a", "none", "yaml")
"""Versions without information; in the first files of version 0.4 all tasks have "Yaml"."""


@dataclass(frozen=True)
class Run:
    """The content of one result file.

    Parameters
    ----------
    path
        The file.
    model
        Name of the model that was evaluated.
    date
        When it was run, seconds since 1970; 0 if the file does not state it.
    settings
        Other settings that affect scores: quantisation, a chat template, a system instruction;
        sorted.
    figures
        By task, the figures by ``metric,filter``, NaN where they are not finite.
    errors
        By task, the standard errors of the figures that have one.
    lower
        Pairs of task and metric for which the file states that lower is better.
    items
        By task, the number of scored items and of all items.
    shots
        By task, the number of examples in the prompt.
    versions
        By task, the version of its prompts and items, as text.
    groups
        For tasks that are groups, the tasks in them; empty if the file does not list them.
    limit
        Items of each task to which the run was limited, or their share if below 1; None if it was
        not limited.
    """

    path: Path
    model: str
    date: float
    settings: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, Mapping[str, float]]
    lower: frozenset[tuple[str, str]]
    items: Mapping[str, tuple[float, float]]
    shots: Mapping[str, float]
    versions: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]
    limit: float | None

    def leaves(self, task: str) -> tuple[str, ...]:
        """Return the tasks below a group, at any level; for a task, the task itself."""
        leaves: dict[str, None] = {}
        seen: set[str] = set()
        ahead = [task]
        while ahead:
            name = ahead.pop(0)
            if name in seen:
                continue
            seen.add(name)
            children = self.groups.get(name, ())
            ahead = [*children, *ahead]
            if not children:
                leaves[name] = None
        return tuple(leaves)


def read_run(path: Path) -> Run:
    """Read one result file.

    Raises
    ------
    DataError
        If it is not JSON, holds no ``results``, or names no model.
    """
    document = read_document(path)
    if not holds_results(document):
        raise DataError(
            f'{path}: no "results" in it, so it is not a result file of lm-evaluation-harness. '
            "Take it out of the folder, or give it another name than results*.json."
        )
    return run_of(document, path)


def holds_results(document: object) -> bool:
    """Return whether a JSON document has the layout of a result file."""
    return isinstance(document, dict) and isinstance(document.get("results"), dict)


def run_of(document: Mapping[str, Any], path: Path) -> Run:
    """Return the content of a result file's document.

    Raises
    ------
    DataError
        If it names no model.
    """
    shots: dict[str, float] = {}
    figures: dict[str, dict[str, float]] = {}
    errors: dict[str, dict[str, float]] = {}
    filtered = _names_filters(document)
    for name, entry in document["results"].items():
        archived = _ARCHIVE.match(str(name))
        task = checked_name(archived["task"] if archived else str(name), path, "task")
        if archived:
            shots[task] = float(archived["shots"])
        if isinstance(entry, Mapping) and task != "all":
            figures[task] = figures_of(entry, filtered=filtered)
            errors[task] = errors_of(entry)
            for metric in figures[task]:
                checked_name(metric, path, "metric")
    config = _mapping(document, "config")
    arguments = _arguments(config)
    shots |= _shots(document, config, list(figures))
    limit = finite_number(config.get("limit"))
    groups = _groups(document)
    for name in {*groups, *(task_name for tasks in groups.values() for task_name in tasks)}:
        checked_name(name, path, "task")
    return Run(
        path=path,
        model=checked_name(_model(document, arguments, path), path, "model"),
        date=_date(document, path),
        settings=settings_of(document, arguments),
        figures=figures,
        errors=errors,
        lower=_lower_is_better(document),
        items=_items(document),
        shots=shots,
        versions=_versions(document),
        groups=groups,
        limit=limit if limit is not None and limit > 0 else None,
    )


def _names_filters(document: Mapping[str, Any]) -> bool:
    entries = [entry for entry in document["results"].values() if isinstance(entry, Mapping)]
    return any("," in str(key) for entry in entries for key in entry) or any(
        name in document for name in _FILTERED
    )


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _groups(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the tasks of each group; early versions of 0.4 show them by indentation alone."""
    groups: dict[str, tuple[str, ...]] = {str(name): () for name in _mapping(document, "groups")}
    for name, children in _mapping(document, "group_subtasks").items():
        if isinstance(children, list) and children:
            groups[str(name)] = tuple(str(child) for child in children)
    if any(groups.values()):
        return groups
    above: list[str] = []
    for name, entry in document["results"].items():
        alias = str(entry.get("alias", "")) if isinstance(entry, Mapping) else ""
        indent = _INDENT.match(alias)
        depth = len(indent[1]) if indent else 0
        above = [*above[:depth], str(name)]
        if 0 < depth < len(above):
            groups[above[-2]] = (*groups.get(above[-2], ()), str(name))
    return groups


def _lower_is_better(document: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (str(task), str(metric))
        for task, metrics in _mapping(document, "higher_is_better").items()
        if isinstance(metrics, Mapping)
        for metric, higher in metrics.items()
        if higher is False
    )


def _items(document: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    items = {}
    for task, counts in _mapping(document, "n-samples").items():
        if isinstance(counts, Mapping):
            done = finite_number(counts.get("effective"))
            there = finite_number(counts.get("original"))
            if done is not None and done > 0:
                items[str(task)] = (done, done if there is None else max(done, there))
    return items


def _shots(
    document: Mapping[str, Any], config: Mapping[str, Any], tasks: list[str]
) -> dict[str, float]:
    by_task = _mapping(document, "n-shot")
    of_all = finite_number(config.get("num_fewshot"))
    shots = {}
    for task in tasks:
        own = _mapping(_mapping(document, "configs"), task).get("num_fewshot")
        first = finite_number(by_task.get(task))
        number = first if first is not None else finite_number(own)
        number = number if number is not None else of_all
        if number is not None:
            shots[task] = number
    return shots


def _versions(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of tasks: 1 and "1.0" are the same; "N/A", which groups have, is none."""
    versions = {}
    for name, value in _mapping(document, "versions").items():
        archived = _ARCHIVE.match(str(name))
        number = finite_number(value)
        text = f"{number:g}" if number is not None else str(value or "").strip()
        if text.casefold() not in _NO_VERSION:
            versions[archived["task"] if archived else str(name)] = text
    return versions


def _arguments(config: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        pairs = (pair.partition("=") for pair in arguments.split(","))
        return {key.strip(): value.strip() for key, _, value in pairs}
    return arguments if isinstance(arguments, Mapping) else {}


def _model(document: Mapping[str, Any], arguments: Mapping[str, Any], path: Path) -> str:
    general = _mapping(document, "config_general")
    named = (document.get("model_name"), general.get("model_name"))
    adapters = tuple(arguments.get(key) for key in _ADAPTERS)
    bases = tuple(arguments.get(key) for key in _BASES)
    # Some versions name an adapter after the model that it adapts.
    adapted = any(adapters) and any(name and name in bases for name in named)
    candidates = (*adapters, *named) if adapted else (*named, *adapters, *bases)
    for name in candidates:
        # A folder is the same folder with a slash at its end.
        if isinstance(name, str) and name.strip().rstrip("/\\"):
            return name.strip().rstrip("/\\") + _checkpoint(arguments)
    raise DataError(
        f'{path}: names no model: neither "model_name" nor "model_args" of its "config" has one. '
        'Write it into the file as "model_name".'
    )


def _checkpoint(arguments: Mapping[str, Any]) -> str:
    """Return the suffix that names a checkpoint, "@step3000"; commits only pin the model."""
    revision = str(arguments.get("revision") or "main").strip()
    folder = str(arguments.get("subfolder") or "").strip().strip("/\\")
    pinned = revision in ("", "main", "None") or _COMMIT.match(revision)
    said = [text for text in ("" if pinned else revision, folder) if text not in ("", ".", "None")]
    return f"@{'/'.join(said)}" if said else ""


def _date(document: Mapping[str, Any], path: Path) -> float:
    stamp = _STAMP.search(path.name)
    if stamp:
        day, *clock = stamp.groups()
        try:
            return pd.Timestamp(f"{day}T{':'.join(clock)}").timestamp()
        except ValueError:
            pass
    date = document.get("date")
    seconds = finite_number(date)
    if seconds is None and isinstance(date, str):
        read = pd.to_datetime(date, errors="coerce", utc=True, format="ISO8601")
        return 0.0 if pd.isna(read) else float(read.timestamp())
    if seconds is None or seconds <= 0:
        return 0.0
    return seconds / 1000 if seconds > _LATEST else seconds
