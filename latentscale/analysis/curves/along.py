"""The covariate along a curve: size, tokens, compute, or another numeric feature or date.

This module has the points and rows of a curve; `latentscale.analysis.curves.curves` has its scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.rows import held_features, typical_features
from latentscale.data.features.base import FeatureKind
from latentscale.data.features.compute import FLOPS, flops_of
from latentscale.dims import FLOPS_PER_BILLION_TRILLION, MODEL
from latentscale.errors import DataError, SpecError, listed, nearest
from latentscale.posterior.fit import Fit

OVER: Final = ("log_flops", "log_params", "log_tokens")
_MOVED: Final = {
    "log_flops": set(OVER),
    "log_params": {"log_params", "log_flops"},
    "log_tokens": {"log_tokens", "log_flops"},
}
"""Covariates that change along curves over size, tokens and compute."""
LABELS: Final = {
    "log_flops": "training compute (FLOPs)",
    "log_params": "parameters (billions)",
    "log_tokens": "training tokens (trillions)",
}
MOST_POINTS: Final = 100_000
"""Most points of a curve: far more than a figure has pixels, and still quick to compute."""
REACH: Final = 3.0
"""Without limits, a curve extends a family's range by this factor at both ends: about one step in
size between the models of a family."""


def steps_of(fit: Fit) -> dict[str, FeatureKind]:
    """Return the features along which curves can run, other than size, tokens and compute."""
    kinds = {kind.covariate: kind for kind in fit.transform.kinds}
    factors = {factor for name in fit.transform.columns for factor in name.split(":")}
    return {
        name: kind
        for name, kind in kinds.items()
        if kind.steps and name in factors and name not in OVER
    }


def checked_over(fit: Fit, over: str | None) -> str:
    """Return the covariate along a curve: the requested one, or the first that the spec uses.

    Raises
    ------
    SpecError
        If a curve cannot run along it, or the fit's scores do not change with it.
    """
    factors = {factor for name in fit.transform.columns for factor in name.split(":")}
    others = steps_of(fit)
    sized = [name for name in OVER if factors & _MOVED[name]]
    if not sized and not others:
        raise SpecError(
            f'The spec "{fit.spec.name}" has no covariate along which a curve can run: a '
            "number, a date, size, tokens or compute; it has "
            f"{listed(fit.spec.covariates) or 'none'}."
        )
    if over is None:
        return next(name for name in (*OVER, *others) if name in factors)
    if over not in OVER and over not in others:
        allowed = [*(name for name in sized if name != "log_flops" or not _is_active(fit)), *others]
        raise SpecError(
            f'over must be one of {listed(allowed, 20)}; got "{over}".{nearest(over, allowed)} '
            "Curves run along numbers and dates that the spec uses."
        )
    if over == "log_flops":
        refuse_active(fit)
    if over in OVER and over not in sized:
        raise SpecError(
            f'The spec "{fit.spec.name}" does not use {over}: its covariates are '
            f"{listed(fit.spec.covariates)}, so its curves over {over} are flat."
        )
    return over


def refuse_active(fit: Fit) -> None:
    """Refuse compute by size and tokens for a spec that uses active parameters.

    Raises
    ------
    SpecError
        If it does, since a budget does not determine how many parameters are active.
    """
    if _is_active(fit):
        raise SpecError(
            f'The spec "{fit.spec.name}" uses log_active_params, but compute alone does not '
            "determine how many of a model's parameters are active: a token of a mixture of "
            "experts uses only those. Forecast planned models as rows of predict, or fit a spec "
            "with log_params instead."
        )


def _is_active(fit: Fit) -> bool:
    return any("log_active_params" in name.split(":") for name in fit.transform.columns)


def label_of(fit: Fit, over: str) -> str:
    """Return the name and unit of the covariate along a curve."""
    if over in LABELS:
        return LABELS[over]
    unit = steps_of(fit)[over].feature.unit
    return f"{over} ({unit})" if unit else over


def is_log(fit: Fit, over: str) -> bool:
    """Return whether points of a curve are evenly spaced in the logarithm."""
    return over in OVER or steps_of(fit)[over].feature.transform == "log"


def natural(fit: Fit, table: xr.Dataset, over: str) -> npt.NDArray[Any]:
    """Return models' values of the covariate along a curve in natural units, dates as dates."""
    if over == "log_flops":
        return flops_of(table)
    variable = {"log_params": "params", "log_tokens": "tokens"}.get(over)
    values = table[variable or steps_of(fit)[over].variable].values
    return values if values.dtype.kind == "M" else np.asarray(values, dtype=float)


