"""Unknowns of rows to forecast: undisclosed tokens, missing features, levels not fitted.

Each kind is drawn where it is declared (`undisclosed`, `missing`, terms). This module decides which
rows share a draw: rows of one release have the same tokens and features, and rows of one level have
its effects.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.data.releases import setting_covariates
from latentscale.declare.spec import ModelSpec
from latentscale.dims import MISSING_VALUE, MODEL, UNDISCLOSED
from latentscale.model.missing import VALUE, with_drawn_values
from latentscale.model.terms.base import terms_of
from latentscale.model.undisclosed import LOG_TOKENS, with_drawn_tokens


def with_drawn_features(
    spec: ModelSpec,
    transform: CovariateTransform,
    draws: xr.Dataset,
    table: xr.Dataset,
    first: Mapping[str, str],
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws with the tokens and missing features of rows that were not fitted added.

    Parameters
    ----------
    spec, transform
        The fitted model.
    draws
        Posterior draws, dims (sample, ...).
    table
        The rows, dims (model,).
    first
        For rows of the same release as a fitted model or an earlier row, the name of that model or
        row: their common unknowns have the same draws.
    rng
        Source of random numbers.
    """
    names = table[MODEL].values
    own = table.isel({MODEL: ~np.isin(names, list(first))}) if first else table
    draws = with_drawn_tokens(spec, draws, own, rng)
    draws = with_drawn_values(spec, transform, draws, own, rng)
    if not first:
        return draws
    hidden = set(names[table["tokens"].isnull().values].tolist())
    tokens = {row: one for row, one in first.items() if row in hidden}
    draws = _with_copies(draws, LOG_TOKENS, UNDISCLOSED, tokens)
    settings = setting_covariates(transform.kinds)
    values = {
        f"{base} of {row}": f"{base} of {one}"
        for base, standard in transform.estimated(table).items()
        if base not in settings  # settings differ within a release
        for row in names[np.isnan(standard)].tolist()
        if (one := first.get(row)) is not None
    }
    draws = _with_copies(draws, VALUE, MISSING_VALUE, values)
    # Unknowns of single settings.
    draws = with_drawn_tokens(spec, draws, table, rng)
    return with_drawn_values(spec, transform, draws, table, rng)


def _with_copies(
    draws: xr.Dataset, variable: str, dim: str, copies: Mapping[str, str]
) -> xr.Dataset:
    """Return draws in which a variable has further labels, each a copy of an existing one."""
    known = set(draws[dim].values.tolist()) if variable in draws else set()
    held = {label: source for label, source in copies.items() if source in known}
    if not held:
        return draws
    own = draws[variable]
    more = own.sel({dim: list(held.values())}).assign_coords({dim: list(held)})
    return draws.drop_vars([variable, dim]).assign({variable: xr.concat([own, more], dim=dim)})


def with_drawn_levels(
    spec: ModelSpec,
    transform: CovariateTransform,
    draws: xr.Dataset,
    table: xr.Dataset,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws with the effects of category levels that were not fitted added.

    Each is drawn from the population of its category, once per posterior draw.

    Parameters
    ----------
    spec, transform
        The fitted model.
    draws
        Posterior draws, dims (sample, ...).
    table
        The rows, dims (model,).
    rng
        Source of random numbers; not used if every level was fitted.
    """
    if new := transform.unseen(table):
        for term in terms_of(spec):
            draws = term.with_levels(draws, new, rng)
    return draws
