"""The release of each row to forecast whose own setting was not fitted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.covariates import features_in_use
from latentscale.data.features.base import FeatureKind
from latentscale.data.known_features import INSTRUCT, features_of, kinds_among
from latentscale.data.readers.efforts import SETTINGS
from latentscale.data.releases import name_without_setting
from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, MODEL, SAMPLE, SKILL
from latentscale.model.design import Design
from latentscale.model.terms.residual import (
    MODEL_RELEASE,
    OTHER_SETTINGS,
    ROW_RELEASE,
    ROW_RESIDUAL,
)

_RESIDUAL = "residual"
_SHARE = "release_share"


def with_other_settings(
    spec: ModelSpec, draws: xr.Dataset, fitted: Design, planned: xr.Dataset
) -> xr.Dataset:
    """Return draws with the releases of rows that share one with other models added.

    The other models are fitted, or other rows. Given n residuals of its release, with equal
    correlation rho, a row's own residual is normal with mean rho / (1 + (n - 1) rho) times their
    sum and 1 - n rho^2 / (1 + (n - 1) rho) times the variance. Given these residuals, further rows
    of the release have equal correlation rho / (1 + n rho).

    Parameters
    ----------
    spec
        The fitted spec.
    draws
        Posterior draws, dims (sample, ...).
    fitted
        The fitted table.
    planned
        The rows of a forecast, dims (model,).
    """
    rows = rows_of_fitted_releases(spec, draws, fitted, planned)
    rows |= _rows_of_one_release(spec, draws, fitted, planned, known=rows)
    if not rows:
        return draws
    release, row_of = np.unique(list(rows.values()), return_inverse=True)
    place = {number: k for k, number in enumerate(release.tolist())}
    of_model = [place.get(number, -1) for number in fitted.release_of_model.tolist()]
    by_name = pd.Series(of_model, index=list(fitted.scores.models))
    return draws.assign(
        {
            ROW_RELEASE: (OTHER_SETTINGS, row_of),
            MODEL_RELEASE: (MODEL, by_name[[str(name) for name in draws[MODEL].values]].to_numpy()),
        }
    ).assign_coords({OTHER_SETTINGS: list(rows)})


def first_rows(draws: xr.Dataset) -> dict[str, str]:
    """Return the first model (fitted, or a row) of its release for each further row, by name.

    Parameters
    ----------
    draws
        Draws from `with_other_settings`.
    """
    if OTHER_SETTINGS not in draws.coords:
        return {}
    first: dict[int, str] = {}
    fitted = zip(draws[MODEL].values.tolist(), draws[MODEL_RELEASE].values.tolist(), strict=True)
    for model, release in fitted:
        if release >= 0:
            first.setdefault(release, model)
    rows = zip(
        draws[OTHER_SETTINGS].values.tolist(), draws[ROW_RELEASE].values.tolist(), strict=True
    )
    named = {row: first.setdefault(release, row) for row, release in rows}
    return {row: one for row, one in named.items() if row != one}


def with_settings_given(draws: xr.Dataset, effects: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return draws with the residuals of rows that have new scores added.

    Parameters
    ----------
    draws
        Draws from `with_other_settings`, dims (sample, ...).
    effects
        Effects by model given new scores, on the same samples.
    """
    if not effects or OTHER_SETTINGS not in draws.coords:
        return draws
    rows = draws.get_index(OTHER_SETTINGS)
    dims = (SAMPLE, OTHER_SETTINGS, SKILL)
    known = np.full([draws.sizes[SAMPLE], len(rows), draws.sizes[SKILL]], np.nan)
    for given in effects:
        place = rows.get_indexer(given[MODEL].values)
        own = given[_RESIDUAL].transpose(SAMPLE, MODEL, SKILL).values
        known[:, place[place >= 0]] = own[:, place >= 0]
    return draws.assign({ROW_RESIDUAL: (dims, known)})


def raw_of_settings(draws: xr.Dataset, of_release: xr.Dataset, own: xr.Dataset) -> xr.Dataset:
    """Return raw effects of settings: residuals are partly common, other effects are the release's.

    Parameters
    ----------
    draws
        Posterior draws, dims (sample, ...).
    of_release, own
        Standard normal values for each row's release, and for the row, dims (model, sample, ...).
    """
    if _SHARE not in draws or _RESIDUAL not in own:
        return of_release
    share = draws[_SHARE]
    both = np.sqrt(share) * of_release[_RESIDUAL] + np.sqrt(1 - share) * own[_RESIDUAL]
    return of_release.assign({_RESIDUAL: both})


