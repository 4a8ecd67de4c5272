"""Curves: expected and new scores along size, tokens or compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.forecast import forecast_rows
from latentscale.analysis.rows import checked_family
from latentscale.analysis.summaries import quantiles
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    FLOPS_PER_BILLION_TRILLION,
    LINEAGE,
    MODEL,
    SAMPLE,
)
from latentscale.errors import DataError, SpecError, listed, nearest
from latentscale.expect import expect, expect_names
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.spec.spec import ModelSpec
from latentscale.validate import whole_number

POINT = "point"
OVER = ("log_flops", "log_params", "log_tokens")
UNITS = {
    "log_flops": "training compute (FLOPs)",
    "log_params": "parameters (billions)",
    "log_tokens": "training tokens (trillions)",
}
_REACH = 3.0
"""A curve goes this many times beyond the family's models at either end."""


@dataclass(frozen=True, repr=False)
class Curve(Result):
    """Scores of one family along a covariate.

    Attributes
    ----------
    over
        The covariate: ``log_flops``, ``log_params`` or ``log_tokens``.
    family
        The family.
    draws, mean_draws
        New scores (noise included) and expected scores, fractions or in `units`; dims
        (sample, point, benchmark), with the coordinate ``at`` (point,) in natural units:
        FLOPs, billions of parameters or trillions of tokens.
    observed
        The family's measured scores: columns model, benchmark, at, score.
    fitted_range
        Smallest and largest value of `over` among the family's fitted models, and among all
        fitted models, in natural units.
    held
        What is held fixed along the curve, in words.
    units
        Units of the benchmarks whose scores are not fractions, by name.
    """

    over: str
    family: str
    draws: xr.DataArray
    mean_draws: xr.DataArray
    observed: pd.DataFrame
    family_range: tuple[float, float] | None
    fitted_range: tuple[float, float]
    held: str
    units: Mapping[str, str] = field(default_factory=dict)

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row a point and benchmark.

        Parameters
        ----------
        prob
            Probability of the equal-tailed intervals.

        Returns
        -------
        Columns benchmark, at (natural units), mean, median, lower, upper (of the expected
        score), score_lower, score_upper (of a new score), and beyond_fitted (bool).

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.
        """
        expected, score = quantiles(self.mean_draws, prob), quantiles(self.draws, prob)
        wide = xr.Dataset(
            {
                "mean": self.mean_draws.mean(SAMPLE),
                "median": expected["median"],
                "lower": expected["lower"],
                "upper": expected["upper"],
                "score_lower": score["lower"],
                "score_upper": score["upper"],
            }
        )
        table = wide.to_dataframe(dim_order=[BENCHMARK, POINT]).reset_index()
        first, last = self.fitted_range
        table["beyond_fitted"] = (table["at"] < first) | (table["at"] > last)
        order = ["benchmark", "at", "mean", "median", "lower", "upper"]
        return table[[*order, "score_lower", "score_upper", "beyond_fitted"]]

    plot = Picture("plot_curve")

    @property
    def headline(self) -> str:
        """Of which family, over what, from where to where."""
        points, first, last = self.draws.sizes[POINT], *self.draws["at"].values[[0, -1]]
        return (
            f"Curve of {self.family} over {UNITS[self.over]} from {first:.3g} to {last:.3g}, "
            f"{points} points, {self.draws.sizes[BENCHMARK]} benchmarks; {self.held}"
        )


def scaling_curve(
    fit: Fit,
    *,
    over: str | None = None,
    family: str,
    benchmarks: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
    points: int = 41,
    seed: int = 0,
) -> Curve:
    """Return a family's scores along size, tokens or compute.

    Over ``log_params`` the tokens are held at the family's geometric mean, over
    ``log_tokens`` the parameters; over ``log_flops`` the ratio of tokens to parameters is.
    Where the spec has model residuals, each point is a new model with a residual of its own,
    so that the bands hold for a model and not only for the family's average.

    Parameters
    ----------
    fit
        A fit.
    over
        ``log_flops``, ``log_params`` or ``log_tokens``; by default ``log_flops`` where the spec
        uses compute, and ``log_params`` where it has size without it.
    family
        A fitted family.
    benchmarks
        Benchmarks wanted; all by default.
    limits
        Ends of the curve in natural units (FLOPs, billions, trillions); by default the
        family's range, stretched threefold on both sides.
    points
        Number of points, evenly spaced in the logarithm.
    seed
        Seed of the random numbers.

    Raises
    ------
    SpecError
        If `over` is not such a covariate, or the spec does not use what it changes.
    DataError
        If the family or a benchmark is not in the fit, or `limits` or `points` make no sense.

    Examples
    --------
    >>> curve = ls.scaling_curve(fit, over="log_params", family="qwen2", points=5, seed=1)
    >>> len(curve.table()) == 5 * len(fit.scores.benchmarks)
    True
    """
    expect(fit, Fit, "fit")
    expect(family, str, "family", f'such as "{fit.scores.families[0]}"')
    if over is not None:
        expect(over, str, "over", 'a covariate such as "log_params"')
    if benchmarks is not None:
        benchmarks = expect_names(benchmarks, "benchmarks", f'["{fit.scores.benchmarks[0]}"]')
    over = usual_covariate(fit.spec) if over is None else over
    _check(fit, over, family, benchmarks)
    _check_points(points)
    members = fit.scores.dataset.isel(
        {MODEL: np.nonzero(fit.scores.dataset["family"].values == family)[0]}
    )
    own = _natural(members, over)
    ends = _limits(limits, own)
    at = np.geomspace(*ends, points)
    forecast = forecast_rows(fit, _grid(members, over, at, family), seed=seed)
    chosen = list(benchmarks) if benchmarks is not None else list(fit.scores.benchmarks)
    return Curve(
        over=over,
        family=family,
        draws=_along(forecast.draws, at, chosen),
        mean_draws=_along(forecast.mean_draws, at, chosen),
        observed=_observed(members, own, chosen),
        family_range=(float(np.nanmin(own)), float(np.nanmax(own))),
        fitted_range=_range(_natural(fit.scores.dataset, over)),
        held=_held(members, over),
        units={name: unit for name, unit in forecast.units.items() if name in chosen},
    )


def usual_covariate(spec: ModelSpec) -> str:
    """Return what curves run along by default: compute, size or tokens."""
    parts = [part for name in spec.covariates for part in name.split(":")]
    return next((name for name in OVER if name in parts), "log_params")


def _check(fit: Fit, over: str, family: str, benchmarks: Sequence[str] | None) -> None:
    if over not in OVER:
        raise SpecError(f'over must be one of {listed(OVER)}; got "{over}".' + nearest(over, OVER))
    parts = {part for name in fit.spec.covariates for part in name.split(":")}
    moved = set(OVER) if over == "log_flops" else {over, "log_flops"}
    if not parts & moved:
        raise SpecError(
            f'The spec "{fit.spec.name}" does not use {over}: its covariates are '
            f"{listed(fit.spec.covariates)}, so its curves over {over} are flat."
        )
    checked_family(fit, family)
    if benchmarks is not None and (isinstance(benchmarks, str) or not len(benchmarks)):
        raise DataError(f"benchmarks must be a list of at least one name; got {benchmarks!r}.")
    for name in benchmarks or ():
        if name not in fit.scores.benchmarks:
            raise DataError(
                f'Benchmark "{name}" is not in the fit, which has '
                f"{listed(fit.scores.benchmarks, 20)}." + nearest(name, fit.scores.benchmarks)
            )


def _check_points(points: int) -> None:
    whole_number(points, "points", least=2, error=DataError)


def _natural(table: xr.Dataset, over: str) -> np.ndarray:
    values = {
        "log_flops": FLOPS_PER_BILLION_TRILLION * table["params"] * table["tokens"],
        "log_params": table["params"],
        "log_tokens": table["tokens"],
    }
    return np.asarray(values[over].values, dtype=float)


def _limits(limits: tuple[float, float] | None, own: np.ndarray) -> tuple[float, float]:
    if limits is None:
        if not np.isfinite(own).any():
            raise DataError("The family discloses no tokens, so give limits for the curve.")
        return float(np.nanmin(own)) / _REACH, float(np.nanmax(own)) * _REACH
    try:
        low, high = (float(end) for end in limits)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not 0 < low < high < np.inf:
        raise DataError(f"limits must be two increasing positive numbers; got {limits!r}.")
    return low, high


def _grid(members: xr.Dataset, over: str, at: np.ndarray, family: str) -> xr.Dataset:
    params = np.full(len(at), _geometric_mean(members["params"]))
    tokens = np.full(len(at), _geometric_mean(members["tokens"]))
    if over == "log_params":
        params = at
    elif over == "log_tokens":
        tokens = at
    elif np.isnan(tokens).any():
        raise DataError(
            f'Family "{family}" discloses no tokens, so its compute is unknown; use '
            'over="log_params".'
        )
    else:
        grow = np.sqrt(at / (FLOPS_PER_BILLION_TRILLION * params * tokens))
        params, tokens = params * grow, tokens * grow
    # Names no fitted model can have, so that a point never takes a model's own residual.
    names = [f"{family} \N{INFORMATION SEPARATOR ONE} {index}" for index in range(len(at))]
    lineage = str(members[LINEAGE].values[0])
    return xr.Dataset(
        {
            "params": (MODEL, params),
            "tokens": (MODEL, tokens),
            "instruct": (MODEL, np.full(len(at), _commonest_instruct(members))),
            FAMILY: (MODEL, np.full(len(at), family)),
            LINEAGE: (MODEL, np.full(len(at), lineage)),
        },
        coords={MODEL: names},
    )


def _commonest_instruct(members: xr.Dataset) -> float:
    return float(members["instruct"].mean() > 0.5)


def _geometric_mean(values: xr.DataArray) -> float:
    return float(np.exp(np.nanmean(np.log(values.values)))) if values.notnull().any() else np.nan


def _along(draws: xr.DataArray, at: np.ndarray, benchmarks: list[str]) -> xr.DataArray:
    chosen = draws.sel({BENCHMARK: benchmarks}).drop_vars(MODEL).rename({MODEL: POINT})
    return chosen.assign_coords(at=(POINT, at))


def _observed(members: xr.Dataset, own: np.ndarray, benchmarks: list[str]) -> pd.DataFrame:
    frame = (
        members["score"].sel({BENCHMARK: benchmarks}).assign_coords(at=(MODEL, own)).to_dataframe()
    )
    return (
        frame.reset_index()[["model", "benchmark", "at", "score"]].dropna().reset_index(drop=True)
    )


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def _held(members: xr.Dataset, over: str) -> str:
    params, tokens = _geometric_mean(members["params"]), _geometric_mean(members["tokens"])
    tokens_said = "undisclosed" if np.isnan(tokens) else f"held at {tokens:.3g} trillion"
    held = {
        "log_params": f"tokens {tokens_said}",
        "log_tokens": f"parameters held at {params:.3g} billion",
        "log_flops": f"tokens per parameter held at {1000 * tokens / params:,.0f}",
    }[over]
    if members["instruct"].min() == members["instruct"].max():
        return held
    return held + ("; as instruction-tuned" if _commonest_instruct(members) else "; as base model")
