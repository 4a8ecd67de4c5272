"""Which columns of a published table are means, sums or indices of its other columns.

By name, and by whether they follow from the others; what is only named so is kept and said.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import begins_as_mean, is_aggregate, is_own_index
from latentscale.data.lower_by_name import is_lower
from latentscale.data.readers.published.cells import Floats
from latentscale.errors import listed

_FEW: Final = 3
"""Benchmarks beside which a column named as a mean is their mean, and not the only score."""
_ROUNDING: Final = 0.006
"""Of the largest score: means are printed to the hundredth of a fraction, or the half per cent."""
_SPARE: Final = 4
"""Rows beyond the weights of a weighted mean: four more that agree to rounding are no chance."""
_WEIGHTS: Final = 0.03
"""By how much estimated weights of a mean may be below zero, or their sum off one: rounding."""
_NAMED: Final = "a mean, sum or index of the others"


def means_among(
    values: Mapping[str, Floats], declared: Collection[str]
) -> tuple[dict[str, str], list[Finding]]:
    """Return why columns say nothing beside the others, and a finding on means that are kept.

    Parameters
    ----------
    values
        Scores of the benchmarks, one a row in one order.
    declared
        Benchmarks that the caller declares: never left out.

    Notes
    -----
    A column with any name is left out if it is the plain mean of all others in each of many rows.
    A column with the name of a mean is left out beside `_FEW` others. Beside fewer, or where a
    name only begins as a mean's ("Avg Pass^1") or is an index of no broad ability, it is left out
    if it follows from the others. One that is named by what several others have in common ("Pass@1"
    beside "Easy-Pass@1" and "Hard-Pass@1") is left out if it is their mean, weighted or not. One
    with any name is left out if it is the plain mean of the columns that follow it.
    """
    free = [name for name in values if name not in declared]
    means = [name for name in free if is_aggregate(name)]
    begun = [name for name in free if begins_as_mean(name) and name not in means]
    others = {name: column for name, column in values.items() if name not in (*means, *begun)}
    left_out = {}
    for name in (*means, *begun):
        sure = name in means and len(others) >= _FEW and not is_own_index(name)
        if sure or (others and _follows(values[name], list(others.values()))):
            left_out[name] = _NAMED
    for name in (name for name in free if name in others):
        for parts in _named_after(name, [n for n in others if n not in left_out]):
            if len(parts) > 1 and _follows(values[name], [values[n] for n in parts], sums=False):
                left_out[name] = f"a mean of {listed(parts, 4)}"
    for name, parts in _heads(values, [n for n in free if n in others and n not in left_out]):
        left_out[name] = f"the mean of {listed(parts, 4)}"
    for name in (name for name in free if name in others):
        rest = [values[n] for n in others if n != name and n not in left_out]
        if name not in left_out and len(rest) > 1 and _is_plain_mean(values[name], rest):
            left_out[name] = "the mean of all others"
    doubtful = [*means, *(begun if len(others) >= _FEW else ())]
    kept = [name for name in doubtful if name not in left_out]
    return left_out, _kept(kept) if len(values) - len(left_out) > 1 else []


def falling_as_means(
    info: Mapping[str, Benchmark], left_out: Mapping[str, str], declared: Collection[str]
) -> tuple[dict[str, Benchmark], list[Finding]]:
    """Return benchmarks with the direction of their mean: "Average WER" is one of error rates.

    Where a column with such a name is the others' mean, lower is better on all of them. Where it
    may be, a finding names those on which higher is taken for better.

    Parameters
    ----------
    info
        Declarations by benchmark, those of means that are kept too.
    left_out
        Columns that are not used, with the reason of each.
    declared
        Benchmarks that the caller declares: never changed.
    """
    rising = [n for n, about in info.items() if n not in declared and not about.lower_is_better]
    sure = [n for n, why in left_out.items() if why == _NAMED and _mean_of_errors(n)]
    doubtful = [n for n in info if n not in declared and _mean_of_errors(n)]
    if not rising or not (sure or doubtful):
        return dict(info), []
    if sure:
        turned = {n: replace(info[n], lower_is_better=True, floor=0.0) for n in rising}
        return {**info, **turned}, []
    message = (
        f"{listed(doubtful)}: by name a mean of scores of which lower is better, but on "
        f"{listed(rising, 8)} higher is taken for better. If lower is better there, pass "
        f'benchmarks={{"{rising[0]}": Benchmark(scale=..., lower_is_better=True)}}.'
    )
    return dict(info), [Finding("warning", "mean-falls", "benchmarks", message)]


def _mean_of_errors(name: str) -> bool:
    return begins_as_mean(name) and is_lower(name)


def _named_after(name: str, others: Sequence[str]) -> list[list[str]]:
    """Return the columns whose names end with another's, and those whose names begin with it."""
    short = _words(name)
    longer = [(n, _words(n)) for n in others if len(_words(n)) > len(short) > 0]
    return [
        [n for n, words in longer if words[-len(short) :] == short],
        [n for n, words in longer if words[: len(short)] == short],
    ]


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.casefold())


