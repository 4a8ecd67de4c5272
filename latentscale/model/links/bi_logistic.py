"""The bi-logistic link: a rise to a plateau, and a second rise beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.declare.kinds import LINKS
from latentscale.declare.link import Link
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of
from latentscale.model.links.power_logistic import POWER, PowerLogistic

PLATEAU = "link_plateau"
SECOND = "link_second_rise"
_STEEPNESS = 2.0
"""Of the second rise, relative to the logistic: at half its slope scores on the plateau, which
are known well, would rise with it, and the two rises could not be distinguished."""
_FIRST = PowerLogistic()


@LINKS.add
class BiLogistic(Link):
    """A power-logistic rise to a plateau by benchmark, and a second, logistic one to the ceiling.

    An estimated ceiling bounds what models may score that are better than any that was fitted:
    where scores of the best fitted models bend, the ceiling is taken to lie just above them. Here
    the same bend is a plateau: a share of the range, such as its easier items. Where the rest rises
    is learned as far as scores exclude it; beyond the fitted models it keeps its prior, and so
    forecasts there stay open upwards. Use it with ``ceiling = "fixed"``.

    References
    ----------
    Meyer 1994, "Bi-logistic growth", Technological Forecasting and Social Change 47, for the sum.
    """

    kind: Literal["bi-logistic"] = "bi-logistic"
    equation: ClassVar[str] = (
        r"h(\eta) = w \, h_p(\eta) + (1 - w) / (1 + e^{-2 (\eta - m)}), "
        r"\quad h_p \text{ the power-logistic}"
    )
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        **_FIRST.slots,
        PLATEAU: PriorSlot(
            Prior("Beta", alpha=9, beta=1.5), "share of the range that the first rise covers"
        ),
        # 5 is where a logistic of slope 1/4 at 0 is within 1% of its end; from 1 to 9 with 95%.
        SECOND: PriorSlot(
            Prior("Normal", mu=5, sigma=2), "linear predictor half way up the second rise"
        ),
    }

    def parameters(self) -> dict[str, Parameter]:
        """Return the power, the plateau and the place of the second rise of every benchmark."""
        return {name: Parameter(name, (BENCHMARK,)) for name in (POWER, PLATEAU, SECOND)}

    def constants(self, parameters: Mapping[str, Named]) -> dict[str, Named]:
        """Return those of the power-logistic rise."""
        return _FIRST.constants(parameters)

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return the two rises' sum, weighted by the plateau and what is left of the range."""
        plateau = parameters[PLATEAU]
        second = maths_of(eta).sigmoid(_STEEPNESS * (eta - parameters[SECOND]))
        return plateau * _FIRST.share(parameters, eta) + (1 - plateau) * second
