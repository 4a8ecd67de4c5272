"""Families and models that are drawn or updated: from raw to the terms' effects, and back.

Effects are linear in raw ones: standard normals, or values from the prior of unpooled families.
Each term defines how; here they are gathered. Both directions are needed for new scores, which
update raw effects; `draw_new_families` draws raw effects from their prior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, LINEAGE, MODEL, SAMPLE
from latentscale.model.design import Design
from latentscale.model.terms.base import Groups, Term, terms_of
from latentscale.model.terms.family_level import LINEAGE_LEVEL, levels_of_lineages


def family_terms(spec: ModelSpec) -> dict[str, Term]:
    """Return the terms with effects by family, by the name of their variable."""
    return {term.effect: term for term in terms_of(spec) if term.effect is not None}


def family_effects(spec: ModelSpec, draws: xr.Dataset) -> xr.Dataset:
    """Return the effects by family in draws, dims (..., family, ...)."""
    return draws[[name for name in family_terms(spec) if name in draws]]


def model_terms(spec: ModelSpec) -> dict[str, Term]:
    """Return the terms with effects by model, by the name of their variable."""
    return {term.model_effect: term for term in terms_of(spec) if term.model_effect is not None}


def noise_effects(spec: ModelSpec) -> list[str]:
    """Return the variables of effects by model that act only on the precision of scores."""
    return [name for name, term in model_terms(spec).items() if term.model_effect_on == "precision"]


def raw_model_template(spec: ModelSpec, draws: xr.Dataset, models: Sequence[str]) -> xr.Dataset:
    """Return zeros with the names, dims and coordinates of the raw effects of some models.

    Dims (model, ...); empty if no term has effects by model.
    """
    return xr.Dataset(
        {
            name: _zeros(draws[name], {MODEL: list(models)})
            for name in model_terms(spec)
            if name in draws
        }
    )


def model_effects_of_raw(spec: ModelSpec, draws: xr.Dataset, raw: xr.Dataset) -> xr.Dataset:
    """Return the effects by model from raw ones; linear in them."""
    return xr.Dataset(
        {
            name: term.model_effect_of_raw(draws, raw[name])
            for name, term in model_terms(spec).items()
            if name in raw
        }
    )


def raw_of_model_effects(spec: ModelSpec, draws: xr.Dataset, models: Sequence[str]) -> xr.Dataset:
    """Return the raw effects of fitted models, dims (..., model, ...)."""
    return xr.Dataset(
        {
            name: term.raw_of_model_effect(draws, draws[name].sel({MODEL: list(models)}))
            for name, term in model_terms(spec).items()
            if name in draws
        }
    )


def linked_rows(
    spec: ModelSpec, draws: xr.Dataset, template: xr.Dataset
) -> dict[str, npt.NDArray[np.int64]]:
    """Return a number for each model, equal for models whose raw effects are linked.

    Parameters
    ----------
    spec, draws
        The fitted spec and its draws.
    template
        Raw effects; only effects by model are used, dims (model, ...).

    Returns
    -------
    Numbers by variable, each of shape (model,).
    """
    return {
        name: term.linked_rows(draws, template[name][MODEL].values.tolist())
        for name, term in model_terms(spec).items()
        if name in template
    }


def tied_latents(
    spec: ModelSpec, draws: xr.Dataset, design: Design, template: xr.Dataset
) -> npt.NDArray[np.bool_]:
    """Return which raw latents depend a priori on models outside a small problem."""
    terms = model_terms(spec)
    tied = [np.zeros(0, dtype=bool)]
    for name, variable in template.data_vars.items():
        mine = np.zeros(variable.shape, dtype=bool)
        if str(name) in terms:
            models = terms[str(name)].tied_models(draws, design)
            mine[np.isin(variable[MODEL].values, models)] = True
        tied.append(mine.ravel())
    return np.concatenate(tied)


def draw_new_families(
    spec: ModelSpec,
    draws: xr.Dataset,
    families: Sequence[str],
    lineages: Sequence[str],
    effects: Callable[[str, tuple[int, ...]], np.ndarray],
    *,
    centred: bool,
) -> xr.Dataset:
    """Draw the effects of families that were not fitted, once per posterior draw.

    A family in a fitted lineage is drawn around that lineage; a family in a new lineage, around a
    lineage drawn from the population. New families in one new lineage share its draw.

    Parameters
    ----------
    spec
        The fitted spec.
    draws
        Posterior draws, dims (sample, ...).
    families, lineages
        Names of the new families and the lineage of each.
    effects
        Returns raw effects drawn from their prior (see `draw_raw`), by variable and shape; called
        once for each variable of `raw_template`, in order.
    centred
        Whether fitted effects are taken from their mean over families, as `Design.centred` says.

    Returns
    -------
    The effects by family that the spec has, dims (sample, family, ...).
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
    others = other_families(draws, fitted=False, centred=centred)
    return terms_of_raw(spec, draws, raw, lineages, others=others)


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
    Effects by family that the spec has, dims (family, ...), and ``lineage_skill`` (lineage, skill)
    if a lineage was not fitted; empty if nothing differs between families.
    """
    if not len(families):
        return xr.Dataset()
    raw = {
        name: _zeros(draws[name], {FAMILY: list(families)})
        for name in family_terms(spec)
        if name in draws
    }
    if LINEAGE_LEVEL in draws:
        new = sorted(set(lineages) - {str(name) for name in draws[LINEAGE].values})
        if new:
            raw[LINEAGE_LEVEL] = _zeros(draws[LINEAGE_LEVEL], {LINEAGE: new})
    return xr.Dataset(raw)


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
    others: float,
) -> xr.Dataset:
    """Return the effects of families from their raw effects; linear in them.

    Parameters
    ----------
    spec, draws
        The fitted spec and its draws, dims (sample, ...).
    raw
        As returned by `raw_template`, with or without a sample dim.
    lineages
        The lineage of each family.
    others
        Number of fitted families whose mean the effects are deviations from (`other_families`).
    """
    levels = levels_of_lineages(draws, raw.get(LINEAGE_LEVEL), centred=np.isfinite(others))
    groups = Groups(lineages, others, levels)
    return xr.Dataset(
        {
            name: term.effects_of_raw(spec, draws, raw[name], groups)
            for name, term in family_terms(spec).items()
            if name in raw
        }
    )


def raw_of_terms(
    spec: ModelSpec,
    draws: xr.Dataset,
    families: Sequence[str],
    lineages: Sequence[str],
    *,
    centred: bool,
) -> xr.Dataset:
    """Return the raw effects of fitted families, as deviations from the other families' mean.

    If effects are not `centred`, they are deviations from the population mean.

    Parameters
    ----------
    spec, draws
        The fitted spec and its draws, dims (sample, ...).
    families, lineages
        Names of fitted families, and the lineage of each.
    centred
        As for `draw_new_families`.
    """
    others = other_families(draws, fitted=True, centred=centred)
    groups = Groups(lineages, others, levels_of_lineages(draws, None, centred=centred))
    return xr.Dataset(
        {
            name: term.raw_of_effects(
                spec, draws, draws[name].sel({FAMILY: list(families)}), groups
            )
            for name, term in family_terms(spec).items()
            if name in draws
        }
    )


def other_families(draws: xr.Dataset, *, fitted: bool, centred: bool) -> float:
    """Return the number of families whose mean an effect is a deviation from, at least 1.

    Parameters
    ----------
    draws
        Draws of a fit.
    fitted
        Whether the effect is for a fitted family, not a new one.
    centred
        Whether fitted effects are taken from their mean over families, as `Design.centred` says.

    Returns
    -------
    The number; infinite if effects are deviations from the population mean.
    """
    if not centred:
        return np.inf
    return max(int(draws.sizes.get(FAMILY, 1)) - fitted, 1)


def _zeros(like: xr.DataArray, first: dict[str, list[str]]) -> xr.DataArray:
    rest = [str(dim) for dim in like.dims if dim not in (SAMPLE, MODEL, *first)]
    coords = {**first, **{dim: like[dim].values for dim in rest if dim in like.coords}}
    shape = [len(next(iter(first.values()))), *(like.sizes[dim] for dim in rest)]
    return xr.DataArray(np.zeros(shape), dims=(*first, *rest), coords=coords)
