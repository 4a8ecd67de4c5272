"""Names of columns that do not measure a skill of their own: ranks, prices, counts, means."""

from __future__ import annotations

import re
from typing import Final

from latentscale.data.heading_words import (
    ALONE,
    BROAD,
    EARNED,
    EVENTS,
    MARKED,
    MEANS,
    OF_A_RUN,
    OF_USE,
    SPREAD,
    anywhere,
    whole,
)

_NEITHER: Final = (
    anywhere(OF_USE, unless="[- ]adjusted").search,
    anywhere(OF_A_RUN).search,
    MARKED.search,
    *(whole(phrases).fullmatch for phrases in (ALONE, EVENTS, SPREAD)),
)
"""What finds columns of numbers that do not measure a skill."""
_AGGREGATE: Final = whole(MEANS)
_OF_OTHERS: Final = anywhere(BROAD)
_CAMEL: Final = re.compile(r"[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)+")
"""Names of fields in programs: "upperBound", "costPerTask"; not names such as "TimeQA"."""
_MEAN: Final = re.compile(r"\W*(average|avg|mean|overall|total)(?![a-z])", re.IGNORECASE)


def in_words(name: str) -> str:
    """Return a column's name with spaces between its words: "upper_bound" and "upperBound"."""
    edges = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=\d)"
    apart = re.sub(edges, " ", name) if _CAMEL.fullmatch(name) else name
    return apart.replace("_", " ")


def is_neither(name: str) -> bool:
    """Return whether a column's name means prices, speeds, ranks, counts or settings."""
    text = in_words(name)
    text = re.sub(r"[$€£]", "", text) if EARNED.search(text) else text
    return any(found(text) for found in _NEITHER)


def is_aggregate(name: str) -> bool:
    """Return whether a column's name means a mean or index of other columns."""
    words = re.sub(r"\W+", " ", without_brackets(in_words(name)))
    return bool(_AGGREGATE.fullmatch(words.strip()))


def is_own_index(name: str) -> bool:
    """Return whether an index may be a benchmark of its own: "Remote Labor Index"."""
    text = without_brackets(in_words(name))
    if re.match(r"\W*index", text, re.IGNORECASE):
        return False
    return "index" in text.casefold() and not _OF_OTHERS.search(text)


def begins_as_mean(name: str) -> bool:
    """Return whether a column's name begins like a mean's: "Avg Pass^1", "Mean WER"."""
    return bool(_MEAN.match(name))


def without_brackets(name: str) -> str:
    """Return a column's name without brackets around its unit: "Params (B)" becomes "Params B"."""
    return re.sub(r"[()\[\]]", " ", name)
