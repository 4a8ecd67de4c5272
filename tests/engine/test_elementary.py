"""Elementary functions in plain arithmetic compared with NumPy and SciPy, and loops over them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor.tensor as pt
import pytest
from numba import njit
from pytensor.configdefaults import config
from scipy import special

from latentscale.engine.linker import numba_function
from latentscale.engine.ops import elementary

_OF_LOG = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1e-310, 1e300, 1.0, -1.0]
_OF_EXP = [7.999, 8.0, 0.5**0.5, 709.7, 710.0, 800.0, -708.0, -745.1, -746.0, -800.0]
EDGES = np.array([*_OF_LOG, *_OF_EXP])
DRAWN = np.random.default_rng(1)
SIZES = 10 ** DRAWN.uniform(-300, 300, 20_000)
MODERATE = DRAWN.uniform(-745, 709, 20_000)
NEAR_ZERO = np.concatenate(
    [10 ** DRAWN.uniform(-20, 1, 9_999), -(10 ** DRAWN.uniform(-20, 0, 9_999))]
)

needs_vectors = pytest.mark.skipif(
    not elementary.vectorises(), reason="numba compiles for a processor without AVX2"
)


def over(function: Any, x: np.ndarray) -> np.ndarray:
    @njit(error_model="numpy")
    def each(x: Any) -> Any:
        values = np.empty_like(x)
        for i in range(len(x)):
            values[i] = function(x[i])
        return values

    values: np.ndarray = each(x)
    return values


@pytest.mark.parametrize(
    ("ours", "reference", "where"),
    [
        (elementary.log, np.log, SIZES),
        (elementary.exp, np.exp, MODERATE),
        (elementary.log1p, np.log1p, NEAR_ZERO),
        (elementary.softplus, lambda x: np.logaddexp(0, x), MODERATE),
        (elementary.sigmoid, special.expit, MODERATE),
    ],
    ids=["log", "exp", "log1p", "softplus", "sigmoid"],
)
def test_functions_are_exact_to_their_last_bits(
    ours: Any, reference: Callable[[np.ndarray], np.ndarray], where: np.ndarray
) -> None:
    x = np.concatenate([where, EDGES])
    with np.errstate(all="ignore"):
        wanted = reference(x)
    values = over(ours, x)
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(values[~finite], wanted[~finite])
    errors = np.abs(values[finite] - wanted[finite])
    assert np.all(errors <= 4 * np.spacing(np.abs(wanted[finite])))


def test_gamma_functions_are_scipys_at_every_size() -> None:
    x = np.concatenate([10 ** DRAWN.uniform(-290, 290, 20_000), np.geomspace(1e-3, 1e3, 20_000)])

    @njit(error_model="numpy")
    def both(x: Any) -> Any:
        values = np.empty((2, len(x)))
        for i in range(len(x)):
            values[0, i], values[1, i] = elementary.log_gamma_and_digamma(x[i])
        return values

    value, slope = both(np.append(x, [0.0, np.nan]))
    np.testing.assert_allclose(value[:-2], special.gammaln(x), rtol=1e-13, atol=5e-14)
    np.testing.assert_allclose(slope[:-2], special.digamma(x), rtol=1e-13, atol=5e-14)
    np.testing.assert_array_equal(value[-2:], [np.inf, np.nan])


@needs_vectors
def test_loops_of_a_graph_call_no_library() -> None:
    """A call of the C library's exp or log1p keeps LLVM from making vector instructions."""
    x, power, benchmark = pt.dvector("x"), pt.dvector("power"), pt.lvector("benchmark")
    share = pt.exp(-power[benchmark] * pt.softplus(-x)) + pt.sigmoid(x) * pt.softplus(x + 1)
    share += pt.log1p(pt.sqr(x))
    with config.change_flags(numba__cache=False):  # code read from disk cannot be inspected
        _, program = numba_function((x, power, benchmark), [share])
        numbers, powers = DRAWN.normal(size=40), np.array([0.5, 2.0])
        places = np.arange(40) % 2
        (values,) = program(numbers, powers, places)
    shares = special.expit(numbers)
    wanted = shares ** powers[places] + shares * np.log1p(np.exp(numbers + 1))
    wanted += np.log1p(numbers**2)
    np.testing.assert_allclose(values, wanted, rtol=1e-14)
    code = "".join(program.inspect_llvm().values())
    assert re.search(r"call [^\n]*numba_composite", code) is None
    assert re.search(r"<(4|8) x double>", code)  # eight at a time with AVX-512
    assert not any(f"@{name}(" in code for name in ("exp", "llvm.exp.f64", "log1p", "log"))


@needs_vectors
def test_loops_with_numbers_beside_the_cells_and_sums_of_them_are_vectorised() -> None:
    """PyTensor wraps loops that take plain numbers in a function, and puts sums into loops."""
    x, weight = pt.dvector("x"), pt.dscalar("weight")
    terms = pt.softplus(x - pt.log(weight)) * pt.exp(x)
    with config.change_flags(numba__cache=False):  # code read from disk cannot be inspected
        _, program = numba_function((x, weight), [terms.sum(), pt.grad(terms.sum(), weight)])
        numbers = DRAWN.normal(size=43)
        value, slope = program(numbers, np.array(0.3))
    odds = np.exp(numbers) / 0.3
    np.testing.assert_allclose(value, (np.log1p(odds) * np.exp(numbers)).sum(), rtol=1e-13)
    by_weight = -odds / (1 + odds) / 0.3 * np.exp(numbers)
    np.testing.assert_allclose(slope, by_weight.sum(), rtol=1e-13)
    code = "".join(program.inspect_llvm().values())
    assert re.search(r"call [^\n]*(numba_composite|scalar_core)", code) is None
    assert re.search(r"fmul[^\n]*<(4|8) x double>", code)
