"""Distributions of scores in (0, 1) that PyMC does not have, with named dims.

Each has its own operation at module level, so that models with one structure compare equal and
share compiled functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pymc.dims.distributions.core import DimDistribution
from pymc.logprob.abstract import _logprob
from pytensor.tensor.random.op import RandomVariable
from pytensor.xtensor import as_xtensor
from pytensor.xtensor.random import as_xrv
from pytensor.xtensor.type import XTensorVariable
from scipy.special import expit

from latentscale.data.recording import inside
from latentscale.declare.likelihood import Noise, Observes
from latentscale.dims import CELL
from latentscale.engine.choice import fast_or_stock
from latentscale.errors import SpecError
from latentscale.maths import Named, as_data


def _whole(size: Any, *parameters: Any) -> tuple[int, ...]:
    """Return the shape to draw: by default, a separate draw for each element."""
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
        value, mean, phi = (pt.as_tensor_variable(argument) for argument in (value, mean, phi))

        def fused() -> Any:
            from latentscale.engine.ops.beta_density import beta_log_density

            return beta_log_density.make_node(value, mean, phi).outputs[0]

        def plain() -> Any:
            return pm.Beta.logp(value, mean * phi, (1 - mean) * phi)

        vectors = value.type.ndim == mean.type.ndim == phi.type.ndim == 1
        return fast_or_stock(fused, plain) if vectors else plain()


def beta_in_graph(score: Named, mean: Named, phi: Named) -> Named | None:
    """Return the log density of Beta(mu phi, (1 - mu) phi) in a graph, with the engine's operation.

    None unless all arguments are graph variables over the same cells.
    """
    variables: tuple[Any, ...] = (score, mean, phi)
    if not all(
        isinstance(variable, XTensorVariable) and variable.type.dims == (CELL,)
        for variable in variables
    ):
        return None
    return as_xtensor(_MeanBeta.logp(*(variable.values for variable in variables)), dims=(CELL,))


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
    """A Beta with a given mean and precision phi = alpha + beta."""

    xrv_op = as_xrv(_mean_beta)

    @classmethod
    def dist(cls, mean: Any, phi: Any, **kwargs: Any) -> Any:
        """Return the distribution outside a model."""
        return super().dist([mean, phi], **kwargs)


class CountShare(DimDistribution):
    """A beta-binomial count over n, with its mass spread over a width of 1 / n."""

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


def observe_scores(noise: Noise, score: np.ndarray, mean: Named, phi: Named) -> None:
    """Add scores to the open PyMC model, with the noise's own `observe` or `observe_noise`.

    Parameters
    ----------
    noise, score, mean, phi
        As for `observe_noise`.
    """
    if isinstance(noise, Observes):
        noise.observe(score, mean, phi)
    else:
        observe_noise(noise, score, mean, phi)


def observe_noise(noise: Noise, score: np.ndarray, mean: Named, phi: Named) -> None:
    """Add scores with a noise to the open PyMC model, as the variable ``score``.

    The noise computes the log density on xtensor variables, and random draws on xarray. Its fields
    with named dims, including those of nested noises, become further parameters of the variable.

    Parameters
    ----------
    noise
        The distribution of scores around mu.
    score
        Observed cells, fractions inside (0, 1), shape (cell,).
    mean, phi
        mu and phi of the cells, dims (cell,).

    Raises
    ------
    SpecError
        If a field of the noise is neither an array over cells nor a plain setting.
    """
    parts, parameters = _components_of(noise)
    op = _NoiseRV(parts)
    kind = type("ObservedNoise", (_OfNoise,), {"xrv_op": staticmethod(as_xrv(op))})
    kind("score", mean, phi, *parameters, observed=as_data(score, (CELL,)))


@dataclass(frozen=True)
class _Parts:
    """A noise without its arrays: its kind, and whether each field is a setting, noise or array.

    Attributes
    ----------
    kind
        Class of the noise.
    settings
        Fields that are neither arrays nor noises, by name.
    arrays
        Names of the fields that are arrays.
    noises
        Fields that are noises, by name.
    """

    kind: type[Noise]
    settings: tuple[tuple[str, Any], ...]
    arrays: tuple[str, ...]
    noises: tuple[tuple[str, _Parts], ...]

    @property
    def count(self) -> int:
        """Number of arrays, including those of nested noises."""
        return len(self.arrays) + sum(inner.count for _, inner in self.noises)

    def together(self, arrays: Iterator[Named]) -> Noise:
        """Return the noise with these arrays, in order."""
        own = {name: next(arrays) for name in self.arrays}
        inner = {name: parts.together(arrays) for name, parts in self.noises}
        return self.kind(**own, **inner, **dict(self.settings))


def _components_of(noise: Noise) -> tuple[_Parts, list[Named]]:
    """Return a noise as parts that can be compared, and its arrays in a graph, in order."""
    own: dict[str, Named] = {}
    settings: list[tuple[str, Any]] = []
    noises: list[tuple[str, _Parts]] = []
    further: list[Named] = []
    for field in fields(noise):
        value = getattr(noise, field.name)
        if isinstance(value, xr.DataArray):
            value = as_data(value.values.astype("float64"), tuple(map(str, value.dims)))
        if isinstance(value, XTensorVariable) and set(value.type.dims) <= {CELL}:
            own[field.name] = value
        elif isinstance(value, Noise):
            inner, arrays = _components_of(value)
            noises.append((field.name, inner))
            further += arrays
        elif isinstance(value, str | bool | int | float | None):
            settings.append((field.name, value))
        else:
            raise SpecError(
                f"{type(noise).__name__}.{field.name} must be an array with dims () or (cell,), a "
                f"noise, a number, a text or None; got {value!r}."
            )
    parts = _Parts(type(noise), tuple(settings), tuple(own), tuple(noises))
    return parts, [*own.values(), *further]


class _NoiseRV(RandomVariable):
    """Scores with a noise, by its own density and draw.

    Two are equal if their kinds and settings are, so that models with one structure share compiled
    functions.
    """

    __props__: Any = (*RandomVariable.__props__, "parts")

    def __init__(
        self,
        parts: _Parts,
        dtype: str = "floatX",
        inplace: bool = False,
        name: str = "noise",
        signature: str | None = None,
    ) -> None:
        self.parts = parts
        signature = ",".join(["()"] * (2 + parts.count)) + "->()"
        super().__init__(name=name, dtype=dtype, inplace=inplace, signature=signature)

    def noise(self, arrays: Sequence[Named]) -> Noise:
        """Return the noise with these values of its arrays."""
        return self.parts.together(iter(arrays))

    def rng_fn(self, rng: np.random.Generator, *arguments: Any, **kwargs: Any) -> Any:
        *parameters, size = arguments
        shape = _whole(size, *parameters)
        dims = _dims_of(len(shape))
        mean, phi, *rest = (
            xr.DataArray(np.broadcast_to(parameter, shape), dims=dims) for parameter in parameters
        )
        drawn = self.noise(rest).draw(mean, phi, rng).transpose(*dims)
        values = np.asarray(drawn.values, dtype="float64")
        # Only fractions, by underflow: other scores are exactly 0 or 1 with probability 0.
        return np.where((values == 0) | (values == 1), inside(values), values)


@_logprob.register(_NoiseRV)
def _noise_log_density(
    op: _NoiseRV, values: Sequence[Any], rng: Any, size: Any, *parameters: Any, **kwargs: Any
) -> Any:
    """Return the log density of a tensor of scores, from the noise on variables with named dims."""
    ndim = max(variable.type.ndim for variable in (*values, *parameters))
    dims = _dims_of(ndim)
    score, mean, phi, *rest = (_with_dims(variable, dims) for variable in (*values, *parameters))
    density = as_xtensor(op.noise(rest).log_density(score, mean, phi))
    ordered = density.transpose(*(dim for dim in dims if dim in density.type.dims))
    absent = [place for place, dim in enumerate(dims) if dim not in density.type.dims]
    return pt.expand_dims(ordered.values, absent)


class _OfNoise(DimDistribution):
    """A distribution whose parameters are mu, phi and the array fields of a noise."""

    @classmethod
    def dist(cls, *parameters: Any, **kwargs: Any) -> Any:
        """Return the distribution outside a model."""
        return super().dist(list(parameters), **kwargs)


def _dims_of(ndim: int) -> tuple[str, ...]:
    """Return names of dims, the last of which is cell."""
    return (*(f"batch_{place}" for place in range(ndim - 1)), CELL)[:ndim]


def _with_dims(variable: Any, dims: tuple[str, ...]) -> Named:
    """Return a tensor with names for its last dims, without those along which it is constant."""
    own = dims[len(dims) - variable.type.ndim :]
    single = [place for place, is_single in enumerate(variable.type.broadcastable) if is_single]
    kept = tuple(dim for place, dim in enumerate(own) if place not in single)
    return as_xtensor(variable.squeeze(single) if single else variable, dims=kept)
