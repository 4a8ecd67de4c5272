"""Prior and posterior predictive checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from latentscale.analysis.checks.leave_one_out import refuse_few_draws
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.tools.summaries import quantiles
from latentscale.data.recording import recording_of
from latentscale.data.scaling import is_bounded, lower_is_better
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    MODEL,
    SAMPLE,
    checked_seed,
)
from latentscale.errors import DataError
from latentscale.expect import expect
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.model.double import double_precision
from latentscale.model.feasible import feasible
from latentscale.posterior.fit import Fit
from latentscale.posterior.opened import as_sampled
from latentscale.result import Picture, Result, rows_of_prob
from latentscale.validate import MOST_REPEATS, whole_number

PRIOR = "prior"
POSTERIOR_KIND = "posterior"
_MIN_FAMILY = 4
"""With fewer scores, the minimum, the maximum and the standard deviation mean little."""


def _by_floor(scores: xr.DataArray, floor: xr.DataArray, dims: list[str]) -> xr.DataArray:
    return (scores < floor).where(scores.notnull()).mean(dims)


STATISTICS: dict[str, Callable[[xr.DataArray, xr.DataArray, list[str]], xr.DataArray]] = {
    "mean": lambda scores, floor, dims: scores.mean(dims),
    "sd": lambda scores, floor, dims: scores.std(dims),
    "smallest": lambda scores, floor, dims: scores.min(dims),
    "largest": lambda scores, floor, dims: scores.max(dims),
    "share below floor": _by_floor,
}
"""Test statistics of a group of scores, reduced over the dims that the group spans."""


@dataclass(frozen=True, repr=False)
class PredictiveCheck(Result, table_was_attribute=True):
    """Replicated scores compared with the measured ones.

    Attributes
    ----------
    kind
        ``"prior"`` or ``"posterior"``.
    draws
        Replicated scores, noise included, in their units, recorded as the table records scores
        (rounded, and exactly 0 or 1 within half an item); dims (sample, model, benchmark), NaN
        where nothing was measured.
    observed
        Measured scores, dims (model, benchmark).
    rows
        One row per group and test statistic: by (``all``, ``benchmark`` or ``family``; the first
        and the last only use fractions, since scores in different units cannot be averaged), group,
        statistic, observed, median, lower, upper (of the replicates) and p_value, the two-sided
        tail probability of the observed statistic among the replicates.
    prob
        Probability of the interval lower to upper.
    scores
        The table that was measured.

    Examples
    --------
    >>> replicated = ls.studies.posterior_predictive(pooled, seed=1)
    >>> replicated.table().columns.tolist()[:5]
    ['by', 'group', 'statistic', 'observed', 'median']
    """

    kind: str
    draws: xr.DataArray
    observed: xr.DataArray
    rows: pd.DataFrame
    prob: float
    scores: Scores | None = field(default=None, repr=False)

    plot = Picture("plot_predictive")

    @property
    def headline(self) -> str:
        """How many statistics are outside the intervals of the replicates.

        Examples
        --------
        >>> replicated.headline.partition(":")[0]
        'Posterior predictive check, 800 replicates'
        """
        share = len(self.surprising) / len(self.rows)
        return (
            f"{self.kind.capitalize()} predictive check, {self.draws.sizes[SAMPLE]} replicates: "
            f"{len(self.surprising)} of {len(self.rows)} statistics ({share:.0%}) outside their "
            f"{self.prob:.0%} interval"
        )

    def table(self, prob: float | None = None) -> pd.DataFrame:
        """Return `rows`, with intervals of another probability if one is given.

        Parameters
        ----------
        prob
            Probability of the interval of the replicates; by default that of the check.

        Returns
        -------
        pandas.DataFrame
            One row per group and statistic: by, group, statistic, observed, then median, lower and
            upper of the replicates, and p_value.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> sorted(set(replicated.table(prob=0.5)["by"]))
        ['all', 'benchmark', 'family']
        """
        scores = self.scores
        again = None if scores is None else lambda p: _statistics(self.draws, scores, p)
        return rows_of_prob(self.rows, prob, self.prob, again, f"{self.kind}_predictive")

    @property
    def surprising(self) -> pd.DataFrame:
        """Rows whose observed statistic is outside the interval of the replicates.

        Examples
        --------
        >>> replicated.surprising["p_value"].is_monotonic_increasing
        True
        """
        table = self.rows
        outside = (table["observed"] < table["lower"]) | (table["observed"] > table["upper"])
        return table[outside].sort_values("p_value", ignore_index=True)

    def brief(self) -> pd.DataFrame:
        """Return the surprising rows.

        Returns
        -------
        pandas.DataFrame
            As `surprising`.

        Examples
        --------
        >>> replicated.brief().columns.tolist()[:4]
        ['by', 'group', 'statistic', 'observed']
        """
        return self.surprising


def prior_predictive(
    spec: ModelSpec,
    scores: Scores,
    *,
    draws: int = 300,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
) -> PredictiveCheck:
    """Draw tables from the prior and compare them with the measured one.

    Nothing is fitted: parameters are drawn from their priors, and scores given the parameters, in
    the cells that were measured (Gelman et al. 2020, "Bayesian workflow", section 2.4). A good
    prior covers the observed statistics with wide intervals; statistics outside them are a warning.

    Parameters
    ----------
    spec, scores
        The model and the table, as for `latentscale.fit`.
    draws
        Number of replicated tables, at least 20.
    prob
        Probability of the intervals of the statistics.
    seed
        Seed of the random numbers.

    Returns
    -------
    PredictiveCheck
        Observed statistics compared with those of scores simulated from the prior.

    Raises
    ------
    DataError, SpecError
        If the spec cannot be built on the table, or `draws` is too small.

    Examples
    --------
    >>> spec = ls.load_spec("pooled_flops")
    >>> check = ls.studies.prior_predictive(spec, fit.scores, draws=50, seed=1)
    >>> check.kind
    'prior'
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    draws = whole_number(draws, "draws", least=20, most=MOST_REPEATS, error=DataError)
    seed = checked_seed(seed)
    spec = feasible(spec, scores)
    prepared = design(spec, scores)
    model = build_design(spec, prepared)
    # The graph is evaluated once, so optimising it would cost more than it saves.
    with double_precision():
        values = pm.draw(model["score"], draws, random_seed=seed, mode="FAST_COMPILE")
    observed = prepared.scores.dataset["score"].transpose(MODEL, BENCHMARK)
    table = np.full((draws, *observed.shape), np.nan)
    table[:, prepared.model_of_cell, prepared.benchmark_of_cell] = values
    replicated = xr.DataArray(
        table,
        dims=(SAMPLE, MODEL, BENCHMARK),
        coords={SAMPLE: np.arange(draws), MODEL: observed[MODEL], BENCHMARK: observed[BENCHMARK]},
    )
    recorded = recording_of(prepared.scores.dataset).record(replicated)
    return _check(PRIOR, recorded, prepared.scores, prob)


