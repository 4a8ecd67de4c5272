"""Families whose terms are free: not fitted yet, or fitted and to be seen anew.

A family's terms are linear in raw effects: standard normals, or values under the prior of
unpooled families. Both directions stand here, so that raw effects can be drawn from their prior
and also moved to where new scores want them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from latentscale.dims import FAMILY, LINEAGE, MODEL, SAMPLE, SKILL
from latentscale.model.family import FAMILY_VARIABLES, SKILL_FACTOR
from latentscale.spec.spec import ModelSpec

_SCALES = {
    "family_slope": "family_slope_scale",
    "family_benchmark": "family_benchmark_scale",
    "family_benchmark_slope": "family_benchmark_slope_scale",
}


def draw_new_families(
    spec: ModelSpec,
    draws: xr.Dataset,
    families: Sequence[str],
    lineages: Sequence[str],
    effects: Callable[[str, tuple[int, ...]], np.ndarray],
) -> xr.Dataset:
    """Draw the terms of families that were not fitted, one draw a posterior sample.

    A family of a fitted lineage is drawn round that lineage; one of a new lineage, round a
    lineage drawn from the population. New families of one new lineage share its draw.

    Parameters
    ----------
    spec
        The fitted spec.
    draws
        Posterior draws, dims (sample, ...).
    families, lineages
        Names of the new families and the lineage of each.
    effects
        Returns raw effects drawn from their prior (see `draw_raw`), by variable and shape; asked
        for each variable of `raw_template` once, in order.

    Returns
    -------
    Variables of `FAMILY_VARIABLES` that the spec has, dims (sample, family, ...).
    """
    empty = raw_template(spec, draws, families, lineages)
    if not empty.data_vars:
        return xr.Dataset()
    count = draws.sizes[SAMPLE]
    values = {
        str(name): ((SAMPLE, *variable.dims), effects(str(name), (count, *variable.shape)))
        for name, variable in empty.data_vars.items()
    }
    raw = xr.Dataset(values, coords=empty.coords)
    return terms_of_raw(spec, draws, raw, lineages, others=_fitted_families(draws))


def raw_template(
    spec: ModelSpec, draws: xr.Dataset, families: Sequence[str], lineages: Sequence[str]
) -> xr.Dataset:
    """Return zeros with the names, dims and coordinates of the raw effects of some families.

    Parameters
    ----------
    spec, draws
        The fitted spec and its draws, dims (sample, ...).
    families, lineages
        Names of the families and the lineage of each.

    Returns
    -------
    Variables of `FAMILY_VARIABLES` that the spec has, dims (family, ...), and
    ``lineage_skill`` (lineage, skill) where a lineage was not fitted; empty where the spec has
    no family terms.
    """
    if spec.family.level == "none" or not len(families):
        return xr.Dataset()
    found = {}
    for name in FAMILY_VARIABLES:
        if name in draws:
            found[name] = _zeros(draws[name], {FAMILY: list(families)})
    if "lineage_skill" in draws:
        new = sorted(set(lineages) - {str(name) for name in draws[LINEAGE].values})
        if new:
            found["lineage_skill"] = _zeros(draws["lineage_skill"], {LINEAGE: new})
    return xr.Dataset(found)


def draw_raw(spec: ModelSpec, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw raw effects of a shape from their prior."""
    if spec.family.level == "fixed":
        return spec.prior("fixed_family").draw(shape, rng)
    return rng.standard_normal(shape)


def terms_of_raw(
    spec: ModelSpec,
    draws: xr.Dataset,
    raw: xr.Dataset,
    lineages: Sequence[str],
    *,
    others: int,
) -> xr.Dataset:
    """Return the terms of families from their raw effects; linear in them.

    Parameters
    ----------
    spec, draws
        The fitted spec and its draws, dims (sample, ...).
    raw
        As from `raw_template`, with or without a sample dim.
    lineages
        The lineage of each family.
    others
        How many fitted families the effects are taken from the mean of: that mean is not
        known, so a deviation from it has 1 + 1 / others times the variance of an effect.
    """
    terms: dict[str, xr.DataArray] = {}
    wider = np.sqrt(1 + 1 / others)
    for name in (name for name in FAMILY_VARIABLES if name in raw):
        if spec.family.level == "fixed":
            rotated = name == "family_skill"
            terms[name] = through_factor(draws, name, raw[name]) if rotated else raw[name]
        elif name == "family_slope":
            terms[name] = wider * scaled(draws, name, raw[name])
        elif name != "family_skill":
            terms[name] = wider * raw[name] * draws[_SCALES[name]]
        elif "lineage_skill" in draws:
            own = _to_skills(draws, raw[name] * np.sqrt(1 - draws["lineage_share"]))
            wanted = xr.DataArray(list(lineages), dims=(FAMILY,), coords={FAMILY: raw[FAMILY]})
            levels = lineage_levels(draws, raw).sel({LINEAGE: wanted})
            terms[name] = own + levels.drop_vars(LINEAGE)
        else:
            terms[name] = wider * _to_skills(draws, raw[name])
    return xr.Dataset(terms)


