"""Distributions of scores in (0, 1) that PyMC lacks, with named dims.

Each has an operation of its own at module level, so that models of one structure compare equal
and share compiled functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.dims.distributions.core import DimDistribution
from pytensor.tensor.random.op import RandomVariable
from pytensor.xtensor.random import as_xrv
from scipy.special import expit

from latentscale.data.recorded import inside
from latentscale.engine.choice import fast_or_stock


def _whole(size: Any, *parameters: Any) -> tuple[int, ...]:
    """Return the shape to draw: where none is asked for, one draw an element, none shared."""
    return np.broadcast_shapes(*map(np.shape, parameters)) if size is None else tuple(size)


class _MeanBetaRV(RandomVariable):
    name = "mean_beta"
    signature = "(),()->()"
    dtype = "floatX"
    _print_name = ("MeanBeta", "\\operatorname{MeanBeta}")

    @classmethod
    def rng_fn(cls, rng: np.random.Generator, mean: Any, phi: Any, size: Any) -> Any:
        return inside(rng.beta(mean * phi, (1 - mean) * phi, _whole(size, mean, phi)))


class _CountShareRV(RandomVariable):
    name = "count_share"
    signature = "(),(),()->()"
    dtype = "floatX"
    _print_name = ("CountShare", "\\operatorname{CountShare}")

    @classmethod
    def rng_fn(cls, rng: np.random.Generator, n: Any, alpha: Any, beta: Any, size: Any) -> Any:
        size = _whole(size, n, alpha, beta)
        return rng.binomial(np.asarray(n).astype("int64"), rng.beta(alpha, beta, size)) / n


class _LogitNormalRV(RandomVariable):
    name = "logit_normal"
    signature = "(),()->()"
    dtype = "floatX"
    _print_name = ("LogitNormal", "\\operatorname{LogitNormal}")

    @classmethod
    def rng_fn(cls, rng: np.random.Generator, mu: Any, sigma: Any, size: Any) -> Any:
        return inside(expit(rng.normal(mu, sigma, _whole(size, mu, sigma))))


class _LogitStudentTRV(RandomVariable):
    name = "logit_student_t"
    signature = "(),(),()->()"
    dtype = "floatX"
    _print_name = ("LogitStudentT", "\\operatorname{LogitStudentT}")

    @classmethod
    def rng_fn(cls, rng: np.random.Generator, mu: Any, sigma: Any, nu: Any, size: Any) -> Any:
        return inside(expit(mu + sigma * rng.standard_t(nu, _whole(size, mu, sigma, nu))))


_mean_beta = _MeanBetaRV()
_count_share = _CountShareRV()
_logit_normal = _LogitNormalRV()
_logit_student_t = _LogitStudentTRV()


class _MeanBeta(pm.Continuous):
    rv_op = _mean_beta

    @staticmethod
    def logp(value: Any, mean: Any, phi: Any) -> Any:
        value, mean, phi = (pt.as_tensor_variable(part) for part in (value, mean, phi))

        def fused() -> Any:
            from latentscale.engine.ops.beta_density import beta_log_density

            return beta_log_density.make_node(value, mean, phi).outputs[0]

        def plain() -> Any:
            return pm.Beta.logp(value, mean * phi, (1 - mean) * phi)

        vectors = value.type.ndim == mean.type.ndim == phi.type.ndim == 1
        return fast_or_stock(fused, plain) if vectors else plain()


class _CountShare(pm.Continuous):
    rv_op = _count_share

    @staticmethod
    def logp(value: Any, n: Any, alpha: Any, beta: Any) -> Any:
        return pm.BetaBinomial.logp(pt.round(value * n), n, alpha, beta) + pt.log(n)


class _LogitNormal(pm.Continuous):
    rv_op = _logit_normal

    @staticmethod
    def logp(value: Any, mu: Any, sigma: Any) -> Any:
        return pm.Normal.logp(_logit(value), mu, sigma) - pt.log(value) - pt.log1p(-value)


class _LogitStudentT(pm.Continuous):
    rv_op = _logit_student_t

    @staticmethod
    def logp(value: Any, mu: Any, sigma: Any, nu: Any) -> Any:
        return pm.StudentT.logp(_logit(value), nu, mu, sigma) - pt.log(value) - pt.log1p(-value)


def _logit(value: Any) -> Any:
    return pt.log(value) - pt.log1p(-value)


class MeanBeta(DimDistribution):
    """A Beta by its mean and its precision phi = alpha + beta."""

    xrv_op = as_xrv(_mean_beta)

    @classmethod
    def dist(cls, mean: Any, phi: Any, **kwargs: Any) -> Any:
        """Return the distribution outside a model."""
        return super().dist([mean, phi], **kwargs)


class CountShare(DimDistribution):
    """A beta-binomial count over n, its mass spread over the width 1 / n."""

    xrv_op = as_xrv(_count_share)

    @classmethod
    def dist(cls, n: Any, alpha: Any, beta: Any, **kwargs: Any) -> Any:
        """Return the distribution outside a model."""
        return super().dist([n, alpha, beta], **kwargs)


class LogitNormal(DimDistribution):
    """A fraction whose logit is Normal(mu, sigma)."""

    xrv_op = as_xrv(_logit_normal)

    @classmethod
    def dist(cls, mu: Any, sigma: Any, **kwargs: Any) -> Any:
        """Return the distribution outside a model."""
        return super().dist([mu, sigma], **kwargs)


class LogitStudentT(DimDistribution):
    """A fraction whose logit is Student-t with location mu, scale sigma and nu degrees."""

    xrv_op = as_xrv(_logit_student_t)

    @classmethod
    def dist(cls, mu: Any, sigma: Any, nu: Any, **kwargs: Any) -> Any:
        """Return the distribution outside a model."""
        return super().dist([mu, sigma, nu], **kwargs)
