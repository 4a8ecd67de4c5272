"""iota_j and kappa_j: the effect of instruction tuning on each benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.terms.base import Rows, Term

INSTRUCT_SLOPE: str = "instruct_slope_covariate"


@TERMS.add
class InstructionTuning(Term):
    """A shift of each benchmark under instruction tuning, and a change of its slopes."""

    shift: bool
    slopes: tuple[str, ...]
    kind: Literal["instruct"] = "instruct"
    equation: ClassVar[str] = (
        r"\eta_{ij} \mathrel{+}= z_i (\iota_j + \sum_c \kappa_{jc} x_{ic}), "
        r"\quad z_i = 1 \text{ if tuned}"
    )
    order: ClassVar[int] = 30
    quadrature: ClassVar[bool] = True
    component: ClassVar[str | None] = "instruction tuning"
    component_place: ClassVar[int] = 50
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "instruct_shift": PriorSlot(
            Prior("Normal", mu=0, sigma=0.5),
            "iota_j, effect of instruction tuning",
            reading="shift",
        ),
        "instruct_slope": PriorSlot(
            Prior("Normal", mu=0, sigma=0.3),
            "kappa_j, change of a slope with instruction tuning",
            reading="shift",
        ),
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if benchmarks.instruct has a shift or slopes."""
        settings = spec.benchmarks.instruct
        return (
            cls(shift=settings.shift, slopes=settings.slopes)
            if settings.shift or settings.slopes
            else None
        )

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slots of what is switched on."""
        return ("instruct_shift",) * self.shift + ("instruct_slope",) * bool(self.slopes)

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates of the slopes."""
        return {INSTRUCT_SLOPE: list(self.slopes)} if self.slopes else {}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates of the slopes."""
        return {INSTRUCT_SLOPE: self.slopes} if self.slopes else {}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return shifts and slopes."""
        parameters = {}
        if self.shift:
            parameters["instruct_shift"] = Parameter("instruct_shift", (BENCHMARK,))
        if self.slopes:
            parameters["instruct_slope"] = Parameter("instruct_slope", (BENCHMARK, INSTRUCT_SLOPE))
        return parameters

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return shifts and slopes."""
        parameters = self.parameters(spec, design).items()
        return tuple(NormalEffect(name, p.dims, prior=p.slot) for name, p in parameters)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return iota_j + kappa_j' x_i for tuned models, 0 for others."""
        effect = values["instruct_shift"] if self.shift else 0.0
        if self.slopes:
            change = rows.covariates[INSTRUCT_SLOPE] * values["instruct_slope"]
            effect = effect + change.sum(INSTRUCT_SLOPE)
        return rows.instruct * effect