def posterior_predictive(fit: Fit, *, prob: float = DEFAULT_PROB, seed: int = 0) -> PredictiveCheck:
    """Replicate the fitted scores from the posterior and compare them with the measured ones.

    Gelman, Meng and Stern 1996. The same scores are used twice, so p-values are conservative: a
    flexible spec has p-values near 0.5 everywhere, and only gross misfit shows. For single scores
    use `latentscale.check`, which leaves each one out. If ceilings were opened in a share of the
    draws (``benchmarks.ceiling_open``), the sampled curves are checked.

    Parameters
    ----------
    fit
        A fit with posterior draws.
    prob
        Probability of the intervals of the statistics.
    seed
        Seed of the noise of new scores.

    Returns
    -------
    PredictiveCheck
        Observed statistics compared with those of replicated scores.

    Raises
    ------
    FitError
        If the fit is a point estimate or has fewer than 25 draws.

    Examples
    --------
    >>> check = ls.studies.posterior_predictive(fit, seed=1)
    >>> check.kind
    'posterior'
    """
    expect(fit, Fit, "fit")
    refuse_few_draws(fit, "A posterior predictive check")
    drawn = forecast_rows(as_sampled(fit), fit.scores.dataset, seed=seed, replicate=True).draws
    return of_replicated(fit, drawn, prob)


