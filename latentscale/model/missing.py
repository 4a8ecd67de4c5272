"""Missing values of features, which are parameters of the models that do not state them.

A covariate of such a model is a function of the standardised values of its features, some of which
are parameters. Missing values are labelled by model and base covariate ("log_params of gpt-5").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.declare.prior import Prior
from latentscale.declare.spec import ModelSpec
from latentscale.dims import COVARIATE, MISSING_VALUE, MODEL, SAMPLE
from latentscale.maths import Named
from latentscale.model.terms.base import Rows, terms_of

VALUE: Final = "missing_standard"
"""Standardised values, dims (missing_value,): in standard deviations of the stated values."""
SLOT: Final = "missing_feature"

Array = Callable[[np.ndarray, tuple[str, ...]], Any]


def labels_of(transform: CovariateTransform, table: xr.Dataset) -> list[str]:
    """Return the labels of the missing values of some models that are parameters."""
    return [
        f"{base} of {table[MODEL].values[row]}"
        for base, values in transform.estimated(table).items()
        for row in np.flatnonzero(np.isnan(values)).tolist()
    ]


def with_values(
    spec: ModelSpec,
    transform: CovariateTransform,
    table: xr.Dataset,
    rows: Rows,
    drawn: Named,
    known: Sequence[str],
    array: Array,
) -> Rows:
    """Return rows whose covariates have the missing values filled in.

    Parameters
    ----------
    spec, transform
        The model.
    table
        The models, dims (model,).
    rows
        The models without these values.
    drawn
        Standardised values, dims with missing_value.
    known
        Labels of these values, in order; other values stay NaN.
    array
        Makes an array with named dims: of a PyTensor graph, or of draws.
    """
    standard = _filled(transform, table, drawn, known, array)
    dims = {COVARIATE: transform.columns}
    dims |= {dim: names for term in terms_of(spec) for dim, names in term.covariates().items()}
    covariates: dict[str, Any] = dict(rows.covariates)
    for dim, names in dims.items():
        total: Any = 0.0
        for place, name in enumerate(names):
            value: Any = 1.0
            for factor in name.split(":"):
                value = standard[factor] * value
            total = total + value * array(np.eye(len(names))[place], (dim,))
        if names:
            covariates[dim] = total
    return replace(rows, covariates=covariates)


def _filled(
    transform: CovariateTransform,
    table: xr.Dataset,
    drawn: Named,
    known: Sequence[str],
    array: Array,
) -> dict[str, Any]:
    """Return each base covariate, standardised, dims with model."""
    place = {label: index for index, label in enumerate(known)}
    filled: dict[str, Any] = {}
    estimated = transform.estimated(table)
    for base, values in transform.standard(table).items():
        names = [f"{base} of {model}" for model in table[MODEL].values]
        hole = np.isnan(values) & np.array([name in place for name in names])
        if base not in estimated or not hole.any():
            filled[base] = array(values, (MODEL,))
            continue
        index = np.array([place.get(name, 0) for name in names], dtype="int64")
        own = drawn.isel({MISSING_VALUE: array(index, (MODEL,))})
        if isinstance(own, xr.DataArray):
            own = own.drop_vars(MISSING_VALUE, errors="ignore")
        mask = array(hole.astype("float64"), (MODEL,))
        filled[base] = array(np.where(hole, 0.0, values), (MODEL,)) + own * mask
    return filled


def arrays_of_draws(spec: ModelSpec, transform: CovariateTransform, table: xr.Dataset) -> Array:
    """Return a function that makes arrays of draws with models' and covariates' coordinates."""
    coords: dict[str, Any] = {MODEL: table[MODEL].values, COVARIATE: list(transform.columns)}
    for term in terms_of(spec):
        coords |= {dim: list(names) for dim, names in term.covariates().items()}

    def array(values: np.ndarray, dims: tuple[str, ...]) -> xr.DataArray:
        return xr.DataArray(values, {dim: coords[dim] for dim in dims}, dims)

    return array


def with_drawn_values(
    spec: ModelSpec,
    transform: CovariateTransform,
    draws: xr.Dataset,
    table: xr.Dataset,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws with the missing values of models that were not fitted added.

    Each is drawn from the stated prior, since no fitted data inform it.

    Parameters
    ----------
    spec, transform
        The fitted model.
    draws
        Posterior draws, dims (sample, ...).
    table
        The rows, dims (model,).
    rng
        Source of random numbers.
    """
    return with_drawn_labels(
        draws, VALUE, MISSING_VALUE, labels_of(transform, table), spec.prior(SLOT), rng
    )


def with_drawn_labels(
    draws: xr.Dataset,
    variable: str,
    dim: str,
    wanted: Iterable[str],
    prior: Prior,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws whose variable has all wanted labels; new ones are drawn from the prior.

    Parameters
    ----------
    draws
        Posterior draws, dims (sample, ...).
    variable, dim
        Its dims are sample and `dim`; draws need not have it.
    wanted, prior, rng
        Labels, the prior for each, and a source of random numbers.
    """
    fitted = [str(label) for label in draws[dim].values] if variable in draws else []
    new = [label for label in wanted if label not in fitted]
    if not new:
        return draws
    values = prior.draw((draws.sizes[SAMPLE], len(new)), rng)
    if fitted:
        values = np.concatenate([draws[variable].transpose(SAMPLE, dim).values, values], axis=1)
    rest = draws.drop_vars([variable, dim], errors="ignore")
    return rest.assign_coords({dim: [*fitted, *new]}).assign({variable: ((SAMPLE, dim), values)})
