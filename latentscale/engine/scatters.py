"""Scatters: sums by group, such as those of all scores by benchmark, in loops that do not wait.

A plain loop adds each number to its group's sum in memory. Where neighbours are of one group, as
the scores of a benchmark are, each addition waits for the one before to be stored and read again:
some nine cycles, where an addition takes four and several run side by side.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from numba import njit

_VERSION = 1  # of the machine code on disk: raise it with any change below
_LANES = 4  # sums of a group that take turns: nine cycles of waiting at two a number, halved


@njit
def _add_by_group(sums: np.ndarray, numbers: np.ndarray, group: np.ndarray) -> None:
    """Add numbers to the sums of their groups, of which there are few, in place."""
    lanes = np.zeros((_LANES, len(sums)))
    whole = len(numbers) - len(numbers) % _LANES
    for first in range(0, whole, _LANES):
        for lane in range(_LANES):
            lanes[lane, group[first + lane]] += numbers[first + lane]
    for left in range(whole, len(numbers)):
        sums[group[left]] += numbers[left]
    for lane in range(_LANES):
        for place in range(len(sums)):
            sums[place] += lanes[lane, place]


@njit
def _add_one_by_one(sums: np.ndarray, numbers: np.ndarray, group: np.ndarray) -> None:
    """Add numbers to the sums of their groups, in place."""
    for place in range(len(numbers)):
        sums[group[place]] += numbers[place]


def scatter_function(op: Any, node: Any) -> tuple[Any, str] | None:
    """Return numba's function of sums by one index and its key, or None of another operation.

    Indices are not checked, nor lengths: one design made all arrays.

    Parameters
    ----------
    op, node
        PyTensor's operation and where it is used.
    """
    from pytensor.tensor.subtensor import AdvancedIncSubtensor

    if not isinstance(op, AdvancedIncSubtensor) or op.set_instead_of_inc or op.ignore_duplicates:
        return None
    kinds = [v.type for v in node.inputs]
    of_numbers = [(kind.dtype, kind.ndim) for kind in kinds[:2]]
    one_index = len(kinds) == 3 and kinds[2].dtype == "int64" and kinds[2].ndim == 1
    if of_numbers != [("float64", 1)] * 2 or not one_index or kinds[1].shape == (1,):
        return None
    key = sha256(f"scatter {op.inplace} {_VERSION}".encode()).hexdigest()
    return (_in_place if op.inplace else _on_a_copy), key


@njit
def _in_place(target: np.ndarray, numbers: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the target with numbers added to their groups."""
    if _LANES * len(target) <= len(numbers):
        _add_by_group(target, numbers, group)
    else:
        _add_one_by_one(target, numbers, group)
    return target


@njit
def _on_a_copy(target: np.ndarray, numbers: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return a copy of the target with numbers added to their groups."""
    return _in_place(target.copy(), numbers, group)
