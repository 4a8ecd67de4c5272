"""The monotone link: a learned increasing curve."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import field_validator
from scipy.special import expit

from latentscale.declare.kinds import LINKS
from latentscale.declare.link import Link
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK
from latentscale.errors import SpecError
from latentscale.maths import Named, maths_of

LINK_PIECE: str = "link_piece"
_SLOPE = "link_slope"
_KNOT, _HEIGHT, _RATE = "link_knot", "link_height_at_0", "link_rate_at_0"
_SOFTNESS = 0.5  # width of the bend at a knot: a quarter of the default distance between knots


@LINKS.add
class Monotone(Link):
    """A learned increasing link: the logistic of a smooth curve with learned slopes.

    On the logit scale the curve has one slope below the first knot, one between each pair,
    and one above the last, blended smoothly. Its value and slope at 0 equal those of the logistic
    link, on which the prior is centred. The data inform how quickly scores leave the floor and how
    slowly they approach the ceiling.

    Attributes
    ----------
    knots
        Where the slope may change, on the scale of the linear predictor, increasing.
    shared
        Whether all benchmarks have the same curve. By default each has its own, since benchmarks
        differ in the spread of their items' difficulties.
    """

    kind: Literal["monotone"] = "monotone"
    equation: ClassVar[str] = (
        r"h(\eta) = 1 / (1 + e^{-m(\eta) / m'(0)}), "
        r"\quad m'(\eta) = \sum_p s_p B_p(\eta)"
    )
    knots: tuple[float, ...] = (-3.0, -1.0, 1.0, 3.0)
    shared: bool = False
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        _SLOPE: PriorSlot(
            Prior("LogNormal", mu=0, sigma=0.5),
            "slope of a piece of the monotone link, relative to the middle piece",
        )
    }

    @field_validator("knots")
    @classmethod
    def _increasing(cls, knots: tuple[float, ...]) -> tuple[float, ...]:
        rising = all(low < high for low, high in pairwise(knots))
        # 12 slopes per benchmark are more than scores of some 200 models can distinguish; beyond 10
        # the logistic is flat to rounding of recorded scores.
        if not 1 <= len(knots) <= 12 or not rising or not all(abs(k) <= 10 for k in knots):
            raise SpecError(
                "knots must be 1 to 12 increasing numbers from -10 to 10, such as "
                f"[-3, -1, 1, 3]; got {list(knots)}."
            )
        return knots

    def parameters(self) -> dict[str, Parameter]:
        """Return the slopes of all pieces except the middle one."""
        return {
            _SLOPE: Parameter(_SLOPE, (LINK_PIECE,) if self.shared else (BENCHMARK, LINK_PIECE))
        }

    def coords(self) -> dict[str, list[str]]:
        """Return the free pieces, named by the knots that bound them."""
        inner = [f"{low:g} to {high:g}" for low, high in pairwise(self.knots)]
        pieces = [f"below {self.knots[0]:g}", *inner, f"above {self.knots[-1]:g}"]
        return {LINK_PIECE: [name for p, name in enumerate(pieces) if p != self._middle]}

    def constants(self, parameters: Mapping[str, Named]) -> dict[str, Named]:
        """Return the knots, and the values at 0 of the steps at them, as data."""
        maths = maths_of(parameters[_SLOPE])
        ready = {}
        for place, knot in enumerate(self.knots):
            height = float(np.logaddexp(0.0, -knot / _SOFTNESS))
            for name, value in (
                (_KNOT, knot),
                (_HEIGHT, height),
                (_RATE, float(expit(-knot / _SOFTNESS))),
            ):
                ready[f"{name}_{place}"] = maths.number(value, f"{name}_{place}")
        return ready

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return the logistic of a smooth increasing curve m with learned slopes between knots.

        m' = sum_p s_p B_p(eta), where the B_p are differences of logistic steps at the knots, so
        positive and summing to one: any s > 0 gives an increasing m. Only ratios of the s_p count
        (a simplex: the middle piece has s = 1), since m is divided by m'(0). With m(0) = 0 that
        gives h(0) = 1/2 and h'(0) = 1/4 for every s, so that intercept and slopes keep their
        meaning; s = 1 throughout is the logistic link.
        """
        maths = maths_of(eta)
        free = parameters[_SLOPE]
        ready = parameters if f"{_KNOT}_0" in parameters else self.constants(parameters)

        def slope(piece: int) -> Named | float:
            if piece == self._middle:
                return 1.0
            chosen = np.zeros(len(self.knots))
            chosen[piece - (piece > self._middle)] = 1.0
            return (free * maths.named(chosen, (LINK_PIECE,))).sum(LINK_PIECE)

        curve, rate = slope(0) * eta, slope(0)
        for place in range(len(self.knots)):
            knot, height, steep = (ready[f"{name}_{place}"] for name in (_KNOT, _HEIGHT, _RATE))
            bend = slope(place + 1) - slope(place)
            curve = curve + bend * _SOFTNESS * (maths.softplus((eta - knot) / _SOFTNESS) - height)
            rate = rate + bend * steep
        return maths.sigmoid(curve / rate)

    @property
    def _middle(self) -> int:
        """Position of the piece that holds 0, whose slope is 1."""
        return sum(knot <= 0 for knot in self.knots)
