"""Trends of the skills in a covariate, such as the release date, that need not be straight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import xarray as xr
from pydantic import Field

from latentscale.data.covariates import CovariateTransform
from latentscale.data.scores import Scores
from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import SKILL
from latentscale.errors import SpecError
from latentscale.maths import Named, maths_of, on_draws
from latentscale.model.design import Design
from latentscale.model.feasible import stated_share
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import (
    coordinate,
    declare_parameters,
    deterministic,
    standard_normal,
)
from latentscale.model.terms.base import Rows, Term
from latentscale.model.trend_basis import Shape, TrendBasis

KNOT: str = "trend_knot"
_COVARIATE: str = "trend_covariate"


@TERMS.add
class Trend(Term):
    """Deviation from a straight line in a covariate: a local linear trend, or a random walk.

    f_k(x) = sum over knots j of change_jk times h_j(x), for the standardised covariate x. Local
    linear: h_j(x) = max(x - x_j, 0) for knots above the mean, max(x_j - x, 0) below, so that the
    slope of skill k changes by change_jk at each knot; the slope at the mean is the covariate's
    own, B. Random walk: away from the mean h_j goes from 0 to 1 between x_j and the next higher
    knot, so that the level changes. Either way f is 0 at the mean, and changes are independent
    Normal(0, trend_scale_k^2 times the distance of two knots).

    Knots extend beyond the fitted range, with changes that no score informs: forecasts there widen
    because the trend may turn. Beyond the last knot the trend continues unchanged.

    Attributes
    ----------
    covariate
        The covariate: one of the spec's covariates, not a product.
    shape
        ``"local-linear"`` (an integrated random walk) or ``"random-walk"``.
    knots
        Number of intervals between knots over the range of the fitted models.
    beyond
        How far knots extend beyond that range, on either side, in standard deviations.

    References
    ----------
    Harvey 1989, Forecasting, Structural Time Series Models and the Kalman Filter, section 2.3.
    """

    covariate: str
    shape: Shape = "local-linear"
    knots: int = Field(default=12, ge=1, le=100)
    beyond: float = Field(default=2.0, ge=0, le=10)
    kind: Literal["trend"] = "trend"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= \sum_q \Delta_{qk} h_q(x_i), "
        r"\quad \Delta_{qk} \sim \mathrm{Normal}(0, \tau_k^2 \Delta x)"
    )
    order: ClassVar[int] = 75
    component: ClassVar[str | None] = "skills: covariates"
    component_place: ClassVar[int] = 0
    covariates_apart: ClassVar[bool] = True
    latents: ClassVar[Mapping[str, str]] = {"trend_change_raw": "terms, trend"}
    skill_vectors: ClassVar[tuple[str, ...]] = ("trend_change",)
    skill_scales: ClassVar[tuple[str, ...]] = ("trend_scale",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "trend_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.5),
            "standard deviation of the change of a skill's slope (local-linear) or level "
            "(random-walk) over one standard deviation of the trend's covariate",
            reading="shift",
        )
    }

    def check(self, spec: ModelSpec) -> None:
        """Raise SpecError without skills, or where the covariate is a product."""
        if not spec.skills.count:
            raise SpecError(
                "terms, trend: skills.count is 0, so there are no skills that could follow a trend."
            )
        if ":" in self.covariate:
            raise SpecError(
                f'terms, trend: the covariate "{self.covariate}" is a product; name one of its '
                "parts."
            )

    def idle(self, scores: Scores) -> str | None:
        """Return the reason if the covariate does not vary; else None."""
        if not stated_share(self.covariate, scores):
            return None  # refused where covariates are taken from the table
        return same_for_all(self.covariate, scores)

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariate."""
        return {_COVARIATE: (self.covariate,)}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the scale of the changes of each skill."""
        return {"trend_scale": Parameter("trend_scale", spec.skills.scale_dims)}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the changes at the knots, dims (trend_knot, skill)."""
        knots, step = self._basis().places(design.transform)
        coordinate(KNOT, knots.tolist())
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = standard_normal("trend_change", (KNOT, SKILL))
        change = deterministic("trend_change", raw * values["trend_scale"] * step**0.5)
        return values | {"trend_change": change} | self.fixed(design)

    def fixed(self, design: Design) -> dict[str, Any]:
        """Return the knots' places, in standard deviations from the mean, dims (trend_knot,)."""
        return {KNOT: xr.DataArray(self._basis().places(design.transform)[0], dims=(KNOT,))}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the changes at the knots."""
        knots, step = self._basis().places(design.transform)
        scale = EffectScale("trend_scale", spec.skills.scale_dims, times=step**0.5)
        labels = {KNOT: knots.tolist()}
        return (NormalEffect("trend_change", (KNOT, SKILL), scale=scale, labels=labels),)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return f(x_i)."""
        change = values["trend_change"]
        places = on_draws(values[KNOT] if KNOT in values else on_draws(change)[KNOT])
        x = rows.covariates[_COVARIATE].sum(_COVARIATE)
        basis = self._basis().at(x, places.values.astype(float), maths_of(change))
        return (basis * change).sum(KNOT)

    def _basis(self) -> TrendBasis:
        return TrendBasis(self.covariate, self.shape, self.knots, self.beyond, KNOT)


def same_for_all(covariate: str, scores: Scores) -> str | None:
    """Return the reason if a covariate has a single value in a table; else None."""
    transform = CovariateTransform.fit(scores, [covariate])
    lower, upper = (edge.get(covariate) for edge in (transform.lower, transform.upper))
    same = lower is not None and lower == upper
    return f"all models have the same {covariate}" if same else None
