"""The logistic link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.declare.kinds import LINKS
from latentscale.declare.link import Link
from latentscale.maths import Named, maths_of


@LINKS.add
class Logistic(Link):
    """The symmetric link 1 / (1 + exp(-eta))."""

    kind: Literal["logistic"] = "logistic"
    equation: ClassVar[str] = r"h(\eta) = 1 / (1 + e^{-\eta})"
    scalar: ClassVar[str | None] = "logistic"

    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return the logistic function of eta."""
        return maths_of(eta).sigmoid(eta)
