"""Stack: one forecast from several fits, mixed by weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.compare import Comparison
from latentscale.analysis.forecast import Forecast, predict
from latentscale.dims import BENCHMARK, MODEL, SAMPLE, checked_seed
from latentscale.errors import DataError, FitError, SpecError, listed
from latentscale.expect import expect_each, shown
from latentscale.posterior.fit import Fit


def stack(
    fits: Mapping[str, Fit],
    frame: pd.DataFrame,
    weights: Mapping[str, float] | Comparison,
    *,
    seed: int = 0,
) -> Forecast:
    """Forecast with a mixture of fits: each draw comes from one of them, in proportion.

    Yao et al. 2018, "Using stacking to average Bayesian predictive distributions".

    Parameters
    ----------
    fits
        Fits by name, on the same benchmarks.
    frame
        The models to forecast, as for `latentscale.predict`.
    weights
        Weight of each fit, or a comparison that holds them. They are scaled to sum to 1.
    seed
        Seed of the forecasts and of which draws are kept.

    Returns
    -------
    A forecast with as many draws as the longest fit. Its ``models`` are those of the fit with
    the largest weight; a model counts as extrapolated where that fit extrapolates.

    Raises
    ------
    DataError
        If a weight is missing, negative, or all are zero, or the table is malformed.
    FitError, SpecError
        If the fits have different benchmarks or likelihoods.
    """
    expect_each(fits, Fit, "fits", '{"K = 1": fit1, "K = 2": fit2}')
    shares = _shares(fits, weights)
    _check_alike(fits)
    rng = np.random.default_rng(checked_seed(seed))
    forecasts = {name: predict(fits[name], frame, seed=seed) for name in shares}
    total = max(forecast.draws.sizes[SAMPLE] for forecast in forecasts.values())
    counts = _counts(shares, total)
    parts = [_thin(forecasts[name], counts[name], rng) for name in counts if counts[name]]
    first = max(shares, key=lambda name: shares[name])

    def join(field: str) -> xr.DataArray:
        joined = xr.concat([part[field] for part in parts], dim=SAMPLE, coords="minimal")
        return joined.transpose(SAMPLE, ...).rename(getattr(forecasts[first], field).name)

    return replace(
        forecasts[first],
        draws=join("draws"),
        mean_draws=join("mean_draws"),
        precision_draws=join("precision_draws"),
        is_posterior=all(forecast.is_posterior for forecast in forecasts.values()),
    )


def _shares(fits: Mapping[str, Fit], weights: Mapping[str, float] | Comparison) -> dict[str, float]:
    if not isinstance(weights, Comparison | Mapping):
        raise DataError(
            "weights must be a Comparison, from latentscale.compare, or a mapping from the names "
            f"of the fits to numbers; got {shown(weights)}."
        )
    given = weights.weights if isinstance(weights, Comparison) else dict(weights)
    lacking = [name for name in fits if name not in given]
    extra = [name for name in given if name not in fits]
    if lacking or extra or not fits:
        raise DataError(
            f"weights must name exactly the fits {listed(fits)}; "
            f"missing {listed(lacking) or 'none'}, unknown {listed(extra) or 'none'}."
        )
    for name, weight in given.items():
        number = isinstance(weight, Real) and not isinstance(weight, bool)
        if not number or not np.isfinite(weight) or weight < 0:
            raise DataError(
                f'The weight of "{name}" must be a number of at least 0; got {weight!r}.'
            )
    total = sum(given.values())
    if total <= 0:
        raise DataError("All weights are 0; at least one must be above 0.")
    return {name: given[name] / total for name in fits if given[name] > 0}


def _check_alike(fits: Mapping[str, Fit]) -> None:
    (first, reference), *others = fits.items()
    for name, fit in others:
        if set(fit.scores.benchmarks) != set(reference.scores.benchmarks):
            apart = set(fit.scores.benchmarks) ^ set(reference.scores.benchmarks)
            raise FitError(
                f'"{first}" and "{name}" have different benchmarks: {listed(sorted(apart))} are '
                "in one of them only."
            )
        if fit.spec.benchmarks.likelihood != reference.spec.benchmarks.likelihood:
            raise SpecError(
                f'"{first}" and "{name}" have different likelihoods '
                f"({reference.spec.benchmarks.likelihood.kind}, "
                f"{fit.spec.benchmarks.likelihood.kind}); their draws cannot be one forecast."
            )


def _counts(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Split `total` draws by largest remainder."""
    exact = {name: share * total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    order = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in order[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _thin(forecast: Forecast, count: int, rng: np.random.Generator) -> dict[str, xr.DataArray]:
    """Return `count` draws, without repeats as far as there are enough."""
    size = forecast.draws.sizes[SAMPLE]
    rounds = [rng.permutation(size) for _ in range(-(-count // size))]
    kept = np.concatenate(rounds)[:count]
    labels = {dim: forecast.draws[dim] for dim in (MODEL, BENCHMARK)}

    def pick(array: xr.DataArray) -> xr.DataArray:
        wide = array.broadcast_like(forecast.draws.isel({SAMPLE: 0}, drop=True))
        wide = wide.isel({SAMPLE: kept}).drop_vars(SAMPLE, errors="ignore")
        return wide.assign_coords(labels).transpose(SAMPLE, MODEL, BENCHMARK)

    return {
        "draws": pick(forecast.draws),
        "mean_draws": pick(forecast.mean_draws),
        "precision_draws": pick(forecast.precision_draws),
    }
