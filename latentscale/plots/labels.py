"""Names in figures: which are drawn, and how they are cut to fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count, takewhile
from typing import Final

from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect_names

_HEAD: Final = 3
"""A third of a shortened name is its beginning; the rest is the part that differs."""
_PART: Final = re.compile(r"[^ _-]+[ _-]*|[ _-]+")
"""Letters up to a place where a name may be broken."""
_WORD_START: Final = re.compile(r"\w+\Z")
"""An unfinished word at the end of a common prefix: a short one is shown from its start."""


MOST_PANELS: Final = 24
"""Benchmarks in one figure, one panel each in six rows of four: more cannot be read as one."""
MOST_MODELS: Final = 40
"""Models with a row in every panel: as many as fit on a page."""


def drawn(names: Sequence[str], chosen: Sequence[str] | None, most: int, what: str) -> list[str]:
    """Return which models or benchmarks a figure draws: those asked for, else the first.

    Parameters
    ----------
    names
        All names.
    chosen
        Those asked for; None for the first `most`.
    most
        How many are drawn where none is asked for.
    what
        The argument's name, for the error.

    Raises
    ------
    DataError
        If `chosen` is not a list of names, is empty, or holds an unknown one.
    """
    if chosen is None:
        return list(names[:most])
    asked = list(expect_names(chosen, what, f"[{listed(names[:2])}]"))
    if not asked:
        raise DataError(f"{what} is empty; name at least one of {listed(names)}.")
    for name in asked:
        if name not in names:
            raise DataError(f'{what}: "{name}" is not in this result.' + nearest(name, names))
    return list(dict.fromkeys(asked))


def broken(name: str, width: int) -> str:
    """Return a name in lines of at most `width` letters, broken after spaces, "_" and "-".

    A part that is longer than a line is broken within.
    """
    lines = [""]
    for part in _PART.findall(name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line.rstrip() for line in lines)


def distinct(names: Sequence[str], limit: int, *, keep_end: bool = False) -> list[str]:
    """Return names of at most `limit` letters, cut so that different names stay different.

    A name is cut at its end; in its middle if others would then look the same; and failing that, so
    that the first letters by which it differs from them are kept. Numbers are the last resort.

    Parameters
    ----------
    names
        Names, with repetitions.
    limit
        Letters that a name may have.
    keep_end
        Whether names keep their end, where units are.
    """
    unique = list(dict.fromkeys(names))
    kept = {name: name for name in unique if len(name) <= limit}
    cuts = (_middle, _difference) if keep_end else (_end, _middle, _difference)
    for cut in cuts:
        left = [name for name in unique if name not in kept]
        shown = cut(left, limit)
        often = Counter(shown)
        taken = set(kept.values())
        kept |= {
            name: short
            for name, short in zip(left, shown, strict=True)
            if often[short] == 1 and short not in taken
        }
    for name in unique:
        if name not in kept:
            taken = set(kept.values())
            numbered = (f"{name[: limit - 2 - len(str(n))]}… {n}" for n in count(1))
            kept[name] = next(short for short in numbered if short not in taken)
    return [kept[name] for name in names]


def _end(names: Sequence[str], limit: int) -> list[str]:
    return [f"{name[: limit - 1]}…" for name in names]


def _middle(names: Sequence[str], limit: int) -> list[str]:
    left = limit // 2
    return [f"{name[:left]}…{name[left + 1 - limit :]}" for name in names]


def _difference(names: Sequence[str], limit: int) -> list[str]:
    """Cut names to their beginning and what follows the letters that they share."""
    cut = _middle(names, limit)
    alike: dict[str, list[str]] = {}
    for name, short in zip(names, cut, strict=True):
        alike.setdefault(short, []).append(name)
    return [
        _from_difference(name, _common(alike[short]), limit)
        for name, short in zip(names, cut, strict=True)
    ]


def _common(names: Sequence[str]) -> str:
    """Return the letters with which all names begin."""
    first, last = min(names), max(names)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in same)


def _from_difference(name: str, common: str, limit: int) -> str:
    head = limit // _HEAD
    rest = limit - head - 1
    whole_word = _WORD_START.sub("", common)
    begin = len(whole_word if len(common) - len(whole_word) <= rest // 2 else common)
    if len(name) - begin <= rest:
        return f"{name[:head]}…{name[-rest:]}"
    begin = max(begin, head)
    return f"{name[:head]}…{name[begin : begin + rest - 1]}…"