def of_replicated(fit: Fit, drawn: xr.DataArray, prob: float) -> PredictiveCheck:
    """Return the check of `posterior_predictive` for scores that were already replicated.

    Parameters
    ----------
    fit
        A fit with posterior draws.
    drawn
        Its replicated scores, dims (sample, model, benchmark).
    prob
        Probability of the intervals of the statistics.
    """
    observed = fit.scores.dataset["score"]
    made = _check(POSTERIOR_KIND, drawn.where(observed.notnull()), fit.scores, prob)
    return replace(made, fit_status=fit.status.caveat)


def _check(kind: str, draws: xr.DataArray, scores: Scores, prob: float) -> PredictiveCheck:
    draws = draws.drop_vars([name for name in draws.coords if name not in (MODEL, BENCHMARK)])
    rows = _statistics(draws, scores, prob)
    return PredictiveCheck(kind, draws, _measured(scores)["score"], rows, prob, scores)


def _measured(scores: Scores) -> xr.Dataset:
    table = scores.dataset[["score", "floor"]]
    return table.drop_vars([name for name in table.coords if name not in (MODEL, BENCHMARK)])


def _statistics(draws: xr.DataArray, scores: Scores, prob: float) -> pd.DataFrame:
    """Return one row per group and test statistic."""
    data = _measured(scores)
    fractions = is_bounded(scores.dataset)
    # Guessing gives low scores only if higher is better.
    floor = data["floor"].where(fractions & ~lower_is_better(scores.dataset), -np.inf)
    rows = []
    for by, group, models, dims in _spans(scores):
        seen, made = data["score"].sel({MODEL: models}), draws.sel({MODEL: models})
        if BENCHMARK in dims:  # scores in different units cannot be averaged
            seen, made = seen.where(fractions), made.where(fractions)
            if not bool(seen.notnull().any()):
                continue
        for name, statistic in STATISTICS.items():
            ranks = _rows(statistic(seen, floor, dims), statistic(made, floor, dims), prob)
            rows.append(ranks.assign(by=by, group=group, statistic=name))
    table = pd.concat(rows, ignore_index=True)
    if not bool(fractions.all()):
        table = table[table["observed"].notna()].reset_index(drop=True)
    if BENCHMARK in table:
        table["group"] = table[BENCHMARK].where(table["by"] == "benchmark", table["group"])
    columns = ["by", "group", "statistic", "observed", "median", "lower", "upper", "p_value"]
    return table[columns]


def _spans(scores: Scores) -> list[tuple[str, str, list[str], list[str]]]:
    """Return the groups: all scores, each benchmark, each family with enough scores."""
    everyone, both = list(scores.models), [MODEL, BENCHMARK]
    spans = [("all", "all", everyone, both), ("benchmark", "", everyone, [MODEL])]
    counts = scores.dataset["score"].notnull().sum(BENCHMARK)
    for family in scores.families:
        mine = counts[(scores.dataset[FAMILY] == family).values]
        if int(mine.sum()) >= _MIN_FAMILY:
            names = [str(name) for name in mine[MODEL].values]
            spans.append(("family", str(family), names, both))
    return spans


def _rows(seen: xr.DataArray, made: xr.DataArray, prob: float) -> pd.DataFrame:
    """Compare a statistic with its replicates: one row per benchmark, or one row in total."""
    ends = quantiles(made, prob)
    above = (made > seen).mean(SAMPLE) + 0.5 * (made == seen).mean(SAMPLE)
    columns = xr.Dataset(
        {
            "observed": seen,
            "median": ends["median"],
            "lower": ends["lower"],
            "upper": ends["upper"],
            "p_value": 2 * np.minimum(above, 1 - above),
        }
    )
    if not columns.sizes:
        return pd.DataFrame({name: [float(value)] for name, value in columns.items()})
    return columns.to_dataframe().reset_index()
