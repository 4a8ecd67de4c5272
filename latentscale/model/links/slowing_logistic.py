"""The slowing logistic link: a power-logistic curve whose approach to the ceiling may be slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.declare.kinds import LINKS
from latentscale.declare.link import Link
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of
from latentscale.model.links.power_logistic import PowerLogistic

SLOWING = "link_slowing"
_POWER = PowerLogistic()


@LINKS.add
class SlowingLogistic(Link):
    """The power-logistic link of a predictor that grows by its logarithm once it is above 0.

    A logistic curve nears its ceiling exponentially, so scores that still rise seem to say where
    it will end. Here 1 - h falls by a power of eta, at a rate that each benchmark learns: what
    was not reached yet stays open. Value and slope at 0 are those of the logistic.

    References
    ----------
    Stukel 1988, Generalized logistic models, JASA 83, equation 2 (a negative upper shape).
    """

    kind: Literal["slowing-logistic"] = "slowing-logistic"
    equation: ClassVar[str] = (
        r"h(\eta) = h_p(\eta) \text{ for } \eta \le 0, "
        r"\quad h_p(\log(1 + a \eta) / a) \text{ above}, \quad h_p \text{ power-logistic}"
    )
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        **PowerLogistic.slots,
        # At a = 0.3 a predictor of 3, 5 per cent below the ceiling, counts as 2.1, 11 per cent.
        SLOWING: PriorSlot(
            Prior("HalfNormal", sigma=0.3), "a of the slowing logistic link; 0 is no slowing"
        ),
    }

    def parameters(self) -> dict[str, Parameter]:
        """Return the power and the slowing of every benchmark."""
        return {**_POWER.parameters(), SLOWING: Parameter(SLOWING, (BENCHMARK,))}

    def constants(self, parameters: Mapping[str, Named]) -> dict[str, Named]:
        """Return the shift and stretch of the power-logistic curve."""
        return _POWER.constants(parameters)

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return the power-logistic curve at the slowed predictor."""
        maths = maths_of(eta)
        slowing = parameters[SLOWING]
        above = maths.maximum(eta, 0.0)
        slowed = eta - above + maths.log1p(slowing * above) / slowing
        return _POWER.share(parameters, slowed)
