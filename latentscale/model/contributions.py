"""Contributions: what terms add to the linear predictor, by component or by covariate.

Terms that add to skills reach the linear predictor through the loadings. A contribution is a
product of loadings and skills, so it is invariant to rotations of the skills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import xarray as xr

from latentscale.dims import CATEGORY_LEVEL, COVARIATE, MODEL
from latentscale.maths import on_draws
from latentscale.model.attempts import of_first
from latentscale.model.equations import latent_skill
from latentscale.model.evaluate import Evaluation
from latentscale.model.terms.base import Rows, Term, components, terms_of
from latentscale.model.terms.loading import Loadings

JOINT: Final = "covariates jointly"
"""Joint contribution of covariates beyond what each adds alone, such as providers' trends."""


@dataclass(frozen=True)
class Contribution:
    """Contributions of some terms for some rows; contributions add up.

    Attributes
    ----------
    skill
        Added to skills, dims (sample, model, skill); None for nothing.
    direct
        Added directly to the linear predictor, dims among (sample, model, benchmark); None for
        nothing.
    """

    skill: xr.DataArray | None = None
    direct: xr.DataArray | None = None

    def __add__(self, other: Contribution) -> Contribution:
        return Contribution(_sum(self.skill, other.skill), _sum(self.direct, other.direct))

    def __sub__(self, other: Contribution) -> Contribution:
        return self + other.mapped(lambda array: -array)

    def mapped(self, change: Callable[[xr.DataArray], xr.DataArray]) -> Contribution:
        """Return the contribution with its arrays changed."""
        arrays = (self.skill, self.direct)
        return Contribution(*(None if array is None else change(array) for array in arrays))

    def mean(self) -> Contribution:
        """Return the mean over models."""
        return self.mapped(lambda array: array.mean(MODEL) if MODEL in array.dims else array)

    def predictor(self, at: Evaluation) -> xr.DataArray:
        """Return what is added to the linear predictor, skills through their loadings.

        If scores have several sources, the sources' offsets are part of every contribution.

        Parameters
        ----------
        at
            The model on the same draws.

        Returns
        -------
        xarray.DataArray
            Dims (sample, model, benchmark), without those over which it is constant.
        """
        loadings, through = Loadings.of(at.spec), None
        if loadings is not None:
            through = loadings.predictor(at.values, at.rows, self.skill)
        total = _sum(None if through is None else on_draws(through), self.direct)
        return xr.DataArray(0.0) if total is None else of_first(at.values, total)


def of_terms(
    at: Evaluation, chosen: Callable[[Term], bool], rows: Rows[xr.DataArray] | None = None
) -> Contribution:
    """Return the contribution of some terms.

    Parameters
    ----------
    at
        The model at some rows, on draws.
    chosen
        Chosen terms; loadings add nothing by themselves.
    rows
        Other covariates of the same rows.
    """
    rows = at.rows if rows is None else rows
    direct = None
    for term in terms_of(at.spec):
        if chosen(term) and not isinstance(term, Loadings):
            own = term.predictor(at.values, rows, at.skill)
            direct = direct if own is None else _sum(direct, on_draws(own))
    return Contribution(latent_skill(at.spec, at.values, rows, chosen), direct)


def by_component(
    at: Evaluation, among: Callable[[Term], bool] = lambda term: True
) -> dict[str, Contribution]:
    """Return the contributions of a spec's components, by the terms' own names.

    Parameters
    ----------
    at
        The model at some rows, on draws.
    among
        Terms to include; all by default.
    """
    terms = [term for term in terms_of(at.spec) if among(term)]

    def of(name: str) -> Contribution:
        return of_terms(at, lambda term: term in terms and components([term]) == (name,))

    return {name: of(name) for name in components(terms)}


def by_covariate(at: Evaluation) -> dict[str, Contribution]:
    """Return what each covariate adds equally in all families.

    A covariate's own contribution is evaluated with all others at the mean of the fitted models (at
    no level, for categories). `JOINT` has the remainder. Together they equal what the terms add, up
    to a constant that is the same for all models.

    Parameters
    ----------
    at
        The model at some rows, on draws.
    """
    found: dict[str, Contribution] = {}
    for term in terms_of(at.spec):
        for name, added in _by_covariate_of(term, at) if term.covariates_apart else ():
            found[name] = found.get(name, Contribution()) + added
    joint = found.pop(JOINT, None)
    return found if joint is None else {**found, JOINT: joint}


def covariate_of(column: str) -> str:
    """Return the covariate of a column: "provider" for "provider=Meta".

    Parameters
    ----------
    column
        A column of the covariates, or a level of a category; also a product of columns.
    """
    return ":".join(factor.partition("=")[0] for factor in column.split(":"))


def _by_covariate_of(term: Term, at: Evaluation) -> Iterator[tuple[str, Contribution]]:
    """Yield a term's covariates with what each adds alone, and `JOINT` with the rest."""

    def added(rows: Rows[xr.DataArray]) -> Contribution:
        return of_terms(at, lambda one: one == term, rows)

    stated = [name for names in term.covariates().values() for name in names]
    own = dict.fromkeys(map(covariate_of, [*stated, *term.categories()]))
    names = list(own or _covariates(at.rows))
    whole = added(at.rows)
    if len(names) == 1:  # all of it, whatever the values of others
        yield names[0], whole
        return
    rest = whole
    nothing = added(_with_covariate(at.rows, None))
    for name in names:
        alone = added(_with_covariate(at.rows, name)) - nothing
        rest = rest - alone
        yield name, alone
    yield JOINT, rest


def _covariates(rows: Rows[xr.DataArray]) -> dict[str, None]:
    """Return the covariates of some rows, then their categories, each once."""
    columns = [str(label) for label in rows.covariates[COVARIATE][COVARIATE].values.tolist()]
    if CATEGORY_LEVEL in rows.covariates:
        columns += [str(n) for n in rows.covariates[CATEGORY_LEVEL][CATEGORY_LEVEL].values.tolist()]
    return dict.fromkeys(map(covariate_of, columns))


def _with_covariate(rows: Rows[xr.DataArray], name: str | None) -> Rows[xr.DataArray]:
    """Return rows with one covariate and all others at 0; None for all at 0."""

    def kept(array: xr.DataArray, dim: str) -> xr.DataArray:
        mine = [covariate_of(str(label)) == name for label in array[dim].values.tolist()]
        return array.where(xr.DataArray(mine, dims=(dim,)), 0.0)

    return replace(
        rows, covariates={dim: kept(array, dim) for dim, array in rows.covariates.items()}
    )


def _sum(one: xr.DataArray | None, other: xr.DataArray | None) -> xr.DataArray | None:
    """Return the sum of the arguments that are not None."""
    if one is None or other is None:
        return other if one is None else one
    return one + other
