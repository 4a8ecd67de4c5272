"""Sizes of models in published tables: cells such as "30B-A3B", and sizes that names state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.model_names import ModelName, parse_name
from latentscale.data.readers.model_sizes import sizes_in
from latentscale.errors import listed
from latentscale.markup import counted

_MOST: Final = 0.5
"""Share of the names that must state a size: with fewer, most models would not have one, and the
size class, which every name has, is more informative."""
_EXPERTS: Final = re.compile(r"\d+x\d+(\.\d+)?b")


def with_totals(column: pd.Series, amounts: Sequence[float]) -> list[float]:
    """Return total parameters, in billions, of cells that also state active ones, in any order.

    Parameters
    ----------
    column
        Cells of sizes.
    amounts
        The first number of each cell, in billions.
    """
    totals = []
    for cell, amount in zip(column.tolist(), amounts, strict=True):
        mixed = _mixture(cell)
        totals.append(amount if mixed is None else mixed[0])
    return totals


def active_of_cells(column: pd.Series) -> tuple[list[float | None] | None, list[Finding]]:
    """Return active parameters that cells of sizes state, in billions, and a finding on them.

    Parameters
    ----------
    column
        Cells such as "30B-A3B" and "671B (37B active)".

    Returns
    -------
    tuple
        One value per row, None where there is none; None if no cell states any. And a finding.
    """
    mixed = [_mixture(cell) for cell in column.tolist()]
    active = [None if one is None or np.isnan(one[1]) else one[1] for one in mixed]
    pairs = zip(column.tolist(), active, strict=True)
    texts = [f"{cell} is {value:g}" for cell, value in pairs if value is not None]
    if not texts:
        return None, []
    message = (
        f"{counted(len(texts), 'cell states', 'cells state')} active parameters, in billions: "
        f"{listed(dict.fromkeys(texts), 4)}. A column active_params_b says otherwise."
    )
    return active, [Finding("info", "active-sizes-read", str(column.name), message)]


def with_sizes_of_names(models: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Add sizes from models' names if the table does not state them.

    Total parameters are added if the table has no column of them but most names state them. Active
    parameters are added if the table has no column of them but a name states some ("30B-A3B"), so
    that a warning can be issued about training compute based on total parameters.

    Parameters
    ----------
    models
        One row per model; existing columns ``params_b`` and ``active_params_b`` do not change.
    """
    if models.empty:
        return models, []
    parsed = [parse_name(name) for name in models["model"]]
    models, of_totals = _with_totals(models, parsed)
    models, of_active = _with_active(models, parsed)
    return models, [*of_totals, *of_active]


def _with_totals(
    models: pd.DataFrame, parsed: Sequence[ModelName]
) -> tuple[pd.DataFrame, list[Finding]]:
    sizes = np.array([name.size_b for name in parsed], dtype=float)
    known = ~np.isnan(sizes)
    if "params_b" in models or known.mean() < _MOST:
        return models, []
    named = zip(models["model"][known], sizes[known], strict=True)
    pairs = [f"{name} {size:.3g}" for name, size in named]
    silent = models["model"][~known].tolist()
    message = (
        f"the table states no sizes; those of {len(pairs)} of {counted(len(models), 'model')} are "
        f"read from their names, in billions: {listed(pairs, 6)}."
    )
    message += (
        f" {counted(len(silent), 'states', 'state')} none: {listed(silent, 4)}." if silent else ""
    )
    both = zip(models["model"], parsed, strict=True)
    experts = [name for name, one in both if any(map(_EXPERTS.fullmatch, one.words))]
    if experts:
        message += (
            f" Of {listed(experts, 4)} the size is experts times size, which counts what experts "
            "share several times."
        )
    message += " A column params_b says otherwise."
    sized = models.assign(params_b=np.where(known, sizes, np.nan))
    return sized, [Finding("info", "sizes-from-names", "params_b", message)]


def _with_active(
    models: pd.DataFrame, parsed: Sequence[ModelName]
) -> tuple[pd.DataFrame, list[Finding]]:
    active = np.array([name.active_b for name in parsed], dtype=float)
    if "params_b" in models:
        totals = models["params_b"].to_numpy(dtype=float)
        active = np.where(active > totals, np.nan, active)  # the name says something else
    known = ~np.isnan(active)
    if "active_params_b" in models or not known.any():
        return models, []
    pairs = zip(models["model"][known], active[known], strict=True)
    texts = [f"{name} {size:.3g}" for name, size in pairs]
    message = (
        f"active parameters of {len(texts)} of {counted(len(models), 'model')} are read from their "
        f"names, in billions: {listed(texts, 6)}. Of other models they are unknown: names do not "
        "say which are dense. A column active_params_b says otherwise."
    )
    sized = models.assign(active_params_b=np.where(known, active, np.nan))
    return sized, [Finding("info", "active-sizes-from-names", "active_params_b", message)]


def _mixture(cell: object) -> tuple[float, float] | None:
    """Return total and active parameters of a cell that marks active ones; None for others."""
    read = sizes_in(cell) if isinstance(cell, str) else None
    if read is None or (np.isnan(read.total_b) and np.isnan(read.active_b)):
        return None
    return read.total_b, read.active_b
