"""Sources of a forecast's variance: uncertainty about the parameters, the family, the model.

The law of total variance divides the variance of a new score into the variance of expected scores
and the mean variance of noise. Expected scores are regressed on the variables of each source, and
their variance is divided by the Shapley value: what a source adds to the share explained, averaged
over all orders in which sources can become known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.parts import LINEAGES, PART
from latentscale.analysis.skills.variance import NOISE
from latentscale.analysis.tools.scatter import noise_variance
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, COVARIATE, FAMILY, LINEAGE, MODEL, SAMPLE, SKILL
from latentscale.maths import on_draws
from latentscale.model.contributions import JOINT, covariate_of
from latentscale.model.equations import expected_score
from latentscale.model.scaled import CODE, without_bounds
from latentscale.model.terms.base import components, terms_of
from latentscale.posterior.fit import Fit

SOURCE: Final = "source"
SHARED: Final = "shared parameters"
UNSTATED: Final = "features not stated"
FAMILIES: Final = "family and lineage"
SINGLE: Final = "single model"
SOURCES: Final = (SHARED, UNSTATED, FAMILIES, SINGLE, NOISE)
"""In the order in which they are shown."""

_SAME: Final = 1e-12
"""Relative variance below which a quantity is constant except for rounding."""
_COLLINEAR: Final = 1e-9
"""Relative size below which a singular direction of correlated parts is rounding error."""

Floats = npt.NDArray[np.float64]


def sources_of_variance(
    fit: Fit,
    forecast: Forecast,
    planned: xr.Dataset,
    parts: xr.DataArray,
    level: xr.DataArray,
    curves: Mapping[str, xr.DataArray],
    seed: int,
) -> xr.DataArray:
    """Return shares of the variance of new scores by source, dims (model, benchmark, source).

    Sources with a share of 0 in all rows are left out.

    Parameters
    ----------
    fit
        The fit whose draws the forecast has.
    forecast
        Forecast of the same rows, on the same draws.
    planned
        The checked rows.
    parts, level
        Parts of the linear predictors, dims (sample, model, benchmark, part), and levels of
        benchmarks, dims (sample, benchmark).
    curves
        From `curves_of`, for the same benchmarks.
    seed
        Seed of simulated scores.
    """
    names = level[BENCHMARK].values.tolist()
    expected, spread = _expected_and_spread(fit, forecast, names, seed)
    noise = spread.mean(SAMPLE).transpose(MODEL, BENCHMARK).values
    eta = (level + parts.sum(PART)).transpose(SAMPLE, MODEL, BENCHMARK)
    height = _heights(fit.spec, curves, eta).values
    unstated = _unstated(fit, planned, [str(name) for name in parts[PART].values])
    of_part = _source_of_part(fit.spec, [str(name) for name in parts[PART].values])
    target, wide = expected.values, parts.transpose(SAMPLE, MODEL, BENCHMARK, PART).values
    base = level.transpose(SAMPLE, BENCHMARK).values
    shares = np.zeros((*noise.shape, len(SOURCES)))
    for i, j in np.ndindex(noise.shape):
        kinds = np.where(unstated[i], UNSTATED, of_part)
        columns = {kind: wide[:, i, j, kinds == kind] for kind in SOURCES[:-1]}
        curve = np.column_stack([base[:, j], height[:, i, j]])
        columns[SHARED] = np.column_stack([columns[SHARED], curve])
        signal = float(target[:, i, j].var())
        known = signal / (signal + noise[i, j]) if signal + noise[i, j] > 0 else 0.0
        divided = shapley(target[:, i, j], columns)
        shares[i, j] = [*(known * divided[kind] for kind in SOURCES[:-1]), 1 - known]
    coords = {MODEL: expected[MODEL].values, BENCHMARK: names, SOURCE: list(SOURCES)}
    every = xr.DataArray(shares, coords, (MODEL, BENCHMARK, SOURCE), name="share")
    return every.isel({SOURCE: (shares > 0).any(axis=(0, 1))})


def shapley(target: Floats, groups: Mapping[str, Floats]) -> dict[str, float]:
    """Return how much of a variance each group of variables explains; the shares sum to 1.

    A set of groups explains the adjusted R^2 of a linear regression on all its variables. A group's
    share is its mean increment over all orders of the groups (Shapley value; Lindeman, Merenda and
    Gold 1980). Variance that no group explains is allocated in proportion.

    Parameters
    ----------
    target
        Shape (sample,).
    groups
        Variables by group, each of shape (sample, variable); a group may have no variable.
    """
    centred = target - target.mean()
    variance = float(centred @ centred)
    kept = {name: _standardised(columns) for name, columns in groups.items()}
    names = [name for name, columns in kept.items() if columns.shape[1]]
    none = dict.fromkeys(groups, 0.0)
    size = max(1.0, float(np.abs(target).max()))
    if not names or variance <= _SAME * size**2 * len(target):
        return none
    explained = {
        some: _adjusted(centred, np.column_stack([kept[name] for name in some]), variance)
        for count in range(1, len(names) + 1)
        for some in combinations(names, count)
    }
    explained[()] = 0.0
    if explained[tuple(names)] <= 0:
        return none
    shares = {}
    for name in names:
        others = [one for one in names if one != name]
        added = 0.0
        for count in range(len(names)):
            for some in combinations(others, count):
                with_it = tuple(one for one in names if one in some or one == name)
                added += (explained[with_it] - explained[some]) / comb(len(others), count)
        shares[name] = max(0.0, added)  # only the adjustment of R^2 can make it negative
    every = sum(shares.values())
    return {**none, **{name: share / every for name, share in shares.items()}}


def _adjusted(centred: Floats, columns: Floats, variance: float) -> float:
    """Return the adjusted R^2 of a regression on `columns`, at least 0."""
    count = len(centred)
    cross = columns.T @ centred
    inverse = np.linalg.pinv(columns.T @ columns, rcond=_COLLINEAR, hermitian=True)
    share = float(cross @ inverse @ cross) / variance
    left = count - columns.shape[1] - 1
    return max(0.0, 1 - (1 - share) * (count - 1) / left)


def _standardised(columns: Floats) -> Floats:
    """Return the variables that are not constant, with mean 0 and variance 1."""
    spread = columns.std(axis=0)
    size = np.maximum(1.0, np.abs(columns).max(axis=0, initial=0.0))
    varies = spread**2 > _SAME * size**2
    return (columns[:, varies] - columns[:, varies].mean(axis=0)) / spread[varies]


def _expected_and_spread(
    fit: Fit, forecast: Forecast, names: Sequence[str], seed: int
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return expected scores of some benchmarks, and the noise variance of scores around them."""
    every = forecast.mean_draws.get_index(BENCHMARK).get_indexer(list(names))
    at = {BENCHMARK: every}
    code = fit.evaluator.known.get(CODE)
    expected, spread = noise_variance(
        forecast.noise.at(at),
        forecast.mean_draws.isel(at),
        forecast.precision_draws.isel(at),
        None if code is None else code.isel(at),
        np.random.default_rng(seed),
    )
    dims = (SAMPLE, MODEL, BENCHMARK)
    return expected.transpose(*dims), spread.transpose(*dims)


