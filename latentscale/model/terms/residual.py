"""Deviations of single models from their family's curve, skill by skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL, SKILL
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, standard_normal
from latentscale.model.terms.base import Rows, Term


@TERMS.add
class Residual(Term):
    """A deviation of every model's skills, independent between models and skills."""

    kind: Literal["residual"] = "residual"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= r_{ik}, "
        r"\quad r_{ik} \sim \mathrm{Normal}(0, \sigma_k^2)"
    )
    order: ClassVar[int] = 80
    component: ClassVar[str | None] = "skills: single models"
    component_place: ClassVar[int] = 20
    latents: ClassVar[Mapping[str, str]] = {"residual_raw": "skills.residual"}
    model_effect: ClassVar[str | None] = "residual"
    skill_vectors: ClassVar[tuple[str, ...]] = ("residual",)
    skill_scales: ClassVar[tuple[str, ...]] = ("residual_scale",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "residual_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "spread of models around their family's curve, by skill",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if skills.residual is true."""
        return cls() if spec.skills.count and spec.skills.residual else None

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the residuals."""
        return {"residual_scale": Parameter("residual_scale", (SKILL,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the residuals, dims (model, skill)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = standard_normal("residual", (MODEL, SKILL))
        residual = deterministic("residual", raw * values["residual_scale"])
        return values | {"residual": residual}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the residuals."""
        scale = EffectScale("residual_scale", (SKILL,))
        return (NormalEffect("residual", (MODEL, SKILL), scale=scale),)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the residual of each row; None where rows lie on their family's curve."""
        return values.get("residual")
