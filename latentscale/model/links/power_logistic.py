"""The power-logistic link: asymmetric by a learned power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from latentscale.declare.kinds import LINKS
from latentscale.declare.link import Link
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of

POWER = "link_power"
_SHIFT, _STRETCH = "link_shift", "link_stretch"
_LOG_2 = float(np.log(2))
"""-log h(0), for h(0) = 1/2."""


@LINKS.add
class PowerLogistic(Link):
    """The logistic curve to a learned positive power by benchmark: an asymmetric link.

    It is shifted and stretched so that h(0) = 1/2 and h'(0) = 1/4. The power then changes only the
    asymmetry; otherwise it trades off against the intercept and the slopes, and a sampler crawls
    along that ridge.
    """

    kind: Literal["power-logistic"] = "power-logistic"
    equation: ClassVar[str] = (
        r"h(\eta) = (1 + e^{-(s + t \eta)})^{-p}, "
        r"\quad h(0) = 1/2, \; h'(0) = 1/4"
    )
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        POWER: PriorSlot(Prior("LogNormal", mu=0, sigma=0.5), "power of the power-logistic link")
    }
    scalar: ClassVar[str | None] = "power-logistic"

    def parameters(self) -> dict[str, Parameter]:
        """Return the power of every benchmark."""
        return {POWER: Parameter(POWER, (BENCHMARK,))}

    def constants(self, parameters: Mapping[str, Named]) -> dict[str, Named]:
        """Return the shift and stretch of every benchmark's curve, from its power."""
        power = parameters[POWER]
        maths = maths_of(power)
        return {
            _SHIFT: -maths.log(maths.expm1(_LOG_2 / power)),
            _STRETCH: -0.5 / (power * maths.expm1(-_LOG_2 / power)),
        }

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return the logistic of a line in eta, to the power."""
        maths = maths_of(eta)
        ready = parameters if _SHIFT in parameters else self.constants(parameters)
        line = ready[_SHIFT] + ready[_STRETCH] * eta
        return maths.exp(-parameters[POWER] * maths.softplus(-line))
