"""u_fj: effects of families on single benchmarks beyond the skills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, FAMILY
from latentscale.maths import Named, maths_of
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import declare, declare_parameters, deterministic, deviations
from latentscale.model.terms.base import Groups, Rows, Term, standardised


@TERMS.add
class FamilyBenchmark(Term):
    """A family x benchmark effect: partially pooled, or unpooled where families are."""

    pooled: bool
    kind: Literal["family_benchmark"] = "family_benchmark"
    equation: ClassVar[str] = (
        r"\eta_{ij} \mathrel{+}= u_{f(i)j}, "
        r"\quad u_{fj} \sim \mathrm{Normal}(0, \omega_j^2)"
    )
    order: ClassVar[int] = 92
    component: ClassVar[str | None] = "family x benchmark"
    component_place: ClassVar[int] = 30
    effect: ClassVar[str | None] = "family_benchmark"
    latents: ClassVar[Mapping[str, str]] = {"family_benchmark_raw": "benchmarks.family_effect"}
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "family_benchmark_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.5),
            "standard deviation of family x benchmark effects u_fj, by benchmark",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if benchmarks.family_effect is true."""
        pooled = spec.family.level == "partial"
        return cls(pooled=pooled) if spec.benchmarks.family_effect else None

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot of the spread, or that of unpooled families."""
        return ("family_benchmark_scale",) if self.pooled else ("fixed_family",)

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standardised effects of pooled families; unpooled ones are parameters."""
        return tuple(self.latents) if self.pooled else ()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return unpooled effects; the spread of pooled ones is masked, so declared separately."""
        if self.pooled:
            return {"family_benchmark_scale": Parameter("family_benchmark_scale", (BENCHMARK,))}
        return {"family_benchmark": Parameter("fixed_family", (FAMILY, BENCHMARK))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add u_fj; at an anchor the skill is the family's level, which u would only repeat."""
        if not self.pooled:
            return declare_parameters(spec, self.parameters(spec, design))
        prior = spec.prior("family_benchmark_scale")
        free = declare("family_benchmark_scale_raw", prior, (BENCHMARK,))
        apart = [float(name not in design.anchors) for name in design.scores.benchmarks]
        mask = maths_of(free).named(np.array(apart), (BENCHMARK,))
        scale = deterministic("family_benchmark_scale", free * mask)
        raw = deviations("family_benchmark", (FAMILY, BENCHMARK), centred=design.centred)
        return {
            "family_benchmark_scale": scale,
            "family_benchmark": deterministic("family_benchmark", raw * scale),
        }

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the effects."""
        name, dims = "family_benchmark", (FAMILY, BENCHMARK)
        if not self.pooled:
            return (NormalEffect(name, dims, prior="fixed_family"),)
        apart = np.array([float(b not in design.anchors) for b in design.scores.benchmarks])
        scale = EffectScale("family_benchmark_scale", (BENCHMARK,), switched_on=apart)
        centred = FAMILY if design.centred else None
        return (NormalEffect(name, dims, scale=scale, centred=centred),)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return u_f(i)j."""
        return rows.of_family(values["family_benchmark"])

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return effects drawn from their population; unpooled ones are unchanged."""
        return groups.widening * raw * draws["family_benchmark_scale"] if self.pooled else raw

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return standardised deviations from the other families; unpooled ones are unchanged."""
        if not self.pooled:
            return effect
        return standardised(effect, draws["family_benchmark_scale"], groups)
