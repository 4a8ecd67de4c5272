"""Tables of checkpoints: which column is the run, its size, its tokens, a figure, a benchmark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.column_names import is_neither, without_brackets
from latentscale.data.lower_by_name import is_lower
from latentscale.data.readers.cells import to_numbers
from latentscale.data.readers.published.cells import amounts
from latentscale.data.readers.published.columns import (
    counted_in,
    is_error,
    is_metric,
    roles_of,
    without_error_words,
)
from latentscale.data.readers.published.repeats import refuse_unnamed_scores
from latentscale.errors import DataError, listed, spelling
from latentscale.markup import counted

STEP: Final = (
    *("step", "_step", "iteration", "global_step", "training_step", "train_step"),
    *("checkpoint", "ckpt"),
)
LONG: Final = ("run", "step", "task", "metric", "value")
"""Columns of a long table of checkpoints."""
_RUN: Final = ("run", "run_name", "run_id", "model", "model_name", "name")
_TOKENS: Final = {
    "throughput/total_tokens": 1.0,
    "tokens": 1.0,
    "tokens_seen": 1.0,
    "total_tokens": 1.0,
    "train_tokens": 1.0,
    "tokens_b": 1e9,
    "tokens_t": 1e12,
}
"""Columns of tokens seen, with their unit: tokens, billions, trillions."""
_COUNTED: Final = {spelling(name): tokens for name, tokens in _TOKENS.items()}
"""The same by spelling: "Tokens (B)" means tokens_b."""
_TRAINED_ON: Final = ("tokens_seen", "train_tokens", "tokens_b", "tokens_t")
"""Columns that cannot mean the tokens used by an evaluation."""
SAME: Final = 0.05
"""Counts with a smaller relative difference may be one, rounded to two digits or logged later."""
_FEWEST: Final = 1e6
"""Tokens that every run has seen at its end; smaller counts are in another unit."""
_PARAMS: Final = (
    *("params_b", "params", "parameters", "n_params", "size", "model_size"),
    "params_m",
)
_SETTINGS: Final = re.compile(
    r"(learning.?rate|lr|seed|epoch|batch.*|.*time.*|.*flops?|compute|warmup.*|weight.?decay|gpus?"
    r"|nodes|grad.*|.*throughput.*|date|released|family|lineage|tokens?.*|params?.*"
    r"|(model_)?size|.*hours|optimi[sz]er|unnamed: \d+)",
    re.IGNORECASE,
)
"""Columns of numbers that are settings of a run, or times."""
_RATE: Final = re.compile(r"(.*[/_ ])?(lr|learning.?rate)([ _]?group ?\d)?", re.IGNORECASE)
"""Columns of learning rates: "lr", "learning_rate", "optim/learning_rate_group0"."""
_FALLEN: Final = 0.5
"""A learning rate below this share of its maximum has fallen: half of a cosine schedule."""


def column_of(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    """Return the first of some columns that a table has, in any spelling ("Step", "Run name")."""
    spelt = {_spelt(name): name for name in reversed(table.columns) if isinstance(name, str)}
    return next((spelt[key] for key in map(_spelt, names) if key in spelt), None)


def run_column(table: pd.DataFrame) -> str | None:
    """Return the column of runs of a table of several; None for a table of one run."""
    return column_of(table, _RUN)


def is_checkpoints(table: pd.DataFrame) -> bool:
    """Return whether a table has several rows per run, each at a step of its training.

    Without a column of steps, rows may be after different numbers of training tokens.
    """
    run, step = run_column(table), column_of(table, STEP)
    if run is None or not table.columns.is_unique or not table[run].duplicated().any():
        return False
    if step is not None:
        return not np.isnan(to_numbers(table[step])[0]).all()
    tokens = column_of(table, _TRAINED_ON)
    if tokens is None or "family" in table:
        return False
    ends = pd.Series(to_numbers(table[tokens])[0]).groupby(table[run].to_numpy())
    return bool((ends.max() > (1 + SAME) * ends.min()).any())


def long_columns(table: pd.DataFrame, figures: str, what: str) -> dict[str, str] | None:
    """Return, by name in `LONG`, the columns of a table with one row per score; else None.

    A table of Model, Step, Benchmark and Score, say, has one row per score if a column of
    benchmarks differs between the rows of a run, or if scores are its only figures.

    Raises
    ------
    DataError
        If a column names several benchmarks of one checkpoint, but no column has their scores.
    """
    if set(LONG) <= set(table.columns):
        return {name: name for name in (*LONG, "stderr") if name in table}
    run, step = run_column(table), column_of(table, STEP)
    if run is None:
        return None
    roles = roles_of(table)
    if not roles.long:
        about = table[[name for name in (run, step, _tokens_column(table)) if name is not None]]
        refuse_unnamed_scores(about, table, roles.others, what)
        return None
    benchmark, score = (roles.columns[role] for role in ("benchmark", "score"))
    differ = bool((table[benchmark].groupby(table[run]).nunique() > 1).any())
    if not differ and _figures(table, figures) != [score]:
        return None
    metric = next((name for name in roles.others if is_metric(name)), None)
    found = {"run": run, "step": step, "task": benchmark, "metric": metric, "value": score}
    found["stderr"] = roles.columns.get("stderr")
    return {name: column for name, column in found.items() if column is not None}


def tokens_seen(table: pd.DataFrame, what: str) -> np.ndarray:
    """Return the tokens that each row's checkpoint has seen, NaN if no column states them."""
    name = _tokens_column(table)
    if name is None:
        return np.full(len(table), np.nan)
    seen = to_numbers(table[name])[0] * _COUNTED[_spelt(name)]
    most = float(np.nanmax(seen, initial=0.0))
    if 0 < most < _FEWEST:
        raise DataError(
            f'{what}: no checkpoint has seen more than {most:g} tokens by the column "{name}". If '
            'it counts billions, call it "tokens_b"; trillions, "tokens_t".'
        )
    return seen


