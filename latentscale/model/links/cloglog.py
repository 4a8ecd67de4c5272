"""The complementary log-log link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.declare.kinds import LINKS
from latentscale.declare.link import Link
from latentscale.maths import Named, maths_of

_FAR = 100.0  # where exp(eta) is far from overflow, and the curve is 0 or 1 to rounding


@LINKS.add
class ComplementaryLogLog(Link):
    """The asymmetric link 1 - exp(-exp(eta))."""

    kind: Literal["cloglog"] = "cloglog"
    equation: ClassVar[str] = r"h(\eta) = 1 - \exp(-e^{\eta})"
    scalar: ClassVar[str | None] = "cloglog"

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return 1 - exp(-exp(eta))."""
        maths = maths_of(eta)
        return -maths.expm1(-maths.exp(maths.clip(eta, -_FAR, _FAR)))
