"""Compute grid: models of one family along training compute, with tokens proportional to size."""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.analysis.curves.along import increasing_positive
from latentscale.analysis.forecasts.rows import (
    fitted_lineages,
    members_of,
    typical_features,
)
from latentscale.data.features.compute import flops_of
from latentscale.dims import (
    BENCHMARK,
    FAMILY,
    FLOPS_PER_BILLION_TRILLION,
    LINEAGE,
    MODEL,
)
from latentscale.errors import DataError
from latentscale.posterior.fit import Fit
from latentscale.validate import real_number

_BELOW, _ABOVE = 10.0, 1e4
"""The search runs from a tenth of the smallest to 10,000 times the largest fitted compute: a target
that is not reached within four more decades is reported as out of reach."""


def token_ratio(
    fit: Fit, family: str, rows: xr.Dataset | None, tokens_per_parameter: float | None
) -> float:
    """Return tokens per parameter: as given, or the geometric mean of the family, or of all."""
    if tokens_per_parameter is not None:
        return real_number(tokens_per_parameter, "tokens_per_parameter", above=0, error=DataError)
    mine: dict[str, float] = {}
    every: dict[str, float] = {}
    for table in (fit.scores.dataset, *([] if rows is None else [rows])):
        ratio = np.log(1000 * table["tokens"].values / table["params"].values)
        names = zip(table[MODEL].values, table[FAMILY].values, ratio, strict=True)
        # By name: a fitted model that is also given with new scores counts once.
        known = {str(model): (own, float(at)) for model, own, at in names if np.isfinite(at)}
        every |= {model: at for model, (_, at) in known.items()}
        mine |= {model: at for model, (own, at) in known.items() if own == family}
    chosen = list((mine or every).values())
    if not chosen:
        raise DataError("No model discloses its tokens; give tokens_per_parameter.")
    return float(np.exp(np.mean(chosen)))


def fitted_compute(fit: Fit) -> tuple[float, float]:
    """Return the smallest and largest FLOPs among the fitted models; NaN if undisclosed."""
    data = fit.scores.dataset
    flops = flops_of(data)
    if not np.isfinite(flops).any():
        return float("nan"), float("nan")
    return float(np.nanmin(flops)), float(np.nanmax(flops))


def compute_limits(
    limits: tuple[float, float] | None, fitted: tuple[float, float]
) -> tuple[float, float]:
    """Return the range of FLOPs to search: as given, or by the range of the fitted models."""
    if limits is None:
        if np.isnan(fitted[0]):
            raise DataError("No fitted model discloses its tokens; give limits in FLOPs.")
        return fitted[0] / _BELOW, fitted[1] * _ABOVE
    return increasing_positive(limits, "FLOPs")


def models_along(
    fit: Fit,
    family: str,
    rows: xr.Dataset | None,
    at: np.ndarray,
    ratio: float,
    instruct: bool,
) -> xr.Dataset:
    """Return rows for one model of a family at each compute, with the variables of `rows`."""
    known = fitted_lineages(fit)
    if rows is not None:
        pairs = zip(rows[FAMILY].values, rows[LINEAGE].values, strict=True)
        known = {str(f): str(g) for f, g in pairs} | known
    params = np.sqrt(at / (FLOPS_PER_BILLION_TRILLION * ratio / 1000))
    # Names that a user's model cannot have, so that a point is never taken for a fitted model.
    names = [f"{family} \N{INFORMATION SEPARATOR ONE} {index}" for index in range(len(at))]
    grid = xr.Dataset(
        {
            "params": (MODEL, params),
            "tokens": (MODEL, params * ratio / 1000),
            "instruct": (MODEL, np.full(len(at), float(instruct))),
            **typical_features(fit, members_of(fit, family, rows), len(at)),
            FAMILY: (MODEL, np.full(len(at), family)),
            LINEAGE: (MODEL, np.full(len(at), known.get(family, family))),
        },
        coords={MODEL: names},
    )
    if rows is None:
        return grid
    absent = {name: rows[name] for name in rows.data_vars if name not in grid}
    empty = {name: value.isel({MODEL: [0] * len(at)}) for name, value in absent.items()}
    return grid.assign(
        {name: (value.dims, _empty(value)) for name, value in empty.items()}
    ).assign_coords({dim: rows[dim] for dim in (BENCHMARK,) if dim in rows.coords})


def _empty(like: xr.DataArray) -> np.ndarray:
    """Return empty cells (NaN, NaT or empty text) with an array's shape and type."""
    nothing = "" if like.dtype.kind == "U" else np.nan
    return np.full(like.shape, nothing).astype(like.dtype)
