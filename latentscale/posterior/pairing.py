"""Pair arrays by the posterior draw that each row comes from, never by position.

Draws that were resampled, thinned or sorted keep the coordinate ``sample``, the number of their
posterior draw in `Fit.samples`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from latentscale.dims import CHAIN, DRAW, SAMPLE
from latentscale.errors import FitError

if TYPE_CHECKING:
    from latentscale.posterior.fit import Fit

ORIGIN = (SAMPLE, CHAIN, DRAW)
"""Coordinates over ``sample`` that identify the posterior draw of a row."""


def joined_chains[Arrays: (xr.DataArray, xr.Dataset)](draws: Arrays) -> Arrays:
    """Return draws with chains joined, dims (sample, ...), with the coordinates of `ORIGIN`.

    Samples are counted from 0, chain by chain.
    """
    joined = draws.stack({SAMPLE: (CHAIN, DRAW)}, create_index=False).transpose(SAMPLE, ...)
    labels = {
        name: np.asarray(draws[name].values if name in draws.coords else np.arange(size))
        for name, size in ((CHAIN, draws.sizes[CHAIN]), (DRAW, draws.sizes[DRAW]))
    }
    chains, per_chain = len(labels[CHAIN]), len(labels[DRAW])
    return joined.assign_coords(
        {
            SAMPLE: np.arange(chains * per_chain),
            CHAIN: (SAMPLE, np.repeat(labels[CHAIN], per_chain)),
            DRAW: (SAMPLE, np.tile(labels[DRAW], chains)),
        }
    )


def with_origin(array: xr.DataArray, draws: xr.Dataset | xr.DataArray) -> xr.DataArray:
    """Return an array computed row by row from draws, with the draws' `ORIGIN` coordinates.

    Parameters
    ----------
    array
        Dims with sample, in the order of `draws`; an array without sample is returned unchanged.
    draws
        The draws that it was computed from.
    """
    if SAMPLE not in array.dims:
        return array
    bare = array.drop_vars(list(ORIGIN), errors="ignore")
    origin = {name: draws[name] for name in ORIGIN if name in draws.coords}
    return bare.assign_coords({name: (SAMPLE, value.values) for name, value in origin.items()})


def by_sample(fit: Fit, values: xr.DataArray) -> xr.DataArray:
    """Return an array of another group of a fit's tree in the order of `Fit.samples`.

    Parameters
    ----------
    fit
        The fit.
    values
        Dims (chain, draw, ...), such as a log likelihood; paired with the posterior draws by
        chain and draw labels.

    Raises
    ------
    FitError
        If a posterior draw has no value.
    """
    return joined_chains(paired(values, fit.posterior))


def paired(values: xr.DataArray, draws: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Return values reordered to match the chains and draws of other draws.

    Parameters
    ----------
    values
        Dims (chain, draw, ...). A dim without labels is assumed to be in order.
    draws
        Draws with the wanted chains and draws.

    Raises
    ------
    FitError
        If a wanted chain or draw has no value.
    """
    paired = values
    for dim in (CHAIN, DRAW):
        labelled = dim in paired.coords and dim in draws.coords
        if labelled and not paired[dim].equals(draws[dim]):
            paired = paired.sel({dim: _places(paired, draws, dim)})
        elif paired.sizes[dim] != draws.sizes[dim]:
            raise FitError(
                f"These draws do not belong together: {draws.sizes[dim]} and {paired.sizes[dim]} "
                f"of the dim {dim}. Load the fit again, or fit again."
            )
    return paired


def _places(values: xr.DataArray, draws: xr.DataArray | xr.Dataset, dim: str) -> xr.DataArray:
    absent = ~np.isin(draws[dim].values, values[dim].values)
    if absent.any():
        raise FitError(
            f"These draws do not belong together: {dim} {draws[dim].values[absent][0]} is in only "
            "one of them. Load the fit again, or fit again."
        )
    return draws[dim]


def at_samples(values: xr.DataArray, draws: xr.DataArray) -> xr.DataArray:
    """Return, for each row of other draws, the value at the posterior draw that it comes from.

    Parameters
    ----------
    values
        Dims with sample, one value per posterior draw, in any order.
    draws
        Dims with sample, in any order and with any repeats, such as a forecast's.

    Returns
    -------
    The values with the samples of `draws`, row by row.

    Raises
    ------
    FitError
        If a row comes from a posterior draw that has no value.
    """
    index = values.indexes.get(SAMPLE)
    wanted = np.asarray(draws[SAMPLE].values)
    if index is None or not index.is_unique:
        raise FitError("Values to pair with draws need a unique sample label for each draw.")
    places = index.get_indexer(wanted)
    if (places < 0).any():
        raise FitError(
            f"These draws do not belong together: sample {wanted[places < 0][0]} has no value. "
            "Use a forecast of the same fit."
        )
    return with_origin(values.isel({SAMPLE: places}), draws)


def in_chains(fit: Fit, samples: xr.DataArray) -> xr.DataArray:
    """Return draws in the order of the sampler, dims (chain, draw, ...).

    Parameters
    ----------
    fit
        The fit that the draws come from.
    samples
        Dims with sample, in any order.

    Returns
    -------
    The chains and draws of the posterior if each occurs exactly once. If draws were resampled or
    thinned, one chain in the order of the posterior draws, which keeps autocorrelation.
    """
    ordered = samples.isel({SAMPLE: np.argsort(samples[SAMPLE].values, kind="stable")})
    sizes = fit.posterior.sizes
    shape = (sizes[CHAIN], sizes[DRAW])
    count = ordered.sizes[SAMPLE]
    if not np.array_equal(ordered[SAMPLE].values, np.arange(shape[0] * shape[1])):
        shape = (1, count)
    bare = ordered.drop_vars(list(ORIGIN), errors="ignore").transpose(SAMPLE, ...)
    rest = {name: value for name, value in bare.coords.items() if SAMPLE not in value.dims}
    values = bare.values.reshape(*shape, *bare.shape[1:])
    return xr.DataArray(values, coords=rest, dims=(CHAIN, DRAW, *bare.dims[1:]), name=bare.name)
