"""Frontier: the best score, or the highest index, of all models released up to a date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.curves.best_by_date import DATE, best_by_date, best_by_level
from latentscale.analysis.curves.releases import (
    CANDIDATES,
    RELEASED,
    drawn_to_come,
    releases_a_year,
    releases_to_come,
)
from latentscale.analysis.curves.thresholds import check_score
from latentscale.analysis.curves.values_to_come import values_to_come
from latentscale.analysis.skills.capability_index import capability_index
from latentscale.analysis.tools.blocks import spread_draws
from latentscale.analysis.tools.summaries import summary
from latentscale.analysis.tools.units import other_units, stated_unit
from latentscale.data.dates import as_day, why_not_a_day
from latentscale.data.known_features import features_of, is_stated, kinds_among
from latentscale.data.scales.base import scale_of
from latentscale.data.scaling import lower_is_better, scales_of
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    LINEAGE,
    MODEL,
    SAMPLE,
    checked_seed,
)
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect
from latentscale.markup import FRACTION
from latentscale.model.evaluate import Evaluation
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import real_number

_SAID = 4
"""Levels named in the headline: a line or two of text."""


@dataclass(frozen=True, repr=False)
class Frontier(Result):
    """The frontier by date, as draws.

    Attributes
    ----------
    draws
        Expected score of the best model, or the highest index, dims (sample, date); with `by`, dims
        (sample, level, date), where the dim level is named as in `by`, NaN before the first release
        of a level.
    leader_draws
        Expected score, or index, of the leading fitted model, same dims. The maximum over many
        uncertain models is above each of them, including the leader. A hub publishes the highest
        estimate as its frontier, so compare that with the leader's.
    benchmark
        The benchmark; None for the index.
    leaders
        The fitted model that leads at each date (by the mean over draws), with the share of draws
        in which a future model leads: date, model, probability_new; with `by` also its level,
        without dates before the first release of a level.
    per_year
        Releases per year that were simulated after the last fitted model.
    last_fitted
        The last release date of the fitted table; later dates depend on simulated releases.
    lower_is_better
        Whether lower scores are better.
    scale
        Kind of the benchmark's scale, such as ``"fraction"``; empty for the index.
    unit
        Unit of the scores where they are not fractions, or their scale (``"real"``, ``"positive"``)
        where no unit is stated; empty for fractions.
    by
        The category with a frontier for each of its levels, such as ``"family"``; empty for one
        frontier of all models. Levels are ordered by their medians at the last date, the best
        first.
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals.

    Examples
    --------
    >>> best = ls.frontier(dated, benchmark="quiz", dates=["2026-06-01"])
    >>> best.table().columns.tolist()[:5]
    ['date', 'median', 'lower', 'upper', 'leader']
    """

    draws: xr.DataArray
    leader_draws: xr.DataArray
    benchmark: str | None
    leaders: pd.DataFrame
    per_year: float
    last_fitted: pd.Timestamp
    lower_is_better: bool = False
    scale: str = ""
    unit: str = ""
    by: str = ""
    is_posterior: bool = True
    plot = Picture("plot_frontier")

    @property
    def headline(self) -> str:
        """The frontier at the last date.

        Examples
        --------
        >>> best.headline.partition(":")[0]
        'Best score on quiz by 2026-06-01'
        """
        table = self.table()
        last = table[table[DATE] == table[DATE].max()]
        unit = f" {stated_unit(self.unit)}".rstrip()
        what = "capability index" if self.benchmark is None else f"score on {self.benchmark}"
        best = "Best (lowest)" if self.lower_is_better else "Best"
        form = ".1%" if self.benchmark is not None and not self.unit else ".4g"  # a fraction
        figures = [
            f"{f'{row[self.by]} ' if self.by else ''}{row['median']:{form}}"
            + (f" ({row['lower']:{form}} to {row['upper']:{form}})" if self.is_posterior else "")
            + unit
            for _, row in last.head(_SAID).iterrows()
        ]
        left = len(last) - len(figures)
        each = f" of each {self.by}" if self.by else ""
        to_come = (
            f", if {self.per_year:.3g} models a year are released after {self.last_fitted:%Y-%m-%d}"
            ", the last fitted release, each like one of the table's last year"
        )
        return (
            f"{best} {what}{each} by {last[DATE].iloc[0]:%Y-%m-%d}: {', '.join(figures)}"
            f"{f' and {left} more' if left else ''}"
            f"{'' if self.is_posterior else ' (a point estimate, without an interval)'}"
            f"{to_come if last['beyond_fitted'].any() else ''}"
        )

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per date; with `by` one per level and date.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns date, median, lower, upper (of the best score or index by then; lower and upper
            are NaN for a point estimate), leader (the fitted model with the highest mean by then),
            probability_new (that a future model surpasses all fitted ones), beyond_fitted (bool:
            whether the date is after the last fitted release, so that the row is a forecast),
            leader_median, leader_lower and leader_upper (the leader's own score or index), and unit
            (of scores; ``"fraction"`` or as in `unit`, empty of an index). With `by` the level is
            the first column, and dates before a level's first release have no row.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> best.table(prob=0.5).columns.tolist()[4:7]
        ['leader', 'probability_new', 'beyond_fitted']
        """
        known = self.draws.notnull().all(SAMPLE)  # NumPy warns about quantiles of NaN
        rows = known.values.ravel()
        table, leader = (
            summary(draws.where(known, 0.0), prob, is_posterior=self.is_posterior)[rows]
            for draws in (self.draws, self.leader_draws)
        )
        table = table.reset_index(drop=True)
        return table.assign(
            leader=self.leaders[MODEL].to_numpy(),
            probability_new=self.leaders["probability_new"].to_numpy(),
            beyond_fitted=(table[DATE] > self.last_fitted).to_numpy(),
            **{f"leader_{name}": leader[name].to_numpy() for name in ("median", "lower", "upper")},
            unit="" if self.benchmark is None else self.unit or FRACTION,
        )

    def passing(self, threshold: float) -> pd.DataFrame:
        """Return the probability that the frontier has passed a threshold, by date.

        Parameters
        ----------
        threshold
            In the units of the benchmark, or of the index. A fraction must be strictly between 0
            and 1, even if the table that was read has percentages.

        Returns
        -------
        pandas.DataFrame
            Columns date, probability and beyond_fitted (as in `table`); with `by` the level first.

        Raises
        ------
        DataError
            If the threshold is not a number, or not a score of the benchmark.

        Examples
        --------
        >>> best = ls.frontier(dated, benchmark="quiz", dates=["2026-06-01"])
        >>> best.passing(0.9).columns.tolist()
        ['date', 'probability', 'beyond_fitted']
        """
        limit = real_number(threshold, "threshold", error=DataError)
        if self.scale:
            check_score(scale_of(self.scale), self.unit, "threshold", limit)
        passed = self.draws <= limit if self.lower_is_better else self.draws >= limit
        known = self.draws.notnull().all(SAMPLE)
        share = passed.mean(SAMPLE).where(known).rename("probability")
        rows = share.to_dataframe().dropna().reset_index()[[*share.dims, "probability"]]
        return rows.assign(beyond_fitted=rows[DATE] > self.last_fitted)


