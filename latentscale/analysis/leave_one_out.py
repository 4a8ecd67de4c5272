"""Leave one out: each score against what the others say of it, by importance weights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from html import escape

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logit, logsumexp

from latentscale.analysis.forecast import forecast_rows
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
from latentscale.posterior.fit import Fit

MIN_DRAWS = 25
_ITEMS_UNKNOWN = 1000
_NO_SPREAD = 1e-6


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out predictions of every fitted score.

    Attributes
    ----------
    table
        One row a score: model, family, benchmark, score, elpd (log predictive density of the
        score given all others), pareto_k, reliable (k at most `k_limit`), mean, median, lower,
        upper (fractions, of a new score), pit (predictive probability below the score) and z
        (distance from the predictive mean in its standard deviations, on the logit scale; NaN
        where one draw alone has all the weight).
    elpd, se
        Sum of elpd, and its standard error.
    p_loo
        Effective number of parameters.
    k_limit
        Largest Pareto k that these weights bear: min(1 - 1 / log10(draws), 0.7).
    prob
        Probability of the interval lower to upper.
    """

    table: pd.DataFrame
    elpd: float
    se: float
    p_loo: float
    k_limit: float
    prob: float

    @property
    def unreliable(self) -> pd.DataFrame:
        """Rows of the table whose weights are too heavy-tailed to be trusted, worst first."""
        rows = self.table[~self.table["reliable"]]
        return rows.sort_values("pareto_k", ascending=False, ignore_index=True)

    def __str__(self) -> str:
        bad = len(self.unreliable)
        note = (
            f"; {bad} of them have Pareto k above {self.k_limit:.2f}: their figures, and the sum, "
            "are too favourable (see .unreliable)"
            if bad
            else ""
        )
        return (
            f"Leave-one-out log density {self.elpd:.1f} (standard error {self.se:.1f}) over "
            f"{len(self.table)} scores{note}"
        )

    def _repr_html_(self) -> str:
        table = self.table.round(3).to_html(index=False, max_rows=24)
        return f"<p>{escape(str(self))}</p>{table}"


def leave_one_out(fit: Fit, *, prob: float = DEFAULT_PROB, seed: int = 0) -> LeaveOneOut:
    """Predict each score from all others, by Pareto-smoothed importance sampling.

    Vehtari, Gelman and Gabry 2017; Vehtari et al. 2024 for the smoothing and the limit on
    Pareto k. Draws are weighted by 1 / p(score | draw). Where k is above the limit the draws do
    not reach what the posterior would be without the score: typically a score that alone tells
    an effect of its own (the only member of a family on a benchmark, a model with few scores).

    Parameters
    ----------
    fit
        A fit with posterior draws.
    prob
        Probability of the leave-one-out interval of a new score.
    seed
        Seed of the noise of new scores.

    Raises
    ------
    FitError
        If the fit is a point estimate or has fewer than 25 draws.
    """
    low, high = interval_quantiles(prob)
    found = psis(fit)
    logs = _stacked(fit.tree[LOG_LIKELIHOOD].to_dataset()["score"])
    weights, elpd, khat = _weights(found, logs)
    score = observed_cells(fit)
    drawn = at_cells(forecast_rows(fit, fit.scores.dataset, seed=seed).draws, score)
    ends = weighted_quantiles(drawn, weights, (low, 0.5, high))
    below = (drawn < score) + 0.5 * (drawn == score)
    finest = 0.5 / drawn.sizes[SAMPLE]  # so many draws tell no smaller probability
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
            "reliable": khat.values <= found.good_k,
            "mean": (drawn * weights).sum(SAMPLE).values,
            "median": ends.isel(quantile=1).values,
            "lower": ends.isel(quantile=0).values,
            "upper": ends.isel(quantile=2).values,
            "pit": (below * weights).sum(SAMPLE).clip(finest, 1 - finest).values,
            "z": logit_residual(fit, score, drawn, weights).values,
        }
    )
    return LeaveOneOut(
        table=table,
        elpd=float(elpd.sum()),
        se=float(np.sqrt(elpd.sizes[CELL]) * elpd.std()),
        p_loo=float((_log_mean(logs) - elpd).sum()),
        k_limit=float(found.good_k),
        prob=prob,
    )


