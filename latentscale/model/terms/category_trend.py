"""Trends of a category's levels, such as providers, around the trend that all models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from latentscale.data.covariates import CovariateTransform
from latentscale.data.known_features import can_be_category
from latentscale.data.scores import Scores
from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import CATEGORY_LEVEL, SKILL
from latentscale.errors import SpecError, listed
from latentscale.maths import Named, maths_of, on_draws
from latentscale.model.design import Design
from latentscale.model.feasible import one_level, stated_share
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import (
    coordinate,
    declare_parameters,
    deterministic,
    deviations,
)
from latentscale.model.terms.base import Groups, Rows, Term
from latentscale.model.terms.categories import with_levels_drawn
from latentscale.model.terms.trend import same_for_all
from latentscale.model.trend_basis import Shape, TrendBasis

LEVEL: str = "category_trend_level"
_KNOT: str = "category_trend_knot"
_COVARIATE: str = "category_trend_covariate"
_SLOPE, _CHANGE = "category_slope", "category_change"
_PLACE: str = "category_trend_place"
"""Place of each level among those of all categories, which the equations take from the table."""


@TERMS.add
class CategoryTrend(Term):
    """A separate slope and trend for each level of a category, such as each provider.

    Both are deviations from what all models share: the covariate's slope, and the term ``trend``
    if the spec has it; so their means over the fitted levels are 0. A level's line and its
    changes at the knots (see `Trend`) are 0 at the mean of the covariate, where the category's
    effect gives the level. The category must be among the spec's covariates, and partially
    pooled. A level that was not fitted has a slope and a trend drawn from the population of levels.

    Attributes
    ----------
    covariate
        The covariate: one of the spec's covariates, not a product.
    category
        The category, such as ``"provider"``.
    shape
        ``"local-linear"`` (an integrated random walk) or ``"random-walk"``.
    knots
        Number of intervals between knots over the range of the fitted models; 0 for straight lines.
    beyond
        How far knots extend beyond that range, on either side, in standard deviations.

    References
    ----------
    Harvey 1989, Forecasting, Structural Time Series Models and the Kalman Filter, section 2.3.
    """

    covariate: str
    category: str
    shape: Shape = "local-linear"
    knots: int = Field(default=4, ge=0, le=100)
    beyond: float = Field(default=2.0, ge=0, le=10)
    kind: Literal["category-trend"] = "category-trend"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= \beta_{l(i)k} x_i + \sum_q \Delta_{l(i)qk} h_q(x_i), "
        r"\quad \beta_{lk} \sim \mathrm{Normal}(0, \sigma_k^2), "
        r"\quad \Delta_{lqk} \sim \mathrm{Normal}(0, \tau_k^2 \Delta x)"
    )
    order: ClassVar[int] = 76
    component: ClassVar[str | None] = "skills: covariates"
    component_place: ClassVar[int] = 0
    covariates_apart: ClassVar[bool] = True
    latents: ClassVar[Mapping[str, str]] = {
        f"{_SLOPE}_raw": "terms, category-trend",
        f"{_CHANGE}_raw": "terms, category-trend",
    }
    skill_vectors: ClassVar[tuple[str, ...]] = (_SLOPE, _CHANGE)
    skill_scales: ClassVar[tuple[str, ...]] = (f"{_SLOPE}_scale", f"{_CHANGE}_scale")
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        f"{_SLOPE}_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "standard deviation of the slopes of a category's levels, by skill",
            reading="shift",
        ),
        f"{_CHANGE}_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "standard deviation of the change of a level's own slope (local-linear) or level "
            "(random-walk) over one standard deviation of the trend's covariate",
            reading="shift",
        ),
    }

    def check(self, spec: ModelSpec) -> None:
        """Raise SpecError without skills, for a product, or for what is not a category."""
        where = "terms, category-trend"
        if not spec.skills.count:
            raise SpecError(
                f"{where}: skills.count is 0, so there are no skills that could follow a trend."
            )
        if ":" in self.covariate:
            raise SpecError(
                f'{where}: the covariate "{self.covariate}" is a product; name one of its parts.'
            )
        if self.category not in spec.covariates:
            raise SpecError(
                f'{where}: the category "{self.category}" must also be among covariates, which '
                f"has {listed(spec.covariates)}."
            )
        if not can_be_category(self.category):
            raise SpecError(
                f'{where}: "{self.category}" is a number or a flag, and has no levels; name a '
                'category, such as "provider".'
            )

    def idle(self, scores: Scores) -> str | None:
        """Return the reason if the covariate or the category does not vary; else None."""
        if not all(stated_share(name, scores) for name in (self.covariate, self.category)):
            return None  # refused where covariates are taken from the table
        if one_level(self.category, scores):
            return f"all models have the same {self.category}"
        return same_for_all(self.covariate, scores)

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slots of the spreads of slopes, and of changes where there are knots."""
        return tuple(self.slots)[: 2 if self.knots else 1]

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standardised slopes, and the changes where there are knots."""
        return tuple(self.latents)[: 2 if self.knots else 1]

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariate."""
        return {_COVARIATE: (self.covariate,)}

    def categories(self) -> tuple[str, ...]:
        """Return the category."""
        return (self.category,)

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spreads of slopes and of changes, by skill."""
        return {name: Parameter(name, spec.skills.scale_dims) for name in self.used_slots(spec)}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the levels' slopes (level, skill) and changes at the knots (level, knot, skill)."""
        coordinate(LEVEL, self._levels(design.transform))
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = deviations(_SLOPE, (LEVEL, SKILL), centred=True)
        values |= {_SLOPE: deterministic(_SLOPE, raw * values[f"{_SLOPE}_scale"])}
        if self.knots:
            knots, step = self._basis().places(design.transform)
            coordinate(_KNOT, knots.tolist())
            raw = deviations(_CHANGE, (LEVEL, _KNOT, SKILL), centred=True)
            scale = values[f"{_CHANGE}_scale"] * step**0.5
            values |= {_CHANGE: deterministic(_CHANGE, raw * scale)}
        return values | self.fixed(design)

    def fixed(self, design: Design) -> dict[str, Any]:
        """Return the levels' places among those of all categories, and those of the knots."""
        every = pd.Index(design.transform.levels)
        places = every.get_indexer(self._levels(design.transform))
        fixed: dict[str, Any] = {_PLACE: xr.DataArray(places, dims=(LEVEL,))}
        if self.knots:
            fixed[_KNOT] = xr.DataArray(self._basis().places(design.transform)[0], dims=(_KNOT,))
        return fixed

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the slopes, and the changes at the knots."""
        labels: dict[str, list[Any]] = {LEVEL: self._levels(design.transform)}
        scale = EffectScale(f"{_SLOPE}_scale", spec.skills.scale_dims)
        slopes = NormalEffect(_SLOPE, (LEVEL, SKILL), scale=scale, centred=LEVEL, labels=labels)
        if not self.knots:
            return (slopes,)
        knots, step = self._basis().places(design.transform)
        scale = EffectScale(f"{_CHANGE}_scale", spec.skills.scale_dims, times=step**0.5)
        labels = {**labels, _KNOT: knots.tolist()}
        dims = (LEVEL, _KNOT, SKILL)
        return (slopes, NormalEffect(_CHANGE, dims, scale=scale, centred=LEVEL, labels=labels))

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the line and the trend of each model's level."""
        has, place = self._level_of(values, rows)

        def of_models(effect: Named) -> Named:
            return has * _at(effect, LEVEL, place)

        x = rows.covariates[_COVARIATE].sum(_COVARIATE)
        line = x * of_models(values[_SLOPE])
        if not self.knots:
            return line
        change = values[_CHANGE]
        knots = on_draws(values[_KNOT] if _KNOT in values else on_draws(change)[_KNOT])
        basis = self._basis().at(x, knots.values.astype(float), maths_of(change))
        return line + (basis * of_models(change)).sum(_KNOT)

    def with_levels(
        self, draws: xr.Dataset, new: Sequence[str], rng: np.random.Generator
    ) -> xr.Dataset:
        """Return draws with the slopes and changes of levels that were not fitted."""
        own = [level for level in new if level.partition("=")[0] == self.category]
        effects = {_SLOPE: Groups((), draws.sizes[LEVEL]).widening}
        if self.knots:
            step = float(np.diff(draws[_KNOT].values.astype(float)).mean())
            effects[_CHANGE] = effects[_SLOPE] * step**0.5
        return with_levels_drawn(draws, effects, LEVEL, own, rng)

    def _level_of(self, values: Mapping[str, Named], rows: Rows) -> tuple[Named, Named]:
        """Return whether each model has a level, 1 or 0, and which of them, dims (model,)."""
        every: Any = rows.covariates[CATEGORY_LEVEL]
        if _PLACE in values:
            places = on_draws(values[_PLACE]).values
        else:
            labels = pd.Index(every[CATEGORY_LEVEL].values)
            places = labels.get_indexer(on_draws(values[_SLOPE])[LEVEL].values)
        maths = maths_of(every)
        own = _at(every, CATEGORY_LEVEL, maths.named(places, (LEVEL,)))
        number: Any = (own * maths.named(np.arange(len(places)), (LEVEL,))).sum(LEVEL)
        return own.sum(LEVEL), number.astype("int64")

    def _levels(self, transform: CovariateTransform) -> list[str]:
        """Return the fitted levels, such as ``"provider=Meta"``."""
        levels = [n for n in transform.levels if n.partition("=")[0] == self.category]
        if not levels:
            raise SpecError(
                f'terms, category-trend: "{self.category}" is not a partially pooled category of '
                "this table. Declare its feature as a category without reference coding, or leave "
                "the term out."
            )
        return levels

    def _basis(self) -> TrendBasis:
        return TrendBasis(self.covariate, self.shape, max(self.knots, 1), self.beyond, _KNOT)


def _at(array: Named, dim: str, index: Named) -> Named:
    """Return values at places along a dim, without its labels."""
    chosen = array.isel({dim: index})
    return chosen.drop_vars(dim, errors="ignore") if isinstance(chosen, xr.DataArray) else chosen
