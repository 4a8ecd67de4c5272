"""The Beta log density with its derivatives, in one pass over the cells.

Log gamma and digamma functions took most of a gradient's time. Here one expansion per argument
gives both, in loops that vectorise; for a precision that neighbouring cells share, they are
computed once.
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

from latentscale.engine.ops import elementary
from latentscale.engine.ops.gammas import log_gamma_and_digamma

_VERSION = 6  # of the machine code on disk; raise it with any change below or in what it calls
_SHARED = 8
"""Cells per precision from which each is computed only once. The widest vector instructions take
this many at a time: with fewer cells, a vectorised loop over all of them is as fast."""


class BetaLogDensity(Op):
    """Beta log density with mean mu and precision phi, and its derivatives.

    Here alpha = mu phi and beta = (1 - mu) phi. Inputs: scores, mu and phi, vectors of equal
    length. Outputs: log densities, and their derivatives with respect to mu and phi.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Check the inputs, score, mean and phi, and name the outputs."""
        inputs = tuple(pt.as_tensor_variable(variable) for variable in inputs)
        if len(inputs) != 3 or any(
            variable.type.ndim != 1 or variable.type.dtype != "float64" for variable in inputs
        ):
            raise TypeError("BetaLogDensity takes three vectors of float64.")
        return Apply(self, list(inputs), [pt.dvector() for _ in range(3)])

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Return the outputs' shapes, which equal those of the scores."""
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
        """Return derivatives by scores, mu and phi, times the outputs' gradients."""
        total: list[Any] = [pt.zeros_like(variable) for variable in inputs]
        for which, above in enumerate(output_grads):
            if not isinstance(above.type, DisconnectedType):
                slopes = _first(inputs, outputs) if which == 0 else _second(inputs, which)
                total = [known + above * slope for known, slope in zip(total, slopes, strict=True)]
        return total


def _first(inputs: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """Return the derivatives of the log density by score, mu and phi."""
    score, mean, phi = inputs
    by_score = (mean * phi - 1) / score - ((1 - mean) * phi - 1) / (1 - score)
    return [by_score, outputs[1], outputs[2]]


def _second(inputs: Sequence[Any], which: int) -> list[Any]:
    """Return the derivatives of output 1 (by mu) or 2 (by phi) by score, mu and phi."""
    score, mean, phi = inputs
    alpha, beta = mean * phi, (1 - mean) * phi
    bend_alpha, bend_beta = pt.polygamma(1, alpha), pt.polygamma(1, beta)
    up, down = pt.log(score) - pt.psi(alpha), pt.log1p(-score) - pt.psi(beta)
    mixed = up - down - phi * (mean * bend_alpha - (1 - mean) * bend_beta)
    if which == 1:
        by_mean = -(phi**2) * (bend_alpha + bend_beta)
        return [phi * (1 / score + 1 / (1 - score)), by_mean, mixed]
    by_phi = pt.polygamma(1, phi) - mean**2 * bend_alpha - (1 - mean) ** 2 * bend_beta
    return [mean / score - (1 - mean) / (1 - score), mixed, by_phi]


@register_funcify_default_op_cache_key(BetaLogDensity)
def _beta_log_density_in_numba(op: BetaLogDensity, node: Apply, **rest: Any) -> Any:
    gamma, log, log1p, shared = log_gamma_and_digamma, np.log, np.log1p, 1
    if elementary.vectorises():
        gamma, log, log1p = elementary.log_gamma_and_digamma, elementary.log, elementary.log1p
        shared = _SHARED

    @numba_njit
    def of_precisions(phi: Any) -> Any:
        count = phi.shape[0]
        at_phi, slope_phi = np.empty(count), np.empty(count)
        others = 0
        for i in range(1, count):
            others += phi[i] != phi[i - 1]
        if others * shared > count:
            for i in range(count):
                at_phi[i], slope_phi[i] = gamma(phi[i])
            return at_phi, slope_phi
        for i in range(count):
            if i and phi[i] == phi[i - 1]:
                at_phi[i], slope_phi[i] = at_phi[i - 1], slope_phi[i - 1]
            else:
                at_phi[i], slope_phi[i] = gamma(phi[i])
        return at_phi, slope_phi

    @numba_njit
    def beta_log_density(score: Any, mean: Any, phi: Any) -> Any:
        count = score.shape[0]
        density, by_mean, by_phi = np.empty(count), np.empty(count), np.empty(count)
        at_phi, slope_phi = of_precisions(phi)
        for i in range(count):
            alpha = mean[i] * phi[i]
            beta = phi[i] - alpha
            at_alpha, slope_alpha = gamma(alpha)
            at_beta, slope_beta = gamma(beta)
            at_score, at_rest = log(score[i]), log1p(-score[i])
            constant = at_phi[i] - at_alpha - at_beta
            density[i] = (alpha - 1) * at_score + (beta - 1) * at_rest + constant
            up, down = at_score - slope_alpha, at_rest - slope_beta
            by_mean[i] = phi[i] * (up - down)
            by_phi[i] = slope_phi[i] + mean[i] * up + (1 - mean[i]) * down
        return density, by_mean, by_phi

    return beta_log_density, _VERSION


def register_for_jax() -> None:
    """Register the density for JAX with PyTensor; call this before compiling for JAX."""
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
