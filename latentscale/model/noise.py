"""Noise: how a measured score scatters round mu, one class a likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import xarray as xr
from scipy.special import betaln, gammaln
from scipy.special import expit as expit_of
from scipy.special import logit as logit_of

from latentscale.dims import BENCHMARK, CELL
from latentscale.model.distributions import CountShare, LogitNormal, LogitStudentT, MeanBeta
from latentscale.model.maths import Named, as_data, maths_of
from latentscale.model.priors import declare
from latentscale.spec.spec import ModelSpec

_TIE = 1e-6

Step = Callable[[xr.DataArray, xr.DataArray, xr.DataArray, np.random.Generator], xr.DataArray]
"""A pass of `Noise.steps`: from (what was drawn before, mean, phi, rng) to new values."""


@dataclass(frozen=True)
class Noise(ABC):
    """Distribution of a score given mu and the precision phi.

    `observe` adds it to a PyMC model; `log_density` and `draw` are the same distribution on
    draws. Log densities are per unit of score for every likelihood, so that they compare.
    """

    @abstractmethod
    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the observed variable ``score`` to the open PyMC model.

        Parameters
        ----------
        score
            Observed cells, fractions inside (0, 1), shape (cell,).
        mean, phi
            mu and phi of the cells, dims (cell,).
        """

    @abstractmethod
    def log_density(self, score: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray) -> Named:
        """Return the log density of scores inside (0, 1), by broadcasting over dims."""

    @abstractmethod
    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw a new score for every element of `mean`, with its dims."""

    def steps(self) -> tuple[Step, ...]:
        """Return what `draw` does, as passes over all scores that follow one another.

        Each takes what the one before gave, mean, phi and a source of random numbers. Taking one
        over consecutive parts of the scores, then the next, gives the numbers of `draw`.
        """
        return (lambda _, mean, phi, rng: self.draw(mean, phi, rng),)

    def at(self, indexers: Mapping[str, Any]) -> Self:
        """Return the noise of some cells, picked by index along dims."""
        return self.mapped(
            lambda part: part.isel({dim: indexers[dim] for dim in part.dims if dim in indexers})
        )

    def mapped(self, change: Callable[[Any], Any]) -> Self:
        """Return the noise with each of its arrays changed."""
        parts: dict[str, Named] = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: change(part) for name, part in parts.items()})


@dataclass(frozen=True)
class BetaNoise(Noise):
    """Beta(mu phi, (1 - mu) phi): mean mu, variance mu (1 - mu) / (1 + phi)."""

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the Beta likelihood."""
        MeanBeta("score", mean=mean, phi=phi, observed=as_data(score, (CELL,)))

    def log_density(self, score: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray) -> Named:
        """Return the Beta log density."""
        alpha, beta = mean * phi, (1 - mean) * phi
        normaliser = xr.apply_ufunc(betaln, alpha, beta)
        return (alpha - 1) * np.log(score) + (beta - 1) * np.log1p(-score) - normaliser

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the Beta."""
        mu, spread = _aligned(mean, phi)
        return mean.copy(data=rng.beta(mu * spread, (1 - mu) * spread))


_BETA = BetaNoise()


@dataclass(frozen=True)
class BetaBinomialNoise(Noise):
    """Correct items out of n, binomial round a rate that is Beta(mu phi, (1 - mu) phi).

    A score has mean mu and variance mu (1 - mu) (1 + (n - 1) / (1 + phi)) / n. Its mass, on
    multiples of 1 / n, is spread over the width 1 / n, which adds log n to the log density.

    Attributes
    ----------
    n_items
        Item counts n, dims (benchmark,) or (cell,).
    """

    n_items: xr.DataArray

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the beta-binomial likelihood of the counts, as fractions of the items."""
        items = self.n_items.values.astype("float64")
        CountShare(
            "score",
            n=as_data(items, (CELL,)),
            alpha=mean * phi,
            beta=(1 - mean) * phi,
            observed=as_data(_counts(score, items) / items, (CELL,)),
        )

    def log_density(self, score: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray) -> Named:
        """Return the beta-binomial log mass of the nearest count, plus log n."""
        n = self.n_items
        count = xr.apply_ufunc(_counts, score, n)
        alpha, beta = mean * phi, (1 - mean) * phi
        ways = _gammaln(n + 1) - _gammaln(count + 1) - _gammaln(n - count + 1)
        with_counts = xr.apply_ufunc(betaln, count + alpha, n - count + beta)
        return ways + with_counts - xr.apply_ufunc(betaln, alpha, beta) + np.log(n)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw counts, as fractions of the items."""
        return self._shares(_BETA.draw(mean, phi, rng), mean, phi, rng)

    def steps(self) -> tuple[Step, ...]:
        """Return two: all rates come before all counts."""
        return (lambda _, mean, phi, rng: _BETA.draw(mean, phi, rng), self._shares)

    def _shares(
        self, rate: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator
    ) -> xr.DataArray:
        items = _aligned(mean, self.n_items)[1].astype("int64")
        return mean.copy(data=rng.binomial(items, rate.values) / items)


@dataclass(frozen=True)
class LogitNormalNoise(Noise):
    """logit of the score ~ Normal(logit mu, 2 / sqrt(phi)): mu is the median, not the mean.

    The spread at mu = 1/2 is about that of a Beta of the same phi; towards 0 and 1 it stays
    the same on the logit scale.
    """

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the logit-normal likelihood."""
        mu, sigma = _logit_scale(mean, phi)
        LogitNormal("score", mu=mu, sigma=sigma, observed=as_data(score, (CELL,)))

    def log_density(self, score: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray) -> Named:
        """Return the logit-normal log density."""
        z2 = (_logit(score) - _logit(mean)) ** 2 * phi / 4
        scale = 0.5 * np.log(phi / (8 * np.pi))
        return scale - z2 / 2 - np.log(score) - np.log1p(-score)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the logit-normal."""
        mu, spread = _aligned(mean, phi)
        noise = rng.standard_normal(mu.shape)
        return mean.copy(data=expit_of(logit_of(mu) + 2 * noise / np.sqrt(spread)))


@dataclass(frozen=True)
class StudentTNoise(Noise):
    """logit of the score ~ Student-t(tail, logit mu, 2 / sqrt(phi)): mu is the median.

    phi as in `LogitNormalNoise`, which is the limit of a large tail.

    Attributes
    ----------
    tail
        Degrees of freedom, dims () or (benchmark,) or (cell,), and sample on draws.
    """

    tail: Named

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the likelihood of a Student-t on the logit."""
        mu, sigma = _logit_scale(mean, phi)
        LogitStudentT("score", mu=mu, sigma=sigma, nu=self.tail, observed=as_data(score, (CELL,)))

    def log_density(self, score: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray) -> Named:
        """Return the log density of a Student-t on the logit, per unit of score."""
        nu = self.tail
        z2 = (_logit(score) - _logit(mean)) ** 2 * phi / 4
        scale = _gammaln((nu + 1) / 2) - _gammaln(nu / 2) + 0.5 * np.log(phi / (4 * np.pi * nu))
        return scale - (nu + 1) / 2 * np.log1p(z2 / nu) - np.log(score) - np.log1p(-score)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw a Student-t on the logit scale, and carry it to scores."""
        mu, spread = _aligned(mean, phi)
        noise = rng.standard_t(_aligned(mean, self.tail)[1])
        return mean.copy(data=expit_of(logit_of(mu) + 2 * noise / np.sqrt(spread)))


def declare_noise(spec: ModelSpec) -> dict[str, Named]:
    """Add the likelihood's own parameters to the open PyMC model; return them by name."""
    likelihood = spec.benchmarks.likelihood
    if likelihood.kind != "student-t":
        return {}
    return {"tail": declare("tail", spec.prior("tail"), () if likelihood.shared else (BENCHMARK,))}


