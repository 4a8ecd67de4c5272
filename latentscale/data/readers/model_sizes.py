"""Total and active parameters that a model's name states.

Only explicit sizes are read. A model whose name does not state active parameters need not be dense:
"gpt-oss-120b" is a mixture of experts too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Final

_NUMBER: Final = r"\d+(?:\.\d+)?"
_PARAMS: Final = r"(?:[-_ ]*param(?:eter)?s?)?(?![a-z\d])"

SIZE: Final = re.compile(
    r"(?:(?P<experts>\d+)x)?(?P<number>\d+(?:\.\d+)?)(?P<unit>[bm])(?:(?<=\db)(?P<tenths>\d))?"
)
"""A size in billions or millions; the last digit of "1b1" (bloom) and "1b5" (rwkv) is tenths."""
_ACTIVE: Final = re.compile(rf"a(?P<number>{_NUMBER})(?P<unit>[bm])")
"""Active parameters: "a22b", "a800m"."""
_EXPERTS: Final = re.compile(r"\d+e")
"""In "17b-128e" the size counts active parameters, and the total is not stated."""
_EFFECTIVE: Final = re.compile(rf"e{_NUMBER}b")
"""Parameters without embeddings ("e4b"): neither all parameters nor those used by one token."""
_TRILLION: Final = re.compile(rf"(?P<number>{_NUMBER})t")
"""A size if none is stated in billions ("Ling-1T"), else training tokens ("OLMo-7B-1T")."""
_OF_TOKENS: Final = re.compile(r"\dt[-_ ]*tok")

_WORDED: Final = re.compile(
    rf"(?<![a-z\d.])a?(?P<size>{_NUMBER}[bmt])[-_ ]*\(?(?P<what>active|activated|total){_PARAMS}"
)
"""The size before its word: "37B active", "37B activated params", "671B total", "1T total"."""
_WORD_FIRST: Final = re.compile(
    rf"(?<![a-z])(?:active|activated)[-_: ]+(?P<size>{_NUMBER}[bm])(?![a-z\d])"
)
_JOINED: Final = re.compile(rf"(?<=\d[bt])(?=a{_NUMBER}[bm](?![a-z\d]))")
"""Between the two sizes of "30BA3B"."""
_TOKENS: Final = re.compile(
    rf"(?P<before>tokens?)[-_ ]+{_NUMBER}[bt](?![a-z\d])"
    rf"|{_NUMBER}[bt][-_ ]*(?P<after>tokens?)(?![a-z]|[-_ ]+{_NUMBER}[bt])"
)
"""Training tokens, which are not a size: "nucleus-22B-token-500B"."""
_AFTER_VERSION: Final = re.compile(rf"(?<=[a-z])(\d+(?:\.\d+)?)_(?={_NUMBER}[bm](?![a-z\d]))")
"""The underscore of "Qwen3_30B": the version belongs to the word, the size does not."""
_DECIMAL_OR_NOT: Final = re.compile(r"(?<![a-z\d.])\d+_\d+[bm](?![a-z\d])")
"""1.8 of "internlm2-1_8b", but version 3 and 8 billion of "LLAMA-3_8B_Unaligned"."""
_SEPARATES: Final = re.compile(r"[a-z]_|_[a-z]")
_LARGEST_WINDOW_B: Final = 0.01
"""Context windows have 1 to 10 million tokens ("gemini-1.5-pro-2M"): a number as small as that may
be one of them."""
_MOST_PER_ACTIVE: Final = 40
"""All by active parameters: 31 of "1T-A32B" is among the most; "openmoe-8b-890B" counts tokens."""


@dataclass(frozen=True)
class NamedSizes:
    """Parameters in billions that a name states, NaN where it does not.

    Parameters
    ----------
    total_b
        All parameters. For "8x7b", experts times size, an overcount because experts share some.
    active_b
        The parameters that one token uses.
    """

    total_b: float
    active_b: float


def with_plain_sizes(text: str) -> str:
    """Return a name in lower case with its sizes as words of one form: "30b", "a3b".

    Parameters
    ----------
    text
        A name in lower case.

    Examples
    --------
    >>> with_plain_sizes("deepseek-v3 (671b, 37b active)"), with_plain_sizes("qwen3_30ba3b")
    ('deepseek-v3 (671b, a37b)', 'qwen3 30b-a3b')
    """
    text = _TOKENS.sub(lambda match: match["before"] or match["after"], text)
    text = _JOINED.sub("-", text)
    text = _AFTER_VERSION.sub(r"\1 ", text)
    text = _WORD_FIRST.sub(r"a\g<size>", text)
    return _WORDED.sub(lambda m: ("" if m["what"] == "total" else "a") + m["size"], text)


def sizes_in(text: str) -> NamedSizes:
    """Return the sizes in a cell that states how many parameters are active.

    Parameters
    ----------
    text
        For example "30B-A3B" or "671B (37B active)". Without a count of active parameters, both
        are NaN.

    Examples
    --------
    >>> sizes_in("37B active (671B total)"), sizes_in("8x7B")
    (NamedSizes(total_b=671.0, active_b=37.0), NamedSizes(total_b=nan, active_b=nan))
    """
    plain = text.casefold()
    words = re.findall(r"[a-z\d.]+", with_plain_sizes(plain))
    read = sizes_of(words, plain)
    return read if any(map(_ACTIVE.fullmatch, words)) else NamedSizes(nan, nan)


def sizes_of(words: Sequence[str], text: str) -> NamedSizes:
    """Return the sizes that a name states.

    If a name has two unmarked sizes, the second may count training tokens
    ("mpt-1b-redpajama-200b"); neither is then used. Neither is used if active parameters exceed
    total parameters, and the active count is not used if there are two different ones.

    Parameters
    ----------
    words
        Words of `with_plain_sizes`.
    text
        The original name in lower case.
    """
    unsure = _SEPARATES.search(text) is not None and _DECIMAL_OR_NOT.search(text) is not None
    sizes = [] if unsure else [_billions(match) for match in map(SIZE.fullmatch, words) if match]
    marks = {_billions(match) for match in map(_ACTIVE.fullmatch, words) if match}
    active = next(iter(marks)) if len(marks) == 1 else nan
    if not marks and any(map(_EXPERTS.fullmatch, words)):
        return NamedSizes(nan, sizes[0] if len(set(sizes)) == 1 else nan)
    if not sizes and not _OF_TOKENS.search(text):
        trillions = [match for match in map(_TRILLION.fullmatch, words) if match]
        sizes = [1000 * float(match["number"]) for match in trillions]
    if not marks and not _are_parameters(sizes, text):
        return NamedSizes(nan, nan)
    total = max(sizes, default=nan)
    if not isnan(total) and active > total:
        return NamedSizes(nan, nan)
    return NamedSizes(total, active)


def _are_parameters(sizes: Sequence[float], text: str) -> bool:
    """Return whether unmarked sizes, in a name's order, certainly count parameters.

    For a mixture of experts, active parameters may come before the total: "OLMoE-1B-7B".
    """
    if not sizes:
        return True
    largest = max(sizes)
    if largest <= _LARGEST_WINDOW_B:
        return False
    first = sizes[0]
    return first == largest or ("moe" in text and largest <= _MOST_PER_ACTIVE * first)


def is_size(word: str, words: Sequence[str]) -> bool:
    """Return whether a word of a name describes the size rather than the series.

    Parameters
    ----------
    word
        One of `words`.
    words
        Words of `with_plain_sizes`.
    """
    if any(kind.fullmatch(word) for kind in (SIZE, _ACTIVE, _EXPERTS, _EFFECTIVE)):
        return True
    return _TRILLION.fullmatch(word) is not None and not any(map(SIZE.fullmatch, words))


def _billions(match: re.Match[str]) -> float:
    parts = match.groupdict()
    number = float(parts["number"]) + float(parts.get("tenths") or 0) / 10
    per_billion = 1.0 if parts["unit"] == "b" else 1000.0
    return float(parts.get("experts") or 1) * number / per_billion
