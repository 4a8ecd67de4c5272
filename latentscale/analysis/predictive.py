"""Predictive checks: what a spec expects of scores before and after it saw them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from latentscale.analysis.forecast import forecast_rows
from latentscale.analysis.leave_one_out import refuse_few_draws
from latentscale.data.scores import Scores
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    MODEL,
    SAMPLE,
    checked_seed,
    interval_quantiles,
)
from latentscale.errors import DataError, SpecError
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior.fit import Fit
from latentscale.spec.spec import ModelSpec

PRIOR = "prior"
POSTERIOR_KIND = "posterior"
_MIN_FAMILY = 4


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


@dataclass(frozen=True)
class PredictiveCheck:
    """Replicated scores beside the measured ones.

    Attributes
    ----------
    kind
        ``"prior"`` or ``"posterior"``.
    draws
        Replicated scores, noise included, fractions; dims (sample, model, benchmark), NaN where
        nothing was measured.
    observed
        Measured scores, dims (model, benchmark).
    table
        One row a group and test statistic: by (``all``, ``benchmark`` or ``family``), group,
        statistic, observed, median, lower, upper (of the replicates) and p_value, the
        two-sided tail probability of the observed statistic among the replicates.
    prob
        Probability of the interval lower to upper.
    """

    kind: str
    draws: xr.DataArray
    observed: xr.DataArray
    table: pd.DataFrame
    prob: float

    @property
    def surprising(self) -> pd.DataFrame:
        """Rows whose observed statistic lies outside the interval of the replicates."""
        table = self.table
        outside = (table["observed"] < table["lower"]) | (table["observed"] > table["upper"])
        return table[outside].sort_values("p_value", ignore_index=True)

    def __str__(self) -> str:
        share = len(self.surprising) / len(self.table)
        return (
            f"{self.kind.capitalize()} predictive check, {self.draws.sizes[SAMPLE]} replicates: "
            f"{len(self.surprising)} of {len(self.table)} statistics ({share:.0%}) outside their "
            f"{self.prob:.0%} interval"
        )

    def _repr_html_(self) -> str:
        shown = self.surprising.round(3).to_html(index=False, max_rows=24)
        return f"<p>{escape(str(self))}</p>{shown}"


def prior_predictive(
    spec: ModelSpec,
    scores: Scores,
    *,
    draws: int = 300,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
) -> PredictiveCheck:
    """Draw tables from the prior and compare them with the measured one.

    Nothing is fitted: parameters come from their priors, then scores from the parameters, in
    the cells that were measured (Gelman et al. 2020, "Bayesian workflow", section 2.4). Wide
    agreement is what a prior should give; scores outside what it allows are a warning.

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

    Raises
    ------
    DataError, SpecError
        If the spec cannot be built on the table, or `draws` is too small.
    """
    if not isinstance(spec, ModelSpec):
        raise SpecError(
            f"spec must be a ModelSpec from latentscale.load_spec; got {type(spec).__name__}."
        )
    if not isinstance(scores, Scores):
        raise DataError(f"scores must be a Scores; got {type(scores).__name__}.")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 20:
        raise DataError(f"draws must be a whole number of at least 20; got {draws!r}.")
    prepared = design(spec, scores)
    model = build_design(spec, prepared)
    # Each replicate is computed once, so that optimising the graph would cost more than it saves.
    values = pm.draw(model["score"], draws, random_seed=checked_seed(seed), mode="FAST_COMPILE")
    observed = prepared.scores.dataset["score"].transpose(MODEL, BENCHMARK)
    table = np.full((draws, *observed.shape), np.nan)
    table[:, prepared.model_of_cell, prepared.benchmark_of_cell] = values
    replicated = xr.DataArray(
        table,
        dims=(SAMPLE, MODEL, BENCHMARK),
        coords={SAMPLE: np.arange(draws), MODEL: observed[MODEL], BENCHMARK: observed[BENCHMARK]},
    )
    return _check(PRIOR, replicated, prepared.scores, prob)


def posterior_predictive(fit: Fit, *, prob: float = DEFAULT_PROB, seed: int = 0) -> PredictiveCheck:
    """Replicate the fitted scores from the posterior and compare them with the measured ones.

    Gelman, Meng and Stern 1996. The same scores are used twice, so p-values are conservative:
    0.5 is what a flexible spec gives everywhere, and only gross misfit shows. For single scores
    use `latentscale.check`, which leaves each one out.

    Parameters
    ----------
    fit
        A fit with posterior draws.
    prob
        Probability of the intervals of the statistics.
    seed
        Seed of the noise of new scores.

    Raises
    ------
    FitError
        If the fit is a point estimate or has fewer than 25 draws.
    """
    refuse_few_draws(fit, "A posterior predictive check")
    observed = fit.scores.dataset["score"]
    drawn = forecast_rows(fit, fit.scores.dataset, seed=seed).draws
    return _check(POSTERIOR_KIND, drawn.where(observed.notnull()), fit.scores, prob)


def _check(kind: str, draws: xr.DataArray, scores: Scores, prob: float) -> PredictiveCheck:
    interval_quantiles(prob)
    data = scores.dataset
    observed = data["score"].drop_vars(
        [name for name in data["score"].coords if name not in (MODEL, BENCHMARK)]
    )
    draws = draws.assign_coords({SAMPLE: np.arange(draws.sizes[SAMPLE])})
    draws = draws.drop_vars([name for name in draws.coords if name not in draws.dims])
    floor = data["floor"].drop_vars([n for n in data["floor"].coords if n != BENCHMARK])
    rows = []
    for name, statistic in STATISTICS.items():
        for by, group, model_names, dims in _spans(scores):
            seen = observed if model_names is None else observed.sel({MODEL: model_names})
            made = draws if model_names is None else draws.sel({MODEL: model_names})
            rows.append(
                _rows(by, group, name, statistic(seen, floor, dims), statistic(made, floor, dims))
            )
    parts = [part for part in rows if not part.empty]
    table = pd.concat(parts, ignore_index=True)
    ends = interval_quantiles(prob)
    drawn = np.stack(table.pop("replicates").to_numpy())
    low, middle, high = np.quantile(drawn, (ends[0], 0.5, ends[1]), axis=-1)
    seen_values = table["observed"].to_numpy()[:, None]
    above = (drawn > seen_values).mean(-1) + 0.5 * (drawn == seen_values).mean(-1)
    table = table.assign(
        median=middle, lower=low, upper=high, p_value=2 * np.minimum(above, 1 - above)
    )
    order = {"all": 0, "benchmark": 1, "family": 2}
    table = table.sort_values("by", key=lambda by: by.map(order), kind="stable", ignore_index=True)
    return PredictiveCheck(kind, draws, observed, table, prob)


def _spans(scores: Scores) -> list[tuple[str, str | None, list[str] | None, list[str]]]:
    """Return the groups: all scores, each benchmark, each family with enough scores."""
    spans: list[tuple[str, str | None, list[str] | None, list[str]]] = [
        ("all", "all", None, [MODEL, BENCHMARK]),
        ("benchmark", None, None, [MODEL]),
    ]
    data = scores.dataset
    counts = data["score"].notnull().sum(BENCHMARK)
    for family in scores.families:
        of_family = (data[FAMILY] == family).values
        if int(counts.values[of_family].sum()) >= _MIN_FAMILY:
            names = [str(name) for name in data[MODEL].values[of_family]]
            spans.append(("family", str(family), names, [MODEL, BENCHMARK]))
    return spans


def _rows(
    by: str, group: str | None, statistic: str, seen: xr.DataArray, made: xr.DataArray
) -> pd.DataFrame:
    """Return one row a group with its replicated values, without the undefined ones."""
    if group is not None:
        seen, made = seen.expand_dims({BENCHMARK: [group]}), made.expand_dims({BENCHMARK: [group]})
    made = made.transpose(BENCHMARK, SAMPLE)
    columns: dict[str, Any] = {
        "by": by,
        "group": seen[BENCHMARK].values.astype(str),
        "statistic": statistic,
        "observed": seen.values,
        "replicates": list(made.values),
    }
    known = seen.notnull().values & made.notnull().all(SAMPLE).values
    return pd.DataFrame(columns)[known]