def _follows(mean: Floats, parts: Sequence[Floats], *, sums: bool = True) -> bool:
    """Return whether a column is a mean or the sum of others.

    In all rows that have each, or of those that each row has; or, in rows enough, a mean with
    weights, such as the numbers of problems.
    """
    table = np.column_stack([mean, *parts])
    allowed = _ROUNDING * np.nanmax(np.abs(table), initial=0.0)
    whole = table[~np.isnan(table).any(axis=1)]
    total = whole[:, 1:].sum(axis=1)
    for count in (1, len(parts)) if sums else (len(parts),):
        # one row may agree by chance
        if len(whole) > 1 and (np.abs(whole[:, 0] - total / count) <= allowed).all():
            return True
    some = table[~np.isnan(mean) & ((~np.isnan(table[:, 1:])).sum(axis=1) > 1)]
    if len(some) > _SPARE:
        off = np.abs(some[:, 0] - np.nanmean(some[:, 1:], axis=1))
        if (off <= allowed).all():
            return True
    if len(parts) < 2 or len(whole) < len(parts) + _SPARE:
        return False
    weights, _, rank, _ = np.linalg.lstsq(whole[:, 1:], whole[:, 0])
    off = np.abs(whole[:, 1:] @ weights - whole[:, 0])
    is_mean = weights.min() > -_WEIGHTS and abs(weights.sum() - 1.0) < _WEIGHTS
    return bool(rank == len(parts) and is_mean and (off <= allowed).all())


def _is_plain_mean(mean: Floats, parts: Sequence[Floats]) -> bool:
    """Return whether a column is the mean of others, without weights, in rows enough to be sure."""
    table = np.column_stack([mean, *parts])
    least = min(2, len(parts))
    some = table[~np.isnan(mean) & ((~np.isnan(table[:, 1:])).sum(axis=1) >= least)]
    if len(some) <= _SPARE or len(some) < (~np.isnan(mean)).sum() or np.ptp(some[:, 0]) == 0:
        return False
    off = np.abs(some[:, 0] - np.nanmean(some[:, 1:], axis=1))
    return bool((off <= _ROUNDING * np.nanmax(np.abs(table))).all())


def _heads(values: Mapping[str, Floats], free: Collection[str]) -> list[tuple[str, list[str]]]:
    """Return the columns that are the plain mean of the columns that follow, with these.

    There are at least `_FEW` of these: the mean of two columns that hardly differ is near a third
    by chance. If one of them alone agrees with the first, they are copies of it and no evidence.
    """
    names = list(values)
    found = []
    for first, name in enumerate(names):
        for end in range(first + 1 + _FEW, len(names) + 1 if name in free else 0):
            parts = [values[n] for n in names[first + 1 : end]]
            if _may_be_mean(values[name], parts) and _is_plain_mean(values[name], parts):
                if not any(_is_plain_mean(values[name], [part]) for part in parts):
                    found.append((name, names[first + 1 : end]))
                break
    return found


def _may_be_mean(mean: Floats, parts: Sequence[Floats]) -> bool:
    """Return whether a column agrees with the mean of others in the first row: quick to refuse."""
    row = int(np.argmin(np.isnan(mean)))
    known = [part[row] for part in parts if not np.isnan(part[row])]
    largest = max(np.nanmax(np.abs(column), initial=0.0) for column in (mean, *parts))
    return bool(known) and abs(mean[row] - sum(known) / len(known)) <= _ROUNDING * largest


def _kept(names: Sequence[str]) -> list[Finding]:
    if not names:
        return []
    message = (
        f"{listed(names)}: by name a mean or index of others, but not of those in the table, so "
        "read as a benchmark of its own. If it contains them, drop the column: a score may "
        "count once only."
    )
    return [Finding("warning", "mean-kept", "columns", message)]
