"""Sums compiled by numba: the same numbers as numpy's, whatever the order of groups."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor import config

from latentscale.engine import linker
from latentscale.engine.linker import numba_function
from latentscale.engine.sums import sum_function

DRAWN = np.random.default_rng(8)


@pytest.mark.parametrize("groups", [1, 3, 10, 40])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 11, 160])
@pytest.mark.parametrize("ordered", [True, False])
def test_sums_by_group_are_those_of_numpy(groups: int, length: int, ordered: bool) -> None:
    group = DRAWN.integers(groups, size=length)
    group = np.sort(group) if ordered else group
    numbers, target = DRAWN.normal(size=length), DRAWN.normal(size=groups)
    expected = target.copy()
    np.add.at(expected, group, numbers)
    before = target.copy()
    (sums,) = _program()(target, numbers, group)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(target, before)  # the caller's array does not change


def test_a_gradient_of_a_gather_takes_the_loop_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def noted(op: Any, node: Any) -> Any:
        made.append(sum_function(op, node))
        return made[-1]

    monkeypatch.setattr(linker, "sum_function", noted)
    parameter, group = pt.dvector("parameter"), pt.lvector("group")
    cost = pt.exp(parameter[group]).sum()  # PyTensor would write the scatter into exp's loop
    with config.change_flags(numba__cache=False):  # code on disk is not compiled again
        _, program = numba_function((parameter, group), [pt.grad(cost, parameter)])
        (slope,) = program(np.array([0.1, 0.2]), np.array([0, 0, 1, 0, 1, 1, 1, 0, 1]))
    np.testing.assert_allclose(slope, np.exp([0.1, 0.2]) * [4, 5], rtol=1e-14)
    assert any(made)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 83])
def test_the_sum_of_all_numbers_is_that_of_numpy(length: int) -> None:
    numbers = DRAWN.normal(size=length)
    total, twice = _whole()(numbers)
    assert np.shape(total) == np.shape(twice) == ()
    np.testing.assert_allclose(total, numbers.sum(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(twice, 2 * (numbers**2).sum(), rtol=1e-12)


def test_other_sums_are_left_to_pytensor() -> None:
    table, whole = pt.dmatrix(), pt.lvector()
    others = [table.sum(), table.sum(0), whole.sum()]
    assert all(sum_function(other.owner.op, other.owner) is None for other in others)


def test_other_scatters_are_left_to_pytensor() -> None:
    table, vector, index = pt.dmatrix(), pt.dvector(), pt.lvector()
    others = [
        pt.set_subtensor(vector[index], vector[index] + 1),
        pt.inc_subtensor(table[index, index], vector),
        pt.inc_subtensor(table[index], table[index]),
        pt.inc_subtensor(vector[index], vector[index], ignore_duplicates=True),
    ]
    assert all(sum_function(other.owner.op, other.owner) is None for other in others)


@cache
def _program() -> Any:
    target, numbers, group = pt.dvector("target"), pt.dvector("numbers"), pt.lvector("group")
    return numba_function((target, numbers, group), [pt.inc_subtensor(target[group], numbers)])[1]


@cache
def _whole() -> Any:
    numbers = pt.dvector("numbers")
    twice = 2 * (numbers**2).sum()  # PyTensor sums it to a plain number
    return numba_function((numbers,), [numbers.sum(), twice])[1]
