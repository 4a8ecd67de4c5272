"""The Beta log density with its derivatives, in one pass over the cells.

Nearly all the time of a gradient goes into log gamma and digamma functions. Here both come from
one shared expansion, once for each argument, and those of a precision that neighbouring cells
share are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key
from scipy.special import digamma, gammaln

_VERSION = 1  # of the machine code on disk: raise it with any change below
_LARGE = 7.0  # where the asymptotic series has all digits of a double
_HALF_LOG_TWO_PI = 0.5 * float(np.log(2 * np.pi))


class BetaLogDensity(Op):
    """Beta log density by mean mu and precision phi, and its derivatives.

    With alpha = mu phi and beta = (1 - mu) phi. Inputs: scores, mu and phi, vectors of one
    length. Outputs: log densities, and their derivatives by mu and by phi. Only the first
    output can be differentiated.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Check the inputs, score, mean and phi, and name the outputs."""
        inputs = tuple(pt.as_tensor_variable(part) for part in inputs)
        if len(inputs) != 3 or any(
            part.type.ndim != 1 or part.type.dtype != "float64" for part in inputs
        ):
            raise TypeError("BetaLogDensity takes three vectors of float64.")
        return Apply(self, list(inputs), [pt.dvector() for _ in range(3)])

    def infer_shape(self, fgraph: Any, node: Apply, shapes: list[Any]) -> list[Any]:
        """Return the outputs' shapes, those of the scores."""
        return [shapes[0]] * 3

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Compute the outputs with SciPy."""
        score, mean, phi = inputs
        alpha, beta = mean * phi, (1 - mean) * phi
        log, log1m = np.log(score), np.log1p(-score)
        density = (alpha - 1) * log + (beta - 1) * log1m
        output_storage[0][0] = density + gammaln(phi) - gammaln(alpha) - gammaln(beta)
        up, down = log - digamma(alpha), log1m - digamma(beta)
        output_storage[1][0] = phi * (up - down)
        output_storage[2][0] = digamma(phi) + mean * up + (1 - mean) * down

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """Return the derivatives of the log densities, times what comes from above."""
        above = output_grads[0]
        if any(not isinstance(grad.type, DisconnectedType) for grad in output_grads[1:]):
            raise NotImplementedError("BetaLogDensity has no second derivatives.")
        score, mean, phi = inputs
        slope = (mean * phi - 1) / score - ((1 - mean) * phi - 1) / (1 - score)
        return [above * slope, above * outputs[1], above * outputs[2]]


@numba_njit
def _gamma(x: float) -> tuple[float, float]:
    """Return log Gamma(x) and its derivative: Stirling's series, after steps up to x >= 7.

    Abramowitz and Stegun (1964), 6.1.40, 6.3.18 (the series) and 6.1.15, 6.3.5 (the steps).
    """
    product, total = 1.0, 0.0
    while x < _LARGE:
        total += 1.0 / x
        product *= x
        x += 1.0
    inverse = 1.0 / x
    square = inverse * inverse
    series = inverse * (
        1 / 12
        + square
        * (
            -1 / 360
            + square
            * (
                1 / 1260
                + square
                * (-1 / 1680 + square * (1 / 1188 + square * (-691 / 360360 + square / 156)))
            )
        )
    )
    slope = square * (
        1 / 12
        + square
        * (
            -1 / 120
            + square
            * (
                1 / 252
                + square * (-1 / 240 + square * (1 / 132 + square * (-691 / 32760 + square / 12)))
            )
        )
    )
    log = np.log(x)
    value = (x - 0.5) * log - x + _HALF_LOG_TWO_PI + series
    if product != 1.0:
        value -= np.log(product)
    return value, log - 0.5 * inverse - slope - total


@register_funcify_default_op_cache_key(BetaLogDensity)
def _beta_log_density_in_numba(op: BetaLogDensity, node: Apply, **rest: Any) -> Any:
    gamma = _gamma

    @numba_njit
    def beta_log_density(score: Any, mean: Any, phi: Any) -> Any:
        count = score.shape[0]
        density, by_mean, by_phi = np.empty(count), np.empty(count), np.empty(count)
        before, at_phi, slope_phi = -1.0, 0.0, 0.0
        for i in range(count):
            if phi[i] != before:
                before = phi[i]
                at_phi, slope_phi = gamma(before)
            alpha = mean[i] * before
            beta = before - alpha
            at_alpha, slope_alpha = gamma(alpha)
            at_beta, slope_beta = gamma(beta)
            log, log1m = np.log(score[i]), np.log1p(-score[i])
            density[i] = (alpha - 1) * log + (beta - 1) * log1m + at_phi - at_alpha - at_beta
            up, down = log - slope_alpha, log1m - slope_beta
            by_mean[i] = before * (up - down)
            by_phi[i] = slope_phi + mean[i] * up + (1 - mean[i]) * down
        return density, by_mean, by_phi

    return beta_log_density, _VERSION


def register_for_jax() -> None:
    """Teach PyTensor to run the density on JAX; call before compiling for it."""
    import jax.numpy as jnp
    from jax.scipy.special import digamma as digamma_of
    from jax.scipy.special import gammaln as gammaln_of
    from pytensor.link.jax.dispatch import jax_funcify

    @jax_funcify.register(BetaLogDensity)
    def in_jax(op: BetaLogDensity, **rest: Any) -> Any:
        def beta_log_density(score: Any, mean: Any, phi: Any) -> Any:
            alpha, beta = mean * phi, (1 - mean) * phi
            log, log1m = jnp.log(score), jnp.log1p(-score)
            normaliser = gammaln_of(alpha) + gammaln_of(beta) - gammaln_of(phi)
            up, down = log - digamma_of(alpha), log1m - digamma_of(beta)
            return (
                (alpha - 1) * log + (beta - 1) * log1m - normaliser,
                phi * (up - down),
                digamma_of(phi) + mean * up + (1 - mean) * down,
            )

        return beta_log_density


beta_log_density = BetaLogDensity()
