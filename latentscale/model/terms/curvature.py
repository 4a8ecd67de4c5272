"""Curvature in covariates, of the skills or of benchmarks: squares with a narrow prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, SKILL
from latentscale.errors import SpecError, listed
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.terms.base import Rows, Term
from latentscale.model.terms.benchmark_slopes import BENCHMARK_SHARE

CURVATURE: str = "curvature_covariate"


@TERMS.add
class Curvature(Term):
    """Squares of standardised covariates: returns to a covariate may diminish or increase.

    A product such as ``log_params:log_params`` among the spec's covariates is also a square, with
    the prior of slopes. That prior is too wide if few families have large members: it hardly
    constrains the curve of a family with one small member.

    Attributes
    ----------
    squares
        The covariates of the spec to square; no products.
    of_each
        What has its own curvature: every ``"skill"``, or every ``"benchmark"``, added to the
        linear predictor.
    """

    squares: tuple[str, ...] = Field(min_length=1)
    of_each: Literal["skill", "benchmark"] = "skill"
    kind: Literal["curvature"] = "curvature"
    equation: ClassVar[str] = r"\theta_{ik} \mathrel{+}= \sum_c \kappa_{ck} (x_{ic}^2 - 1)"
    order: ClassVar[int] = 72
    component: ClassVar[str | None] = "skills: covariates"
    component_place: ClassVar[int] = 0
    covariates_apart: ClassVar[bool] = True
    skill_vectors: ClassVar[tuple[str, ...]] = ("curvature",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # At -0.125, a slope of 0.5 falls to 0 two standard deviations above the mean.
        "curvature": PriorSlot(
            Prior("Normal", mu=0, sigma=0.1),
            "kappa, skill per squared standard deviation of a covariate",
        ),
        "benchmark_curvature": PriorSlot(
            Prior("Normal", mu=0, sigma=0.1),
            "kappa, linear predictor per squared standard deviation of a covariate",
        ),
    }

    def check(self, spec: ModelSpec) -> None:
        """Raise SpecError without skills, or where a covariate is a product or named twice."""
        if self.of_each == "skill" and not spec.skills.count:
            raise SpecError(
                "terms, curvature: skills.count is 0, so there are no skills whose curves could "
                "bend."
            )
        products = [name for name in self.squares if ":" in name]
        if products or len(set(self.squares)) < len(self.squares):
            raise SpecError(
                "terms, curvature: squares must name each covariate once, without products; got "
                f"{listed(self.squares)}."
            )

    def share(self) -> tuple[int, str] | None:
        """Return the share of skills' covariates, or of benchmarks' own slopes."""
        return super().share() if self.of_each == "skill" else BENCHMARK_SHARE

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates that are squared."""
        return {CURVATURE: list(self.squares)}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates that are squared."""
        return {CURVATURE: self.squares}

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot of the coefficients."""
        return (self._variable,)

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the coefficients of the squares."""
        dim = SKILL if self.of_each == "skill" else BENCHMARK
        return {self._variable: Parameter(self._variable, (CURVATURE, dim))}

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return sum_c kappa_ck (x_ic^2 - 1)."""
        return self._bend(values, rows) if self.of_each == "skill" else None

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return sum_c kappa_cj (x_ic^2 - 1)."""
        return self._bend(values, rows) if self.of_each == "benchmark" else None

    def _bend(self, values: Mapping[str, Named], rows: Rows) -> Named:
        x = rows.covariates[CURVATURE]
        return ((x * x - 1.0) * values[self._variable]).sum(CURVATURE)

    @property
    def _variable(self) -> str:
        return "curvature" if self.of_each == "skill" else "benchmark_curvature"