def noise_of(spec: ModelSpec, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
    """Return the noise that a spec names.

    Parameters
    ----------
    spec
        Names the likelihood.
    parameters
        ``tail`` where the spec has it.
    n_items
        Item counts, dims (benchmark,) or (cell,); a design has refused unknown ones.
    """
    kind = spec.benchmarks.likelihood.kind
    if kind == "beta-binomial":
        return BetaBinomialNoise(n_items)
    if kind == "student-t":
        return StudentTNoise(parameters["tail"])
    return LogitNormalNoise() if kind == "logit-normal" else BetaNoise()


def _counts(score: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the nearest whole counts; halves go outwards, for they stand for 0 and n."""
    x = score * items
    return np.where(score < 0.5, np.ceil(x - 0.5 - _TIE), np.floor(x + 0.5 + _TIE))


def _aligned(mean: xr.DataArray, other: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return both arrays with the dims of `mean`, in its order."""
    wide, narrow = xr.broadcast(mean, other)
    return wide.transpose(*mean.dims).values, narrow.transpose(*mean.dims).values


def _logit_scale(mean: Named, phi: Named) -> tuple[Named, Named]:
    """Return location and scale on the logit scale, in a PyTensor graph."""
    maths = maths_of(mean)
    return maths.log(mean) - maths.log(1 - mean), 2 / maths.sqrt(phi)


def _logit(x: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(logit_of, x)


def _gammaln(x: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(gammaln, x)
