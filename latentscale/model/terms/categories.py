"""gamma_l: effects of a category's levels on skills, partially pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.data.known_features import can_be_category
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
    """Effects of levels on skills, normal with one standard deviation per category and skill.

    The table says which of a spec's covariates are categories; other covariates do not enter this
    term.
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
    covariates_apart: ClassVar[bool] = True
    latents: ClassVar[Mapping[str, str]] = {
        "category_effect_raw": "effects of categories in covariates"
    }
    skill_vectors: ClassVar[tuple[str, ...]] = (EFFECT,)
    skill_scales: ClassVar[tuple[str, ...]] = ("category_scale",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "category_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.5),
            "standard deviation of a category's levels, by category and skill",
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
        return {"category_scale": Parameter("category_scale", (CATEGORY, *spec.skills.scale_dims))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the effects, dims (category_level, skill)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        if not values:
            return {}
        raw = standard_normal(EFFECT, (CATEGORY_LEVEL, SKILL))
        index = maths_of(raw).named(category_of(design.transform), (CATEGORY_LEVEL,))
        scale = values["category_scale"].isel({CATEGORY: index})
        return values | {EFFECT: deterministic(EFFECT, raw * scale)}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the effects of levels, where the table has a category."""
        if not design.transform.levels:
            return ()
        owners = {CATEGORY: (CATEGORY_LEVEL, category_of(design.transform))}
        scale = EffectScale("category_scale", (CATEGORY, *spec.skills.scale_dims), owners)
        return (NormalEffect(EFFECT, (CATEGORY_LEVEL, SKILL), scale=scale),)

    def with_levels(
        self, draws: xr.Dataset, new: Sequence[str], rng: np.random.Generator
    ) -> xr.Dataset:
        """Return draws with the effects of levels that were not fitted."""
        if EFFECT not in draws:
            return draws
        owner = xr.DataArray([n.partition("=")[0] for n in new], dims=(CATEGORY_LEVEL,))
        names = [n for n in ("category_scale", "category_factor") if n in draws]
        scales = draws[names].sel({CATEGORY: owner}).drop_vars(CATEGORY)
        return with_levels_drawn(draws, {EFFECT: 1.0}, CATEGORY_LEVEL, new, rng, scales)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the effect of each row's levels."""
        if EFFECT not in values or CATEGORY_LEVEL not in rows.covariates:
            return None
        return (rows.covariates[CATEGORY_LEVEL] * values[EFFECT]).sum(CATEGORY_LEVEL)


def with_levels_drawn(
    draws: xr.Dataset,
    effects: Mapping[str, float],
    dim: str,
    levels: Sequence[str],
    rng: np.random.Generator,
    scales: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return draws in which effects have further levels, drawn from their population.

    Parameters
    ----------
    draws
        Posterior draws, dims (sample, ...).
    effects
        The effects with these levels, dims (sample, dim, ..., skill), and a constant for each by
        which standard deviations are multiplied.
    dim
        The dim of the levels.
    levels
        Labels of the new ones.
    rng
        Source of random numbers; not used without new levels.
    scales
        What `scaled` takes of the effects, where that differs between levels; by default what
        `draws` have.
    """
    if not len(levels):
        return draws
    both = {}
    for name, times in effects.items():
        fitted = draws[name].transpose(SAMPLE, dim, ..., SKILL)
        coords = {d: fitted[d].values for d in fitted.dims if d != SAMPLE and d in fitted.coords}
        coords[dim] = np.array(levels, dtype=np.str_)
        shape = [len(levels) if d == dim else fitted.sizes[d] for d in fitted.dims]
        noise = xr.DataArray(times * rng.standard_normal(shape), coords, fitted.dims)
        new = scaled(draws if scales is None else scales, name.removesuffix("_effect"), noise)
        whole = xr.concat([fitted, new.transpose(*fitted.dims)], dim=dim)
        both[name] = whole.transpose(*draws[name].dims)
    return draws.drop_vars([*both, dim]).assign(both)


def category_of(transform: CovariateTransform) -> np.ndarray:
    """Return the index of each level's category."""
    sizes = [len(kind.feature.levels) for kind in transform.categories]
    return np.repeat(np.arange(len(sizes)), sizes)
