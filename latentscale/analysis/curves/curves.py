"""Curves: expected and new scores along size, tokens, compute or another feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.analysis.curves.along import (
    MOST_POINTS,
    checked_over,
    held,
    is_log,
    label_of,
    natural,
    place_text,
    places,
    range_of,
    rows_along,
)
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.rows import checked_family
from latentscale.analysis.tools.summaries import quantiles
from latentscale.analysis.tools.units import units_note, with_units
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    LINEAGE,
    MODEL,
    SAMPLE,
)
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect, expect_names
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import whole_number

POINT = "point"


@dataclass(frozen=True, repr=False)
class Curve(Result):
    """Scores of one family along a covariate.

    Attributes
    ----------
    over
        The covariate: ``log_flops``, ``log_params``, ``log_tokens`` or that of a feature.
    family
        The family.
    draws, mean_draws
        New scores (noise included) and expected scores, fractions or in `units`; dims
        (sample, point, benchmark), with the coordinate ``at`` (point,) in natural units:
        FLOPs, billions of parameters, trillions of tokens, dates, or the feature's unit.
    observed
        The family's measured scores: columns model, benchmark, at, score.
    fitted_range
        Smallest and largest value of `over` among the family's fitted models, and among all
        fitted models, in natural units.
    held
        What is held fixed along the curve, in words.
    label
        Name and unit of the covariate along the curve.
    is_log
        Whether points are evenly spaced in the logarithm.
    units
        Units of the benchmarks whose scores are not fractions, by name.
    falling
        Benchmarks on which lower is better.
    family_range
        Smallest and largest value of `over` among the family's fitted models, in natural units;
        None if it has none.
    left_out
        Models of the family that have scores but do not state `over`, and so are not in `observed`.
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals of expected scores.

    Examples
    --------
    >>> curve = ls.scaling_curve(fit, family="qwen2", points=5, seed=1)
    >>> curve.table().columns.tolist()[:5]
    ['benchmark', 'at', 'mean', 'median', 'lower']
    """

    over: str
    family: str
    draws: xr.DataArray
    mean_draws: xr.DataArray
    observed: pd.DataFrame
    family_range: tuple[Any, Any] | None
    fitted_range: tuple[Any, Any]
    held: str
    label: str
    is_log: bool = True
    units: Mapping[str, str] = field(default_factory=dict)
    falling: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    is_posterior: bool = True

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per point and benchmark.

        Parameters
        ----------
        prob
            Probability of the equal-tailed intervals.

        Returns
        -------
        pandas.DataFrame
            Columns benchmark, at (natural units), mean, median, lower, upper (of the expected
            score), score_lower, score_upper (of a new score), beyond_fitted (bool), and unit (of
            the scores; ``"fraction"`` or as in `units`). For a point estimate lower and upper are
            NaN, and score_lower and score_upper leave out the parameters' uncertainty.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> len(curve.table(prob=0.5)) == 5 * len(fit.scores.benchmarks)
        True
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
        if not self.is_posterior:
            wide = wide.assign({name: np.nan * wide[name] for name in ("lower", "upper")})
        table = wide.to_dataframe(dim_order=[BENCHMARK, POINT]).reset_index()
        first, last = self.fitted_range
        table["beyond_fitted"] = (table["at"] < first) | (table["at"] > last)
        order = ["benchmark", "at", "mean", "median", "lower", "upper"]
        kept = table[[*order, "score_lower", "score_upper", "beyond_fitted"]]
        return with_units(kept, self.units)

    plot = Picture("plot_curve")

    @property
    def ends(self) -> tuple[Any, Any]:
        """The first and last points.

        Examples
        --------
        >>> first, last = curve.ends
        >>> bool(first < last)
        True
        """
        first, last = self.draws["at"].values[[0, -1]]
        return first, last

    @property
    def headline(self) -> str:
        """The family, the covariate and the range.

        Examples
        --------
        >>> curve.headline.partition(" from ")[0]
        'Curve of qwen2 over parameters (billions)'
        """
        points, (first, last) = self.draws.sizes[POINT], map(place_text, self.ends)
        return (
            f"Curve of {self.family} over {self.label} from {first} to {last}, {points} points, "
            f"{counted(self.draws.sizes[BENCHMARK], 'benchmark')}; {self.held}"
            + ("" if self.is_posterior else " (a point estimate, without an interval)")
            + units_note(self.units, map(str, self.draws[BENCHMARK].values))
        )


def scaling_curve(
    fit: Fit,
    *,
    over: str | None = None,
    family: str,
    benchmarks: Sequence[str] | None = None,
    limits: tuple[Any, Any] | None = None,
    points: int = 41,
    seed: int = 0,
) -> Curve:
    """Return a family's scores along size, tokens, compute, or another number or date.

    Along ``log_params``, tokens are held at the family's geometric mean; along ``log_tokens``,
    parameters; and along ``log_flops``, the ratio of tokens to parameters. Other features are held
    at the family's mean, or its most common level. If the spec has model residuals, each point is a
    new model with its own residual, so that the bands apply to a single model, not only to the
    family's average.

    Parameters
    ----------
    fit
        A fit.
    over
        ``log_flops``, ``log_params``, ``log_tokens``, or a numeric feature or a date among the
        spec's covariates, such as ``released``; by default the first of these that it uses.
    family
        A fitted family.
    benchmarks
        Benchmarks to include; all by default.
    limits
        Ends of the curve in natural units (FLOPs, billions, trillions, dates, the feature's
        unit); by default the family's range, extended at both ends: threefold, or, without a
        logarithm, by one standard deviation of the fitted models.
    points
        Number of points, evenly spaced on the covariate's scale.
    seed
        Seed of the random numbers.

    Returns
    -------
    Curve
        Draws of expected and of new scores along the curve.

    Raises
    ------
    SpecError
        If `over` is not such a covariate, or the spec does not use what it changes.
    DataError
        If the family or a benchmark is not in the fit, or `limits` or `points` are not valid.

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
    over = checked_over(fit, over)
    _check_names(fit, family, benchmarks)
    _check_points(points)
    members = fit.scores.dataset.isel(
        {MODEL: np.nonzero(fit.scores.dataset["family"].values == family)[0]}
    )
    own = natural(fit, members, over)
    at = places(fit, over, own, limits, points)
    forecast = forecast_rows(fit, _grid(fit, members, over, at, family), seed=seed)
    chosen = list(benchmarks) if benchmarks is not None else list(fit.scores.benchmarks)
    return Curve(
        over=over,
        family=family,
        draws=_by_point(forecast.draws, at, chosen),
        mean_draws=_by_point(forecast.mean_draws, at, chosen),
        observed=_observed(members, own, chosen),
        family_range=range_of(own),
        fitted_range=range_of(natural(fit, fit.scores.dataset, over)) or (at[0], at[-1]),
        held=held(fit, members, over),
        label=label_of(fit, over),
        is_log=is_log(fit, over),
        units={name: unit for name, unit in forecast.units.items() if name in chosen},
        falling=tuple(n for n in chosen if fit.scores.benchmark_info[n].lower_is_better),
        left_out=_left_out(members, own, chosen),
        is_posterior=fit.is_posterior,
        fit_status=forecast.fit_status,
    )