def raw_of_terms(
    spec: ModelSpec, draws: xr.Dataset, families: Sequence[str], lineages: Sequence[str]
) -> xr.Dataset:
    """Return the raw effects of fitted families, as deviations from the other families' mean.

    Fitted effects are taken from the mean of all F families, so the deviation of one from the
    mean of the others is F / (F - 1) times as large. An effect whose scale is 0 has raw value 0.

    Parameters
    ----------
    spec, draws
        The fitted spec and its draws, dims (sample, ...).
    families
        Names of fitted families.
    """
    count = _fitted_families(draws)
    others = max(count - 1, 1)
    wider = np.sqrt(1 + 1 / others)
    found: dict[str, xr.DataArray] = {}
    for name in (name for name in FAMILY_VARIABLES if name in draws):
        value = draws[name].sel({FAMILY: list(families)})
        if spec.family.level == "fixed":
            found[name] = value
            continue
        away = value * count / others
        if name != "family_skill":
            scale = draws[_SCALES[name]]
            found[name] = xr.where(scale > 0, away / (wider * scale.where(scale > 0, 1.0)), 0.0)
        elif "lineage_skill" in draws:
            wanted = xr.DataArray(list(lineages), dims=(FAMILY,), coords={FAMILY: value[FAMILY]})
            level = draws["lineage_skill"].sel({LINEAGE: wanted}).drop_vars(LINEAGE)
            found[name] = _from_skills(draws, value - level) / np.sqrt(1 - draws["lineage_share"])
        else:
            found[name] = _from_skills(draws, away) / wider
    return xr.Dataset(found)


def lineage_levels(draws: xr.Dataset, raw: xr.Dataset) -> xr.DataArray:
    """Return the levels of fitted lineages and of those in `raw`, dims with lineage, skill."""
    fitted = draws["lineage_skill"]
    if "lineage_skill" not in raw:
        return fitted
    wider = np.sqrt(1 + 1 / fitted.sizes[LINEAGE])
    new = _to_skills(draws, wider * np.sqrt(draws["lineage_share"]) * raw["lineage_skill"])
    parts = [part.to_dataset(name="level") for part in (fitted, new)]
    return xr.concat(parts, dim=LINEAGE)["level"]


def scaled(draws: xr.Dataset, effect: str, noise: xr.DataArray) -> xr.DataArray:
    """Return an effect on skills drawn from its population.

    Parameters
    ----------
    draws
        Posterior draws with the effect's ``_scale``; and its ``_factor``, dims with skill and
        skill_factor, where skills were rotated after the fit and are no longer independent.
    effect
        Its name, such as ``"residual"``.
    noise
        Values of unit variance, dims with skill.
    """
    if f"{effect}_factor" in draws:
        return through_factor(draws, effect, noise)
    return noise * draws[f"{effect}_scale"]


def through_factor(draws: xr.Dataset, effect: str, noise: xr.DataArray) -> xr.DataArray:
    """Return independent values carried through an effect's factor, if skills were rotated."""
    if f"{effect}_factor" not in draws:
        return noise
    independent = noise.rename({SKILL: SKILL_FACTOR}).drop_vars(SKILL_FACTOR, errors="ignore")
    return (draws[f"{effect}_factor"] * independent).sum(SKILL_FACTOR)


def _to_skills(draws: xr.Dataset, raw: xr.DataArray) -> xr.DataArray:
    """Carry raw effects of unit variance to skills, by the drawn correlation and scales."""
    if "skill_cholesky" in draws:
        factor = raw.rename({SKILL: SKILL_FACTOR}).drop_vars(SKILL_FACTOR, errors="ignore")
        raw = (draws["skill_cholesky"] * factor).sum(SKILL_FACTOR)
    return raw * draws["family_scale"] if "family_scale" in draws else raw


def _from_skills(draws: xr.Dataset, level: xr.DataArray) -> xr.DataArray:
    """Undo `_to_skills`."""
    raw = level / draws["family_scale"] if "family_scale" in draws else level
    if "skill_cholesky" not in draws:
        return raw
    factor = draws["skill_cholesky"].transpose(SAMPLE, SKILL, SKILL_FACTOR)
    ordered = raw.transpose(SAMPLE, SKILL, ...)
    solved = np.linalg.solve(factor.values, ordered.values.reshape(*ordered.shape[:2], -1))
    return ordered.copy(data=solved.reshape(ordered.shape))


def _fitted_families(draws: xr.Dataset) -> int:
    """Return how many families were fitted, at least 1."""
    return max(int(draws.sizes.get(FAMILY, 1)), 1)


def _zeros(like: xr.DataArray, first: dict[str, list[str]]) -> xr.DataArray:
    rest = [str(dim) for dim in like.dims if dim not in (SAMPLE, MODEL, *first)]
    coords = {**first, **{dim: like[dim].values for dim in rest if dim in like.coords}}
    shape = [len(next(iter(first.values()))), *(like.sizes[dim] for dim in rest)]
    return xr.DataArray(np.zeros(shape), dims=(*first, *rest), coords=coords)
