"""Sums over all scores and by group, such as by benchmark, in loops that do not stall.

A plain loop adds each number to one sum, so each addition waits for the previous one. In sums by
group, which are in memory, it even waits until the sum is stored and read again if neighbours are
in one group, like the scores of a benchmark. Here several sums take turns.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from numba import njit

_VERSION = 1  # of the machine code on disk; raise it with any change below
_LANES = 4  # sums of a group that take turns: each is stored before its next turn
_WIDE = 8  # total sums that take turns: the doubles in the widest vector instructions


@njit
def _whole_sum(numbers: np.ndarray) -> float:
    """Return the sum of numbers."""
    lanes = np.zeros(_WIDE)
    whole = len(numbers) - len(numbers) % _WIDE
    for first in range(0, whole, _WIDE):
        for lane in range(_WIDE):
            lanes[lane] += numbers[first + lane]
    total = 0.0
    for place in range(whole, len(numbers)):
        total += numbers[place]
    for lane in range(_WIDE):
        total += lanes[lane]
    return total


@njit
def _whole_sum_in_array(numbers: np.ndarray) -> np.ndarray:
    """Return the sum of numbers as an array without axes."""
    return np.array(_whole_sum(numbers))


@njit
def _add_by_group(sums: np.ndarray, numbers: np.ndarray, group: np.ndarray) -> None:
    """Add numbers in place to the sums of their groups, for few groups."""
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
    """Add numbers in place to the sums of their groups."""
    for place in range(len(numbers)):
        sums[group[place]] += numbers[place]


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


def sum_function(op: Any, node: Any) -> tuple[Any, str] | None:
    """Return numba's function for a sum over one axis and its key; None for other operations.

    The sum is over all numbers along the axis, or over each group in an index. Indices and lengths
    are not checked, since one design made all arrays.

    Parameters
    ----------
    op, node
        PyTensor's operation and where it is used.
    """
    from pytensor.tensor.elemwise import CAReduce
    from pytensor.tensor.math import Sum
    from pytensor.tensor.rewriting.scalarize import ScalarCAReduce
    from pytensor.tensor.subtensor import AdvancedIncSubtensor

    if isinstance(op, Sum) and _of_one_axis(op, node):
        return _whole_sum_in_array, sha256(f"sum {_VERSION}".encode()).hexdigest()
    if isinstance(op, ScalarCAReduce):  # PyTensor's reduction to a plain number
        (within,) = (n.op for n in op.fgraph.apply_nodes if isinstance(n.op, CAReduce))
        if isinstance(within, Sum) and _of_one_axis(within, node):
            return _whole_sum, sha256(f"sum to a number {_VERSION}".encode()).hexdigest()
    if isinstance(op, AdvancedIncSubtensor) and _by_group(op, node):
        key = sha256(f"sum by group {op.inplace} {_VERSION}".encode()).hexdigest()
        return (_in_place if op.inplace else _on_a_copy), key
    return None


def _of_one_axis(op: Any, node: Any) -> bool:
    """Return whether a sum is over the only axis of an array of doubles."""
    (numbers,) = node.inputs
    alike = numbers.type.dtype == "float64" and op.acc_dtype in (None, "float64")
    return alike and numbers.type.ndim == 1


def _by_group(op: Any, node: Any) -> bool:
    if op.set_instead_of_inc or op.ignore_duplicates:
        return False
    kinds = [(v.type.dtype, v.type.ndim) for v in node.inputs]
    numbers = node.inputs[1]
    return kinds == [("float64", 1), ("float64", 1), ("int64", 1)] and numbers.type.shape != (1,)
