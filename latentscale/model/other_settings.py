"""Settings of fitted releases that were not fitted themselves: what the others say of them."""

from __future__ import annotations

from collections.abc import Hashable

import xarray as xr

from latentscale.data.covariates import features_in_use
from latentscale.data.releases import SETTINGS, name_without_setting
from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, MODEL
from latentscale.model.terms.residual import OTHER_SETTINGS, SETTINGS_LEFT, SETTINGS_MEAN

_SHARE = "release_share"


def with_other_settings(
    spec: ModelSpec, draws: xr.Dataset, fitted: xr.Dataset, planned: xr.Dataset
) -> xr.Dataset:
    """Return draws that also hold what a release's other settings say of rows' residuals.

    A row is of the release of a fitted model if their names are alike without their settings
    (``"o3_low"`` and ``"o3_high"``), and so are their family and the features that the fit uses,
    apart from settings. Given n such residuals, equally correlated by rho, its own is normal with
    mean rho / (1 + (n - 1) rho) times their sum and 1 - n rho^2 / (1 + (n - 1) rho) times the
    variance. Rows of one release that was not fitted are drawn independently.

    Parameters
    ----------
    spec
        The fitted spec.
    draws
        Posterior draws, dims (sample, ...).
    fitted, planned
        The fitted table and the rows of a forecast, dims (model,).
    """
    others = other_settings(spec, draws, fitted, planned)
    if not others:
        return draws
    share, residual = draws[_SHARE], draws["residual"]
    names = xr.DataArray(list(others), dims=(OTHER_SETTINGS,), name=OTHER_SETTINGS)
    means, left = [], []
    for models in others.values():
        shrunk = share / (1 + (len(models) - 1) * share)
        means.append(shrunk * residual.sel({MODEL: models}).sum(MODEL))
        left.append((1 - len(models) * share * shrunk) ** 0.5)
    return draws.assign(
        {SETTINGS_MEAN: xr.concat(means, dim=names), SETTINGS_LEFT: xr.concat(left, dim=names)}
    )


def other_settings(
    spec: ModelSpec, draws: xr.Dataset, fitted: xr.Dataset, planned: xr.Dataset
) -> dict[str, list[str]]:
    """Return the fitted settings of each row's release but its own, where there are any.

    Parameters
    ----------
    spec, draws, fitted, planned
        As for `with_other_settings`.
    """
    if _SHARE not in draws:
        return {}
    releases: dict[tuple[Hashable, ...], list[str]] = {}
    for model, release in _releases(spec, fitted).items():
        releases.setdefault(release, []).append(model)
    others = {
        row: [model for model in releases.get(release, ()) if model != row]
        for row, release in _releases(spec, planned).items()
    }
    return {row: models for row, models in others.items() if models}


def _releases(spec: ModelSpec, rows: xr.Dataset) -> dict[str, tuple[Hashable, ...]]:
    """Return what tells the release of each row, by the row's name."""
    kinds = features_in_use(rows, list(spec.covariates))
    used = [kind.variable for kind in kinds if kind.variable not in SETTINGS]
    columns = [rows[name].values.tolist() for name in (FAMILY, *used) if name in rows]
    return {
        str(name): (name_without_setting(str(name)), *about)
        for name, *about in zip(rows[MODEL].values, *columns, strict=True)
    }
