"""Elementary functions of one number from arithmetic only, so that loops over cells vectorise.

LLVM vectorises a loop only if it calls no function, and the C library's logarithm and exponential
are calls. Here they are polynomials, after FDLIBM (Sun Microsystems 1993, ``e_log.c`` and
``e_exp.c``): exact to two units in the last place, with IEEE's results at zero, at infinities and
for NaN.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from latentscale.engine.ops.gammas import LARGE, stirling

_VERSION = 1  # of the machine code on disk; raise it with any change below
# A caller's fast-math would reorder sums that compensate rounding errors; fused products do not.
RULES: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # log 2, in two parts
_PER_LN2 = 1.44269504088896338700  # 1 / log 2
_MANTISSA = np.int64(52)  # bits of a double's fraction
_ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)  # bits of sqrt(1/2): fractions begin there
_ONE = np.int64(0x3FF0000000000000)  # bits of 1
# Adding 1.5 x 2^52 puts a whole number into a double's last bits; subtracting it undoes that.
_WHOLE, _WHOLE_BITS = 6755399441055744.0, np.int64(0x4338000000000000)
_LEAST_NORMAL = 2.2250738585072014e-308  # below, fractions lose bits
_RAISE, _RAISED = 2.0**54, 54.0  # brings the smallest doubles above that, and its exponent
# Minimax coefficients: the logarithm's, in ((m - 1) / (m + 1))^2, and the exponential's.
_LOG = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
_EXP = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)
_LARGEST, _SMALLEST = 710.0, -746.0  # beyond these, the exponential is infinite or 0


@intrinsic
def _bits_of(typing: Any, number: Any) -> tuple[Any, Any]:
    """Return a double's 64 bits."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _double_of(typing: Any, bits: Any) -> tuple[Any, Any]:
    """Return the double of 64 bits."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), codegen


_bits: Any = _bits_of
_double: Any = _double_of


@intrinsic
def _chosen(typing: Any, first: Any, yes: Any, no: Any) -> tuple[Any, Any]:
    """Return one of two doubles without a branch, which would prevent vectorisation."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(*values)

    return types.float64(types.boolean, types.float64, types.float64), codegen


chosen: Any = _chosen  # numba's intrinsics take one argument fewer than their definition has


@njit(**RULES)
def log(x: float) -> float:
    """Return the natural logarithm."""
    small = x < _LEAST_NORMAL
    bits = _bits(chosen(small, x * _RAISE, x))
    power = (bits - _ROOT_HALF) >> _MANTISSA
    fraction = _double(bits - (power << _MANTISSA)) - 1.0
    exponent = _double(power + _WHOLE_BITS) - _WHOLE - chosen(small, _RAISED, 0.0)
    s = fraction / (2.0 + fraction)
    z = s * s
    series = _LOG[4] + z * (_LOG[5] + z * _LOG[6])
    series = z * (_LOG[0] + z * (_LOG[1] + z * (_LOG[2] + z * (_LOG[3] + z * series))))
    half = 0.5 * fraction * fraction
    low = s * (half + series) + exponent * _LN2_LOW
    value = exponent * _LN2_HIGH - ((half - low) - fraction)
    value = chosen(x < np.inf, value, x)
    value = chosen(x == 0.0, -np.inf, value)
    return chosen(x < 0.0, np.nan, value)


@njit(**RULES)
def exp(x: float) -> float:
    """Return the exponential."""
    x = chosen(x > _LARGEST, _LARGEST, x)
    x = chosen(x < _SMALLEST, _SMALLEST, x)
    whole = x * _PER_LN2 + _WHOLE
    power = _bits(whole) - _WHOLE_BITS
    exponent = whole - _WHOLE
    high, low = x - exponent * _LN2_HIGH, exponent * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (_EXP[0] + t * (_EXP[1] + t * (_EXP[2] + t * (_EXP[3] + t * _EXP[4]))))
    value = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    # In two steps, since 2^power itself may not be a double.
    half = power >> np.int64(1)
    value *= _double(_ONE + (half << _MANTISSA))
    return value * _double(_ONE + ((power - half) << _MANTISSA))


@njit(**RULES)
def log1p(x: float) -> float:
    """Return log(1 + x), as accurately for small x."""
    one_more = 1.0 + x
    value = log(one_more)
    lost = (x - (one_more - 1.0)) / one_more
    return chosen(abs(value) < np.inf, value + lost, value)


@njit(**RULES)
def softplus(x: float) -> float:
    """Return log(1 + e^x)."""
    return chosen(x < 0.0, 0.0, x) + log1p(exp(-abs(x)))


@njit(**RULES)
def sigmoid(x: float) -> float:
    """Return 1 / (1 + e^-x)."""
    return 1.0 / (1.0 + exp(-x))


@njit(**RULES)
def log_gamma_and_digamma(x: float) -> tuple[float, float]:
    """Return log Gamma(x) and its derivative for x > 0 (see `latentscale.engine.ops.gammas`)."""
    # Below 8, the recurrence is used first: x (x + 1) ... (x + 7) = y (y + 6) (y + 10) (y + 12)
    # with y = x (x + 7), and the sum of the 1 / (x + k) is the product's derivative over the
    # product.
    y = x * (x + 7.0)
    first, last = y * (y + 6.0), (y + 10.0) * (y + 12.0)
    slope = (2.0 * y + 6.0) * last + first * (2.0 * y + 22.0)
    small = x < LARGE
    shift = chosen(small, (2.0 * x + 7.0) * slope / (first * last), 0.0)
    product = chosen(small, first * last, 1.0)
    x = chosen(small, x + 8.0, x)
    value, of_large = stirling(x, log(x))
    return value - log(product), of_large - shift


@cache
def vectorises() -> bool:
    """Return whether numba compiles for instructions on four doubles at a time.

    With two at a time, LLVM leaves these loops scalar on x86, and they then take twice as long as
    with the C library's functions.
    """
    from numba.core.registry import cpu_target

    return "+avx2" in cpu_target.target_context.codegen().magic_tuple()[2]


def elementary_function(op: Any, node: Any) -> tuple[Any, str] | None:
    """Return numba's function for an operation on doubles and its key; None for other operations.

    Parameters
    ----------
    op, node
        PyTensor's operation on numbers, and where it is used.
    """
    function = _functions().get(type(op)) if vectorises() else None
    if function is None or any(v.type.dtype != "float64" for v in (*node.inputs, *node.outputs)):
        return None
    return function, sha256(f"elementary {type(op)} {_VERSION}".encode()).hexdigest()


def write_into_loops(op: Any, function: Any) -> None:
    """Have LLVM inline a composite of these operations into its loops, instead of calling it.

    Parameters
    ----------
    op, function
        PyTensor's operation on numbers, and numba's function for it, not yet compiled.
    """
    from pytensor.scalar.basic import Composite

    if isinstance(op, Composite) and any(type(n.op) in _functions() for n in op.fgraph.toposort()):
        function.targetoptions["forceinline"] = True


def _functions() -> dict[type, Any]:
    from pytensor.scalar import basic
    from pytensor.scalar import math as special

    math: Any = special
    return {
        basic.Exp: exp,
        basic.Log: log,
        basic.Log1p: log1p,
        math.Softplus: softplus,
        math.Sigmoid: sigmoid,
    }
