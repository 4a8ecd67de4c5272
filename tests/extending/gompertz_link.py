"""A link from outside the package: between the logistic and Gompertz's asymmetric curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.extend import (
    BENCHMARK,
    LINKS,
    Link,
    Named,
    Parameter,
    Prior,
    PriorSlot,
    maths_of,
)

SHARE = "gompertz_share"
LOG_2 = 0.6931471805599453
FAR = 100.0  # where exp(-eta) is far from overflow, and the curve is at its ends to rounding


@LINKS.add
class Gompertz(Link):
    """h = (1 - w) logistic(eta) + w 2^-exp(-eta), with a share w of every benchmark."""

    kind: Literal["gompertz"] = "gompertz"
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        SHARE: PriorSlot(Prior("Beta", alpha=2, beta=2), "share of Gompertz's curve in the link")
    }

    def parameters(self) -> dict[str, Parameter]:
        return {SHARE: Parameter(SHARE, (BENCHMARK,))}

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        maths = maths_of(eta)
        curve = maths.exp(-LOG_2 * maths.exp(-maths.clip(eta, -FAR, FAR)))
        weight = parameters[SHARE]
        return (1 - weight) * maths.sigmoid(eta) + weight * curve
