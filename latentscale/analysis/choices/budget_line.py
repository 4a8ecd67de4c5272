"""The line of models that cost one FLOPs budget, and skills and scores along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from latentscale.analysis.choices.maximise import PLACE, quadratic, value_at
from latentscale.analysis.forecasts.rows import members_of, typical_features
from latentscale.dims import FAMILY, FLOPS_PER_BILLION_TRILLION, MODEL, SAMPLE
from latentscale.errors import DataError, FitError
from latentscale.model.equations import expected_score
from latentscale.model.evaluate import NO_RESIDUALS
from latentscale.model.unseen import family_effects
from latentscale.posterior.fit import Fit

FEWEST_PARAMS, MOST_TOKENS = "fewest parameters", "most tokens"
MOST_PARAMS, FEWEST_TOKENS = "most parameters", "fewest tokens"
_NODES = (-1.0, 0.0, 1.0)
"""Three places determine a parabola."""
_PROBES = (-0.5, 0.5)
"""Places between the nodes, where a curve that is not a parabola deviates from one."""
_ROUNDING = 1e-6
"""Far above rounding error of doubles, far below any effect of a covariate."""
_MEAN_FAMILY = "mean of the fitted families"


@dataclass(frozen=True)
class Segment:
    """The part of a budget's line inside the limits of size and tokens.

    Along it log N runs from `low` to `high` (N in billions), and D = C / (6 N). A place on it is a
    u in [-1, 1], from the smallest to the largest model.

    Attributes
    ----------
    flops
        The budget C.
    low, high
        Ends, in log billions of parameters.
    low_bound, high_bound
        The binding limits: fewest parameters or most tokens, and most parameters or fewest tokens.
    """

    flops: float
    low: float
    high: float
    low_bound: str
    high_bound: str

    def params(self, u: xr.DataArray) -> xr.DataArray:
        """Return billions of parameters at places u."""
        log_params: xr.DataArray = (self.low + self.high) / 2 + (self.high - self.low) / 2 * u
        return xr.apply_ufunc(np.exp, log_params)

    def tokens(self, u: xr.DataArray) -> xr.DataArray:
        """Return trillions of tokens at places u."""
        return self.flops / FLOPS_PER_BILLION_TRILLION / self.params(u)


def segment(flops: float, params: tuple[float, float], tokens: tuple[float, float]) -> Segment:
    """Restrict a budget's line to limits of parameters (billions) and tokens (trillions).

    Raises
    ------
    DataError
        If no model inside the limits costs the budget.
    """
    volume = flops / FLOPS_PER_BILLION_TRILLION
    by_params = float(np.log(params[0])), float(np.log(params[1]))
    by_tokens = float(np.log(volume / tokens[1])), float(np.log(volume / tokens[0]))
    low, high = max(by_params[0], by_tokens[0]), min(by_params[1], by_tokens[1])
    if low > high:
        least, most = (FLOPS_PER_BILLION_TRILLION * params[end] * tokens[end] for end in (0, 1))
        raise DataError(
            f"No model costs {flops:.3g} FLOPs inside the limits, {params[0]:g} to {params[1]:g} "
            f"billion parameters and {tokens[0]:g} to {tokens[1]:g} trillion tokens: they span "
            f"{least:.3g} to {most:.3g} FLOPs (6 x parameters x tokens). Give a budget in between, "
            "or widen params= and tokens=, which extrapolates."
        )
    return Segment(
        flops=flops,
        low=low,
        high=high,
        low_bound=FEWEST_PARAMS if by_params[0] >= by_tokens[0] else MOST_TOKENS,
        high_bound=MOST_PARAMS if by_params[1] <= by_tokens[1] else FEWEST_TOKENS,
    )


@dataclass(frozen=True)
class Line:
    """Skills and linear predictors along a segment, each exactly a parabola in u.

    The covariates are log N, log D (linear in u), log C (constant) and products of two.

    Attributes
    ----------
    fit
        The fit.
    skill
        Parabola of theta by skill, dims (sample, skill); None without skills.
    eta
        Parabola of eta, dims (sample, benchmark).
    parameters
        Draws of the parameters that the expected score needs.
    """

    fit: Fit
    skill: xr.Dataset | None
    eta: xr.Dataset
    parameters: Mapping[str, xr.DataArray]

    def score(self, u: xr.DataArray | float, benchmarks: list[str]) -> xr.DataArray:
        """Return expected scores at places u: dims sample, benchmark, and those of u."""
        chosen = self.eta.sel(benchmark=benchmarks)
        some = {
            name: values.sel(benchmark=benchmarks)
            for name, values in self.parameters.items()
            if "benchmark" in values.dims
        }
        return expected_score(self.fit.spec, some, value_at(chosen, u))


def line(fit: Fit, segment: Segment, *, family: str | None, instruct: bool) -> Line:
    """Evaluate the model along a segment.

    Parameters
    ----------
    fit
        A fit.
    segment
        The part of a budget's line.
    family
        The family, or None for the mean of the fitted families.
    instruct
        Whether the model is instruction-tuned.

    Raises
    ------
    FitError
        If a curve is not a parabola, as these covariates imply.
    """
    u = xr.DataArray(np.array([*_NODES, *_PROBES]), dims=(MODEL,))
    name = _MEAN_FAMILY if family is None else family
    rows = xr.Dataset(
        {
            "params": segment.params(u),
            "tokens": segment.tokens(u),
            "instruct": xr.full_like(u, float(instruct)),
            **typical_features(fit, members_of(fit, family), u.size),
            FAMILY: (MODEL, np.full(u.size, name)),
        }
    ).assign_coords({MODEL: np.arange(u.size)})
    draws = fit.samples
    effects = family_effects(fit.spec, draws)
    if family is None:
        effects = effects.mean(FAMILY).expand_dims({FAMILY: [name]}) if effects else effects
    at = fit.evaluator.at(draws, rows, residuals=NO_RESIDUALS, effects=effects)
    return Line(
        fit=fit,
        skill=None if at.skill is None else _parabola(at.skill),
        eta=_parabola(at.eta),
        parameters=at.values,
    )


def _parabola(values: xr.DataArray) -> xr.Dataset:
    along = values.drop_vars([MODEL, FAMILY], errors="ignore").rename({MODEL: PLACE})
    if SAMPLE not in along.dims:
        raise FitError("The fit has no draws of the effects of size and tokens.")
    curve = quadratic(along.isel({PLACE: slice(len(_NODES))}))
    probes = xr.DataArray(np.array(_PROBES), dims=(PLACE,))
    miss = abs(value_at(curve, probes) - along.isel({PLACE: slice(len(_NODES), None)}))
    size = abs(along).max()
    if float(miss.max()) > _ROUNDING * max(1.0, float(size)):
        raise FitError(
            "Along this budget the linear predictor is not quadratic in log size, which "
            "optimal_allocation relies on."
        )
    return curve.transpose(SAMPLE, ...)