def rows_of_fitted_releases(
    spec: ModelSpec, draws: xr.Dataset, fitted: Design, planned: xr.Dataset
) -> dict[str, int]:
    """Return the fitted release of each new row that belongs to one, by the row's name.

    A row belongs to a fitted release if their names agree without their settings (``"o3_low"`` and
    ``"o3_high"``), and so do their family and the features that the fit uses, apart from settings.
    Other features must agree if both state them. A row that could belong to several fitted releases
    belongs to none.

    Parameters
    ----------
    spec, draws, fitted, planned
        As for `with_other_settings`.
    """
    if _SHARE not in draws:
        return {}
    data, known = fitted.scores.dataset, set(fitted.scores.models)
    used, others = _features(spec, data, planned)
    number = fitted.release_of_model
    releases: dict[tuple[Hashable, ...], set[int]] = {}
    for key, of in zip(_keys(data, used), number.tolist(), strict=True):
        releases.setdefault(key, set()).add(of)
    # Members agree in all features except settings, so the first represents its release.
    first = np.unique(number, return_index=True)[1]
    theirs, stated = (_stated(table, others) for table in (data, planned))
    found = {}
    names = [str(name) for name in planned[MODEL].values]  # once: a look-up per row is slow
    for place, (name, key) in enumerate(zip(names, _keys(planned, used), strict=True)):
        fits = [
            release
            for release in (() if name in known else releases.get(key, ()))
            if not _differ(theirs[first[release]], stated[place])
        ]
        if len(fits) == 1:
            found[name] = fits[0]
    return found


def _rows_of_one_release(
    spec: ModelSpec,
    draws: xr.Dataset,
    fitted: Design,
    planned: xr.Dataset,
    known: Mapping[str, int],
) -> dict[str, int]:
    """Return a new release for each other row that shares one with another row.

    Their names agree without their settings, and so do all features except settings.
    """
    if _SHARE not in draws:
        return {}
    apart = set(fitted.scores.models) | set(known)
    used, others = _features(spec, fitted.scores.dataset, planned)
    alike: dict[Hashable, list[str]] = {}
    rows = zip(_keys(planned, used), _stated(planned, others), strict=True)
    names = [str(name) for name in planned[MODEL].values]
    for name, (key, stated) in zip(names, rows, strict=True):
        if name not in apart:
            alike.setdefault((key, *sorted(stated.items())), []).append(name)
    several = [members for members in alike.values() if len(members) > 1]
    first = int(fitted.release_of_model.max()) + 1
    return {name: first + number for number, members in enumerate(several) for name in members}


def _features(
    spec: ModelSpec, data: xr.Dataset, planned: xr.Dataset
) -> tuple[list[str], list[FeatureKind]]:
    """Return family and the features that a fit uses, and the other features except settings."""
    kinds = {kind.variable: kind for kind in kinds_among(features_of(data)).values()}
    in_use = [kind.variable for kind in features_in_use(data, list(spec.covariates))]
    used = [name for name in (FAMILY, *in_use) if name in planned and name not in SETTINGS]
    own_way = {*used, *SETTINGS, INSTRUCT}  # instruct has a value even if rows do not state it
    return used, [kind for name, kind in kinds.items() if name not in own_way]


def _keys(rows: xr.Dataset, variables: Sequence[str]) -> Iterator[tuple[Hashable, ...]]:
    """Yield a key for the release of each row; missing values count as equal."""
    columns = [rows[name].values.tolist() for name in variables]
    for name, *about in zip(rows[MODEL].values, *columns, strict=True):
        yield name_without_setting(str(name)), *(None if a != a else a for a in about)


def _stated(rows: xr.Dataset, kinds: Sequence[FeatureKind]) -> list[dict[str, Hashable]]:
    """Return the features that each row states."""
    stated: list[dict[str, Hashable]] = [{} for _ in range(rows.sizes[MODEL])]
    for kind in (kind for kind in kinds if kind.variable in rows):
        values = rows[kind.variable].values.tolist()
        for place in np.flatnonzero(kind.given(rows)).tolist():
            stated[place][kind.variable] = values[place]
    return stated


def _differ(one: Mapping[str, Hashable], other: Mapping[str, Hashable]) -> bool:
    return any(name in other and other[name] != value for name, value in one.items())
