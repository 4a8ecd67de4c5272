"""Errors and warnings written for users.

Each message says what was wrong, where, what is allowed and what to do next.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Final

_SEPARATORS: Final = frozenset({"Zs", "Pd", "Pc"})
_LIKE_SEPARATORS: Final = ".\t\n\N{MINUS SIGN}\N{MIDDLE DOT}"
"""Characters of other categories that names have between their words."""
_ACCENTS: Final = ("\N{COMBINING GRAVE ACCENT}", "\N{COMBINING LATIN SMALL LETTER X}")
"""First and last of Unicode's combining accents, U+0300 to U+036F."""
_ASCII_SEPARATORS: Final = {
    code: " "
    for code in range(128)
    if chr(code) in _LIKE_SEPARATORS or unicodedata.category(chr(code)) in _SEPARATORS
}
"""Unicode's categories of spaces, dashes, and underscores and their like."""


class LatentscaleError(ValueError):
    """Base of every error that latentscale raises on purpose.

    Examples
    --------
    >>> try:
    ...     fit.scores.select(models=["gpt"])
    ... except ls.LatentscaleError as error:
    ...     print(str(error)[:60])
    Unknown model: "gpt". Known are "bloom-560m", "bloom-1b1", "
    """


class DataError(LatentscaleError):
    """A table of scores or of planned models cannot be used.

    Examples
    --------
    >>> try:
    ...     fit.scores.select(benchmarks=["mmlo"])
    ... except ls.DataError as error:
    ...     print(str(error)[:60])
    Unknown benchmark: "mmlo". Did you mean "mmlu"? Known are "m
    """


class SpecError(LatentscaleError):
    """A model spec is malformed, or does not fit the question asked of it.

    Examples
    --------
    >>> try:
    ...     ls.load_spec("latentscal")
    ... except ls.SpecError as error:
    ...     print(str(error)[:60])
    "latentscal" is neither a shipped spec nor a file. Shipped a
    """


class FitError(LatentscaleError):
    """A fit could not be made, read back, or used for what was asked.

    Examples
    --------
    >>> try:
    ...     ls.load("missing.nc")
    ... except ls.FitError as error:
    ...     print(str(error)[:60])
    There is no file missing.nc.
    """


class DataWarning(UserWarning):
    """Something in a table looks wrong but does not stop the work.

    Examples
    --------
    >>> frame = fit.scores.to_frame().assign(gsm8k=0.5)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     scores = ls.Scores.from_frame(frame)
    >>> issubclass(caught[0].category, ls.DataWarning)
    True
    """


class FitWarning(UserWarning):
    """A fit was made, but part of it needs checking before it is trusted.

    Examples
    --------
    >>> issubclass(ls.FitWarning, UserWarning)
    True
    """


_ALIKE: Final = 0.6
"""Smallest `difflib` ratio at which another name is suggested: "lineage" has .55 with "name"."""


def spelling(name: str, *, keep_numbers_apart: bool = False) -> str:
    """Return a name without case, accents, look-alikes, spaces, dots, dashes and underscores.

    Names with the same result are probably one name spelled in two ways.

    Parameters
    ----------
    name
        Any name.
    keep_numbers_apart
        Whether a separator between two digits counts, so that "opt-1.3b" is not "opt-13b".
    """
    letters = [
        " " if letter in _LIKE_SEPARATORS or unicodedata.category(letter) in _SEPARATORS else letter
        for letter in unicodedata.normalize("NFKD", name).casefold()
        if unicodedata.category(letter) != "Cf"  # zero-width marks
        and not _ACCENTS[0] <= letter <= _ACCENTS[1]
    ]
    text = "".join(letters)
    if keep_numbers_apart:
        text = re.sub(r"(?<=\d) +(?=\d)", ".", text)
    return text.replace(" ", "")


def spellings(names: Sequence[str]) -> list[str]:
    """Return the `spelling` of many names, keeping numbers apart: a million take about a second.

    Parameters
    ----------
    names
        Names without NUL characters.
    """
    if not all(map(str.isascii, names)):
        return [spelling(name, keep_numbers_apart=True) for name in names]
    if not names:
        return []
    # All names in one text: ASCII has few separators, and normalisation does not change it.
    text = "\0".join(names).lower().translate(_ASCII_SEPARATORS)
    text = re.sub(r"(?<=\d) +(?=\d)", ".", text)
    return text.replace(" ", "").split("\0")


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return ``' Did you mean "x"?'`` for the closest allowed names, or an empty string.

    Names that differ only in spelling (see `spelling`) come first, then names that begin with the
    whole name, such as a model at several efforts. Up to three equally close names are given.
    """
    names = list(dict.fromkeys(str(a) for a in allowed))
    wanted = str(name)
    close = [other for other in names if spelling(other) == spelling(wanted)]
    close = close or [other for other in names if _begins_with(other, wanted)]
    if not close:
        alike = get_close_matches(wanted, names, n=2, cutoff=_ALIKE)
        ratios = [SequenceMatcher(None, other, wanted).ratio() for other in alike]
        close = [other for other, ratio in zip(alike, ratios, strict=True) if ratio == ratios[0]]
    *first, last = [f'"{other}"' for other in close[:_NAMED]] or [""]
    either = f"{', '.join(first)} or {last}" if first else last
    return f" Did you mean {either}?" if close else ""


_NAMED: Final = 3
"""Names in one question: efforts are mostly low, medium and high."""


def _begins_with(other: str, name: str) -> bool:
    """Return whether a name is another one followed by more words: "gpt-5_high" and "GPT 5"."""
    wanted = spelling(name)
    if not wanted or not spelling(other).startswith(wanted):
        return False
    ends = [place for place, letter in enumerate(other) if not letter.isalnum()]
    return any(spelling(other[:end]) == wanted for end in ends)


def listed(names: Iterable[object], limit: int = 8) -> str:
    """Join names for a message, quoting each and cutting a long list."""
    shown = [f'"{name}"' for name in names]
    if len(shown) > limit:
        return ", ".join(shown[:limit]) + f" and {len(shown) - limit} more"
    return ", ".join(shown)
