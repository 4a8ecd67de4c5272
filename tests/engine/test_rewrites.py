"""Rewrites for compilation: the same numbers from fewer kinds of code."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.tensor.math import Sum
from pytensor.tensor.shape import SpecifyShape, specify_shape
from pytensor.tensor.subtensor import AdvancedIncSubtensor, AdvancedSubtensor

from latentscale.engine.linker import numba_function

TABLE = np.random.default_rng(3).standard_normal((5, 4))
CUBE = np.random.default_rng(4).standard_normal((3, 5, 4))


def compiled(inputs, output):
    """Return a graph's value under the package's linker, PyTensor's plain value, and its nodes."""
    with pm.Model():
        function, _ = numba_function(inputs, [output])
    plain = pytensor.function(inputs, output, mode="FAST_COMPILE")
    return function, plain, [node.op for node in function.maker.fgraph.toposort()]


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), None])
def test_sums_along_axes(axis):
    cube = pt.tensor3("cube")
    function, plain, ops = compiled([cube], cube.dimshuffle(2, 0, 1).sum(axis))
    assert axis is None or not any(isinstance(op, Sum) for op in ops)
    np.testing.assert_allclose(function(CUBE)[0], plain(CUBE), rtol=1e-12)


def test_gathers_become_loops():
    table, rows = pt.matrix("table"), pt.lvector("rows")
    function, plain, ops = compiled([table, rows], table[rows].T)
    assert not any(isinstance(op, AdvancedSubtensor) for op in ops)
    picked = np.array([4, 0, 0, -1])
    np.testing.assert_array_equal(function(TABLE, picked)[0], plain(TABLE, picked))


@pytest.mark.parametrize("write", ["inc", "set"])
def test_scatters_become_loops_and_count_repeats(write):
    table, rows, values = pt.matrix("table"), pt.lvector("rows"), pt.matrix("values")
    written = getattr(pt.zeros_like(table)[rows], write)(values.T)
    function, plain, ops = compiled([table, rows, values], written)
    assert not any(isinstance(op, AdvancedIncSubtensor) for op in ops)
    where = np.array([4, 1, 1]) if write == "inc" else np.array([4, 1, 0])
    np.testing.assert_allclose(
        function(TABLE, where, TABLE[:4, :3])[0], plain(TABLE, where, TABLE[:4, :3]), rtol=1e-15
    )


def test_scatters_leave_the_array_that_they_are_given():
    table, rows = pt.matrix("table"), pt.lvector("rows")
    function, plain, _ = compiled([table, rows], table[rows].inc(1.0))
    given = TABLE.copy()
    np.testing.assert_array_equal(function(given, [1, 1])[0], plain(TABLE, [1, 1]))
    np.testing.assert_array_equal(given, TABLE)


def test_shapes_are_not_checked_again():
    table = pt.matrix("table")
    function, plain, ops = compiled([table], specify_shape(table, (5, None)).sum(0))
    assert not any(isinstance(op, SpecifyShape) for op in ops)
    np.testing.assert_allclose(function(TABLE)[0], plain(TABLE), rtol=1e-14)
