"""Tables in JSON: a list of records, one record a line, or an object of records by model.

Not for result files of lm-evaluation-harness, which `read_harness` reads from their folder.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from latentscale.data.readers.model_names import FEW_MODELS, is_of_known_series
from latentscale.errors import DataError
from latentscale.markup import counted
from latentscale.validate import without_repeats

INSPECT: Final = (
    "a log of Inspect, not a table of scores. Make a table of all logs with "
    "inspect_ai.analysis.evals_df(folder), and pass it or save it as CSV"
)
"""Text of messages about Inspect's logs, in JSON or as .eval files."""
_LINES: Final = re.compile(r"\}\s*\n\s*\{")
"""Between two records, each of which is a separate JSON text."""
_SHAPE: Final = (
    'A table in JSON is a list of records, such as [{"model": "a-1b", "mmlu": 0.5}, ...], or one '
    "record a line"
)


def records_of(data: bytes, path: Path) -> pd.DataFrame:
    """Return the table of a JSON file: one row per record, one column per key.

    Objects within a record are taken apart: ``{"evaluations": {"gpqa": 0.8}}`` gives the column
    ``gpqa``, or ``evaluations.gpqa`` if ``gpqa`` is also elsewhere in the records. A list is not a
    value of one model: its cell says how many values it has. Of an object of records by model, the
    keys are the column ``model``.

    Parameters
    ----------
    data
        The file's bytes.
    path
        Where they come from.

    Raises
    ------
    DataError
        If it is not JSON, or holds no records.

    Examples
    --------
    >>> data = b'{"o3": {"scores": {"GPQA": 0.8}}, "o1": {"scores": {"GPQA": 0.7}}}'
    >>> records_of(data, Path("scores.json")).to_dict("list")
    {'model': ['o3', 'o1'], 'GPQA': [0.8, 0.7]}
    """
    document = _parsed(data, path)
    if isinstance(document, dict) and {"eval", "results"} <= set(document):
        raise DataError(f"{path}: this is {INSPECT}.")
    records = _records(document)
    if not records:
        raise DataError(
            f"{path}: this is JSON, but no list of records. {_SHAPE}. Results of "
            "lm-evaluation-harness are read from their folder; make a table of anything else "
            "with pandas, and pass it or save it as CSV."
        )
    apart = [dict(_leaves(record)) for record in records]
    ends = Counter(keys[-1] for keys in {keys: None for record in apart for keys in record})
    return pd.DataFrame(
        {
            keys[-1] if ends[keys[-1]] == 1 or len(keys) == 1 else ".".join(keys): value
            for keys, value in record.items()
        }
        for record in apart
    )


def _leaves(record: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the values of a record and of objects in it, with all their keys."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from (((key, *keys), leaf) for keys, leaf in _leaves(value))
        elif isinstance(value, list):
            yield (key,), f"list of {counted(len(value), 'value')}"
        else:
            yield (key,), value


def is_table(data: bytes) -> bool:
    """Return whether a JSON file holds records that `records_of` can read."""
    try:
        return bool(_records(_parsed(data, Path())))
    except DataError:
        return False


def _parsed(data: bytes, path: Path) -> Any:
    try:
        text = data.decode("utf-8-sig")
        whole = text.lstrip().startswith("[") or not _LINES.search(text)
        parts = [text] if whole else text.splitlines()
        parsed = [
            json.loads(part, object_pairs_hook=without_repeats) for part in parts if part.strip()
        ]
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: this begins as JSON, but is not ({error}). {_SHAPE}. Export it again, or "
            "save it as CSV."
        ) from error
    return parsed[0] if whole else parsed


def _records(document: Any) -> list[dict[str, Any]]:
    """Return the records of a document, or of the one part of an object that holds some."""
    if not isinstance(document, dict):
        return document if _are_records(document) else []
    if own := _by_model(document):
        return own
    parts = [
        value if _are_records(value) else _by_model(value)
        for value in document.values()
        if _are_records(value) or _by_model(value)
    ]
    return parts[0] if len(parts) == 1 else []


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _by_model(value: Any) -> list[dict[str, Any]]:
    """Return the records of an object whose keys are models, some of them of known series."""
    if not isinstance(value, dict) or not all(isinstance(row, dict) for row in value.values()):
        return []
    if sum(map(is_of_known_series, value)) < FEW_MODELS:
        return []
    return [{"model": name, **row} for name, row in value.items()]
