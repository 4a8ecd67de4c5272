"""Families: latent level, own slopes and benchmark effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
import pymc.dims as pmd

from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, SKILL
from latentscale.model.design import Design
from latentscale.model.maths import Named, maths_of
from latentscale.model.priors import declare, standard_normal
from latentscale.model.regressors import FAMILY_BENCHMARK_SLOPE, FAMILY_SLOPE
from latentscale.spec.spec import ModelSpec

SKILL_FACTOR: str = "skill_factor"
SKILL_PAIR: str = "skill_pair"
LKJ_CONCENTRATION = 2.0

FAMILY_VARIABLES = (
    "family_skill",
    "family_slope",
    "family_benchmark",
    "family_benchmark_slope",
)


@dataclass(frozen=True)
class FamilyEffects:
    """What a model inherits from its family; None where the spec has no such term.

    Attributes
    ----------
    skill
        alpha_f(i), dims (model, skill).
    slope
        The family's own change of slopes, dims (model, family_slope_covariate, skill).
    benchmark
        u_f(i)j, dims (model, benchmark).
    benchmark_slope
        The family's own change of a benchmark's slopes, dims
        (model, benchmark, family_benchmark_slope_covariate).
    """

    skill: Named | None
    slope: Named | None
    benchmark: Named | None
    benchmark_slope: Named | None


def declare_family(spec: ModelSpec, design: Design) -> dict[str, Named]:
    """Add the family terms to the open PyMC model; return them by name, dims with family.

    alpha_f = D L y_f with L the Cholesky factor of the skills' correlation and D their scales
    (Cai et al. 2025, section 2: alpha_f ~ Normal(m, Sigma)). Partially pooled effects are
    taken from their mean over what was fitted (lineage levels from the mean over lineages): a
    common shift would only repeat intercepts and slopes.
    """
    terms: dict[str, Named] = {}
    if spec.family.level == "none":
        return terms
    if spec.skills.count:
        terms["family_skill"] = _family_skill(spec, design)
    if spec.family.slopes:
        prior = spec.prior("family_slope_scale")
        scale = declare("family_slope_scale", prior, (FAMILY_SLOPE, SKILL))
        raw = _effects("family_slope", (FAMILY, FAMILY_SLOPE, SKILL), design)
        terms["family_slope"] = pmd.Deterministic("family_slope", raw * scale)
    if spec.benchmarks.family_effect:
        terms["family_benchmark"] = _family_benchmark(spec, design)
    if spec.benchmarks.family_slopes:
        prior = spec.prior("family_benchmark_slope_scale")
        scale = declare("family_benchmark_slope_scale", prior, (BENCHMARK,))
        dims = (FAMILY, BENCHMARK, FAMILY_BENCHMARK_SLOPE)
        raw = _effects("family_benchmark_slope", dims, design)
        terms["family_benchmark_slope"] = pmd.Deterministic("family_benchmark_slope", raw * scale)
    return terms


def _effects(name: str, dims: tuple[str, ...], design: Design) -> Named:
    """Return standard normal effects, from their mean over the first dim if the design says so."""
    raw = standard_normal(name, dims)
    return raw - raw.mean(dims[0]) if design.centred else raw


def _family_skill(spec: ModelSpec, design: Design) -> Named:
    if spec.family.level == "fixed":
        level = declare("family_skill_fixed", spec.prior("fixed_family"), (FAMILY, SKILL))
        return pmd.Deterministic("family_skill", level)
    finish = _skill_space(spec)
    if not design.use_lineage:
        raw = _effects("family_skill", (FAMILY, SKILL), design)
        return pmd.Deterministic("family_skill", finish(raw))
    lineage, family = _lineage_levels(spec, design)
    pmd.Deterministic("lineage_skill", finish(lineage))
    return pmd.Deterministic("family_skill", finish(family))


def _skill_space(spec: ModelSpec) -> Callable[[Named], Named]:
    """Declare scales and correlation of skills; return what carries raw effects to skills."""
    correlated = spec.family.correlated and spec.skills.count > 1
    cholesky = _skill_cholesky(spec.skills.count) if correlated else None
    identify = spec.skills.identify
    scale = None
    if identify.kind == "anchored" and identify.unit == "anchor":
        scale = declare("family_scale", spec.prior("family_scale"), (SKILL,))

    def finish(raw: Named) -> Named:
        if cholesky is not None:
            raw = (cholesky * raw.rename({SKILL: SKILL_FACTOR})).sum(SKILL_FACTOR)
        return raw if scale is None else raw * scale

    return finish


def _lineage_levels(spec: ModelSpec, design: Design) -> tuple[Named, Named]:
    """Return raw lineage and family levels with unit variance, dims (lineage or family, skill).

    With share r of the variance between lineages, z_g = sqrt(r) a_g and
    y_f = z_g + sqrt(1 - r) b_f for standard normal a_g, b_f. The data tell the mean of a
    lineage's n families, and hardly what part of it is the lineage's: coded by a and b, that
    is a narrow ridge (for one family, an exact one). So a_g and sqrt(n) mean(b) are rotated
    into p_g, along that mean, and q_g, across it; a rotation leaves standard normals standard
    normal, so this changes the geometry and not the model.
    """
    count = np.bincount(design.lineage_of_family, minlength=len(design.lineages)).astype(float)
    along = _effects("lineage_skill", (LINEAGE, SKILL), design)
    within = standard_normal("family_skill", (FAMILY, SKILL))
    maths = maths_of(along)
    share = declare("lineage_share", spec.prior("lineage_share"), ())
    families = maths.named(count, (LINEAGE,))
    index = maths.named(design.lineage_of_family, (FAMILY,))
    none = maths.named(np.zeros((len(count), spec.skills.count)), (LINEAGE, SKILL))
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
    factor = 0.0
    for column in range(count):
        below = maths.named(lower[:, column], (SKILL,))
        here = maths.named(eye[:, column], (SKILL,))
        index = maths.named(place[:, column], (SKILL,))
        partial = (2 * unit.isel({SKILL_PAIR: index}) - 1) * below
        entry = left * (partial + here)
        factor = factor + entry * maths.named(eye[:, column], (SKILL_FACTOR,))
        left = left * maths.sqrt(1 - partial**2)
    return pmd.Deterministic("skill_cholesky", factor)


def _family_benchmark(spec: ModelSpec, design: Design) -> Named:
    """Add u_fj; at an anchor the skill is the family's level, which u would only repeat."""
    if spec.family.level == "fixed":
        return declare("family_benchmark", spec.prior("fixed_family"), (FAMILY, BENCHMARK))
    prior = spec.prior("family_benchmark_scale")
    free = declare("family_benchmark_scale_raw", prior, (BENCHMARK,))
    apart = [float(name not in design.anchors) for name in design.scores.benchmarks]
    mask = maths_of(free).named(np.array(apart), (BENCHMARK,))
    scale = pmd.Deterministic("family_benchmark_scale", free * mask)
    raw = _effects("family_benchmark", (FAMILY, BENCHMARK), design)
    return pmd.Deterministic("family_benchmark", raw * scale)


def effects_of_models(terms: Mapping[str, Named], family_of_model: Named) -> FamilyEffects:
    """Gather family terms for models.

    Parameters
    ----------
    terms
        Variables of `FAMILY_VARIABLES` that the spec has, dims with family.
    family_of_model
        Integer index into the family dim, dims (model,).
    """

    def gather(name: str) -> Named | None:
        return terms[name].isel({FAMILY: family_of_model}) if name in terms else None

    names = [field.name for field in fields(FamilyEffects)]
    return FamilyEffects(**{name: gather(f"family_{name}") for name in names})