def psis(fit: Fit) -> azs.utils.ELPDDataLOO:
    """Return ArviZ's pointwise PSIS-LOO of a fit, with smoothed weights and Pareto k.

    Raises
    ------
    FitError
        If the fit is a point estimate, has fewer than 25 draws, or its draws are all alike.
    """
    refuse_few_draws(fit, "Leave-one-out")
    group = fit.tree[LOG_LIKELIHOOD].to_dataset()
    draws = group.sizes[CHAIN] * group.sizes[DRAW]
    efficiency = float(fit.convergence().table["ess_bulk"].mean()) / draws
    tree = xr.DataTree.from_dict({LOG_LIKELIHOOD: group})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of high k, which every caller counts and names
        try:
            return azs.loo(
                tree,
                pointwise=True,
                var_name="score",
                reff=min(efficiency, 1.0) if np.isfinite(efficiency) else 1.0,
            )
        except ValueError as error:
            raise FitError(
                f"The draws cannot be weighted: {error}. They hardly vary; fit again with more "
                "tuning, and look at latentscale.diagnose."
            ) from None


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


def _weights(
    found: azs.utils.ELPDDataLOO, logs: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return weights that sum to 1 over draws, log predictive densities, and Pareto k.

    Where the smoothing breaks down (one draw outweighs all others by far) the plain weights
    take its place, and k is infinite.
    """
    smooth = _stacked(found.log_weights)
    plain = -logs - (-logs).max(SAMPLE)
    broken = smooth.isnull().any(SAMPLE)
    chosen = xr.where(broken, plain, smooth)
    mass = xr.apply_ufunc(np.exp, chosen - chosen.max(SAMPLE))
    bare = {
        name: getattr(found, name).drop_vars(list(found.elpd_i.coords), errors="ignore")
        for name in ("elpd_i", "pareto_k")
    }
    elpd = xr.where(broken | bare["elpd_i"].isnull(), -_log_mean(-logs), bare["elpd_i"])
    khat = xr.where(broken | bare["pareto_k"].isnull(), np.inf, bare["pareto_k"])
    return (mass / mass.sum(SAMPLE)).transpose(SAMPLE, CELL), elpd, khat


def _stacked(logs: xr.DataArray) -> xr.DataArray:
    """Return an array over chains and draws with bare dims (sample, cell)."""
    stacked = logs.stack({SAMPLE: (CHAIN, DRAW)}, create_index=False)
    return stacked.drop_vars(list(stacked.coords)).transpose(SAMPLE, CELL)


def _log_mean(logs: xr.DataArray) -> xr.DataArray:
    """Return the log of the mean over draws of what has these logs."""
    return logs.reduce(logsumexp, SAMPLE) - np.log(logs.sizes[SAMPLE])


def at_cells(draws: xr.DataArray, score: xr.DataArray) -> xr.DataArray:
    """Return draws of some cells alone, dims (sample, cell).

    Parameters
    ----------
    draws
        Dims (sample, model, benchmark).
    score
        Scores of the cells, dims (cell,), with the coordinates cell_model and cell_benchmark.
    """
    at = {MODEL: score["cell_model"], BENCHMARK: score["cell_benchmark"]}
    picked = draws.sel(at).drop_vars([MODEL, BENCHMARK, SAMPLE], errors="ignore")
    return picked.transpose(SAMPLE, CELL)


def logit_residual(
    fit: Fit, score: xr.DataArray, drawn: xr.DataArray, weights: xr.DataArray
) -> xr.DataArray:
    """Return how many predictive standard deviations scores are off, on the logit scale.

    Parameters
    ----------
    fit
        Gives item counts: scores at 0 or 1 are pulled inside by half an item.
    score
        Scores of cells, dims (cell,), with the coordinates cell_model and cell_benchmark.
    drawn
        Predicted new scores, dims (sample, cell).
    weights
        Weights of the draws, which sum to 1 over sample.
    """
    at = {MODEL: score["cell_model"], BENCHMARK: score["cell_benchmark"]}
    items = fit.scores.item_counts.fillna(_ITEMS_UNKNOWN).sel(at)
    half = 0.5 / items.drop_vars([MODEL, BENCHMARK])

    def on_logit(values: xr.DataArray) -> xr.DataArray:
        return xr.apply_ufunc(logit, values.clip(half, 1 - half))

    new = on_logit(drawn)
    mean = (new * weights).sum(SAMPLE)
    spread = xr.apply_ufunc(np.sqrt, ((new - mean) ** 2 * weights).sum(SAMPLE))
    return (on_logit(score) - mean) / spread.where(spread > _NO_SPREAD)
