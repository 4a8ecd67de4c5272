"""B: slopes of the skills in the covariates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import COVARIATE, SKILL
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.terms.base import Rows, Term


@TERMS.add
class SkillSlopes(Term):
    """Slopes of every skill in the covariates, shared by all families."""

    kind: Literal["slope"] = "slope"
    equation: ClassVar[str] = r"\theta_{ik} \mathrel{+}= \sum_c B_{ck} x_{ic}"
    order: ClassVar[int] = 70
    quadrature: ClassVar[bool] = True
    component: ClassVar[str | None] = "skills: covariates"
    component_place: ClassVar[int] = 0
    covariates_apart: ClassVar[bool] = True
    skill_vectors: ClassVar[tuple[str, ...]] = ("slope",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "slope": PriorSlot(
            Prior("Normal", mu=0, sigma=1),
            "B, skill per standard deviation of a covariate",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if there are skills and covariates."""
        return cls() if spec.skills.count and spec.covariates else None

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the slopes; none where all covariates are partially pooled categories."""
        if not design.transform.columns:
            return {}
        return {"slope": Parameter("slope", (COVARIATE, SKILL))}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the slopes."""
        names = self.parameters(spec, design)
        return tuple(NormalEffect(name, (COVARIATE, SKILL), prior=name) for name in names)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return B' x_i."""
        if "slope" not in values:
            return None
        return (rows.covariates[COVARIATE] * values["slope"]).sum(COVARIATE)
