"""The beta-binomial likelihood of counts of correct items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood, Noise, Step, aligned
from latentscale.dims import CELL
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.likelihoods.beta import BetaNoise

_TIE = 1e-6  # in items: above the rounding of a recorded score times its items, far below a half

_BETA = BetaNoise()


@LIKELIHOODS.add
class BetaBinomialLikelihood(Likelihood):
    """Counts of correct items, binomial around a rate that is Beta with mean mu, precision phi.

    Scores times the benchmark's number of items are rounded to counts; benchmarks whose
    number of items is unknown are refused. phi describes the scatter beyond sampling of items.
    Standard errors that a table states for fractions are not used: the counts imply them.
    """

    kind: Literal["beta-binomial"] = "beta-binomial"
    equation: ClassVar[str] = (
        r"n_j Y_{ij} \sim "
        r"\mathrm{BetaBinomial}(n_j, \mu_{ij} \phi_{ij}, (1 - \mu_{ij}) \phi_{ij})"
    )
    needs_items: ClassVar[bool] = True
    linearised: ClassVar[bool] = True

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return beta-binomial noise of these item counts."""
        return BetaBinomialNoise(n_items)


@dataclass(frozen=True)
class BetaBinomialNoise(Noise):
    """Correct items out of n, binomial around a rate that is Beta(mu phi, (1 - mu) phi).

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
        from latentscale.model.distributions import CountShare

        items = self.n_items.values.astype("float64")
        CountShare(
            "score",
            n=as_data(items, (CELL,)),
            alpha=mean * phi,
            beta=(1 - mean) * phi,
            observed=as_data(_counts(score, items) / items, (CELL,)),
        )

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the beta-binomial log mass of the nearest count, plus log n."""
        n, maths = self.n_items, maths_of(mean)
        x = score * n
        count = maths.where(score < 0.5, maths.ceil(x - 0.5 - _TIE), maths.floor(x + 0.5 + _TIE))
        alpha, beta = mean * phi, (1 - mean) * phi
        ways = maths.gammaln(n + 1) - maths.gammaln(count + 1) - maths.gammaln(n - count + 1)
        with_counts = maths.betaln(count + alpha, n - count + beta)
        return ways + with_counts - maths.betaln(alpha, beta) + maths.log(n)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw counts, as fractions of the items."""
        return self._shares(_BETA.draw(mean, phi, rng), mean, phi, rng)

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return phi: the distribution already includes sampling of items."""
        return phi

    def steps(self) -> tuple[Step, ...]:
        """Return two passes: all rates are drawn before all counts."""
        return (lambda _, mean, phi, rng: _BETA.draw(mean, phi, rng), self._shares)

    def _shares(
        self, rate: xr.DataArray, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator
    ) -> xr.DataArray:
        items = aligned(mean, self.n_items)[1].astype("int64")
        return mean.copy(data=rng.binomial(items, rate.values) / items)


def _counts(score: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the nearest whole counts; halves round outwards, since they are clamped 0 and n."""
    x = score * items
    return np.where(score < 0.5, np.ceil(x - 0.5 - _TIE), np.floor(x + 0.5 + _TIE))
