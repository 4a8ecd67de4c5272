"""Slopes of the skills that differ between families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, SKILL
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, deviations
from latentscale.model.terms.base import Groups, Rows, Term, scaled, standardised

FAMILY_SLOPE: str = "family_slope_covariate"


@TERMS.add
class FamilySlopes(Term):
    """Each family's own change of the skills' slopes, partially pooled."""

    names: tuple[str, ...]
    kind: Literal["family_slopes"] = "family_slopes"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= \sum_c \beta_{f(i)ck} x_{ic}, "
        r"\quad \beta_{fck} \sim \mathrm{Normal}(0, \tau_{ck}^2)"
    )
    order: ClassVar[int] = 91
    component: ClassVar[str | None] = "skills: families"
    component_place: ClassVar[int] = 10
    effect: ClassVar[str | None] = "family_slope"
    latents: ClassVar[Mapping[str, str]] = {"family_slope_raw": "family.slopes"}
    skill_vectors: ClassVar[tuple[str, ...]] = ("family_slope",)
    skill_scales: ClassVar[tuple[str, ...]] = ("family_slope_scale",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "family_slope_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "standard deviation of families' slopes, by skill",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if family.slopes names covariates."""
        return cls(names=spec.family.slopes) if spec.family.slopes else None

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates of the slopes."""
        return {FAMILY_SLOPE: list(self.names)}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates of the slopes."""
        return {FAMILY_SLOPE: self.names}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the slopes."""
        dims = (FAMILY_SLOPE, *spec.skills.scale_dims)
        return {"family_slope_scale": Parameter("family_slope_scale", dims)}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the families' slopes, dims (family, family_slope_covariate, skill)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = deviations("family_slope", (FAMILY, FAMILY_SLOPE, SKILL), centred=design.centred)
        slope = deterministic("family_slope", raw * values["family_slope_scale"])
        return values | {"family_slope": slope}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the families' slopes."""
        scale = EffectScale("family_slope_scale", (FAMILY_SLOPE, *spec.skills.scale_dims))
        dims = (FAMILY, FAMILY_SLOPE, SKILL)
        centred = FAMILY if design.centred else None
        return (NormalEffect("family_slope", dims, scale=scale, centred=centred),)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the family's slopes times x_i."""
        own = rows.of_family(values["family_slope"])
        return (rows.covariates[FAMILY_SLOPE] * own).sum(FAMILY_SLOPE)

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return slopes drawn from their population."""
        return groups.widening * scaled(draws, "family_slope", raw)

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return standardised deviations from the other families."""
        return standardised(effect, draws["family_slope_scale"], groups)
