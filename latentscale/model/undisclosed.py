"""Undisclosed training tokens: a parameter for every model that does not disclose them.

A base covariate is linear in t, the log of the tokens, and a covariate is one of them or a product
of two. So every covariate of a model is c + b t + a t^2, where b and a are 0 if tokens are
disclosed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    CATEGORY_LEVEL,
    COVARIATE,
    MISSING_VALUE,
    MODEL,
    UNDISCLOSED,
)
from latentscale.maths import Named, as_data
from latentscale.model.design import Design
from latentscale.model.missing import (
    VALUE,
    arrays_of_draws,
    labels_of,
    with_drawn_labels,
    with_values,
)
from latentscale.model.rows import in_graph, rows_of, with_levels
from latentscale.model.terms.base import Rows
from latentscale.model.terms.categories import EFFECT
from latentscale.model.terms.undisclosed_tokens import LOG_TOKENS


def rows_in_graph(spec: ModelSpec, design: Design, values: Mapping[str, Named]) -> Rows:
    """Return the models of a design for the open PyMC model, without their families.

    Parameters
    ----------
    spec, design
        The model.
    values
        What its terms declared: ``log_tokens``, dims (undisclosed_model,), natural log of
        trillions, if some model's tokens are undisclosed.
    """
    table = design.scores.dataset
    if LOG_TOKENS not in values:
        rows = rows_of(spec, design.x, table)
        if VALUE in values:
            levels = with_levels(rows, design.transform, table, design.transform.levels)
            return with_values(
                spec,
                design.transform,
                table,
                in_graph(levels),
                values[VALUE],
                list(design.estimated),
                as_data,
            )
        return in_graph(with_levels(rows, design.transform, table, design.transform.levels))
    index = as_data(_places(table, design.undisclosed), (MODEL,))
    coefficients = [
        in_graph(coefficient) for coefficient in _coefficients(spec, design.transform, table)
    ]
    rows = _at(coefficients, values[LOG_TOKENS].isel({UNDISCLOSED: index}))
    levels = with_levels(
        Rows({}, table["instruct"], {}), design.transform, table, design.transform.levels
    )
    return replace(rows, covariates={**rows.covariates, **in_graph(levels).covariates})


def rows_of_table(
    spec: ModelSpec, transform: CovariateTransform, table: xr.Dataset, draws: xr.Dataset
) -> Rows:
    """Return the covariates of some models, with draws of undisclosed tokens.

    Parameters
    ----------
    spec
        The fitted spec.
    transform
        The fitted covariate transform.
    table
        Variables params (billions), tokens (trillions) and instruct over model.
    draws
        Draws, with ``log_tokens`` of the models whose tokens are undisclosed.

    Returns
    -------
    Rows with dims as in `Rows`, and the draws' dims if tokens of some row are drawn. NaN where
    tokens are needed, unknown and not drawn.
    """
    levels = [str(name) for name in draws[CATEGORY_LEVEL].values] if EFFECT in draws else []
    x = transform.apply(table)
    if VALUE in draws and labels_of(transform, table):
        rows = with_levels(rows_of(spec, x, table), transform, table, levels)
        fitted = [str(label) for label in draws[MISSING_VALUE].values]
        array = arrays_of_draws(spec, transform, table)
        return with_values(spec, transform, table, rows, draws[VALUE], fitted, array)
    if LOG_TOKENS not in draws or not bool(table["tokens"].isnull().any()):
        return with_levels(rows_of(spec, x, table), transform, table, levels)
    names = [str(name) for name in draws[UNDISCLOSED].values]
    drawn = table[MODEL].isin(names) & table["tokens"].isnull()
    coords = {MODEL: table[MODEL].values}
    index = xr.DataArray(_places(table, names), dims=(MODEL,), coords=coords)
    tokens = draws[LOG_TOKENS].isel({UNDISCLOSED: index}).drop_vars(UNDISCLOSED)
    known = drawn | x.notnull().all(COVARIATE)
    tokens = tokens.where(known.drop_vars(_other_coords(known)))
    return with_levels(_at(_coefficients(spec, transform, table), tokens), transform, table, levels)


def with_drawn_tokens(
    spec: ModelSpec, draws: xr.Dataset, table: xr.Dataset, rng: np.random.Generator
) -> xr.Dataset:
    """Return draws with ``log_tokens`` of further models with undisclosed tokens added.

    Each is drawn from the stated prior, once per posterior draw, since fitted scores do not inform
    the tokens of a model that was not fitted.

    Parameters
    ----------
    spec
        The fitted spec; unless it estimates undisclosed tokens, the draws do not change.
    draws
        Posterior draws, dims (sample, ...).
    table
        Variable tokens (trillions) over model; models whose log_tokens were fitted are skipped.
    rng
        Source of random numbers.
    """
    if spec.undisclosed.kind != "estimated":
        return draws
    names = [str(name) for name in table[MODEL].values[table["tokens"].isnull().values]]
    return with_drawn_labels(draws, LOG_TOKENS, UNDISCLOSED, names, spec.prior(LOG_TOKENS), rng)


def _other_coords(array: xr.DataArray) -> list[str]:
    return [str(name) for name in array.coords if name != MODEL]


def _places(table: xr.Dataset, names: Sequence[str]) -> np.ndarray:
    """Return the index of each model among the undisclosed ones, 0 for the others."""
    place = {name: index for index, name in enumerate(names)}
    return np.array([place.get(str(name), 0) for name in table[MODEL].values], dtype="int64")


def _coefficients(
    spec: ModelSpec, transform: CovariateTransform, table: xr.Dataset
) -> tuple[Rows, Rows, Rows]:
    """Return c, b and a of every covariate, from its values at t = -1, 0 and 1."""
    low, middle, high = (
        transform.apply(table.assign(tokens=table["tokens"].fillna(np.exp(t)))) for t in (-1, 0, 1)
    )
    coefficients = middle, (high - low) / 2, (high + low) / 2 - middle
    first, second, third = (rows_of(spec, values, table) for values in coefficients)
    return first, second, third


def _at(coefficients: Sequence[Rows], tokens: Named) -> Rows:
    """Return rows whose covariates are c + b t + a t^2 for log tokens t, dims with model."""
    constant, linear, square = (rows.covariates for rows in coefficients)
    covariates = {
        dim: c + linear[dim] * tokens + square[dim] * tokens**2 for dim, c in constant.items()
    }
    return replace(coefficients[0], covariates=covariates)
