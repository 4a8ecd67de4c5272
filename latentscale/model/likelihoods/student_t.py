"""The Student-t likelihood on the logit scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from scipy.special import expit
from scipy.special import logit as logit_of

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood, Noise, aligned
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK, CELL
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.likelihoods.logit_normal import logit_scale, sampled_on_logit

_TAIL = "tail"


@LIKELIHOODS.add
class StudentTLikelihood(Likelihood):
    """logit of the score ~ Student-t around logit mu, with scale 2 / sqrt(phi); mu is the median.

    The degrees of freedom ``tail`` are learned: `shared` by all benchmarks, or one per benchmark.
    """

    kind: Literal["student-t"] = "student-t"
    equation: ClassVar[str] = (
        r"\mathrm{logit}\, Y_{ij} \sim "
        r"t_\nu(\mathrm{logit}\, \mu_{ij}, 4 / \phi_{ij})"
    )
    normal_on_logit: ClassVar[bool] = True
    shared: bool = True
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        _TAIL: PriorSlot(
            Prior("Gamma", alpha=2, beta=0.1), "degrees of freedom of the Student-t likelihood"
        )
    }

    def parameters(self) -> dict[str, Parameter]:
        """Return the degrees of freedom."""
        return {_TAIL: Parameter(_TAIL, () if self.shared else (BENCHMARK,))}

    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return Student-t noise with these degrees of freedom."""
        return StudentTNoise(parameters[_TAIL])

    def unbounded(self, parameters: Mapping[str, Named]) -> Noise:
        """Return Student-t noise with the same degrees of freedom, on an unbounded scale."""
        return RealStudentTNoise(parameters[_TAIL])


@dataclass(frozen=True)
class RealStudentTNoise(Noise):
    """Student-t around the mean, with scale 2 / sqrt(phi), for values on an unbounded scale.

    Attributes
    ----------
    tail
        Degrees of freedom, dims () or (benchmark,) or (cell,), and sample on draws.
    """

    tail: Named
    heavy_tailed: ClassVar[bool] = True

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the log density of a Student-t."""
        nu, maths = self.tail, maths_of(phi)
        z2 = (score - mean) ** 2 * phi / 4
        scale = maths.gammaln((nu + 1) / 2) - maths.gammaln(nu / 2)
        scale = scale + 0.5 * maths.log(phi / (4 * np.pi * nu))
        return scale - (nu + 1) / 2 * maths.log1p(z2 / nu)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the Student-t."""
        mu, spread = aligned(mean, phi)
        noise = rng.standard_t(aligned(mean, self.tail)[1])
        return mean.copy(data=mu + 2 * noise / np.sqrt(spread))

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision after a squared scale `sampling` is added to 4 / phi."""
        return phi / (1 + phi * sampling / 4)


@dataclass(frozen=True)
class StudentTNoise(RealStudentTNoise):
    """logit of the score ~ Student-t around logit mu, of scale 2 / sqrt(phi): mu is the median.

    phi as in `LogitNormalNoise`, which is the limit of a large tail.

    Attributes
    ----------
    tail
        Degrees of freedom, dims () or (benchmark,) or (cell,), and sample on draws.
    """

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the likelihood of a Student-t on the logit."""
        from latentscale.model.distributions import LogitStudentT

        mu, sigma = logit_scale(mean, phi)
        LogitStudentT("score", mu=mu, sigma=sigma, nu=self.tail, observed=as_data(score, (CELL,)))

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the log density of a Student-t on the logit, per unit of score."""
        maths = maths_of(mean)
        on_logit = super().log_density(maths.logit(score), maths.logit(mean), phi)
        return on_logit - maths.log(score) - maths.log1p(-score)

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw a Student-t on the logit scale, and transform it to scores."""
        mu, spread = aligned(mean, phi)
        noise = rng.standard_t(aligned(mean, self.tail)[1])
        return mean.copy(data=expit(logit_of(mu) + 2 * noise / np.sqrt(spread)))

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision with sampling of items, on the logit scale."""
        return sampled_on_logit(phi, mean, sampling)
