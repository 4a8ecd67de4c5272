"""Leave one out: compare each score with its prediction from all others, by importance weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logit, logsumexp

from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.data.recording import half_step
from latentscale.data.scaling import lower_is_better
from latentscale.dims import (
    BENCHMARK,
    CELL,
    CHAIN,
    DEFAULT_PROB,
    DRAW,
    FAMILY,
    LOG_LIKELIHOOD,
    MODEL,
    SAMPLE,
    interval_quantiles,
)
from latentscale.errors import FitError
from latentscale.expect import expect
from latentscale.model.scaled import CODE, without_bounds
from latentscale.numerics.psis import MIN_DRAWS, k_limit, pareto_smoothed
from latentscale.posterior.fit import Fit
from latentscale.posterior.opened import as_sampled
from latentscale.posterior.pairing import at_samples, by_sample
from latentscale.result import Picture, Result, rows_of_prob

_NO_SPREAD = 1e-6
"""Predictive standard deviation on the logit scale, below which it is rounding error: one draw has
all the weight."""


@dataclass(frozen=True, repr=False)
class LeaveOneOut(Result, table_was_attribute=True):
    """Leave-one-out predictions of every fitted score.

    Attributes
    ----------
    rows
        One row per score: model, family, benchmark, score, elpd (log predictive density of the
        score given all others), pareto_k, reliable (k at most `k_limit`), mean, median, lower,
        upper (of a new score, fractions or in the benchmark's unit; mean is NaN where
        `Forecast.without_mean` has the benchmark), pit (predictive probability
        below the score) and z (distance from the predictive mean in its standard deviations, on
        the logit scale for fractions, positive where the score is better; NaN where a single draw
        has all the weight).
    elpd, se
        Sum of elpd, and its standard error.
    p_loo
        Effective number of parameters.
    k_limit
        Largest Pareto k at which these weights are reliable: min(1 - 1 / log10(draws), 0.7).
    prob
        Probability of the interval lower to upper.
    fit, seed
        The fit and the seed behind the result.

    Examples
    --------
    >>> loo = ls.leave_one_out(pooled)
    >>> len(loo.table()) == pooled.scores.n_observed
    True
    """

    rows: pd.DataFrame
    elpd: float
    se: float
    p_loo: float
    k_limit: float
    prob: float
    fit: Fit | None = field(default=None, repr=False)
    seed: int = 0

    plot = Picture("plot_leave_one_out")

    @property
    def headline(self) -> str:
        """The log density, and whether it can be trusted.

        Examples
        --------
        >>> loo.headline.startswith("Leave-one-out log density")
        True
        """
        bad = len(self.unreliable)
        note = (
            f"; {bad} of them have Pareto k above {self.k_limit:.2f}: their figures, and the sum, "
            "are too favourable (see .unreliable)"
            if bad
            else ""
        )
        return (
            f"Leave-one-out log density {self.elpd:.1f} (standard error {self.se:.1f}) over "
            f"{len(self.rows)} scores{note}"
        )

    def table(self, prob: float | None = None) -> pd.DataFrame:
        """Return `rows`, with intervals of another probability if one is given.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval of a new score; by default that of the call.
            Another one computes the intervals again from the fit.

        Returns
        -------
        pandas.DataFrame
            One row per score: a copy of `rows`, with lower and upper of that probability.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> loo.table(prob=0.5).columns.tolist()[:4]
        ['model', 'family', 'benchmark', 'score']
        """
        fit = self.fit
        again = None if fit is None else lambda p: leave_one_out(fit, prob=p, seed=self.seed).rows
        return rows_of_prob(self.rows, prob, self.prob, again, "leave_one_out")

    @property
    def unreliable(self) -> pd.DataFrame:
        """Rows whose weights are too heavy-tailed to be trusted, worst first.

        Examples
        --------
        >>> bool((loo.unreliable["pareto_k"] > loo.k_limit).all())
        True
        """
        rows = self.rows[~self.rows["reliable"]]
        return rows.sort_values("pareto_k", ascending=False, ignore_index=True)

    def brief(self) -> pd.DataFrame:
        """Return the unreliable rows, or all where every row is reliable.

        Returns
        -------
        pandas.DataFrame
            One row per score.

        Examples
        --------
        >>> loo.brief().columns.tolist()[:3]
        ['model', 'family', 'benchmark']
        """
        return self.unreliable if len(self.unreliable) else self.rows


def leave_one_out(fit: Fit, *, prob: float = DEFAULT_PROB, seed: int = 0) -> LeaveOneOut:
    """Predict each score from all others, by Pareto-smoothed importance sampling.

    Vehtari, Gelman and Gabry 2017; Vehtari et al. 2024 for the smoothing and the limit on
    Pareto k. Draws are weighted by 1 / p(score | draw). Where k is above the limit, the draws do
    not cover the posterior without the score: typically a score that alone informs an effect (the
    only member of a family on a benchmark, a model with few scores).

    Parameters
    ----------
    fit
        A fit with posterior draws.
    prob
        Probability of the leave-one-out interval of a new score.
    seed
        Seed of the noise of new scores.

    Returns
    -------
    LeaveOneOut
        One row per score, and the summed log density with its standard error.

    Raises
    ------
    FitError
        If the fit is a point estimate or has fewer than 25 draws.

    Examples
    --------
    >>> loo = ls.leave_one_out(fit, seed=1)
    >>> len(loo.table()) == fit.scores.n_observed
    True
    """
    expect(fit, Fit, "fit")
    return with_replicated(fit, prob, seed)[0]


def with_replicated(fit: Fit, prob: float, seed: int) -> tuple[LeaveOneOut, xr.DataArray]:
    """Return `leave_one_out` of a fit, and the replicated scores behind it.

    Dims (sample, model, benchmark), sample as in ``fit.samples``.
    """
    low, high = interval_quantiles(prob)
    smoothed = psis(fit)
    score = observed_cells(fit)
    # The weights come from the log likelihood, which uses the sampled curves.
    again = forecast_rows(as_sampled(fit), fit.scores.dataset, seed=seed, replicate=True)
    drawn = draws_of_cells(again.draws, score)
    settled = ~score["cell_benchmark"].isin(again.without_mean)
    weights, elpd, khat = at_samples(smoothed.weights, drawn), smoothed.elpd, smoothed.pareto_k
    ends = weighted_quantiles(drawn, weights, (low, 0.5, high))
    below = (drawn < score) + 0.5 * (drawn == score)
    finest = 0.5 / drawn.sizes[SAMPLE]  # the smallest probability that this many draws resolve
    data = fit.scores.dataset
    families = data[FAMILY].sel({MODEL: score["cell_model"]})
    table = pd.DataFrame(
        {
            "model": score["cell_model"].values.astype(str),
            "family": families.values.astype(str),
            "benchmark": score["cell_benchmark"].values.astype(str),
            "score": score.values,
            "elpd": elpd.values,
            "pareto_k": khat.values,
            "reliable": khat.values <= smoothed.k_limit,
            "mean": (drawn * weights).sum(SAMPLE).where(settled).values,
            "median": ends.isel(quantile=1).values,
            "lower": ends.isel(quantile=0).values,
            "upper": ends.isel(quantile=2).values,
            "pit": (below * weights).sum(SAMPLE).clip(finest, 1 - finest).values,
            "z": logit_residual(fit, score, drawn, weights).values,
        }
    )
    made = LeaveOneOut(
        rows=table,
        elpd=float(elpd.sum()),
        se=float(np.sqrt(elpd.sizes[CELL]) * elpd.std()),
        p_loo=smoothed.p_loo,
        k_limit=smoothed.k_limit,
        prob=prob,
        fit=fit,
        seed=seed,
        fit_status=fit.status.caveat,
    )
    return made, again.draws


@dataclass(frozen=True)
class CellWeights:
    """Pareto-smoothed leave-one-out weights of the draws, for each score.

    Attributes
    ----------
    weights
        Weights that sum to 1 over sample, dims (sample, cell), sample as in ``fit.samples``.
    elpd
        Log predictive density of each score given all others, dims (cell,).
    pareto_k
        Pareto shape of the tail of the raw weights, dims (cell,); infinite if it cannot be fitted.
    p_loo
        Effective number of parameters.
    k_limit
        Largest Pareto k at which these weights are reliable.
    """

    weights: xr.DataArray
    elpd: xr.DataArray
    pareto_k: xr.DataArray
    p_loo: float
    k_limit: float


def psis(fit: Fit) -> CellWeights:
    """Return Pareto-smoothed leave-one-out weights of each score: ratios 1 / p(score | draw).

    Raises
    ------
    FitError
        If the fit is a point estimate, has fewer than 25 draws, or all its draws are the same.
    """
    refuse_few_draws(fit, "Leave-one-out")
    named = by_sample(fit, fit.tree[LOG_LIKELIHOOD].to_dataset()["score"])
    logs = named.drop_vars([n for n in named.coords if n != SAMPLE]).transpose(CELL, SAMPLE)
    draws = logs.sizes[SAMPLE]
    if bool((logs.max(SAMPLE) == logs.min(SAMPLE)).all()):
        raise FitError(
            "The draws cannot be weighted: each score has the same density at every draw. The "
            "draws hardly vary; fit again with more tuning, and look at latentscale.diagnose."
        )
    smooth = pareto_smoothed(-logs.values, efficiency=fit.convergence().efficiency(draws))
    mass = logs.copy(data=smooth.log_weights)
    elpd = (mass + logs).reduce(logsumexp, SAMPLE)
    khat = np.where(np.isnan(smooth.pareto_k), np.inf, smooth.pareto_k)
    return CellWeights(
        weights=xr.apply_ufunc(np.exp, mass).transpose(SAMPLE, CELL),
        elpd=elpd,
        pareto_k=xr.DataArray(khat, dims=(CELL,)),
        p_loo=float((logs.reduce(logsumexp, SAMPLE) - np.log(draws) - elpd).sum()),
        k_limit=k_limit(draws),
    )


def refuse_few_draws(fit: Fit, what: str) -> None:
    """Refuse fits whose draws cannot be weighted: point estimates and very few draws.

    Raises
    ------
    FitError
        In these cases.
    """
    if not fit.is_posterior:
        raise FitError(
            f"{what} needs posterior draws, but {fit.provenance.method} gave a point estimate; "
            "fit with latentscale.NUTS()."
        )
    sizes = fit.posterior.sizes
    count = sizes[CHAIN] * sizes[DRAW]
    if count < MIN_DRAWS:
        raise FitError(
            f"{what} needs at least {MIN_DRAWS} draws, and should have hundreds; the fit has "
            f"{count}."
        )


def observed_cells(fit: Fit) -> xr.DataArray:
    """Return measured scores in the order of the log likelihood, dims (cell,)."""
    cells = fit.tree[LOG_LIKELIHOOD]["score"].drop_vars([CHAIN, DRAW], errors="ignore")
    names = {name: cells[name] for name in ("cell_model", "cell_benchmark")}
    scores = fit.scores.dataset["score"].sel(
        {MODEL: names["cell_model"], BENCHMARK: names["cell_benchmark"]}
    )
    return xr.DataArray(scores.values.astype(float), dims=(CELL,)).assign_coords(
        {name: (CELL, values.values) for name, values in names.items()}
    )


def weighted_quantiles(
    draws: xr.DataArray, weights: xr.DataArray, quantiles: tuple[float, ...]
) -> xr.DataArray:
    """Return quantiles of weighted draws, dims (cell, quantile); weights sum to 1 over sample."""

    def of_cell(values: np.ndarray, mass: np.ndarray) -> np.ndarray:
        order = np.argsort(values)
        middle = np.cumsum(mass[order]) - 0.5 * mass[order]
        return np.interp(quantiles, middle, values[order])

    return xr.apply_ufunc(
        of_cell,
        draws,
        weights,
        input_core_dims=[[SAMPLE], [SAMPLE]],
        output_core_dims=[["quantile"]],
        vectorize=True,
    )


def draws_of_cells(draws: xr.DataArray, score: xr.DataArray) -> xr.DataArray:
    """Return draws of the given cells, dims (sample, cell), with unchanged samples.

    Parameters
    ----------
    draws
        Dims (sample, model, benchmark).
    score
        Scores of the cells, dims (cell,), with the coordinates cell_model and cell_benchmark.
    """
    at = {MODEL: score["cell_model"], BENCHMARK: score["cell_benchmark"]}
    picked = draws.sel(at).drop_vars([MODEL, BENCHMARK], errors="ignore")
    return picked.transpose(SAMPLE, CELL)


def logit_residual(
    fit: Fit, score: xr.DataArray, drawn: xr.DataArray, weights: xr.DataArray
) -> xr.DataArray:
    """Return residuals in predictive standard deviations, on the logit scale.

    They are positive if a score is better than predicted. Scores that are not fractions are
    compared untransformed, or as logarithms on the scale ``"positive"``.

    Parameters
    ----------
    fit
        Its table determines how finely scores are recorded: measured and drawn scores are both kept
        half a step from 0 and 1, so that a rounded 0 does not become a far smaller number.
    score
        Scores of cells, dims (cell,), with the coordinates cell_model and cell_benchmark.
    drawn
        Predicted new scores, dims (sample, cell).
    weights
        Weights of the draws, which sum to 1 over sample.
    """
    at = {MODEL: score["cell_model"], BENCHMARK: score["cell_benchmark"]}
    half = half_step(fit.scores.dataset, fit.scores.item_counts).sel(at)
    half = half.drop_vars([MODEL, BENCHMARK])

    code = fit.evaluator.known.get(CODE)
    at_cells = None if code is None else code.sel({BENCHMARK: at[BENCHMARK]}).drop_vars(BENCHMARK)

    def on_logit(values: xr.DataArray) -> xr.DataArray:
        if at_cells is None:
            return xr.apply_ufunc(logit, values.clip(half, 1 - half))
        inside = values.where(at_cells == 0, 0.5).clip(half, 1 - half)
        on_logit = xr.apply_ufunc(logit, inside)
        return on_logit.where(at_cells == 0, without_bounds(at_cells, values))

    new = on_logit(drawn)
    mean = (new * weights).sum(SAMPLE)
    spread = xr.apply_ufunc(np.sqrt, ((new - mean) ** 2 * weights).sum(SAMPLE))
    sign = xr.where(lower_is_better(fit.scores.dataset), -1, 1).sel({BENCHMARK: at[BENCHMARK]})
    off = (on_logit(score) - mean) * sign.drop_vars(BENCHMARK, errors="ignore")
    return off / spread.where(spread > _NO_SPREAD)
