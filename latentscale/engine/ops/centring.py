"""Centring: location and spread of a family's standard latents given its scores.

Given the parameters, linearised scores determine a family's latents y by weighted least squares
with a standard normal prior: y | scores ~ Normal(A^-1 r, A^-1), A = I + sum w M M' and
r = sum w t M over the family's cells, with M the cell's loadings, t its score's estimate of the
family's part of eta, and w the precision of t. Sampling z, with y = A^-1 r + L'^-1 z and A = L L',
removes the ridges between latents and parameters (Papaspiliopoulos, Roberts and Sköld 2007, on
partial centring).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numba import njit
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

_VERSION = 2  # of the machine code on disk; raise it with any change below


class Centring(Op):
    """Centres, spreads and log determinants of families' latents.

    Inputs: weight w and target t, vectors (cell,); loadings M, matrix (benchmark, K); z, matrix
    (family, K); family and benchmark of each cell, vectors of int64. Outputs: A^-1 r and
    L'^-1 z, matrices (family, K); log |det L'^-1|, vector (family,); L, shape (family, K, K), which
    is not differentiable.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Check the inputs and name the outputs."""
        inputs = tuple(pt.as_tensor_variable(variable) for variable in inputs)
        kinds = [(variable.type.ndim, variable.type.dtype) for variable in inputs]
        real, whole = "float64", "int64"
        if kinds != [(1, real), (1, real), (2, real), (2, real), (1, whole), (1, whole)]:
            raise TypeError("Centring takes two vectors, two matrices and two vectors of int64.")
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dmatrix(), pt.dvector(), pt.dtensor3()])

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Return the outputs' shapes, from the shape of z."""
        return [shapes[3], shapes[3], shapes[3][:1], (*shapes[3], shapes[3][1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Return that outputs depend smoothly on all inputs except the two indices."""
        return [[True] * 3 + [False]] * 4 + [[False] * 4] * 2

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Compute the outputs."""
        for storage, value in zip(output_storage, centre(*inputs), strict=True):
            storage[0] = value

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """Return the gradients with respect to the first four inputs from those of the outputs."""
        above = [
            pt.zeros_like(output) if isinstance(grad.type, DisconnectedType) else grad
            for output, grad in zip(outputs[:3], output_grads[:3], strict=True)
        ]
        centre, stray, _, lower = outputs
        slopes: Any = _CentringPullback()(*inputs, centre, stray, lower, *above, return_list=True)
        return [*slopes, DisconnectedType()(), DisconnectedType()()]


class _CentringPullback(Op):
    """Gradients with respect to Centring's first four inputs, from those of three outputs."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        inputs = tuple(pt.as_tensor_variable(variable) for variable in inputs)
        return Apply(self, list(inputs), [variable.type() for variable in inputs[:4]])

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        return shapes[:4]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        for storage, value in zip(output_storage, centre_pullback(*inputs), strict=True):
            storage[0] = value


@njit(cache=True, error_model="numpy", fastmath=False)
def factors(weight, target, mix, families, family, benchmark):  # type: ignore[no-untyped-def]
    """Return Cholesky factors L of A, shape (family, K, K), and r, shape (family, K)."""
    size = mix.shape[1]
    lower = np.zeros((families, size, size))
    right = np.zeros((families, size))
    for f in range(families):
        for k in range(size):
            lower[f, k, k] = 1.0
    for i in range(weight.shape[0]):
        f, j = family[i], benchmark[i]
        for k in range(size):
            along = weight[i] * mix[j, k]
            right[f, k] += along * target[i]
            for m in range(k + 1):
                lower[f, k, m] += along * mix[j, m]
    for f in range(families):
        for k in range(size):
            for m in range(k + 1):
                left = lower[f, k, m]
                for n in range(m):
                    left -= lower[f, k, n] * lower[f, m, n]
                lower[f, k, m] = np.sqrt(left) if k == m else left / lower[f, m, m]
    return lower, right


@njit(cache=True, error_model="numpy", fastmath=False)
def solve_lower(lower, vector):  # type: ignore[no-untyped-def]
    """Turn `vector` into L^-1 vector, in place."""
    for k in range(vector.shape[0]):
        for m in range(k):
            vector[k] -= lower[k, m] * vector[m]
        vector[k] /= lower[k, k]


@njit(cache=True, error_model="numpy", fastmath=False)
def solve_upper(lower, vector):  # type: ignore[no-untyped-def]
    """Turn `vector` into L'^-1 vector, in place."""
    for k in range(vector.shape[0] - 1, -1, -1):
        for m in range(k + 1, vector.shape[0]):
            vector[k] -= lower[m, k] * vector[m]
        vector[k] /= lower[k, k]


@njit(cache=True, error_model="numpy", fastmath=False)
def centre(weight, target, mix, z, family, benchmark):  # type: ignore[no-untyped-def]
    """Return A^-1 r and L'^-1 z, shapes (family, K), log |det L'^-1|, shape (family,), and L."""
    families, size = z.shape
    lower, right = factors(weight, target, mix, families, family, benchmark)
    stray, volume = z.copy(), np.zeros(families)
    for f in range(families):
        solve_lower(lower[f], right[f])
        solve_upper(lower[f], right[f])
        solve_upper(lower[f], stray[f])
        for k in range(size):
            volume[f] -= np.log(lower[f, k, k])
    return right, stray, volume, lower


@njit(cache=True, error_model="numpy", fastmath=False)
def factor_pullback(lower, inner):  # type: ignore[no-untyped-def]
    """Turn the derivative by A's Cholesky factor L into the symmetric one by A, in place.

    Murray 2016 (arXiv:1602.07527), eq. (10): half the sum of L'^-1 P L^-1 and its transpose,
    where P is the lower triangle of L' Lbar with its diagonal halved.
    """
    size = lower.shape[0]
    for k in range(size):
        for m in range(k + 1):
            total = 0.0
            for n in range(k, size):
                total += lower[n, k] * inner[n, m]
            inner[k, m] = total
        inner[k, k] *= 0.5
        for m in range(k + 1, size):
            inner[k, m] = 0.0
    for m in range(size):
        solve_upper(lower, inner[:, m])
    for k in range(size):
        solve_upper(lower, inner[k])
    for k in range(size):
        for m in range(k + 1):
            inner[k, m] = inner[m, k] = 0.5 * (inner[k, m] + inner[m, k])


@njit(cache=True, error_model="numpy", fastmath=False)
def centre_pullback(  # type: ignore[no-untyped-def]
    weight, target, mix, z, family, benchmark, centres, stray, lower, by_centre, by_stray, by_volume
):
    """Return gradients for weight, target, mix and z, from outputs of `centre` and their gradients.

    A is a sum of w M M' and r a sum of w t M, so gradients of A and r pass to their parts.
    """
    families, size = z.shape
    by_right, by_z = by_centre.copy(), by_stray.copy()
    by_a = np.zeros((families, size, size))
    for f in range(families):
        solve_lower(lower[f], by_right[f])
        solve_upper(lower[f], by_right[f])
        solve_lower(lower[f], by_z[f])
        for k in range(size):
            for m in range(k + 1):
                by_a[f, k, m] = -stray[f, k] * by_z[f, m]
            by_a[f, k, k] -= by_volume[f] / lower[f, k, k]
        factor_pullback(lower[f], by_a[f])
        for k in range(size):
            for m in range(size):
                both = by_right[f, k] * centres[f, m] + by_right[f, m] * centres[f, k]
                by_a[f, k, m] -= 0.5 * both
    by_weight, by_target = np.zeros(weight.shape[0]), np.zeros(weight.shape[0])
    by_mix = np.zeros(mix.shape)
    for i in range(weight.shape[0]):
        f, j = family[i], benchmark[i]
        ahead, bend = 0.0, 0.0
        for k in range(size):
            row = 0.0
            for m in range(size):
                row += by_a[f, k, m] * mix[j, m]
            ahead += mix[j, k] * by_right[f, k]
            bend += mix[j, k] * row
            by_mix[j, k] += weight[i] * (target[i] * by_right[f, k] + 2 * row)
        by_weight[i] = target[i] * ahead + bend
        by_target[i] = weight[i] * ahead
    return by_weight, by_target, by_mix, by_z


def _register_for_numba() -> None:
    """Register both operations with PyTensor for compiled graphs."""
    from pytensor.link.numba.dispatch.basic import (
        numba_njit,
        register_funcify_default_op_cache_key,
    )

    @register_funcify_default_op_cache_key(Centring)
    def in_numba(op: Centring, node: Apply, **rest: Any) -> Any:
        @numba_njit
        def centring(weight, target, mix, z, family, benchmark):  # type: ignore[no-untyped-def]
            return centre(weight, target, mix, z, family, benchmark)

        return centring, _VERSION

    @register_funcify_default_op_cache_key(_CentringPullback)
    def pullback_in_numba(op: _CentringPullback, node: Apply, **rest: Any) -> Any:
        @numba_njit
        def pullback(  # type: ignore[no-untyped-def]
            weight,
            target,
            mix,
            z,
            family,
            bench,
            centres,
            stray,
            lower,
            by_centre,
            by_stray,
            by_volume,
        ):
            return centre_pullback(
                *(weight, target, mix, z, family, bench),
                *(centres, stray, lower),
                *(by_centre, by_stray, by_volume),
            )

        return pullback, _VERSION


with suppress(ImportError, AttributeError):  # renamed inside PyTensor, which then calls `perform`
    _register_for_numba()

centring = Centring()