def range_of(values: npt.NDArray[Any]) -> tuple[Any, Any] | None:
    """Return the smallest and the largest known value; None if no value is known."""
    known = values[~pd.isna(values)]
    if not len(known):
        return None
    return (
        (known.min(), known.max())
        if known.dtype.kind == "M"
        else (
            float(known.min()),
            float(known.max()),
        )
    )


def places(
    fit: Fit, over: str, own: npt.NDArray[Any], limits: tuple[Any, Any] | None, points: int
) -> npt.NDArray[Any]:
    """Return the values of the covariate at a curve's points, in natural units.

    Parameters
    ----------
    fit, over
        The fit, and the covariate along the curve.
    own
        Values of the family's models.
    limits
        Ends in natural units; by default the family's range, extended by the factor `REACH` if
        steps are in the logarithm, otherwise by one standard deviation of the fitted models.
    points
        Number of points.

    Raises
    ------
    DataError
        If limits are not valid, or are needed because the family's values are not known.
    """
    if over in OVER:
        what = LABELS[over] + (", or its size and tokens" if over == "log_flops" else "")
        return np.geomspace(*_positive_limits(limits, own, what), points)
    kind = steps_of(fit)[over]
    span = range_of(own)
    ends: npt.NDArray[np.float64]
    if limits is None:
        if span is None:
            raise DataError(
                f"No model of the family states {kind.name}; give limits for the curve."
            )
        ends = kind.transformed(np.array(span))
        reach = np.log(REACH) if is_log(fit, over) else fit.transform.scale[over]
        ends = ends + np.array([-reach, reach])
    else:
        stated = _stated(kind, limits)
        ends = np.array([np.nan]) if stated is None else kind.transformed(stated)
    if not (np.isfinite(ends).all() and ends[0] < ends[1]):
        ends_of_family = "" if span is None else " to ".join(map(place_text, span))
        of_family = f" (the family's: {ends_of_family})" if ends_of_family else ""
        raise DataError(
            f"limits must be two increasing values of {kind.name}"
            f"{' above 0' if is_log(fit, over) else ''}{of_family}; got {limits!r}."
        )
    return kind.stepped(np.linspace(float(ends[0]), float(ends[1]), points))


def _stated(kind: FeatureKind, limits: tuple[Any, Any]) -> npt.NDArray[Any] | None:
    """Return the limits as values of a feature; None unless they are two valid values."""
    try:
        pair = pd.Series(list(limits), dtype=object)
    except TypeError:
        pair = pd.Series([limits], dtype=object)
    values, problems = kind.read(pair, ["limits"] * len(pair))
    if problems or len(pair) != 2:
        return None
    return kind.kept(pd.Series(values), 2)


def _positive_limits(
    limits: tuple[Any, Any] | None, own: npt.NDArray[Any], what: str
) -> tuple[float, float]:
    if limits is None:
        if not np.isfinite(own).any():
            raise DataError(f"No model of the family discloses its {what}; give limits.")
        return float(np.nanmin(own)) / REACH, float(np.nanmax(own)) * REACH
    return increasing_positive(limits, "numbers")


def increasing_positive(
    limits: tuple[Any, Any], what: str, name: str = "limits"
) -> tuple[float, float]:
    """Return the two ends of a range, or raise DataError; `what` names their unit."""
    try:
        low, high = (float(end) for end in limits)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not 0 < low < high < np.inf:
        raise DataError(f"{name} must be two increasing positive {what}; got {limits!r}.")
    return low, high


