"""alpha_f: the level of each family's skills, around its lineage's where there are lineages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import xarray as xr
from scipy.special import betaln

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, LINEAGE, SAMPLE, SKILL, SKILL_FACTOR
from latentscale.maths import Named, maths_of
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, Nesting, NormalEffect
from latentscale.model.priors import (
    declare,
    declare_parameters,
    deterministic,
    deviations,
    standard_normal,
)
from latentscale.model.terms.base import Groups, Rows, Term, through_factor

SKILL_PAIR: str = "skill_pair"
LKJ_CONCENTRATION = 2.0  # weakly against strong correlations: density (1 - r^2) for two skills
LINEAGE_LEVEL = "lineage_skill"
_CHOLESKY = "skill_cholesky"
FAMILY_LATENT = "family_skill_raw"
"""Name of the families' standardised levels, dims (family, skill)."""


@TERMS.add
class FamilyLevel(Term):
    """alpha_f = D L y_f, with D the scales and L the Cholesky factor of the correlation.

    Cai et al. 2025 (arXiv:2512.06553), section 2: alpha_f ~ Normal(m, Sigma). With the share r of
    the variance between lineages, y_f has variance 1 - r around its lineage's. Partially pooled
    levels are centred on their mean over the fitted families (lineage levels on the mean over
    lineages), since a common shift would be confounded with intercepts and slopes.
    """

    level: Literal["fixed", "partial"]
    scaled: bool
    correlated: bool
    lineage: bool
    kind: Literal["family_level"] = "family_level"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= \alpha_{f(i)k}, "
        r"\quad \alpha_f \sim \mathrm{Normal}(m_{g(f)}, (1 - r) D R D), "
        r"\quad m_g \sim \mathrm{Normal}(0, r D R D)"
    )
    order: ClassVar[int] = 90
    component: ClassVar[str | None] = "skills: families"
    component_place: ClassVar[int] = 10
    effect: ClassVar[str | None] = "family_skill"
    latents: ClassVar[Mapping[str, str]] = {
        "lineage_skill_raw": "family.lineage",
        FAMILY_LATENT: "family.level",
    }
    quadrature: ClassVar[bool] = True
    skill_vectors: ClassVar[tuple[str, ...]] = (
        "family_skill",
        "family_skill_fixed",
        LINEAGE_LEVEL,
    )
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "family_scale": PriorSlot(
            Prior("HalfNormal", sigma=1),
            "standard deviation of families, by skill, in units of the anchor's link",
            reading="shift",
        ),
        "lineage_share": PriorSlot(
            Prior("Beta", alpha=2, beta=2),
            "share of the families' variance between lineages",
        ),
        "fixed_family": PriorSlot(
            Prior("Normal", mu=0, sigma=5),
            "family level if families are not pooled",
            reading="shift",
        ),
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if there are skills and families differ in them."""
        if not spec.skills.count or spec.family.level == "none":
            return None
        identify = spec.skills.identify
        return cls(
            level=spec.family.level,
            scaled=identify.kind == "anchored" and identify.unit == "anchor",
            correlated=spec.family.correlated and spec.skills.count > 1,
            lineage=spec.family.lineage,
        )

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot of unpooled levels, or those of scales and of the lineages' share."""
        if self.level == "fixed":
            return ("fixed_family",)
        return ("family_scale",) * self.scaled + ("lineage_share",) * self.lineage

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standardised levels of families, and of lineages where there are several."""
        if self.level == "fixed":
            return ()
        return tuple(self.latents) if design.use_lineage else (FAMILY_LATENT,)

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the coordinates of the skills' correlation."""
        count = spec.skills.count
        return {
            SKILL_FACTOR: list(range(count)),
            SKILL_PAIR: list(range(count * (count - 1) // 2)),
        }

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return unpooled levels, or the scales and the lineages' share."""
        if self.level == "fixed":
            return {"family_skill_fixed": Parameter("fixed_family", (FAMILY, SKILL))}
        parameters = {}
        if self.scaled:
            parameters["family_scale"] = Parameter("family_scale", (SKILL,))
        if design.use_lineage:
            parameters["lineage_share"] = Parameter("lineage_share", ())
        return parameters

    def further_priors(self, posterior: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return the log density of the skills' correlation, dims (chain, draw)."""
        if _CHOLESKY not in posterior:
            return {}
        return {_CHOLESKY: lkj_log_density(posterior[_CHOLESKY])}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the families' levels, dims (family, skill), and the lineages'."""
        if self.level == "fixed":
            values = declare_parameters(spec, self.parameters(spec, design))
            level = deterministic("family_skill", values["family_skill_fixed"])
            return values | {"family_skill": level}
        finish = self._skill_space(spec)
        if not design.use_lineage:
            raw = deviations("family_skill", (FAMILY, SKILL), centred=design.centred)
            return {"family_skill": deterministic("family_skill", finish(raw))}
        lineage, family = _lineage_levels(spec, design)
        return {
            LINEAGE_LEVEL: deterministic(LINEAGE_LEVEL, finish(lineage)),
            "family_skill": deterministic("family_skill", finish(family)),
        }

    def _skill_space(self, spec: ModelSpec) -> Callable[[Named], Named]:
        """Declare scales and correlation of skills; return the map from raw effects to skills."""
        cholesky = _skill_cholesky(spec.skills.count) if self.correlated else None
        scale = None
        if self.scaled:
            scale = declare("family_scale", spec.prior("family_scale"), (SKILL,))

        def finish(raw: Named) -> Named:
            if cholesky is not None:
                raw = (cholesky * raw.rename({SKILL: SKILL_FACTOR})).sum(SKILL_FACTOR)
            return raw if scale is None else raw * scale

        return finish

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the families' levels, around their lineages' where there are several."""
        name, dims = "family_skill", (FAMILY, SKILL)
        if self.level == "fixed":
            other = ("family_skill_fixed",)
            return (NormalEffect(name, dims, prior="fixed_family", other_names=other),)
        nesting = None
        if design.use_lineage:
            index = design.lineage_of_family
            nesting = Nesting("lineage_share", LINEAGE_LEVEL, LINEAGE, index)
        effect = NormalEffect(
            name,
            dims,
            scale=EffectScale("family_scale", (SKILL,)) if self.scaled else None,
            centred=(LINEAGE if nesting else FAMILY) if design.centred else None,
            correlated=self.correlated,
            nesting=nesting,
        )
        return (effect,)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return alpha_f(i)."""
        return rows.of_family(values["family_skill"])

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return levels around their lineages' or the population's."""
        if self.level == "fixed":
            return through_factor(draws, "family_skill", raw)
        if groups.lineage_levels is None:
            return groups.widening * _to_skills(draws, raw)
        own = _to_skills(draws, raw * np.sqrt(1 - draws["lineage_share"]))
        return own + _of_lineages(groups, raw)

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return the standardised deviation from the lineage, or from the other families."""
        if self.level == "fixed":
            return effect
        if groups.lineage_levels is not None:
            away = _from_skills(draws, effect - _of_lineages(groups, effect))
            return away / np.sqrt(1 - draws["lineage_share"])
        return _from_skills(draws, effect * groups.from_others) / groups.widening


def levels_of_lineages(
    draws: xr.Dataset, raw: xr.DataArray | None, *, centred: bool
) -> xr.DataArray | None:
    """Return the levels of fitted lineages and of new ones, dims with lineage, skill.

    Parameters
    ----------
    draws
        Posterior draws, dims (sample, ...).
    raw
        Standard normal levels of the new lineages, dims (lineage, skill); None without any.
    centred
        Whether levels are deviations from the mean of the fitted lineages, as `Design.centred`.

    Returns
    -------
    None where the model has no lineage level.
    """
    if LINEAGE_LEVEL not in draws:
        return None
    fitted = draws[LINEAGE_LEVEL]
    if raw is None:
        return fitted
    # A deviation from the fitted lineages' mean, as family effects are from the families' mean.
    wider: Any = np.sqrt(1 + 1 / fitted.sizes[LINEAGE]) if centred else 1.0
    new = _to_skills(draws, wider * np.sqrt(draws["lineage_share"]) * raw)
    both = [levels.to_dataset(name="level") for levels in (fitted, new)]
    return xr.concat(both, dim=LINEAGE)["level"]


def _of_lineages(groups: Groups, like: xr.DataArray) -> xr.DataArray:
    wanted = xr.DataArray(list(groups.lineages), dims=(FAMILY,), coords={FAMILY: like[FAMILY]})
    assert groups.lineage_levels is not None  # both callers have checked
    return groups.lineage_levels.sel({LINEAGE: wanted}).drop_vars(LINEAGE)


def _to_skills(draws: xr.Dataset, raw: xr.DataArray) -> xr.DataArray:
    """Map raw effects of unit variance to skills, by the drawn correlation and scales."""
    if _CHOLESKY in draws:
        factor = raw.rename({SKILL: SKILL_FACTOR}).drop_vars(SKILL_FACTOR, errors="ignore")
        raw = (draws[_CHOLESKY] * factor).sum(SKILL_FACTOR)
    return raw * draws["family_scale"] if "family_scale" in draws else raw


def _from_skills(draws: xr.Dataset, level: xr.DataArray) -> xr.DataArray:
    """Undo `_to_skills`."""
    raw = level / draws["family_scale"] if "family_scale" in draws else level
    if _CHOLESKY not in draws:
        return raw
    factor = draws[_CHOLESKY].transpose(SAMPLE, SKILL, SKILL_FACTOR)
    ordered = raw.transpose(SAMPLE, SKILL, ...)
    solved = np.linalg.solve(factor.values, ordered.values.reshape(*ordered.shape[:2], -1))
    return ordered.copy(data=solved.reshape(ordered.shape))


def lkj_log_density(factor: xr.DataArray) -> xr.DataArray:
    """Return the log prior density of correlation matrices R = L L', in the entries of R.

    Lewandowski, Kurowicka and Joe (2009), equations (15) and (16).

    Parameters
    ----------
    factor
        Cholesky factors L, dims (..., skill, skill_factor).

    Returns
    -------
    xarray.DataArray
        The other dims of `factor`.
    """
    of_diagonal = xr.DataArray(np.eye(factor.sizes[SKILL]), dims=(SKILL, SKILL_FACTOR))
    diagonal = (factor * of_diagonal).sum(SKILL_FACTOR)
    log_determinant = 2 * xr.apply_ufunc(np.log, diagonal).sum(SKILL)
    below = np.arange(1, factor.sizes[SKILL])[::-1]  # K - k for k = 1 ... K - 1
    half = LKJ_CONCENTRATION + (below - 1) / 2
    power = (2 * LKJ_CONCENTRATION - 2 + below) * below
    constant = float((power * np.log(2) + below * betaln(half, half)) @ np.ones(len(below)))
    return (LKJ_CONCENTRATION - 1) * log_determinant - constant


def _lineage_levels(spec: ModelSpec, design: Design) -> tuple[Named, Named]:
    """Return raw lineage and family levels with unit variance, dims (lineage or family, skill).

    With share r of the variance between lineages, z_g = sqrt(r) a_g and
    y_f = z_g + sqrt(1 - r) b_f for standard normal a_g, b_f. The data identify the mean of a
    lineage's n families, but hardly the lineage's part of it: in terms of a and b, that is a narrow
    ridge (for one family, an exact one). So a_g and sqrt(n) mean(b) are rotated into p_g, along
    that mean, and q_g, across it; a rotation leaves standard normals standard normal, so this
    changes the geometry and not the model.
    """
    count = np.bincount(design.lineage_of_family, minlength=len(design.lineages)).astype(float)
    along = deviations("lineage_skill", (LINEAGE, SKILL), centred=design.centred)
    within = standard_normal("family_skill", (FAMILY, SKILL))
    maths = maths_of(along)
    share = declare("lineage_share", spec.prior("lineage_share"), ())
    families = maths.named(count, (LINEAGE,))
    index = maths.named(design.lineage_of_family, (FAMILY,))
    none: Any = maths.named(np.zeros((len(count), spec.skills.count)), (LINEAGE, SKILL))
    mean = none.isel({LINEAGE: index}).inc(within) / families
    spread = maths.sqrt(share + (1 - share) / families)
    across = maths.sqrt(families) * mean
    lineage = (share * along - maths.sqrt(share * (1 - share) / families) * across) / spread
    deviation = maths.sqrt(1 - share) * (within - mean.isel({LINEAGE: index}))
    return lineage, (spread * along).isel({LINEAGE: index}) + deviation


def _skill_cholesky(count: int) -> Named:
    """Cholesky factor of an LKJ correlation, built from canonical partial correlations.

    Lewandowski, Kurowicka and Joe (2009), section 2: the partial correlations of column j
    are independent and symmetric Beta with concentration eta + (K - 2 - j) / 2.
    """
    import pymc.dims as pmd

    rows, columns = np.tril_indices(count, -1)
    concentration = LKJ_CONCENTRATION + (count - 2 - columns) / 2
    unit = pmd.Beta(
        "skill_partial_correlation_raw",
        alpha=maths_of(None).named(concentration, (SKILL_PAIR,)),
        beta=maths_of(None).named(concentration, (SKILL_PAIR,)),
        dims=(SKILL_PAIR,),
    )
    maths = maths_of(unit)
    place = np.zeros((count, count), dtype="int64")
    place[rows, columns] = np.arange(len(rows))
    lower = np.tril(np.ones((count, count)), -1)
    eye = np.eye(count)
    left = maths.named(np.ones(count), (SKILL,))
    factor: Any = 0.0
    for column in range(count):
        below = maths.named(lower[:, column], (SKILL,))
        here = maths.named(eye[:, column], (SKILL,))
        index = maths.named(place[:, column], (SKILL,))
        partial = (2 * unit.isel({SKILL_PAIR: index}) - 1) * below
        entry = left * (partial + here)
        factor = factor + entry * maths.named(eye[:, column], (SKILL_FACTOR,))
        left = left * maths.sqrt(1 - partial**2)
    return deterministic(_CHOLESKY, factor)
