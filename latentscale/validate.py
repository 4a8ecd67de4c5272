"""Checks of single settings: a number, one of some words, a seed, text that files can hold.

Only this module decides what counts as a number: NumPy's integers and floats are accepted wherever
Python's are, and returned as Python's. Tables are checked in `latentscale.data`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from math import isfinite
from numbers import Integral, Real
from typing import Any, Final, Literal

from latentscale.errors import LatentscaleError, listed, nearest

MOST_REPEATS: Final = 1_000_000
"""Most repeats of a random computation: a mean's error is then 0.1% of a standard deviation."""


def plain(value: Any) -> Any:
    """Return a value with NumPy's scalars and arrays turned into Python's, through containers.

    An array of dimension 0 becomes its scalar, any other a tuple; everything else is unchanged.
    """
    if _from_numpy(value):
        value = value.tolist()
        return tuple(plain(item) for item in value) if isinstance(value, list) else value
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    if type(value) is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    return value


def plain_fields(record: Any) -> None:
    """Turn NumPy's scalars among the fields of a frozen dataclass into Python's, in place.

    For ``__post_init__``, before the fields are checked: what is kept can be written as JSON.
    """
    for field in fields(record):
        value = getattr(record, field.name)
        if _from_numpy(value) or isinstance(value, list | tuple | dict):
            object.__setattr__(record, field.name, plain(value))


def _from_numpy(value: object) -> bool:
    # Recognised by its attributes, so that importing the package need not import NumPy.
    return hasattr(value, "dtype") and hasattr(value, "tolist") and not isinstance(value, type)


def is_number(value: object) -> bool:
    """Return whether a value is a finite real number; truth values and text are not."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # a whole number above every float
        return False


def is_whole(value: object, *, least: int | None = None, most: int | None = None) -> bool:
    """Return whether a value is a whole number, from `least` to `most` where they are given."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, Integral):
        return False
    return (least is None or int(value) >= least) and (most is None or int(value) <= most)


def whole_number(
    value: object,
    what: str,
    *,
    least: int | None = None,
    most: int | None = None,
    error: type[LatentscaleError] = LatentscaleError,
) -> int:
    """Return a whole number as a Python int; 3.0 and True are not whole numbers here.

    Parameters
    ----------
    value
        What the caller gave.
    what
        Its name, for the message.
    least, most
        Smallest and largest number allowed.
    error
        Which error to raise.

    Raises
    ------
    LatentscaleError
        If it is anything else; of the class `error`.
    """
    bare = plain(value)
    if is_whole(bare, least=least, most=most):
        return int(bare)
    span = f" of at least {least}" if least is not None else ""
    if most is not None:
        span = f" of at most {most}" if least is None else f" from {least} to {most}"
    raise error(f"{what} must be a whole number{span}; got {bare!r}.")


def real_number(
    value: object,
    what: str,
    *,
    above: float | None = None,
    below: float | None = None,
    least: float | None = None,
    most: float | None = None,
    error: type[LatentscaleError] = LatentscaleError,
) -> float:
    """Return a finite number as a Python float.

    Parameters
    ----------
    value
        What the caller gave.
    what
        Its name, for the message.
    above, below
        Open bounds.
    least, most
        Closed bounds.
    error
        Which error to raise.

    Raises
    ------
    LatentscaleError
        If it is anything else; of the class `error`.
    """
    bare = plain(value)
    if is_number(bare):
        number = float(bare)  # type: ignore[arg-type]
        inside = (
            (above is None or number > above)
            and (below is None or number < below)
            and (least is None or number >= least)
            and (most is None or number <= most)
        )
        if inside:
            return number
    allowed = _bounds_in_words(above, below, least, most)
    raise error(f"{what} must {allowed}; got {bare!r}.")


def _bounds_in_words(
    above: float | None, below: float | None, least: float | None, most: float | None
) -> str:
    if above is not None and below is not None:
        return f"lie strictly in ({above:g}, {below:g})"
    if least is not None and most is not None:
        return f"lie in [{least:g}, {most:g}]"
    if least is not None and below is not None:
        return f"be a number from {least:g} to below {below:g}"
    bounds = (("above", above), ("below", below), ("of at least", least), ("of at most", most))
    limits = [f" {word} {bound:g}" for word, bound in bounds if bound is not None]
    return "be a finite number" + " and".join(limits)


def truth(
    value: object, what: str, *, error: type[LatentscaleError] = LatentscaleError, also: str = ""
) -> bool:
    """Return True or False; 1 and 0 are accepted for them, text is not.

    Parameters
    ----------
    value
        What the caller gave.
    what
        Its name, for the message.
    error
        Which error to raise.
    also
        What else is allowed; the caller has checked for it.

    Raises
    ------
    LatentscaleError
        If it is anything else; of the class `error`.
    """
    bare = plain(value)
    if isinstance(bare, bool) or (is_number(bare) and float(bare) in (0, 1)):  # type: ignore[arg-type]
        return bool(bare)
    allowed = f"True, False or {also}" if also else "True or False"
    raise error(f"{what} must be {allowed}; got {_brief(bare)}.")


def _brief(value: object) -> str:
    """Return a value as code, where that is short."""
    code = repr(value)
    return code if len(code) < 40 and "\n" not in code else f"a {type(value).__name__}"


def choice(
    value: object,
    what: str,
    allowed: Collection[str],
    *,
    error: type[LatentscaleError] = LatentscaleError,
) -> str:
    """Return a word if it is one of those allowed.

    Raises
    ------
    LatentscaleError
        If it is none of them; of the class `error`, naming the nearest.
    """
    if isinstance(value, str) and value in allowed:
        return str(value)
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    raise error(f"{what} must be one of {listed(allowed)}; got {plain(value)!r}.{hint}")


def seed(value: object) -> int:
    """Return a seed of random numbers: a whole number of at least 0, however large.

    Raises
    ------
    LatentscaleError
        If it is anything else.
    """
    return whole_number(value, "seed", least=0)


def seed_word(value: int, bits: Literal[32, 64]) -> int:
    """Return a seed that fits an unsigned word, for a library that takes no larger one.

    A seed that fits is unchanged, and so are its random numbers; a larger one is mixed into
    the word by NumPy's SeedSequence. The same seed always gives the same word.

    Parameters
    ----------
    value
        A seed, as `seed` returns it.
    bits
        Bits of the word, 32 or 64.
    """
    if value < 1 << bits:
        return value
    import numpy as np

    mixed = np.random.SeedSequence(value)
    return int(mixed.generate_state(1, np.uint32 if bits == 32 else np.uint64)[0])


def prob(value: object) -> float:
    """Return the probability of an interval, strictly between 0 and 1.

    Raises
    ------
    LatentscaleError
        If it is anything else; the message recognises 90 given instead of 0.9.
    """
    if is_number(value) and 0 < float(value) < 1:  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    raise LatentscaleError(
        f"prob must lie strictly between 0 and 1, for example 0.9; got {plain(value)!r}."
    )


UNSTORABLE_RULE: Final = (
    "It holds a NUL character or half of a surrogate pair, which saved fits cannot hold: remove it."
)


def unstorable(text: str) -> bool:
    """Return whether a text holds a NUL (which ends strings in HDF5) or is not valid Unicode."""
    if "\0" in text:
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the keys and values of a JSON object; give it to json.loads as `object_pairs_hook`.

    Raises
    ------
    ValueError
        If a key occurs twice: JSON would silently keep the last value.
    """
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in mapping if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" occurs {keys.count(twice)} times in one object')
    return mapping