def rows_along(
    fit: Fit, members: xr.Dataset, over: str, at: npt.NDArray[Any], family: str
) -> dict[str, tuple[str, npt.NDArray[Any]]]:
    """Return the features of a curve's points, by variable, dims (model,).

    Raises
    ------
    DataError
        If a value to hold along the curve is not known.
    """
    rows = typical_features(fit, members, len(at))
    params = np.full(len(at), geometric_mean(members["params"]))
    tokens = np.full(len(at), geometric_mean(members["tokens"]))
    if over == "log_params":
        params = at
    elif over == "log_tokens":
        tokens = at
    elif over == "log_flops" and _states_compute(fit):
        rows[FLOPS] = (MODEL, at)
        usual = _usual_compute(members)
        if np.isfinite(usual):
            grow = np.sqrt(at / usual)
            params, tokens = params * grow, tokens * grow
    elif over == "log_flops":
        for values, what, other in (
            (tokens, "tokens", "log_params"),
            (params, "sizes", "log_tokens"),
        ):
            if np.isnan(values).any():
                raise DataError(
                    f'Family "{family}" discloses no {what}, so its compute is unknown; use '
                    f'over="{other}".'
                )
        grow = np.sqrt(at / (FLOPS_PER_BILLION_TRILLION * params * tokens))
        params, tokens = params * grow, tokens * grow
    else:
        rows[steps_of(fit)[over].variable] = (MODEL, at)
        if _states_compute(fit):
            rows[FLOPS] = (MODEL, np.full(len(at), _usual_compute(members)))
    if over in ("log_params", "log_tokens") and _states_compute(fit):
        rows[FLOPS] = (
            MODEL,
            _usual_compute(members) * at / _usual_with_compute(fit, members, over),
        )
    return rows | {"params": (MODEL, params), "tokens": (MODEL, tokens)}


def _states_compute(fit: Fit) -> bool:
    """Return whether a fit uses training compute that its table states for some models.

    Stated compute of mixtures of experts is far from 6 x parameters x tokens.
    """
    return FLOPS in fit.scores.dataset and fit.transform.needs("log_flops")


def _usual_compute(members: xr.Dataset) -> float:
    """Return the geometric mean of models' training FLOPs, NaN if none is known."""
    return geometric_mean(xr.DataArray(flops_of(members)))


def _usual_with_compute(fit: Fit, members: xr.Dataset, over: str) -> float:
    """Return the geometric mean of a size or tokens over the models whose FLOPs are known."""
    known = members.isel({MODEL: np.flatnonzero(np.isfinite(flops_of(members)))})
    return geometric_mean(xr.DataArray(natural(fit, known, over)))


def place_text(place: Any) -> str:
    """Return a value along a curve as text: a day, or three digits of a number."""
    if isinstance(place, np.datetime64):
        return str(place.astype("datetime64[D]"))
    return f"{float(place):.3g}"


def geometric_mean(values: xr.DataArray) -> float:
    """Return the geometric mean of the known values, NaN if there are none."""
    return float(np.exp(np.nanmean(np.log(values.values)))) if values.notnull().any() else np.nan


def held(fit: Fit, members: xr.Dataset, over: str) -> str:
    """Describe the values that are held along a curve."""
    params, tokens = geometric_mean(members["params"]), geometric_mean(members["tokens"])
    sized: Mapping[str, Callable[[], str]] = {
        "log_params": lambda: f"tokens {_held_at(tokens, 'trillion')}",
        "log_tokens": lambda: f"parameters {_held_at(params, 'billion')}",
        "log_flops": lambda: f"tokens per parameter held at {1000 * tokens / params:,.0f}",
    }
    texts = []
    by_compute = fit.transform.needs("log_flops")
    other = {"log_params": "log_tokens", "log_tokens": "log_params"}.get(over, over)
    unused = other != over and not (by_compute or fit.transform.needs(other))
    if over in sized and not unused and not (over == "log_flops" and np.isnan(tokens / params)):
        texts.append(sized[over]())
    elif over == "log_flops" and fit.transform.needs("log_params"):
        texts.append("parameters grow as the square root of compute")
    if over not in sized and _states_compute(fit):
        texts.append(f"training compute held at {_usual_compute(members):.3g} FLOPs")
        by_compute = False
    if over not in sized and (by_compute or fit.transform.needs("log_params")):
        texts.append(sized["log_tokens"]())
    if over not in sized and (by_compute or fit.transform.needs("log_tokens")):
        texts.append(sized["log_params"]())
    features = held_features(fit, members)
    texts += [text for covariate, text in features.items() if covariate != over]
    if members["instruct"].min() != members["instruct"].max():
        tuned = float(members["instruct"].mean()) > 0.5
        texts.append("as instruction-tuned" if tuned else "as base model")
    return "; ".join(texts) or "nothing else is held"


def _held_at(value: float, unit: str) -> str:
    return "undisclosed" if np.isnan(value) else f"held at {value:.3g} {unit}"
