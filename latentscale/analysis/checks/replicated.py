"""Replicated scores in the tree of a fit, for plots by other packages."""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.dims import (
    BENCHMARK,
    CELL,
    CHAIN,
    DRAW,
    LOG_LIKELIHOOD,
    MODEL,
    OBSERVED_DATA,
    POSTERIOR_PREDICTIVE,
    SAMPLE,
    checked_seed,
)
from latentscale.errors import FitError
from latentscale.expect import expect
from latentscale.posterior.fit import Fit
from latentscale.posterior.opened import as_sampled


def with_posterior_predictive(fit: Fit, *, seed: int = 0) -> Fit:
    """Return the fit with replicated scores in its tree, in the form that ArviZ's checks read.

    The tree of the result has the group posterior_predictive, dims (chain, draw, cell), one cell
    for each measured score, with its model and benchmark as the coordinates ``cell_model`` and
    ``cell_benchmark``. Like log_likelihood, observed_data then has the measured scores by cell.
    Replicated scores follow the sampled curves, as log_likelihood does, without opened ceilings.
    Benchmarks keep their units, so select cells rather than plot several units together.

    Parameters
    ----------
    fit
        A fit with posterior draws; it is not changed.
    seed
        Seed of the noise of new scores.

    Returns
    -------
    Fit
        The same draws, with the two groups in its tree.

    Raises
    ------
    FitError
        If the fit is a point estimate.

    Examples
    --------
    >>> checked = ls.studies.with_posterior_predictive(pooled, seed=1)
    >>> checked.tree["posterior_predictive"]["score"].dims
    ('chain', 'draw', 'cell')
    """
    expect(fit, Fit, "fit")
    checked_seed(seed)
    if not fit.is_posterior:
        raise FitError(
            f"The fit ({fit.provenance.method}) is a point estimate, which has no posterior "
            "predictive distribution. Fit with NUTS or another method that gives draws."
        )
    cells = {
        MODEL: xr.DataArray(fit.design.model_of_cell, dims=CELL),
        BENCHMARK: xr.DataArray(fit.design.benchmark_of_cell, dims=CELL),
    }
    density = fit.tree[LOG_LIKELIHOOD].to_dataset()["score"]
    drawn = forecast_rows(as_sampled(fit), fit.scores.dataset, seed=seed, replicate=True).draws
    made = drawn.isel(cells).transpose(SAMPLE, CELL).values
    replicated = density.copy(data=made.reshape(density.sizes[CHAIN], density.sizes[DRAW], -1))
    measured = fit.scores.dataset["score"].transpose(MODEL, BENCHMARK).isel(cells).values
    observed = density.isel({CHAIN: 0, DRAW: 0}, drop=True).copy(data=measured)
    groups = {node.path: node.to_dataset(inherit=False) for node in fit.tree.subtree}
    groups[f"/{POSTERIOR_PREDICTIVE}"] = xr.Dataset({"score": replicated})
    groups[f"/{OBSERVED_DATA}"] = xr.Dataset({"score": observed})
    return replace(fit, tree=xr.DataTree.from_dict(groups))
