"""Contributions: what terms add to the linear predictor, by component or by covariate.

What terms add to skills reaches the linear predictor through the loadings. A contribution is a
product of loadings and skills, so it stays the same however skills are rotated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import xarray as xr

from latentscale.model.equations import latent_skill, linear_predictor
from latentscale.model.evaluate import Evaluation
from latentscale.model.terms.base import Rows, Term, components, terms_of
from latentscale.model.terms.loading import Loadings

JOINT: Final = "covariates jointly"
"""What covariates add together beyond what each adds alone, such as trends of single providers."""


def contribution(
    at: Evaluation, chosen: Callable[[Term], bool], rows: Rows[xr.DataArray] | None = None
) -> xr.DataArray:
    """Return what some terms add to the linear predictor.

    Parameters
    ----------
    at
        The model at some rows, on draws.
    chosen
        Which terms.
    rows
        Other covariates of the same rows.

    Returns
    -------
    xarray.DataArray
        Dims (sample, model, benchmark), without those over which it is constant. Where scores have
        several sources, the offsets of these are part of every contribution.
    """
    rows = at.rows if rows is None else rows
    skill = latent_skill(at.spec, at.values, rows, chosen)

    def or_loadings(term: Term) -> bool:
        return chosen(term) or isinstance(term, Loadings)

    added = linear_predictor(at.spec, at.values, rows, skill, or_loadings)
    return added if isinstance(added, xr.DataArray) else xr.DataArray(added)


def by_component(
    at: Evaluation, among: Callable[[Term], bool] = lambda term: True
) -> dict[str, xr.DataArray]:
    """Return what the components of a spec add to the linear predictor, by the terms' own names.

    Parameters
    ----------
    at
        As for `contribution`.
    among
        Which terms count; all by default.
    """
    terms = [term for term in terms_of(at.spec) if among(term)]

    def of(name: str) -> xr.DataArray:
        return contribution(at, lambda term: term in terms and components([term]) == (name,))

    return {name: of(name) for name in components(terms)}


def by_covariate(at: Evaluation) -> dict[str, xr.DataArray]:
    """Return what each covariate adds to the linear predictor in all families alike.

    A covariate's own contribution is that of the covariate alone, all others at the mean of the
    fitted models (at no level, for categories), less that of none. `JOINT` has what is left of
    all together, and is there where covariates are.

    Parameters
    ----------
    at
        As for `contribution`.
    """

    def shared(term: Term) -> bool:
        return term.covariates_apart

    if not any(map(shared, terms_of(at.spec))):
        return {}
    nothing = contribution(at, shared, _with_covariate(at.rows, None))
    alone = {
        name: contribution(at, shared, _with_covariate(at.rows, name)) - nothing
        for name in _covariates(at.rows)
    }
    joint = contribution(at, shared) - nothing - sum(alone.values())
    return {**alone, JOINT: joint}


def covariate_of(column: str) -> str:
    """Return the covariate of a column: of "provider=Meta" it is "provider".

    Parameters
    ----------
    column
        A column of the covariates, or a level of a category; also a product of columns.
    """
    return ":".join(factor.partition("=")[0] for factor in column.split(":"))


def _covariates(rows: Rows[xr.DataArray]) -> tuple[str, ...]:
    """Return the covariates of some rows, each once."""
    columns = [
        str(label) for dim, array in rows.covariates.items() for label in array[dim].values.tolist()
    ]
    return tuple(dict.fromkeys(map(covariate_of, columns)))


def _with_covariate(rows: Rows[xr.DataArray], name: str | None) -> Rows[xr.DataArray]:
    """Return rows that have one covariate, all others at 0; None for all at 0."""

    def kept(array: xr.DataArray, dim: str) -> xr.DataArray:
        mine = [covariate_of(str(label)) == name for label in array[dim].values.tolist()]
        return array.where(xr.DataArray(mine, dims=(dim,)), 0.0)

    return replace(
        rows, covariates={dim: kept(array, dim) for dim, array in rows.covariates.items()}
    )
