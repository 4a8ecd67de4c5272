"""Tables in JSON: a list of records, one record a line, or a list within an object.

Not for result files of lm-evaluation-harness, which `read_harness` reads from their folder.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pandas as pd

from latentscale.errors import DataError
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

    Parameters
    ----------
    data
        The file's bytes.
    path
        Where they come from.

    Raises
    ------
    DataError
        If it is not JSON, not a list of records, or a record holds a list or an object.
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
    for place, record in enumerate(records):
        for key, value in record.items():
            if isinstance(value, list | dict):
                kind = "a list" if isinstance(value, list) else "an object"
                raise DataError(
                    f'{path}: record {place}, "{key}" holds {kind} and not one value. Give each '
                    "score a key of its own: pandas.json_normalize(records) does so for objects; "
                    "pass its table, or save it as CSV."
                )
    return pd.DataFrame(records)


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
    """Return the records of a list, or of the one list that an object holds; none otherwise."""
    if isinstance(document, dict):
        lists = [value for value in document.values() if _are_records(value)]
        return lists[0] if len(lists) == 1 else []
    return document if _are_records(document) else []


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
