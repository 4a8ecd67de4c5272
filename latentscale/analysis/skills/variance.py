"""Variance: the components of the differences between models on a benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.tools.scatter import noise_variance
from latentscale.analysis.tools.summaries import summary
from latentscale.data.scaling import sampling_of
from latentscale.declare.likelihood import Noise
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL, SAMPLE, checked_seed
from latentscale.errors import DataError, listed
from latentscale.expect import expect
from latentscale.model.contributions import by_component
from latentscale.model.evaluate import FITTED_RESIDUALS, Evaluation
from latentscale.model.scaled import CODE
from latentscale.numerics.thinning import evenly_spread
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import whole_number

COMPONENT = "component"
OTHER = "other terms"
NOISE = "noise"
_FEWEST = 2
"""Fewest models with scores on a benchmark for these to have a variance."""
_NOTHING = 1e-10
"""Relative size below which a remainder is rounding error."""


@dataclass(frozen=True, repr=False)
class VarianceShares(Result):
    """Shares of the variance of scores over models, by benchmark.

    Attributes
    ----------
    draws
        Shares, dims (sample, benchmark, component); the components of a benchmark sum to 1. A
        component that offsets the others (large if they are small) has a negative share.
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals.
    left_out
        Benchmarks with scores of fewer than two models, whose scores have no variance over models.

    Examples
    --------
    >>> shares = ls.studies.variance_shares(fit, draws=50, seed=1)
    >>> shares.table().columns.tolist()[:5]
    ['benchmark', 'component', 'mean', 'lower', 'upper']
    """

    draws: xr.DataArray
    is_posterior: bool = True
    left_out: tuple[str, ...] = ()

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per benchmark and component: benchmark, component, mean, lower, upper.

        Means sum to 1 within a benchmark.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Posterior means and intervals of the shares.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> total = shares.table().groupby("benchmark")["mean"].sum()
        >>> bool(np.allclose(total, 1))
        True
        """
        table = summary(self.draws, prob, is_posterior=self.is_posterior)
        means = self.draws.mean(SAMPLE).to_series().rename("mean")
        order = [BENCHMARK, COMPONENT]
        return table.join(means, on=order)[[*order, "mean", "lower", "upper"]]

    plot = Picture("plot_variance_shares")

    @property
    def headline(self) -> str:
        """The components.

        Examples
        --------
        >>> shares.headline.partition(":")[0]
        'Variance shares of 6 benchmarks'
        """
        return (
            f"Variance shares of {self.draws.sizes[BENCHMARK]} benchmarks: "
            + ", ".join(str(name) for name in self.draws[COMPONENT].values)
            + (f"; too few scores on {listed(self.left_out)}" if self.left_out else "")
        )

    def brief(self) -> pd.DataFrame:
        """Return the mean shares, one row per benchmark and one column per component.

        Returns
        -------
        pandas.DataFrame
            Shares in [0, 1], except for terms that offset the others.

        Examples
        --------
        >>> shares.brief()["benchmark"].tolist() == list(fit.scores.benchmarks)
        True
        """
        wide = self.draws.mean(SAMPLE).transpose(BENCHMARK, COMPONENT).to_pandas()
        return wide.rename_axis(columns=None).reset_index()


def variance_shares(fit: Fit, *, draws: int = 400, seed: int = 0) -> VarianceShares:
    """Divide the variance of each benchmark's scores over the models measured on it.

    The share of noise is mean Var(Y | mu) / (Var(mu) + mean Var(Y | mu)) on the scale of scores (of
    their logarithms for the scale ``"positive"``), with the noise variance from simulated scores.
    The rest is divided on the link's scale: term c of the linear predictor eta has the share
    Cov(c, eta) / Var(eta), so that correlated terms divide their common variance (Pratt 1987).
    These shares are invariant to rotations of the skills, so the fit's skills may be free.

    Parameters
    ----------
    fit
        A fit.
    draws
        Posterior draws to use at most, evenly spaced.
    seed
        Seed of the simulated scores.

    Returns
    -------
    VarianceShares
        Draws of the shares, dims (sample, benchmark, component).

    Raises
    ------
    DataError
        If `draws` is not a whole number of at least 1, or no benchmark has two scores.

    Examples
    --------
    >>> shares = ls.studies.variance_shares(fit, draws=100, seed=1)
    >>> "noise" in set(shares.table()["component"])
    True
    """
    expect(fit, Fit, "fit")
    draws = whole_number(draws, "draws", least=1, error=DataError)
    rng = np.random.default_rng(checked_seed(seed))
    every = fit.samples
    chosen = evenly_spread(every.sizes[SAMPLE], draws)
    at = fit.evaluator.at(
        every.isel({SAMPLE: chosen}), fit.scores.dataset, residuals=FITTED_RESIDUALS
    )
    eta = at.eta
    measured = fit.scores.dataset["score"].notnull()
    varies = (measured.sum(MODEL) >= _FEWEST).to_numpy()
    if not varies.any():
        raise DataError("No benchmark has scores of two models, so none varies over models.")
    around = at.noise(fit.scores.item_counts, sampling_of(fit.scores.dataset))
    signal, noise = _signal_and_noise(at, around, measured, rng)
    components = {name: added.predictor(at) for name, added in by_component(at).items()}
    rest = eta - sum(components.values())
    rest = rest - rest.mean(MODEL)  # without intercepts, and offsets of sources
    if float(abs(rest).max()) > _NOTHING * max(1.0, float(abs(eta).max())):
        components[OTHER] = rest
    spread = _covariance(eta, eta, measured)
    reliable = signal / (signal + noise)
    shares = {
        name: reliable * _covariance(component, eta, measured) / spread
        for name, component in components.items()
    }
    shares[NOISE] = 1 - reliable
    joined = xr.concat(list(shares.values()), dim=COMPONENT)
    joined = joined.assign_coords({COMPONENT: list(shares)}).rename("share")
    return VarianceShares(
        joined.transpose(SAMPLE, BENCHMARK, COMPONENT).isel({BENCHMARK: varies}),
        fit.is_posterior,
        tuple(str(name) for name in joined[BENCHMARK].values[~varies]),
        fit_status=fit.status.caveat,
    )


def _signal_and_noise(
    at: Evaluation, noise: Noise, measured: xr.DataArray, rng: np.random.Generator
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the variance of expected scores over models, and the mean variance of noise."""
    mean = at.mean.transpose(SAMPLE, MODEL, BENCHMARK)
    expected, spread = noise_variance(noise, mean, at.precision, at.values.get(CODE), rng)
    return _covariance(expected, expected, measured), spread.where(measured).mean(MODEL)


def _covariance(a: xr.DataArray, b: xr.DataArray, measured: xr.DataArray) -> xr.DataArray:
    """Return the covariance over measured models, by sample and benchmark."""
    first, second = (x.where(measured) for x in (a, b))
    return ((first - first.mean(MODEL)) * (second - second.mean(MODEL))).mean(MODEL)
