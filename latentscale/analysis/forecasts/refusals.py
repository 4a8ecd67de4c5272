"""Refusals: rows that a fit cannot forecast, refused before anything is drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.features.base import FeatureKind
from latentscale.data.features.category import Category
from latentscale.dims import (
    FAMILY,
    MODEL,
)
from latentscale.errors import DataError, listed
from latentscale.posterior.fit import Fit

_IDENTITY = {FAMILY: "family", "params": "params_b", "tokens": "tokens_t", "instruct": "instruct"}


def without_features(fit: Fit, planned: xr.Dataset) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the rows without a feature that the fit needs and does not draw, by column."""
    missing = fit.transform.missing(planned)
    if fit.spec.undisclosed.kind == "estimated":
        missing.pop("tokens_t", None)
    return missing


def refuse_missing_features(fit: Fit, planned: xr.Dataset) -> None:
    """Refuse rows without a feature that a covariate needs, unless it is drawn."""
    missing = {
        column: planned[MODEL].values[rows].tolist()
        for column, rows in without_features(fit, planned).items()
    }
    if "tokens_t" in missing and len(missing) == 1:
        raise DataError(
            f'The spec "{fit.spec.name}" needs training tokens, but tokens_t is empty for '
            f"{listed(missing['tokens_t'])}. Give tokens in trillions, fit a spec on log_params "
            'alone, or one with undisclosed = {kind = "estimated"}, which draws them from a prior.'
        )
    if missing:
        empty = "; ".join(f"{column} is empty for {listed(of)}" for column, of in missing.items())
        raise DataError(
            f'The spec "{fit.spec.name}" needs {", ".join(missing)} (its covariates are '
            f"{listed(fit.spec.covariates)}), and the fitted models do not determine "
            f"{'it' if len(missing) == 1 else 'them'}: {empty}. Fill in "
            f"{'the column' if len(missing) == 1 else 'the columns'}, or fit a spec with other "
            "covariates."
        )
    for kind in fit.transform.kinds:
        _refuse_level(kind, planned)


def of_unknown_level(kind: FeatureKind, planned: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return which rows have a level of a reference-coded category that no fitted model has."""
    unknown = np.zeros(planned.sizes[MODEL], dtype=bool)
    for base in kind.bases() if isinstance(kind, Category) else ():
        unknown |= np.isnan(kind.raw(planned, base))
    return unknown


def _refuse_level(kind: FeatureKind, planned: xr.Dataset) -> None:
    """Refuse rows with a level of a reference-coded category that no fitted model has."""
    unknown = of_unknown_level(kind, planned)
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise DataError(
            f'row {row} (model "{planned[MODEL].values[row]}"), column "{kind.name}": no fitted '
            f"model has this level; they have {listed(kind.feature.levels, 20)}. With "
            'coding="reference" the effect of a new level is unknown; with coding="pooled" it '
            "is drawn from the population of levels."
        )


def refuse_altered_models(fit: Fit, planned: xr.Dataset) -> None:
    """Refuse a row with a fitted model's name but values other than the fitted ones."""
    scores = fit.scores
    known = set(scores.models)
    shared = [str(name) for name in planned[MODEL].values if str(name) in known]
    if not shared:
        return
    fitted, asked = scores.dataset.sel({MODEL: shared}), planned.sel({MODEL: shared})
    used = {kind.variable: kind.name for kind in fit.transform.kinds if kind.variable in planned}
    for variable, column in (_IDENTITY | used).items():
        if variable not in fitted:
            continue
        for model in shared:
            was, now = fitted[variable].sel({MODEL: model}), asked[variable].sel({MODEL: model})
            same = str(was.item()) == str(now.item())
            if not same and was.dtype.kind == "f":
                same = bool(np.isclose(float(was), float(now), rtol=1e-6, equal_nan=True))
            if not same:
                raise DataError(
                    f'Model "{model}", column "{column}": the fit has {_shown(was)}, this row '
                    f"{_shown(now)}. Give the fitted value, or give the model another name."
                )


def _shown(value: xr.DataArray) -> str:
    """Return a model's value as text: a date as its day, "nothing" if missing."""
    if bool(value.isnull()) or str(value.item()) == "":
        return "nothing"
    return (
        str(value.values.astype("datetime64[D]")) if value.dtype.kind == "M" else str(value.item())
    )
