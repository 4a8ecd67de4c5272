"""Compute needed: the training compute at which a family reaches a score."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.curves.along import MOST_POINTS, refuse_active
from latentscale.analysis.curves.compute_grid import (
    compute_limits,
    fitted_compute,
    models_along,
    token_ratio,
)
from latentscale.analysis.curves.thresholds import (
    check_benchmark,
    check_on_scale,
    need_posterior,
    signs,
)
from latentscale.analysis.forecasts.few_shot import Conditioning, FewShot
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.rows import (
    held_features,
    members_of,
    planned_rows,
    usual_instruct,
    warn_of_new_family,
)
from latentscale.analysis.forecasts.unused import new_models, warn_of_unused_features
from latentscale.analysis.tools.units import other_units, stated_unit
from latentscale.data.scaling import best_of, is_bounded
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FLOPS_PER_BILLION_TRILLION,
    MODEL,
    SAMPLE,
    interval_quantiles,
)
from latentscale.errors import DataError, SpecError, listed
from latentscale.expect import expect
from latentscale.markup import FRACTION
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import at_samples, with_origin
from latentscale.result import Picture, Result
from latentscale.validate import UNSTORABLE_RULE, truth, unstorable, whole_number

POINT = "point"
_FEW_SHOT = FewShot()
_SIZES = ("log_flops", "log_params", "log_tokens")


@dataclass(frozen=True, repr=False)
class ComputeNeeded(Result):
    """Posterior distribution of the training compute needed for a target score.

    Attributes
    ----------
    benchmark, target, family
        The question; target is in the units of the scores.
    draws
        FLOPs by posterior draw, dims (sample,): infinite if the target is not reached below the
        upper limit, and equal to the lower limit if that already suffices.
    limits
        Ends of the searched range, FLOPs.
    fitted_range
        Smallest and largest FLOPs among all fitted models.
    tokens_per_parameter
        Ratio held fixed: size and tokens grow together.
    probability_unreachable
        Probability that the target is not reached below the upper limit.
    probability_above_ceiling
        Probability that it is not reached at any compute, since the benchmark's ceiling is lower.
    probability_already
        Probability that the lower limit suffices.
    reached
        Probability that a model reaches the target, by compute: dims (point,), coordinate ``at``
        (FLOPs).
    conditioning
        How given scores were used; None if there were none.
    instruct
        Whether the model is assumed to be instruction-tuned.
    unit
        Unit of the target; ``"fraction"`` for fractions.
    held
        Values at which other features are held, in words; empty if there are none.

    Examples
    --------
    >>> needed = ls.flops_for_target(fit, "mmlu", 0.7, family="qwen2", seed=1)
    >>> needed.probability_unreachable < 0.01
    True
    """

    benchmark: str
    target: float
    family: str
    draws: xr.DataArray
    limits: tuple[float, float]
    fitted_range: tuple[float, float]
    tokens_per_parameter: float
    probability_unreachable: float
    probability_above_ceiling: float
    probability_already: float
    reached: xr.DataArray = field(repr=False)
    conditioning: Conditioning | None = None
    instruct: bool = False
    unit: str = FRACTION
    held: str = ""

    @property
    def shown_target(self) -> str:
        """The target with its unit; a fraction as a percentage.

        Examples
        --------
        >>> needed.shown_target
        '70%'
        """
        if self.unit != FRACTION:
            return f"{self.target:g} {stated_unit(self.unit)}".rstrip()
        return f"{100 * self.target:.6g}%"  # 0.999 is not 100%

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return median and ends of the equal-tailed interval.

        Parameters
        ----------
        prob
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Rows lower, median, upper; columns flops, params_b (billions), tokens_t (trillions) and
            beyond_fitted (bool; missing where no fitted model discloses its compute). Infinite
            where the quantile is above the upper limit, and the lower limit where the quantile is
            at or below it: smaller compute was not searched.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> flops = needed.table(prob=0.5)["flops"]
        >>> bool(flops["lower"] <= flops["median"] <= flops["upper"])
        True
        """
        low, high = interval_quantiles(prob)
        # A quantile between a finite and an infinite draw must be one of them, not their mean.
        flops = np.quantile(self.draws.values, [low, 0.5, high], method="inverted_cdf")
        params = np.sqrt(flops / (FLOPS_PER_BILLION_TRILLION * self.tokens_per_parameter / 1000))
        first, last = self.fitted_range
        table = pd.DataFrame(
            {
                "flops": flops,
                "params_b": params,
                "tokens_t": params * self.tokens_per_parameter / 1000,
                "beyond_fitted": (flops < first) | (flops > last),
            },
            index=pd.Index(["lower", "median", "upper"], name="quantile"),
        )
        if np.isnan(first):
            return table.assign(beyond_fitted=pd.array([pd.NA] * len(table), dtype="boolean"))
        return table

    plot = Picture("plot_compute_needed")

    @property
    def headline(self) -> str:
        """The compute, with its interval, and the probability that none suffices.

        Examples
        --------
        >>> needed.headline.partition(" at ")[0]
        'qwen2 reaches 70% on mmlu'
        """
        flops = self.table()["flops"]
        held = f"; {self.held}" if self.held else ""
        least, most = self.limits
        open_below = flops["lower"] <= least
        low = f"{least:.2g} or less" if open_below else f"{flops['lower']:.2g}"
        what = f"{self.family} reaches {self.shown_target} on {self.benchmark}"
        if np.isinf(flops["median"]):
            ends = f"; {DEFAULT_PROB:.0%} interval from {low} FLOPs on"
            ends = ("" if np.isinf(flops["lower"]) else ends) + held
            return (
                f"{what} below {most:.2g} FLOPs with probability "
                f"{1 - self.probability_unreachable:.2f} only{ends}"
            )
        middle = f"{flops['median']:.2g}" + (" or less" if flops["median"] <= least else "")
        enough = f" {least:.2g} is enough with probability {self.probability_already:.2f};"
        return (
            f"{what} at {middle} FLOPs ({DEFAULT_PROB:.0%} interval {low} to "
            f"{flops['upper']:.2g});{enough if open_below else ''} probability that {most:.2g} "
            f"FLOPs do not suffice: {self.probability_unreachable:.2f}{held}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the table with the quantiles' names as a column.

        Returns
        -------
        pandas.DataFrame
            Columns quantile, flops, params_b, tokens_t and beyond_fitted.

        Examples
        --------
        >>> needed.brief()["quantile"].tolist()
        ['lower', 'median', 'upper']
        """
        return self.table().reset_index()


def flops_for_target(
    fit: Fit,
    benchmark: str,
    target: float,
    *,
    family: str,
    given: pd.DataFrame | None = None,
    tokens_per_parameter: float | None = None,
    instruct: bool | None = None,
    limits: tuple[float, float] | None = None,
    points: int = 161,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
) -> ComputeNeeded:
    """Return the training FLOPs at which a family's expected score reaches a target.

    For every posterior draw, the expected score of one new model of the family (with one residual
    if the spec has residuals) is followed along compute at a fixed ratio of tokens to parameters.
    The answer is the compute at which it first reaches the target, interpolated between points
    evenly spaced in log FLOPs. A curve that falls before it rises, as may happen below the fitted
    sizes with curvature in log size, counts from its lowest point on.

    Parameters
    ----------
    fit
        A fit.
    benchmark
        A fitted benchmark.
    target
        Expected score to reach, in the units of the benchmark's scores; where lower is better, a
        score of at most the target.
    family
        A fitted family, a family of `given`, or any new name; for a new name, a family with its own
        lineage is drawn from the population.
    given
        Rows as for `latentscale.predict` whose scores condition the answer.
    tokens_per_parameter
        Ratio held along the curve; by default the geometric mean over the family's models, in the
        fit and in `given`, or, if there are none, over all models in both; each model counts once.
    instruct
        Whether the model is instruction-tuned; by default like all models of the family in the fit
        and in `given` (for a new family, like all fitted models), and a base model where they
        differ.
    limits
        FLOPs between which to search; by default from a tenth of the smallest to 10,000 times the
        largest compute among the fitted models.
    points
        Points along the curve.
    seed
        Seed of the random numbers.
    few_shot
        How the scores in `given` condition the answer.

    Returns
    -------
    ComputeNeeded
        Draws of the compute (other features are held at the family's mean, or its most common
        level), infinite where no compute within `limits` suffices.

    Raises
    ------
    DataError
        If the benchmark is unknown, the target is at or below the guessing floor or above every
        draw of the ceiling, or another argument is not valid.
    SpecError
        If the spec uses neither size, tokens nor compute, or active parameters.
    FitError
        If the fit is a point estimate.

    Warns
    -----
    DataWarning
        If a new family's name differs from a known one only in case, spaces, dots, dashes or
        underscores, or if new rows of `given` state features that the fit does not use.

    Examples
    --------
    >>> needed = ls.flops_for_target(
    ...     fit, "mmlu", 0.7, family="qwen2", tokens_per_parameter=100, seed=1
    ... )
    >>> needed.probability_unreachable < 0.01
    True
    """
    expect(fit, Fit, "fit")
    expect(benchmark, str, "benchmark", f'such as "{fit.scores.benchmarks[0]}"')
    expect(family, str, "family", f'such as "{fit.scores.families[0]}"')
    if instruct is not None:
        instruct = truth(instruct, "instruct", error=DataError, also="None")
    expect(few_shot, FewShot, "few_shot")
    need_posterior(fit)
    check_benchmark(fit, benchmark)
    _check_target(fit, benchmark, target)
    _check_moves(fit)
    refuse_active(fit)
    points = whole_number(points, "points", least=2, most=MOST_POINTS, error=DataError)
    _check_family(family)
    rows = None if given is None else planned_rows(fit, given)
    if rows is not None:
        fitted_table = fit.scores.dataset
        new = new_models(fitted_table, rows)
        warn_of_unused_features(fit.spec, fitted_table, new, "new rows", stacklevel=2)
    warn_of_new_family(fit, family, rows, stacklevel=3)
    tuned = usual_instruct(fit, family, rows) if instruct is None else instruct
    ratio = token_ratio(fit, family, rows, tokens_per_parameter)
    fitted = fitted_compute(fit)
    ends = compute_limits(limits, fitted)
    at = np.geomspace(*ends, points)
    grid = models_along(fit, family, rows, at, ratio, tuned)
    names = [str(name) for name in grid[MODEL].values]
    planned = grid if rows is None else xr.concat([rows, grid], dim=MODEL)
    forecast = forecast_rows(fit, planned, seed=seed, few_shot=few_shot, one_model=names)
    expected = forecast.mean_draws.sel({MODEL: names, BENCHMARK: benchmark})
    curve = expected.transpose(SAMPLE, MODEL).values
    sign = float(signs(fit).sel({BENCHMARK: benchmark}))
    flops = _first_reach(sign * curve, at, sign * target)
    return ComputeNeeded(
        benchmark=benchmark,
        target=float(target),
        family=family,
        draws=with_origin(xr.DataArray(flops, dims=(SAMPLE,)), forecast.mean_draws),
        limits=ends,
        fitted_range=fitted,
        tokens_per_parameter=ratio,
        probability_unreachable=float(np.isinf(flops).mean()),
        probability_above_ceiling=_above_ceiling(fit, benchmark, target, forecast),
        probability_already=float((flops == at[0]).mean()),
        reached=xr.DataArray(
            (sign * curve >= sign * target).mean(0), {"at": (POINT, at)}, (POINT,)
        ),
        conditioning=forecast.conditioning,
        instruct=tuned,
        unit=other_units(fit.scores).get(benchmark, FRACTION),
        held="; ".join(held_features(fit, members_of(fit, family, rows)).values()),
        fit_status=forecast.fit_status,
    )


def _first_reach(curve: np.ndarray, at: np.ndarray, target: float) -> np.ndarray:
    """Return where each row of `curve` first reaches the target; infinite if it never does.

    A row that falls before it rises counts from its lowest point on: a quadratic in log size can
    have its minimum below the fitted sizes, where nothing was measured, and this does not mean that
    smaller models are better. A row whose minimum is above the target reaches it at the first
    point.
    """
    places = np.arange(curve.shape[1])
    up_to_top = places <= curve.argmax(axis=1)[:, None]
    lowest = np.where(up_to_top, curve, np.inf).argmin(axis=1)
    reached = (curve >= target) & (places >= lowest[:, None])
    first = reached.argmax(axis=1)
    ever = reached.any(axis=1)
    flops = np.where(ever, at[0], np.inf)
    log_at = np.log(at)
    rows = np.nonzero(ever & (first > lowest))[0]
    after = first[rows]
    low, high = curve[rows, after - 1], curve[rows, after]
    share = (target - low) / (high - low)
    flops[rows] = np.exp(log_at[after - 1] + share * (log_at[after] - log_at[after - 1]))
    return flops


def _check_target(fit: Fit, benchmark: str, target: float) -> None:
    check_on_scale(fit, benchmark, "target", target)
    data = fit.scores.dataset.sel({BENCHMARK: [benchmark]})
    if not bool(is_bounded(data).item()):
        return
    sign, floor = float(signs(fit).sel({BENCHMARK: benchmark})), float(data["floor"].item())
    if sign * target <= sign * floor:
        side = "above" if sign > 0 else "below"
        raise DataError(
            f"target {target:g} is not {side} the guessing floor {floor:g} of {benchmark}: any "
            "model is expected to reach it. Give a harder target."
        )
    top = float((sign * _ceilings(fit, benchmark)).max()) * sign
    if sign * target >= sign * top:
        side, end = ("above", "at most") if sign > 0 else ("below", "at least")
        raise DataError(
            f"target {target:g} is {side} every draw of the ceiling of {benchmark} ({end} "
            f"{top:.3f}): no compute reaches it under this fit. Give an easier target."
        )


def _ceilings(fit: Fit, benchmark: str) -> xr.DataArray:
    """Return draws of a benchmark's best possible score, or its fixed value."""
    if "ceiling" in fit.samples:
        return fit.samples["ceiling"].sel({BENCHMARK: benchmark})
    return best_of(fit.scores.dataset).sel({BENCHMARK: benchmark})


def _check_moves(fit: Fit) -> None:
    factors = {factor for name in fit.spec.covariates for factor in name.split(":")}
    if not factors & set(_SIZES):
        raise SpecError(
            f'The spec "{fit.spec.name}" uses none of {listed(_SIZES)} (its covariates are '
            f"{listed(fit.spec.covariates) or 'none'}), so its scores do not change with compute."
        )


def _check_family(family: object) -> None:
    if not isinstance(family, str) or not family.strip():
        raise DataError(f"family must be a name; got {family!r}.")
    if unstorable(family):
        raise DataError(f"The name of family {family!r} cannot be used. {UNSTORABLE_RULE}")


def _above_ceiling(fit: Fit, benchmark: str, target: float, forecast: Forecast) -> float:
    given = forecast.conditioning
    samples = fit.samples if given is None or given.fit is None else given.fit.samples
    if "ceiling" not in samples:
        return 0.0
    ceiling = at_samples(samples["ceiling"].sel({BENCHMARK: benchmark}), forecast.mean_draws)
    if not bool(is_bounded(fit.scores.dataset).sel({BENCHMARK: benchmark})):
        return 0.0
    sign = float(signs(fit).sel({BENCHMARK: benchmark}))
    return float((sign * ceiling <= sign * target).mean())
