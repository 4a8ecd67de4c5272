"""Slopes of single benchmarks that differ between families beyond the skills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, FAMILY
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, deviations
from latentscale.model.terms.base import Groups, Rows, Term, standardised

FAMILY_BENCHMARK_SLOPE: str = "family_benchmark_slope_covariate"


@TERMS.add
class FamilyBenchmarkSlopes(Term):
    """Each family's own change of a benchmark's slopes, partially pooled by benchmark.

    Covariates share one spread on a benchmark, xi_j, or have one each, xi_jc.
    """

    names: tuple[str, ...]
    by_covariate: bool
    kind: Literal["family_benchmark_slopes"] = "family_benchmark_slopes"
    equation: ClassVar[str] = (
        r"\eta_{ij} \mathrel{+}= \sum_c v_{f(i)jc} x_{ic}, "
        r"\quad v_{fjc} \sim \mathrm{Normal}(0, \xi_j^2) "
        r"\text{ or } \mathrm{Normal}(0, \xi_{jc}^2)"
    )
    order: ClassVar[int] = 93
    component: ClassVar[str | None] = "family x benchmark"
    component_place: ClassVar[int] = 30
    effect: ClassVar[str | None] = "family_benchmark_slope"
    latents: ClassVar[Mapping[str, str]] = {
        "family_benchmark_slope_raw": "benchmarks.family_slopes"
    }
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "family_benchmark_slope_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "standard deviation of families' slopes on each benchmark, shared or by covariate",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if benchmarks.family_slopes names covariates."""
        names = spec.benchmarks.family_slopes
        by_covariate = spec.benchmarks.family_slope_spreads == "by-covariate"
        return cls(names=names, by_covariate=by_covariate) if names else None

    @property
    def _scale_dims(self) -> tuple[str, ...]:
        return (BENCHMARK, FAMILY_BENCHMARK_SLOPE) if self.by_covariate else (BENCHMARK,)

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates of the slopes."""
        return {FAMILY_BENCHMARK_SLOPE: list(self.names)}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates of the slopes."""
        return {FAMILY_BENCHMARK_SLOPE: self.names}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the slopes."""
        slot = "family_benchmark_slope_scale"
        return {slot: Parameter(slot, self._scale_dims)}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the slopes, dims (family, benchmark, family_benchmark_slope_covariate)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        dims = (FAMILY, BENCHMARK, FAMILY_BENCHMARK_SLOPE)
        raw = deviations("family_benchmark_slope", dims, centred=design.centred)
        slope = raw * values["family_benchmark_slope_scale"]
        return values | {"family_benchmark_slope": deterministic("family_benchmark_slope", slope)}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the families' slopes."""
        dims = (FAMILY, BENCHMARK, FAMILY_BENCHMARK_SLOPE)
        scale = EffectScale("family_benchmark_slope_scale", self._scale_dims)
        centred = FAMILY if design.centred else None
        return (NormalEffect("family_benchmark_slope", dims, scale=scale, centred=centred),)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return the family's slopes on the benchmark times x_i."""
        own = rows.of_family(values["family_benchmark_slope"])
        return (rows.covariates[FAMILY_BENCHMARK_SLOPE] * own).sum(FAMILY_BENCHMARK_SLOPE)

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return slopes drawn from their population."""
        return groups.widening * raw * draws["family_benchmark_slope_scale"]

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return standardised deviations from the other families."""
        return standardised(effect, draws["family_benchmark_slope_scale"], groups)
