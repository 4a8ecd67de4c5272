"""delta_j: slopes of each benchmark beyond its skills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.terms.base import Rows, Term

BENCHMARK_SLOPE: str = "benchmark_slope_covariate"
BENCHMARK_SHARE: Final = (40, "benchmark's own slopes")
"""Place and name of the share of variance of what covariates add to single benchmarks."""


@TERMS.add
class BenchmarkSlopes(Term):
    """Covariates with a separate slope on every benchmark, beyond the skills."""

    names: tuple[str, ...]
    kind: Literal["benchmark_slopes"] = "benchmark_slopes"
    equation: ClassVar[str] = r"\eta_{ij} \mathrel{+}= \sum_c \delta_{jc} x_{ic}"
    order: ClassVar[int] = 20
    quadrature: ClassVar[bool] = True
    component: ClassVar[str | None] = BENCHMARK_SHARE[1]
    component_place: ClassVar[int] = BENCHMARK_SHARE[0]
    covariates_apart: ClassVar[bool] = True
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "benchmark_slope": PriorSlot(
            Prior("Normal", mu=0, sigma=0.3),
            "delta_j, the benchmark's own slope in addition to those of its skills",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if benchmarks.slopes names covariates."""
        return cls(names=spec.benchmarks.slopes) if spec.benchmarks.slopes else None

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates of the slopes."""
        return {BENCHMARK_SLOPE: list(self.names)}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates of the slopes."""
        return {BENCHMARK_SLOPE: self.names}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the slopes."""
        return {"benchmark_slope": Parameter("benchmark_slope", (BENCHMARK, BENCHMARK_SLOPE))}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the slopes."""
        dims = (BENCHMARK, BENCHMARK_SLOPE)
        return (NormalEffect("benchmark_slope", dims, prior="benchmark_slope"),)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return delta_j' x_i."""
        return (rows.covariates[BENCHMARK_SLOPE] * values["benchmark_slope"]).sum(BENCHMARK_SLOPE)
