"""gamma_l: effects of a category's levels on skills, partially pooled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.data.known import can_be_category
from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import CATEGORY, CATEGORY_LEVEL, SAMPLE, SKILL
from latentscale.maths import Named, maths_of
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, standard_normal
from latentscale.model.terms.base import Rows, Term, scaled

EFFECT = "category_effect"
"""Variable of the levels' effects, dims (category_level, skill)."""


@TERMS.add
class CategoryEffects(Term):
    """Effects of levels on skills, normal with one standard deviation a category and skill.

    Which of a spec's covariates are categories, the table says; of the others the term adds
    nothing.
    """

    names: tuple[str, ...]
    kind: Literal["category_effects"] = "category_effects"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= a_{l(i)k}, "
        r"\quad a_{lk} \sim \mathrm{Normal}(0, \sigma_k^2) \text{ for level } l"
    )
    order: ClassVar[int] = 75
    quadrature: ClassVar[bool] = True  # without categories; with some, their latents are refused
    component: ClassVar[str | None] = "skills: covariates"
    component_place: ClassVar[int] = 0
    latents: ClassVar[Mapping[str, str]] = {
        "category_effect_raw": "effects of categories in covariates"
    }
    skill_vectors: ClassVar[tuple[str, ...]] = (EFFECT,)
    skill_scales: ClassVar[tuple[str, ...]] = ("category_scale",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "category_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.5),
            "spread of a category's levels, by category and skill",
            reading="shift",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if there are skills and a covariate may be a category."""
        names = tuple(name for name in spec.covariates if can_be_category(name))
        return cls(names=names) if spec.skills.count and names else None

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standardised effects, where the table has such a category."""
        return tuple(self.latents) if design.transform.levels else ()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of levels, where the table has such a category."""
        if not design.transform.levels:
            return {}
        return {"category_scale": Parameter("category_scale", (CATEGORY, SKILL))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the effects, dims (category_level, skill)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        if not values:
            return {}
        raw = standard_normal(EFFECT, (CATEGORY_LEVEL, SKILL))
        index = maths_of(raw).named(_category_of(design.transform), (CATEGORY_LEVEL,))
        scale = values["category_scale"].isel({CATEGORY: index})
        return values | {EFFECT: deterministic(EFFECT, raw * scale)}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the effects of levels, where the table has a category."""
        if not design.transform.levels:
            return ()
        owners = {CATEGORY: (CATEGORY_LEVEL, _category_of(design.transform))}
        scale = EffectScale("category_scale", (CATEGORY, SKILL), owners)
        return (NormalEffect(EFFECT, (CATEGORY_LEVEL, SKILL), scale=scale),)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the effect of each row's levels."""
        if EFFECT not in values or CATEGORY_LEVEL not in rows.covariates:
            return None
        return (rows.covariates[CATEGORY_LEVEL] * values[EFFECT]).sum(CATEGORY_LEVEL)


def with_drawn_levels(
    transform: CovariateTransform, draws: xr.Dataset, table: xr.Dataset, rng: np.random.Generator
) -> xr.Dataset:
    """Return draws that also hold effects of levels that were not fitted.

    Each is drawn from the population of its category, one a posterior sample.

    Parameters
    ----------
    transform
        The fitted covariate transform.
    draws
        Posterior draws, dims (sample, ...).
    table
        The models, dims (model,).
    rng
        Source of random numbers; not used where every level was fitted.
    """
    new = list(transform.unseen(table)) if EFFECT in draws else []
    if not new:
        return draws
    skills = draws[SKILL].values
    shape = (draws.sizes[SAMPLE], len(new), len(skills))
    coords = {CATEGORY_LEVEL: new, SKILL: skills}
    noise = xr.DataArray(rng.standard_normal(shape), coords, (SAMPLE, CATEGORY_LEVEL, SKILL))
    owner = xr.DataArray([level.partition("=")[0] for level in new], dims=(CATEGORY_LEVEL,))
    names = ("category_scale", "category_factor")
    own = draws[[name for name in names if name in draws]].sel({CATEGORY: owner})
    effect = scaled(own.drop_vars(CATEGORY), "category", noise)
    both = xr.concat([draws[EFFECT], effect.transpose(*draws[EFFECT].dims)], dim=CATEGORY_LEVEL)
    return draws.drop_vars([EFFECT, CATEGORY_LEVEL]).assign({EFFECT: both})


def _category_of(transform: CovariateTransform) -> np.ndarray:
    """Return the index of each level's category."""
    sizes = [len(kind.feature.levels) for kind in transform.categories]
    return np.repeat(np.arange(len(sizes)), sizes)
