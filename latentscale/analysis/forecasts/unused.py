"""Features that the rows to forecast state but the fit does not use: one warning, not an error."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
import xarray as xr

from latentscale.analysis.forecasts.from_names import given_by_names
from latentscale.data.columns import is_blank
from latentscale.data.covariates import features_in_use
from latentscale.data.features.base import FeatureKind
from latentscale.data.known_features import features_of, is_stated, kinds_among
from latentscale.declare.spec import ModelSpec
from latentscale.dims import LINEAGE, MODEL
from latentscale.errors import DataWarning, listed

_IN_EVERY_TABLE: Final = ("params_b", "tokens_t", "instruct")
"""Variables of every table of models: rows have them whether or not the fit uses them."""


def unused_features(spec: ModelSpec, fitted: xr.Dataset, rows: xr.Dataset) -> tuple[str, ...]:
    """Return the features that rows state but no covariate of a spec needs.

    A feature whose cells all follow from models' names does not count as stated. A feature that is
    the lineage, such as the provider in tables of hubs, enters through the families' lineages.

    Parameters
    ----------
    spec
        The model that is fitted.
    fitted
        The fitted table, which has the declarations of features.
    rows
        Models, dims (model,).
    """
    used = {kind.name for kind in features_in_use(fitted, spec.covariates)}
    return tuple(
        name
        for name, kind in kinds_among(features_of(fitted)).items()
        if name not in used
        and name not in _IN_EVERY_TABLE
        and is_stated(rows, kind)
        and _is_stated_by_rows(kind, rows)
        and not (spec.family.lineage and _is_the_lineage(kind, fitted, rows))
    )


def _is_the_lineage(kind: FeatureKind, fitted: xr.Dataset, rows: xr.Dataset) -> bool:
    """Return whether a feature's cells equal the lineages of all rows, and of all fitted models.

    A fitted table that does not state the feature may still have its levels as lineages.
    """
    return all(
        kind.variable in table
        and LINEAGE in table
        and kind.cells(table[kind.variable].values).tolist() == table[LINEAGE].values.tolist()
        for table in ([fitted, rows] if is_stated(fitted, kind) else [rows])
    )


def _is_stated_by_rows(kind: FeatureKind, rows: xr.Dataset) -> bool:
    """Return whether any row states a feature, rather than only its missing level or its name."""
    cells = kind.cells(rows[kind.variable].values).tolist()
    given = kind.given(rows).tolist()
    filled = [cell if known else None for cell, known in zip(cells, given, strict=True)]
    if all(map(is_blank, filled)):
        return False
    models = rows[MODEL].values.astype(str).tolist()
    return not given_by_names(kind.name, models, filled)


def warn_of_unused_features(
    spec: ModelSpec, fitted: xr.Dataset, rows: xr.Dataset, whose: str, *, stacklevel: int
) -> None:
    """Warn of stated features that the forecasts do not use, in one warning.

    `whose` says which models state them. `stacklevel` is as in `warnings.warn`; 2 refers to the
    caller of this function.
    """
    names = unused_features(spec, fitted, rows)
    if not names:
        return
    has = f"its covariates are {listed(spec.covariates)}" if spec.covariates else "it has none"
    warnings.warn(
        f"The forecast does not use {listed(names, 10)}, which {whose} state: the spec "
        f'"{spec.name}" has no such covariate ({has}). To use them, fit a spec with these among '
        "its covariates.",
        DataWarning,
        stacklevel=stacklevel + 1,
    )


def new_models(fitted: xr.Dataset, rows: xr.Dataset) -> xr.Dataset:
    """Return the rows that are not fitted models, dims (model,)."""
    known = np.isin(rows[MODEL].values.astype(str), fitted[MODEL].values.astype(str))
    return rows.isel({MODEL: np.flatnonzero(~known)})