def sizes(table: pd.DataFrame) -> np.ndarray:
    """Return billions of parameters by row, NaN if no column or cell states them."""
    name = column_of(table, _PARAMS)
    if name is None:
        return np.full(len(table), np.nan)
    return np.asarray(amounts(table[name], unit=1e9, bare=counted_in(name, 1e9)), dtype=float)


def figure_columns(table: pd.DataFrame, figures: str, what: str) -> list[str]:
    """Return the columns of scores: those with the requested beginning, else all other numbers.

    Raises
    ------
    DataError
        If there is none.
    """
    columns = _figures(table, figures)
    if not columns:
        raise DataError(f"{what}: no column of scores; it has {listed(table.columns, 12)}.")
    return columns


def error_columns(table: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return the column of standard errors of each column of scores that has one.

    For example ``arc_acc_stderr`` or ``arc_stderr`` for ``arc_acc``; not if one column of errors
    could belong to several.
    """
    rests = {n: spelling(without_error_words(n)) for n in table.columns if is_error(n)}
    found: dict[str, str] = {}
    for name, rest in rests.items():
        whole = [column for column in columns if spelling(column) == rest]
        begun = [column for column in columns if rest and spelling(column).startswith(rest)]
        owner = whole or begun
        if len(owner) == 1:
            found.setdefault(owner[0], name)
    return found


def unused_columns(table: pd.DataFrame, figures: str) -> list[Finding]:
    """Return a finding on unused columns of a table of several runs."""
    columns = _figures(table, figures)
    errors = error_columns(table, columns).values()
    own = {*_own(table), column_of(table, _PARAMS), *columns, *errors}
    unused = [name for name in table.columns if name not in own]
    if not unused or any(name.startswith(figures) for name in table.columns):
        return []
    message = f"not used, as settings or text: {listed(unused)}. Others are scores."
    return [Finding("info", "ignored-column", "columns", message), *_falling_rates(table, unused)]


def _falling_rates(table: pd.DataFrame, names: Sequence[str]) -> list[Finding]:
    """Return the finding that scores under a falling learning rate depend on a run's progress."""
    run = run_column(table)
    name = next((n for n in names if _RATE.fullmatch(n)), None)
    if run is None or name is None:
        return []
    rates = pd.Series(to_numbers(table[name])[0]).groupby(table[run].to_numpy())
    falls = rates.last() < _FALLEN * rates.max()
    if not falls.any():
        return []
    message = (
        f"the learning rate falls over {int(falls.sum())} of {counted(len(falls), 'run')}, and "
        "scores rise as it does: a fit that knows tokens alone forecasts the end of an unfinished "
        "run too low. Add the share of its planned tokens that a run has seen as a feature."
    )
    return [Finding("warning", "falling-rate", name, message)]


def unread_cells(table: pd.DataFrame, figures: str) -> list[Finding]:
    """Return a finding on each column of scores with cells that are not numbers, such as "35%"."""
    findings = []
    for name in _figures(table, figures):
        rows = to_numbers(table[name])[1]
        if rows:
            cells = listed(dict.fromkeys(str(table[name].iloc[row]) for row in rows), 4)
            message = f"{counted(len(rows), 'cell')} without a number, left out: {cells}."
            findings.append(Finding("warning", "cell-unread", name, message))
    return findings


def _figures(table: pd.DataFrame, figures: str) -> list[str]:
    scores = [name for name in table.columns if not is_error(name)]
    named = [name for name in scores if name.startswith(figures)]
    own = _own(table)
    free = [name for name in scores if name not in own and not _is_setting(name)]
    return named or [n for n in free if not np.isnan(to_numbers(table[n])[0]).all()]


def _is_setting(name: str) -> bool:
    """Return whether a column is a setting of a run or a time; "training_loss" is a score."""
    return bool(_SETTINGS.fullmatch(name)) or (is_neither(name) and not is_lower(name))


def _tokens_column(table: pd.DataFrame) -> str | None:
    return next((n for key in _COUNTED for n in table.columns if _spelt(n) == key), None)


def _spelt(name: str) -> str:
    """Return a heading without case, spaces and brackets; the unit in them stays."""
    return spelling(without_brackets(name))


def _own(table: pd.DataFrame) -> set[str | None]:
    return {run_column(table), column_of(table, STEP), _tokens_column(table)}
