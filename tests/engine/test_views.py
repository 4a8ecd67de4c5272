"""Views compiled by numba: the same numbers as PyTensor's own, for arrays of all layouts."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
from numba.core.event import install_recorder

from latentscale.engine.linker import numba_function


def test_views_are_those_of_pytensor() -> None:
    matrix, vector, cube = pt.dmatrix("matrix"), pt.dvector("vector"), pt.dtensor3("cube")
    outputs = [
        matrix.dimshuffle("x", 1, 0),
        vector[::2].dimshuffle("x", 0, "x"),
        pt.exp(matrix).T.dimshuffle(1, "x", 0) * 2,
        cube.dimshuffle(2, 0, 1),
        cube.dimshuffle(1, 0, 2) + cube.sum(axis=0)[None].dimshuffle(1, 0, 2),
        matrix[:1].dimshuffle(1),
        pt.specify_shape(matrix[:1], (1, None)).T.ravel(),
        pt.outer(vector, vector).T[::2].T,
        pt.specify_shape(vector[:1], (1,)).dimshuffle() * 3,
    ]
    inputs = [matrix, vector, cube]
    _, program = numba_function(inputs, outputs)
    rng = np.random.default_rng(4)
    values = [rng.standard_normal(shape) for shape in ((2, 3), (5,), (2, 3, 4))]
    expected = pytensor.function(inputs, outputs, mode="FAST_COMPILE")(*values)
    for ours, theirs in zip(program(*values), expected, strict=True):
        assert np.shape(ours) == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_a_view_takes_no_function_of_its_own() -> None:
    matrix = pt.dmatrix("matrix")
    with pytensor.config.change_flags(numba__cache=False), install_recorder("numba:compile") as log:
        _, program = numba_function([matrix], [matrix.T, matrix.dimshuffle(0, "x", 1)])
        program(np.ones((2, 3)))
    compiled = {event.data["dispatcher"].py_func.__name__ for _, event in log.buffer}
    assert "numba_funcified_fgraph" in compiled
    assert not [name for name in compiled if "shuffle" in name or "strided" in name]