def curves_of(fit: Fit, forecast: Forecast, names: Sequence[str]) -> dict[str, xr.DataArray]:
    """Return the curves of some benchmarks on a forecast's draws.

    Parameters
    ----------
    fit
        The fit whose draws these are.
    forecast
        A forecast.
    names
        The benchmarks.
    """
    draws = fit.samples.sel({SAMPLE: forecast.draws[SAMPLE].values})
    return {
        name: value.sel({BENCHMARK: list(names)}) if BENCHMARK in value.dims else value
        for name, value in fit.evaluator.values(draws).items()
        if not {MODEL, FAMILY, LINEAGE, SKILL}.intersection(map(str, value.dims))
    }


def _heights(
    spec: ModelSpec, curves: Mapping[str, xr.DataArray], eta: xr.DataArray
) -> xr.DataArray:
    """Return each draw's expected score at the posterior mean of the linear predictor."""
    height = on_draws(expected_score(spec, curves, eta.mean(SAMPLE)))
    return without_bounds(curves.get(CODE), height).broadcast_like(eta).transpose(*eta.dims)


def _source_of_part(spec: ModelSpec, parts: Sequence[str]) -> npt.NDArray[np.str_]:
    """Return the source of each part, apart from unstated features."""
    terms = terms_of(spec)
    of_family = {LINEAGES, *components(term for term in terms if term.effect is not None)}
    of_model = set(components(term for term in terms if term.model_effect is not None))
    return np.array(
        [FAMILIES if n in of_family else SINGLE if n in of_model else SHARED for n in parts],
        dtype=object,
    )


def _unstated(fit: Fit, planned: xr.Dataset, parts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return whether a part of a row depends on a drawn feature or level, shape (model, part)."""
    x = fit.transform.apply(planned)
    drawn = {
        (str(model), covariate_of(str(column)))
        for model, row in zip(x[MODEL].values, x.transpose(MODEL, COVARIATE).values, strict=True)
        for column, value in zip(x[COVARIATE].values, row, strict=True)
        if np.isnan(value)
    }
    for kind in fit.transform.categories:
        fitted = {"", *kind.feature.levels}
        pairs = zip(planned[MODEL].values, kind.levels(planned), strict=True)
        drawn |= {(str(m), kind.name) for m, level in pairs if str(level) not in fitted}
    drawn |= {(model, JOINT) for model, _ in drawn}
    return np.array([[(str(m), part) in drawn for part in parts] for m in planned[MODEL].values])