def _check_names(fit: Fit, family: str, benchmarks: Sequence[str] | None) -> None:
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
    whole_number(points, "points", least=2, most=MOST_POINTS, error=DataError)


def _grid(
    fit: Fit, members: xr.Dataset, over: str, at: npt.NDArray[Any], family: str
) -> xr.Dataset:
    # Names that a fitted model cannot have, so that a point never gets a model's own residual.
    names = [f"{family} \N{INFORMATION SEPARATOR ONE} {index}" for index in range(len(at))]
    lineage = str(members[LINEAGE].values[0])
    tuned = float(members["instruct"].mean() > 0.5)
    return xr.Dataset(
        {
            **rows_along(fit, members, over, at, family),
            "instruct": (MODEL, np.full(len(at), tuned)),
            FAMILY: (MODEL, np.full(len(at), family)),
            LINEAGE: (MODEL, np.full(len(at), lineage)),
        },
        coords={MODEL: names},
    )


def _by_point(draws: xr.DataArray, at: np.ndarray, benchmarks: list[str]) -> xr.DataArray:
    chosen = draws.sel({BENCHMARK: benchmarks}).drop_vars(MODEL).rename({MODEL: POINT})
    return chosen.assign_coords(at=(POINT, at))


def _observed(members: xr.Dataset, own: np.ndarray, benchmarks: list[str]) -> pd.DataFrame:
    frame = (
        members["score"].sel({BENCHMARK: benchmarks}).assign_coords(at=(MODEL, own)).to_dataframe()
    )
    return (
        frame.reset_index()[["model", "benchmark", "at", "score"]].dropna().reset_index(drop=True)
    )


def _left_out(members: xr.Dataset, own: np.ndarray, benchmarks: list[str]) -> tuple[str, ...]:
    scored = members["score"].sel({BENCHMARK: benchmarks}).notnull().any(BENCHMARK).values
    return tuple(str(name) for name in members[MODEL].values[scored & pd.isna(own)])
