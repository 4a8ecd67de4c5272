"""Which entries of a result file are figures, and which figures can be a benchmark's score."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, nan
from typing import Any, Final

from latentscale.data.benchmarks import Benchmark
from latentscale.data.columns import is_missing, number_of_cell

_COUNTS: Final = ("sample_len", "sample_count", "samples", "n_samples", "num_samples")
_BOOKKEEPING: Final = frozenset(
    (*_COUNTS, "alias", "name", "num_fewshot", "n_shot", "version", "hash", "seed", "limit")
)
"""What versions of the harness write next to the figures of a task."""
_FRACTIONS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"acc_norm",
        r"acc",
        r"accuracy",
        r"exact_match",
        r"em",
        r"mc2",
        r"pass(@|_at_)1",
        r"acc_(bytes|mutual_info|all|norm_.*)",
        r"(acc|accuracy)_.*|.*_(acc|accuracy)",
        r".*exact_match.*|.*_em",
        r"pass(@|_at_)\d+",
        r"mc1",
        r"f1|.*_f1|f1_.*",
    )
)
"""Metrics that are fractions of items or of credit, the preferred one first.

Length-normalised accuracy comes first, because the Open LLM Leaderboard uses it wherever a task has
it. Perplexities, bits per byte, BLEU, ROUGE, correlations and times are not included.
"""
_ATTEMPTS: Final = re.compile(r"pass(?:@|_at_)(\d+)(?:,|$)")
_NAMED: Final = re.compile(r"(?P<task>.*\w)[\W_]*?[ _/.-]pass(?:@|_at_)(?P<k>[1-9]\d*)")
_FILTERS: Final = ("none", "strict-match", "get-answer")
"""Filters of an answer, the preferred one first; others follow in the order of the file."""


def figures_of(entry: Mapping[str, Any], *, filtered: bool) -> dict[str, float]:
    """Return the figures of one task by ``metric,filter``, without standard errors.

    Parameters
    ----------
    entry
        What a result file holds for one task.
    filtered
        Whether the file names filters (version 0.4), so that only keys with a comma are figures.

    Returns
    -------
    dict
        NaN where a figure is NaN, infinite, empty, text or a truth value.
    """
    figures = {}
    for key, value in entry.items():
        metric, comma, kind = str(key).partition(",")
        if metric.endswith("_stderr") or metric in _BOOKKEEPING or (filtered and not comma):
            continue
        number = _figure(value)
        name = f"{metric},{kind or 'none'}"
        if number is None and isinstance(value, str | bool) and rank_of(name) is not None:
            number = nan  # a malformed score is reported, not ignored
        if number is not None:
            figures[name] = number
    return figures


def errors_of(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return the standard errors of one task's figures by ``metric,filter``, where given.

    Files write ``acc_stderr,none`` (version 0.4) or ``acc_stderr`` (0.3) next to a figure, and
    "N/A" if there is none.
    """
    errors = {}
    for key, value in entry.items():
        metric, _, kind = str(key).partition(",")
        if metric.endswith("_stderr"):
            number = _figure(value)
            if number is not None and number > 0:  # 0 where all items were right, or none
                errors[f"{metric.removesuffix('_stderr')},{kind or 'none'}"] = number
    return errors


def attempts_of(key: str) -> int | None:
    """Return k of a metric such as ``pass@10,create_test``, None for any other metric.

    Examples
    --------
    >>> attempts_of("pass@10,create_test"), attempts_of("acc,none")
    (10, None)
    """
    match = _ATTEMPTS.match(key)
    return int(match[1]) if match else None


def with_attempts(benchmarks: Mapping[str, Benchmark]) -> dict[str, Benchmark]:
    """Return declarations in which benchmarks named "humaneval_pass@4" have that many attempts.

    Benchmarks with one name and several numbers of attempts share a task.

    Examples
    --------
    >>> read = with_attempts({"code_pass@1": Benchmark(), "code_pass@4": Benchmark()})
    >>> [(one.attempts, one.task) for one in read.values()]
    [(1, 'code'), (4, 'code')]
    """
    named = {name: match for name in benchmarks if (match := _NAMED.fullmatch(name))}
    of_task: dict[str, set[str]] = {}
    for match in named.values():
        of_task.setdefault(match["task"], set()).add(match["k"])
    changed = dict(benchmarks)
    for name, match in named.items():
        task = match["task"] if len(of_task[match["task"]]) > 1 else benchmarks[name].task
        changed[name] = replace(benchmarks[name], attempts=int(match["k"]), task=task)
    return changed


def rank_of(key: str) -> tuple[int, int] | None:
    """Return how much a ``metric,filter`` is preferred as a score (lowest first), None if never."""
    metric, _, kind = key.partition(",")
    place = next((i for i, name in enumerate(_FRACTIONS) if name.fullmatch(metric)), None)
    if place is None:
        return None
    return place, _FILTERS.index(kind) if kind in _FILTERS else len(_FILTERS)


def _figure(value: object) -> float | None:
    if is_missing(value) or (isinstance(value, str) and value.strip().casefold() == "nan"):
        return nan
    try:
        number = number_of_cell(value)
    except OverflowError:  # an integer beyond float64
        return nan
    return number if number is None or isfinite(number) else nan
