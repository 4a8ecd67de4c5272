"""b_j: the level of each benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import REAL, Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.pooling import Pooling, declared_or_pooled
from latentscale.model.priors import declare_parameters
from latentscale.model.terms.base import Rows, Term

INTERCEPT: str = "intercept"
_POOLING = Pooling(INTERCEPT, REAL, Prior("Normal", mu=0, sigma=2), Prior("HalfNormal", sigma=1.5))
"""The mean's prior is that of intercepts without pooling; 1.5 on the logit scale takes 50% to 82%,
about how far benchmarks of one group commonly differ."""


@TERMS.add
class Intercept(Term):
    """The intercept of every benchmark, left out if unpooled families would duplicate it."""

    kind: Literal["intercept"] = "intercept"
    equation: ClassVar[str] = r"\eta_{ij} \mathrel{+}= b_j"
    order: ClassVar[int] = 10
    quadrature: ClassVar[bool] = True
    pooled: bool = False
    latents: ClassVar[Mapping[str, str]] = _POOLING.latents
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "intercept": PriorSlot(
            Prior("Normal", mu=0, sigma=2),
            "b_j, benchmark level on the link's scale",
            reading="level",
        ),
        **_POOLING.slots,
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term, unless family x benchmark effects are unpooled."""
        unpooled = spec.family.level == "fixed" and spec.benchmarks.family_effect
        return None if unpooled else cls(pooled=spec.benchmarks.pooled)

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot of intercepts, or those of their population."""
        return tuple(_POOLING.slots) if self.pooled else ("intercept",)

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standard normal variables of pooled intercepts."""
        return _POOLING.latent_variables(design) if self.pooled else ()

    def poolings(self) -> tuple[Pooling, ...]:
        """Return how intercepts are pooled."""
        return (_POOLING,) if self.pooled else ()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the intercepts, or the parameters of their population."""
        if self.pooled:
            return _POOLING.parameters(design)
        return {"intercept": Parameter("intercept", (BENCHMARK,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the intercepts."""
        if not self.pooled:
            return declare_parameters(spec, self.parameters(spec, design))
        return declared_or_pooled(_POOLING, "intercept", {}, spec, design)

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the intercepts."""
        if self.pooled:
            return (NormalEffect("intercept", (BENCHMARK,), pooling=_POOLING),)
        return (NormalEffect("intercept", (BENCHMARK,), prior="intercept"),)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return b_j."""
        return values["intercept"]