def frontier(
    fit: Fit,
    *,
    benchmark: str | None = None,
    dates: Sequence[str],
    by: str | None = None,
    anchors: Mapping[str, float] | pd.Series | None = None,
    per_year: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Frontier:
    """Return the best expected score, or the highest capability index, by date.

    Up to the last fitted release, the frontier is the best of the fitted models that have a release
    date; models without one are left out, however good they are. After it, releases are simulated.
    Each has the family and features of a model from the table's last year (taken in turn, starting
    with the latest and spread over the year), a later date, and its own deviations, so the frontier
    rises with the trend in dates, and by chance. Which releases occur, and when, is random:
    candidates are evenly spaced, three for each release that is due, and each occurs in a third of
    the draws. The first candidate is a third of an interval (a year over `per_year`) after the last
    fitted release, so a date before it has no new release. Rows of the table that differ only in
    the features ``reasoning`` and ``effort`` are one release, whose best setting counts; settings
    share its deviations, and, if the spec has ``skills.release``, their residuals are correlated as
    those of fitted settings. It is an assumption that future releases resemble those in the table
    in number and kind: tables of hubs contain mostly leading models.

    Which models are measured is not modelled. Hubs measure a model sooner if it is thought to be
    strong, increasingly so from year to year; a trend in dates then includes this change in
    selection, and describes the progress of the models that the hub measures rather than of all
    released models. The same holds for a benchmark that is run only on leading models.

    Parameters
    ----------
    fit
        A fit of a table with the feature ``released``; for dates after the last release its spec
        must have ``released`` among its covariates.
    benchmark
        The benchmark; by default the capability index on the scale of `anchors`.
    dates
        Days such as ``"2026-07-01"``, in any order.
    by
        A frontier for each level of ``"family"``, ``"lineage"`` or a category of the table, such as
        ``"provider"``; by default one frontier of all models. Models without a level are left out.
        A level without releases in the table's last year is assumed to release nothing more.
    anchors
        As for `latentscale.capability_index`; needed without `benchmark`, and refused with it.
    per_year
        Releases per year after the last fitted one; by default as many as in the last fitted year.
    draws
        Posterior draws to use at most, evenly spaced.
    seed
        Seed of the random numbers.

    Returns
    -------
    Frontier
        Draws by date, or by level and date, with the leading models.

    Raises
    ------
    DataError
        If a name, a date, the anchors or the number of releases is not valid, dates are before the
        first release, more releases are due by then than can be simulated (3,000 rows), or `by` is
        not a category with levels.
    SpecError
        If a date is after the last fitted release and the spec has no covariate that increases with
        dates.

    References
    ----------
    Ho et al. 2025 (arXiv:2512.00193), section 4, for the frontier of the index.

    Examples
    --------
    >>> best = ls.frontier(dated, benchmark="quiz", dates=["2026-06-01"])
    >>> best.table()["date"].astype(str).tolist()
    ['2026-06-01']
    >>> each = ls.frontier(dated, benchmark="quiz", dates=["2026-06-01"], by="family")
    >>> each.table().columns.tolist()[:3]
    ['family', 'date', 'median']
    """
    expect(fit, Fit, "fit")
    _check_asked(fit, benchmark, anchors)
    table = fit.scores.dataset
    groups = None if by is None else levels_of_models(fit, by)
    released = _released(fit)
    when = _dates(dates, released)
    rate = releases_a_year(per_year, fit, released)
    rng = np.random.default_rng(checked_seed(seed))
    posterior = fit.samples.isel({SAMPLE: spread_draws(fit, draws)})
    value = _valued(fit, benchmark, anchors)
    fitted = value(fit.evaluator.at(posterior, table, residuals="fitted"))
    down = benchmark is not None and bool(lower_is_better(table).sel({BENCHMARK: benchmark}))
    sign = -1.0 if down else 1.0
    later, coming = None, None
    if when.max() > np.nanmax(released) and rate > 0:
        coming = releases_to_come(fit, released, when.max(), CANDIDATES * rate)
    if coming is not None:
        values = values_to_come(fit, posterior, coming, value, rng)
        span = when.max() - np.nanmax(released)
        comes = drawn_to_come(coming, rate, span, posterior.sizes[SAMPLE], rng)
        values = values.where(comes, -np.inf * sign)  # never the best
        later = (values, coming.rows[RELEASED].to_numpy(dtype="datetime64[ns]"))
    if by is None or groups is None:
        best = best_by_date(when, (fitted, released), later, sign)
    else:
        to_come = np.zeros(0, object) if coming is None else coming.rows[by].to_numpy(object)
        best = best_by_level(when, (fitted, released), later, sign, (by, groups, to_come))
    return Frontier(
        draws=best.draws.rename("frontier"),
        leader_draws=best.leader_draws.rename("leader"),
        benchmark=benchmark,
        leaders=best.leaders,
        per_year=rate,
        last_fitted=pd.Timestamp(np.nanmax(released)),
        lower_is_better=down,
        scale="" if benchmark is None else scales_of(table)[benchmark].kind,
        unit=other_units(fit.scores).get(benchmark or "", ""),
        by=by or "",
        is_posterior=fit.is_posterior,
        fit_status=fit.status.caveat,
    )


def _check_asked(
    fit: Fit, benchmark: str | None, anchors: Mapping[str, float] | pd.Series | None
) -> None:
    """Refuse a benchmark that is not fitted, and both or neither of benchmark and anchors."""
    names = fit.scores.benchmarks
    if benchmark is not None and not (isinstance(benchmark, str) and benchmark in names):
        raise DataError(
            f'"{benchmark}" is not a fitted benchmark.{nearest(str(benchmark), names)} '
            f"Allowed: {listed(names, 20)}."
        )
    if benchmark is None and anchors is None:
        raise DataError(
            'Name a benchmark, as in benchmark="' + names[0] + '", or give anchors={model: value, '
            "...} for the capability index."
        )
    if benchmark is not None and anchors is not None:
        raise DataError(
            "Give a benchmark or anchors, not both: anchors set the scale of the capability "
            "index, which has a frontier of its own."
        )


def levels_of_models(fit: Fit, by: str) -> np.ndarray:
    """Return the level of each fitted model, None if it has none.

    Raises
    ------
    DataError
        If `by` is neither family nor lineage nor a category that some model states.
    """
    table = fit.scores.dataset
    kinds = kinds_among(features_of(table))
    cells = {
        name: np.asarray(kind.cells(table[kind.variable].values), dtype=object)
        for name, kind in kinds.items()
        if is_stated(table, kind)
    }
    cells |= {name: table[name].values.astype(str).astype(object) for name in (FAMILY, LINEAGE)}
    named = {
        name: values
        for name, values in cells.items()
        if any(values) and all(value is None or isinstance(value, str) for value in values)
    }
    if by not in named:
        raise DataError(
            f'by: "{by}" has no levels in the fitted table.{nearest(str(by), named)} Allowed: '
            f"{listed(named, 20)}."
        )
    return named[by]


def _valued(
    fit: Fit, benchmark: str | None, anchors: Mapping[str, float] | pd.Series | None
) -> Callable[[Evaluation], xr.DataArray]:
    """Return the function that reduces an evaluation to one value per model, (sample, model)."""
    if benchmark is not None:
        return lambda at: at.mean.sel({BENCHMARK: benchmark}, drop=True).transpose(SAMPLE, MODEL)
    index = capability_index(fit, anchors={} if anchors is None else anchors)
    eta = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").eta
    start = float((index.draws - (eta * index.weights).sum(BENCHMARK)).mean())

    def value(at: Evaluation) -> xr.DataArray:
        total: xr.DataArray = start + (at.eta * index.weights).sum(BENCHMARK)
        return total.transpose(SAMPLE, MODEL)

    return value


def _released(fit: Fit) -> np.ndarray:
    """Return the release date of every fitted model, NaT if the table does not state it."""
    if RELEASED not in fit.scores.dataset:
        raise DataError(
            "The fitted table has no release dates; add a column released when you read it."
        )
    released = fit.scores.dataset[RELEASED].values.astype("datetime64[ns]")
    if np.isnat(released).all():
        raise DataError("No fitted model has a release date (column released).")
    return released


def _dates(dates: Sequence[str], released: np.ndarray) -> np.ndarray:
    given = [dates] if isinstance(dates, str) or not isinstance(dates, Iterable) else list(dates)
    when = [as_day(date) for date in given]
    if any(date is None for date in when):
        odd = (date for date, day in zip(given, when, strict=True) if day is None)
        hints = "".join(dict.fromkeys(map(why_not_a_day, odd)))
        raise DataError(f'dates must be dates such as ["2026-07-01"]; got {dates!r:.200}.{hints}')
    moments = np.sort(np.array(when, dtype="datetime64[ns]"))
    first = np.nanmin(released)
    if not len(moments) or moments.min() < first:
        raise DataError(
            f"dates must hold at least one date, none before the first release "
            f"({str(first)[:10]}); got {dates!r}."
        )
    return moments
