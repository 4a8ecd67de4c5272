"""The noise of a whole table, with fractions and other scores, and sampling error.

A likelihood defines the noise of fractions and of standardised scores. This module combines the two
by benchmark, and adds the sampling error of single scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from latentscale.data.scaling import STEP
from latentscale.declare.likelihood import Likelihood, Noise, Step
from latentscale.dims import BENCHMARK, CELL
from latentscale.maths import Named, as_data, on_draws
from latentscale.model.scaled import CODE, backwarded, forwarded, is_code, unbounded_scales

_ANY_ITEMS = 2
"""The fewest items that every likelihood accepts; the density of such scores is not used."""
_HALF = 0.5  # a fraction that every likelihood allows, for scores that are not fractions


def noise_of(
    likelihood: Likelihood,
    values: Mapping[str, Named],
    n_items: xr.DataArray,
    sampling: xr.DataArray | None = None,
) -> Noise:
    """Return the noise of scores around mu, each in its own units.

    Parameters
    ----------
    likelihood
        The likelihood of the spec.
    values
        Its parameters, and what `latentscale.model.scaled.known_curve` returns.
    n_items, sampling
        Item counts and sampling errors, dims (benchmark,), (model, benchmark) or (cell,); no
        sampling error by default.
    """
    if CODE in values:
        # Item counts of scores that are not fractions are not used, but must be numbers.
        noise: Noise = likelihood.noise(values, n_items.fillna(_ANY_ITEMS))
        noise = MixedNoise(noise, likelihood.unbounded(values), values[CODE], values[STEP])
    else:
        noise = likelihood.noise(values, n_items)
    return noise if sampling is None else SampledNoise(noise, sampling)


@dataclass(frozen=True)
class MixedNoise(Noise):
    """One noise for fractions, another for scores on other scales.

    The other is the noise of (forward(score) - centre) / step, the standardised score.

    Attributes
    ----------
    fraction, unbounded
        Noise of fractions, and of standardised scores.
    code
        Code of the scale (`latentscale.model.scaled.CODE`), dims (benchmark,) or (cell,).
    step
        One standard deviation, in units of forward(score), with the dims of `code`.
    """

    fraction: Noise
    unbounded: Noise
    code: Named
    step: Named

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the log density of each score under its own noise, per unit of its score."""
        bounded = is_code(self.code, 0)
        inside = self.fraction.log_density(
            _inside(score, bounded), _inside(mean, bounded), _inside(phi, bounded)
        )
        value, slope = forwarded(self.code, score)
        middle, _ = forwarded(self.code, mean)
        other = self.unbounded.log_density(value, middle, phi / self.step**2)
        return inside * bounded + (other + slope) * (1 - bounded)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw fractions, then the other scores."""
        drawn = mean
        for step in self.steps():
            drawn = step(drawn, mean, phi, rng)
        return drawn

    def steps(self) -> tuple[Step, ...]:
        """Return the steps of the fractions' noise, then those for all other scores."""

        def on_fractions(step: Step) -> Step:
            return lambda drawn, mean, phi, rng: step(drawn, self._safe(mean), phi, rng)

        others = self.unbounded.steps()
        last = [number == len(others) - 1 for number in range(len(others))]
        return (*map(on_fractions, self.fraction.steps()), *map(self._on_others, others, last))

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision of each score with its sampling error, under its own noise."""
        bounded = is_code(self.code, 0)
        inside = self.fraction.sampled(phi, _inside(mean, bounded), sampling * bounded)
        other = self.unbounded.sampled(phi, mean, sampling * (1 - bounded))
        return inside * bounded + other * (1 - bounded)

    def _safe(self, mean: xr.DataArray) -> xr.DataArray:
        return on_draws(_inside(mean, is_code(self.code, 0)).transpose(*mean.dims))

    def _on_others(self, step: Step, last: bool) -> Step:
        """Return a step of the other scores' noise, which leaves fractions as they are."""

        def others(
            drawn: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator
        ) -> xr.DataArray:
            bounded = is_code(self.code, 0)
            middle = on_draws(forwarded(self.code, mean)[0].transpose(*mean.dims))
            before = on_draws(drawn * (1 - bounded) + bounded)  # a fraction may be 0, a factor not
            value: Named = step(before, middle, on_draws(phi / self.step**2), rng)
            value = backwarded(self.code, value) if last else value
            joined = drawn * bounded + value * (1 - bounded)
            return on_draws(joined.transpose(*mean.dims))

        return others


@dataclass(frozen=True)
class SampledNoise(Noise):
    """A noise plus the sampling error of each score.

    Attributes
    ----------
    noise
        The noise apart from sampling.
    sampling
        As `latentscale.data.scaling.sampling_of` returns it, dims (benchmark,),
        (model, benchmark) or (cell,).
    """

    noise: Noise
    sampling: Named

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the noise at the precision that includes sampling error."""
        from latentscale.model.distributions import observe_scores

        sampling = as_data(np.asarray(on_draws(self.sampling).values, dtype="float64"), (CELL,))
        observe_scores(self.noise, score, mean, self.noise.sampled(phi, mean, sampling))

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the noise's log density at the precision that includes sampling error."""
        return self.noise.log_density(score, mean, self.noise.sampled(phi, mean, self.sampling))

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the noise at the precision that includes sampling error."""
        left = on_draws(self.noise.sampled(phi, mean, self.sampling))
        return self.noise.draw(mean, left, rng)

    def steps(self) -> tuple[Step, ...]:
        """Return the noise's steps at the precision that includes sampling error."""

        def with_sampling(step: Step) -> Step:
            return lambda drawn, mean, phi, rng: step(
                drawn, mean, on_draws(self.noise.sampled(phi, mean, self.sampling)), rng
            )

        return tuple(map(with_sampling, self.noise.steps()))

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision with a further sampling error."""
        return self.noise.sampled(self.noise.sampled(phi, mean, self.sampling), mean, sampling)


def of_fractions(noise: Noise) -> Noise:
    """Return the part of a noise that is for fractions, without other scales."""
    if isinstance(noise, SampledNoise):
        return replace(noise, noise=of_fractions(noise.noise))
    return noise.fraction if isinstance(noise, MixedNoise) else noise


def without_mean(noise: Noise) -> tuple[str, ...]:
    """Return the benchmarks whose mean score cannot be estimated from draws.

    On a logarithmic scale, a score is the exponential of its noise. If the noise has heavy tails
    (nine standard deviations under `HeavyTailedNoise`), the largest few draws determine the mean
    and the standard deviation of any number of draws; under a Student-t both are infinite.
    """
    if isinstance(noise, SampledNoise):
        return without_mean(noise.noise)
    if not (isinstance(noise, MixedNoise) and noise.unbounded.heavy_tailed):
        return ()
    scales = enumerate(unbounded_scales(), start=1)
    codes = [number for number, (_, scale) in scales if scale.logarithmic]
    found = on_draws(noise.code).isin(codes)
    own = found.any([dim for dim in found.dims if dim != BENCHMARK])
    return tuple(str(name) for name in own[BENCHMARK].values[own.values])


def _inside(value: Named, bounded: Named) -> Named:
    """Return a quantity for fractions, and one half for scores on other scales."""
    return value * bounded + _HALF * (1 - bounded)
