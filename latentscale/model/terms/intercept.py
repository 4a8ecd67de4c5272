"""b_j: the level of each benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.dims import BENCHMARK
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.terms.base import Rows, Term
from latentscale.spec.kinds import TERMS
from latentscale.spec.prior import Parameter, Prior, PriorSlot
from latentscale.spec.spec import ModelSpec


@TERMS.add
class Intercept(Term):
    """The intercept of every benchmark, left out where unpooled families would only repeat it."""

    kind: Literal["intercept"] = "intercept"
    equation: ClassVar[str] = r"\eta_{ij} \mathrel{+}= b_j"
    order: ClassVar[int] = 10
    quadrature: ClassVar[bool] = True
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "intercept": PriorSlot(
            Prior("Normal", mu=0, sigma=2), "b_j, benchmark level on the link's scale"
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term, unless family x benchmark effects are unpooled."""
        unpooled = spec.family.level == "fixed" and spec.benchmarks.family_effect
        return None if unpooled else cls()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the intercepts."""
        return {"intercept": Parameter("intercept", (BENCHMARK,))}

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return b_j."""
        return values["intercept"]
