"""Size classes of models from their names: mini, flash, opus, 8b and the like as ordered classes.

Closed models have no published size, but their names show their size within their series.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.features.category import SIZE_CLASSES, SIZE_LEVELS, UNKNOWN
from latentscale.data.readers.model_names import ModelName, parse_name
from latentscale.errors import DataError, listed

SIZE_WORDS: Final[Mapping[str, str]] = {
    "nano": "nano",
    "micro": "nano",
    "tiny": "nano",
    "mini": "mini",
    "lite": "mini",
    "haiku": "mini",
    "ministral": "mini",
    "scout": "small",
    "flash": "small",
    "small": "small",
    "air": "small",
    "sonnet": "medium",
    "maverick": "medium",
    "opus": "large",
    "pro": "large",
    "large": "large",
    "ultra": "large",
    "heavy": "large",
    "premier": "large",
    "behemoth": "large",
}
"""Class of a word of a name, in every series.

Only the order within a series is meant: haiku < sonnet < opus, nano < mini, flash < pro, lite <
pro, scout < maverick, ministral < small < large.
"""
SERIES_WORDS: Final[Mapping[tuple[str, str], str]] = {
    ("claude", "instant"): "mini",  # GPT-5.1 Instant is GPT-5.1 without reasoning
    ("flash", "lite"): "mini",  # Gemini's flash-lite is below its flash
    ("mistral", "medium"): "medium",
    ("magistral", "medium"): "medium",
    ("devstral", "medium"): "medium",
    ("phi", "mini"): "nano",  # Phi-3-mini has 3.8 billion parameters
    ("phi", "small"): "mini",  # 7 billion
    ("phi", "medium"): "mini",  # 14 billion
    **{("gpt2", word): "nano" for word in ("medium", "large", "xl")},  # up to 1.6 billion
    ("qwen", "flash"): "small",
    ("qwen", "turbo"): "small",
    ("qwen", "plus"): "medium",
    ("qwen", "max"): "large",
    ("qwq", "plus"): "medium",
    ("r", "plus"): "medium",  # Command R+ has 104 billion
}
"""Class of a word that is a size in one series only, by the word before it or the first word."""

LARGEST_B: Final = (4.5, 16.0, 40.0, 120.0)
"""Largest size of each class except the last, in billions of parameters.

Limits lie between published sizes: 1 to 4 nano, 7 to 14 mini, 20 to 34 small, 65 to 110 medium,
123 and more large.
"""
_PARTS: Final = 6
"""Parts of names that a finding lists for one value."""


@dataclass(frozen=True)
class NameReading:
    """A feature read from models' names.

    Parameters
    ----------
    values
        One value per name, in the order and with the index of the names, so that it can be
        assigned to a column of their table.
    basis
        The part of each name from which it was read, empty if there is none.
    levels
        The possible values, in order if they are ordered.
    audit
        Which values were read from which parts of the names, with counts.

    Examples
    --------
    >>> reading = ls.readers.effort(["o3_high", "claude-3-opus"])
    >>> reading.values.tolist()
    ['high', 'unstated']
    """

    values: pd.Series
    basis: pd.Series
    levels: tuple[str, ...]
    audit: Audit


def size_class(names: Iterable[str]) -> NameReading:
    """Read the size class of each model from its name.

    The number of billions in a name decides (`LARGEST_B`); without one, the first word of
    `SERIES_WORDS` or `SIZE_WORDS` does. The setting at which a model was run ("_medium", "-high",
    "-max-effort") is ignored. A name with neither is ``"unknown"``, a level of its own.

    Parameters
    ----------
    names
        Names of models; a column of a table keeps its index.

    Returns
    -------
    NameReading
        Values of `SIZE_CLASSES` and ``"unknown"``.

    Raises
    ------
    DataError
        If a name is not text.

    Examples
    --------
    >>> size_class(["claude-3-5-haiku-20241022", "gpt-5", "Qwen2.5-72B"]).values.tolist()
    ['mini', 'unknown', 'medium']
    """
    column = names_column(names, "size_class")
    read = {name: _class_of(parse_name(name)) for name in dict.fromkeys(column)}
    values = pd.Series([read[name][0] for name in column], index=column.index, dtype=object)
    basis = pd.Series([read[name][1] for name in column], index=column.index, dtype=object)
    return NameReading(
        values, basis, SIZE_LEVELS, Audit(name_findings(column, values, basis, "size"))
    )


def names_column(names: Iterable[str], what: str) -> pd.Series:
    """Return names as a column with an index.

    Raises
    ------
    DataError
        If they are a single string, or one of them is not text; `what` names the function.
    """
    if isinstance(names, str):
        raise DataError(f'{what} takes several names, such as ["{names}"], not one text.')
    if not isinstance(names, Iterable) or getattr(names, "ndim", 1) != 1:
        raise DataError(
            f"{what} takes names of models, such as a column of a table; got {names!r}."
        )
    column = names if isinstance(names, pd.Series) else pd.Series(list(names), dtype=object)
    bad = [place for place, name in enumerate(column) if not isinstance(name, str)]
    if bad:
        raise DataError(
            f"{what}: names must be text; row {bad[0]} holds {column.iloc[bad[0]]!r}"
            f"{f' (and {len(bad) - 1} more rows)' if len(bad) > 1 else ''}."
        )
    return column


def name_findings(
    names: pd.Series, values: pd.Series, basis: pd.Series, what: str
) -> tuple[Finding, ...]:
    """Return one finding on values read from parts of names, and on names without any."""
    table = pd.DataFrame({"name": names, "value": values, "basis": basis}).drop_duplicates("name")
    read = table[table["basis"] != ""]
    counts = []
    for value, rows in read.groupby("value", sort=False):
        counts.append(f"{value} {len(rows)} ({counted(rows['basis'])})")
    message = f"{len(read)} of {len(table)} names state the {what}"
    message += f": {'; '.join(counts)}." if counts else "."
    silent = table.loc[table["basis"] == "", "name"]
    if len(silent):
        message += (
            f" {len(silent)} {'does' if len(silent) == 1 else 'do'} not: {listed(silent, 5)}."
        )
    return (Finding("info", f"{what.replace(' ', '-')}-from-names", "model", message),)


def counted(words: pd.Series) -> str:
    """Return the commonest parts of names with their counts, and the number of others."""
    counts = words.value_counts()
    shown = ", ".join(f'"{word}" {count}' for word, count in counts.head(_PARTS).items())
    more = len(counts) - _PARTS
    return f"{shown} and {more} others" if more > 0 else shown


def _class_of(name: ModelName) -> tuple[str, str]:
    """Return the class of a name and the part that gives it."""
    if not np.isnan(name.size_b):
        place = int(np.searchsorted(LARGEST_B, name.size_b))
        return SIZE_CLASSES[place], f"{_range(place)} billion"
    series = name.series.split("-")[0]
    before = ""
    for word, after in zip(name.words, (*name.words[1:], ""), strict=True):
        if (word, after) in SERIES_WORDS:
            return SERIES_WORDS[word, after], f"{word}-{after}"
        for first in (series, before):
            if (first, word) in SERIES_WORDS:
                return SERIES_WORDS[first, word], f"{first} {word}"
        if word in SIZE_WORDS:
            return SIZE_WORDS[word], word
        before = word
    return UNKNOWN, ""


def _range(place: int) -> str:
    """Return the sizes of a class in words."""
    if place == 0:
        return f"up to {LARGEST_B[0]:g}"
    if place == len(LARGEST_B):
        return f"above {LARGEST_B[-1]:g}"
    return f"{LARGEST_B[place - 1]:g} to {LARGEST_B[place]:g}"
