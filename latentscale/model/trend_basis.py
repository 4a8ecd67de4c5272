"""Basis functions of trends in a covariate: a local linear trend, or a random walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from latentscale.data.covariates import CovariateTransform
from latentscale.errors import SpecError
from latentscale.maths import Maths, Named

Shape = Literal["local-linear", "random-walk"]

_DECIMALS = 6
"""Decimals of the knots' labels, which are their places: a millionth of a standard deviation."""


@dataclass(frozen=True)
class TrendBasis:
    """The contribution of a change at each knot along a standardised covariate; 0 at its mean.

    Attributes
    ----------
    covariate
        The covariate.
    shape
        ``"local-linear"``: the slope changes at knots. ``"random-walk"``: the level changes.
    knots
        Number of intervals between knots over the range of the fitted models.
    beyond
        How far knots extend past that range, on either side, in standard deviations.
    dim
        The knots' dim.
    """

    covariate: str
    shape: Shape
    knots: int
    beyond: float
    dim: str

    def places(self, transform: CovariateTransform) -> tuple[np.ndarray, float]:
        """Return the knots in standard deviations from the mean, and their distance.

        Raises
        ------
        SpecError
            If the covariate does not differ between the fitted models.
        """
        name = self.covariate
        edges = np.array([transform.lower[name], transform.upper[name]])
        lower, upper = (edges - transform.mean[name]) / transform.scale[name]
        if not upper > lower:
            raise SpecError(
                f'The trend needs values of "{name}" that differ between models; all '
                f"are {edges[0]:g}. Leave the trend out."
            )
        step = (upper - lower) / self.knots
        first, last = np.floor((lower - self.beyond) / step), np.ceil((upper + self.beyond) / step)
        return np.round(np.arange(first, last + 1) * step, _DECIMALS), float(step)

    def at(self, x: Named, knots: np.ndarray, maths: Maths) -> Named:
        """Return h_j(x_i), dims (model, knot).

        Parameters
        ----------
        x
            The standardised covariate, dims (model,).
        knots
            Positions of the knots.
        maths
            Functions for arrays such as `x`.
        """
        sign = np.where(knots >= 0, 1.0, -1.0)
        past = x * maths.named(sign, (self.dim,)) - maths.named(sign * knots, (self.dim,))
        if self.shape == "local-linear":
            return maths.maximum(past, 0.0)
        step = float(np.diff(knots).mean())
        # A knot is the lower end of its interval; below the mean, intervals are entered from above.
        entered = past + maths.named(np.where(knots >= 0, 0.0, step), (self.dim,))
        return maths.clip(entered * (1 / step), 0.0, 1.0)
