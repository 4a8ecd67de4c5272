"""Rows: models with the covariates that each term uses, and the indices of their families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    BENCHMARK,
    CATEGORY,
    CATEGORY_LEVEL,
    CELL,
    COVARIATE,
    FAMILY,
    LINEAGE,
    MISSING_OF_RELEASE,
    MISSING_VALUE,
    MODEL,
    SKILL,
    UNDISCLOSED,
    UNDISCLOSED_RELEASE,
)
from latentscale.errors import DataError, listed, nearest
from latentscale.maths import Named, as_data
from latentscale.model.design import Design
from latentscale.model.terms.base import Rows, known_of, terms_of


def rows_of(spec: ModelSpec, x: xr.DataArray, table: xr.Dataset) -> Rows:
    """Return models with standardised covariates split by the term that uses them.

    Parameters
    ----------
    spec
        Names the covariates of each term.
    x
        Standardised covariates, dims (model, covariate).
    table
        The models: the instruct flag, and the data for `Term.data`, dims (model,).
    """
    subsets = {
        dim: x.sel({COVARIATE: list(names)}).rename({COVARIATE: dim})
        for term in terms_of(spec)
        for dim, names in term.covariates().items()
    }
    data = {name: a for term in terms_of(spec) for name, a in term.data(table).items()}
    return Rows({COVARIATE: x, **subsets}, table["instruct"], data)


def with_levels(
    rows: Rows, transform: CovariateTransform, table: xr.Dataset, levels: Sequence[str]
) -> Rows:
    """Return rows with the models' levels of partially pooled categories.

    Parameters
    ----------
    rows
        The models of `table`.
    transform
        The fitted covariate transform.
    table
        The models, dims (model,).
    levels
        Levels with effects, such as ``"provider=Meta"``; if there are none, rows do not change.
    """
    if not len(levels):
        return rows
    indicators = transform.indicators(table, levels)
    return replace(rows, covariates={**rows.covariates, CATEGORY_LEVEL: indicators})


def covariate_coords(spec: ModelSpec, transform: CovariateTransform) -> dict[str, list[Any]]:
    """Return the coordinates of the covariates' dims and of the terms' other dims."""
    coords: dict[str, list[Any]] = {
        COVARIATE: list(transform.columns),
        CATEGORY: [kind.name for kind in transform.categories],
        CATEGORY_LEVEL: list(transform.levels),
    }
    for term in terms_of(spec):
        coords |= term.coords(spec)
    return coords


def coordinates_of(spec: ModelSpec, design: Design) -> dict[str, Any]:
    """Return the coordinates of a model's dims, except those that terms add themselves."""
    coords: dict[str, Any] = {
        MODEL: list(design.scores.models),
        BENCHMARK: list(design.scores.benchmarks),
        FAMILY: list(design.families),
        LINEAGE: list(design.lineages),
        CELL: np.arange(len(design.score_of_cell)),
        **{dim: names for dim, names in covariate_coords(spec, design.transform).items() if names},
    }
    if design.undisclosed:
        coords[UNDISCLOSED] = list(design.undisclosed)
    if design.estimated:
        coords[MISSING_VALUE] = list(design.estimated)
    if design.use_release:
        coords |= release_coords(design)
    if spec.skills.count:
        free = [f"skill {k + 1}" for k in range(spec.skills.count)]
        coords[SKILL] = list(design.anchors) or free
    return coords


def release_coords(design: Design) -> dict[str, list[str]]:
    """Return labels of the parameters that settings of a release share, by dim; empty if none.

    Parameters
    ----------
    design
        A table with releases that were run at several settings.
    """
    firsts = {
        UNDISCLOSED_RELEASE: design.undisclosed_release,
        MISSING_OF_RELEASE: design.estimated_release,
    }
    return {dim: list(dict.fromkeys(first.values())) for dim, first in firsts.items() if first}


def in_graph(rows: Rows) -> Rows:
    """Return rows with covariates in a PyTensor graph."""

    def convert(array: xr.DataArray) -> Any:
        values = np.asarray(array.values, dtype="float64")
        return as_data(values, tuple(str(dim) for dim in array.dims))

    covariates = {dim: convert(array) for dim, array in rows.covariates.items()}
    data = {name: convert(array) for name, array in rows.data.items()}
    return Rows(covariates, convert(rows.instruct), data)


def known_in_graph(spec: ModelSpec, design: Design) -> dict[str, Named]:
    """Return terms' data on a table's benchmarks in a graph, dims (benchmark,)."""
    known = known_of(spec, design.scores.dataset)
    return {name: as_data(array.values, (BENCHMARK,)) for name, array in known.items()}


def with_families(rows: Rows, families: Sequence[object], known: Sequence[object]) -> Rows:
    """Return rows with the index of their family among `known`.

    Parameters
    ----------
    rows
        Rows on draws.
    families
        The family of each row.
    known
        Families in the order of the terms' family dim; empty if no term has effects by family.

    Raises
    ------
    DataError
        If some family is not among `known`, unless that is empty.
    """
    place = {str(name): position for position, name in enumerate(known)}
    new = dict.fromkeys(str(name) for name in families if str(name) not in place)
    if new and place:
        raise DataError(
            f"The draws have no effects for the families of these rows: {listed(new)}."
            f"{nearest(next(iter(new)), place)} Forecast them with latentscale.predict, which "
            "draws the effects of new families, or give their effects (effects=)."
        )
    index = [place.get(str(family), 0) for family in families]
    coords = {MODEL: rows.instruct[MODEL].values} if MODEL in rows.instruct.coords else {}
    return replace(rows, family=xr.DataArray(index, dims=(MODEL,), coords=coords))


def families_of(terms: xr.Dataset) -> list[object]:
    """Return the families in draws of terms, in the order of their dim."""
    return list(terms[FAMILY].values) if FAMILY in terms.coords else []
