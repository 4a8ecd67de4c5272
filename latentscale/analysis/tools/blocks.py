"""Blocks: large arrays of draws computed in parts, so that few elements are in memory at once.

The parts are consecutive in the order of the array (sample, row, benchmark), so random numbers
do not depend on how the array is divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from math import prod
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.recording import Recording
from latentscale.declare.likelihood import Noise
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL, SAMPLE
from latentscale.errors import FitError
from latentscale.numerics.thinning import evenly_spread
from latentscale.posterior.fit import Fit
from latentscale.validate import whole_number

BLOCK: Final = 2**18
"""Elements in a block of a small result: 2 MB per array, 30 MB for all arrays of a block. In
smaller blocks xarray's overhead, some 0.1 s a block, exceeds the arithmetic."""
SHARE: Final = 64
"""A large result is divided into about this many blocks: 14 arrays of a block's size then take a
fifth of the memory of the result."""


def block_size(total: int) -> int:
    """Return the largest number of elements in a block of an array of `total` elements."""
    return max(BLOCK, total // SHARE)


def parts(count: int, width: int, most: int) -> Iterator[slice]:
    """Yield consecutive slices of 0 to `count`, each of at most `most` array elements.

    Parameters
    ----------
    count
        Length of the dimension that is divided.
    width
        Elements per index; a slice has at least one index, however wide.
    most
        Most elements in a slice.
    """
    step = max(1, most // max(width, 1))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def spread_draws(fit: Fit, count: int | None) -> npt.NDArray[np.int64]:
    """Return the indices of at most `count` posterior draws, evenly spread; of all by default.

    Raises
    ------
    FitError
        If `count` is not a whole number above 0.
    """
    total = fit.posterior.sizes[CHAIN] * fit.posterior.sizes[DRAW]
    if count is None:
        return np.arange(total)
    count = whole_number(count, "draws", least=1, error=FitError)
    return evenly_spread(total, count)


class Stream:
    """Random numbers of an array, returned in consecutive parts along its first dimension.

    The numbers, and the final state of the generator, are the same as if the whole array were drawn
    at once. A large array is not kept: its numbers are drawn once to advance the generator, and
    again when they are requested.

    Parameters
    ----------
    draw
        Returns an array of random numbers of a given shape, in C order, from a generator.
    shape
        Shape of the whole array.
    rng
        Source of random numbers.
    most
        Most elements to keep in memory.
    """

    def __init__(
        self,
        draw: Callable[[tuple[int, ...], np.random.Generator], np.ndarray],
        shape: tuple[int, ...],
        rng: np.random.Generator,
        most: int,
    ) -> None:
        self._draw, self._rest = draw, shape[1:]
        if prod(shape) <= most:
            self._held: np.ndarray | None = draw(shape, rng)
            return
        self._held, self._rng = None, deepcopy(rng)
        for block in parts(shape[0], prod(self._rest), most):
            draw((block.stop - block.start, *self._rest), rng)

    def take(self, count: int) -> np.ndarray:
        """Return the next `count` entries along the first dimension."""
        if self._held is None:
            return self._draw((count, *self._rest), self._rng)
        taken, self._held = self._held[:count], self._held[count:]
        return taken


class BlockArray:
    """An array over sample and model that is filled block by block.

    Parameters
    ----------
    draws, planned
        Sources of the coordinates along sample and along model.
    """

    def __init__(self, draws: xr.Dataset, planned: xr.Dataset) -> None:
        self._sources = {SAMPLE: draws, MODEL: planned}
        self._whole: xr.DataArray | None = None

    def put(self, block: xr.DataArray, places: dict[str, slice]) -> None:
        """Store a block at `places` along sample and model."""
        sizes = {
            dim: self._sources[dim].sizes[dim] if dim in self._sources else size
            for dim, size in ((str(dim), size) for dim, size in block.sizes.items())
        }
        if dict(block.sizes) == sizes:
            self._whole = block
            return
        if self._whole is None:
            self._whole = self._empty(block, sizes)
        index = tuple(places.get(str(dim), slice(None)) for dim in block.dims)
        self._whole.values[index] = block.values

    def whole(self) -> xr.DataArray:
        """Return the array, once all its blocks are stored."""
        if self._whole is None:
            raise RuntimeError("no block was put")
        return self._whole

    def _empty(self, like: xr.DataArray, sizes: dict[str, int]) -> xr.DataArray:
        coords = {}
        for name, coord in like.coords.items():
            cut = [str(dim) for dim in coord.dims if dim in self._sources]
            coords[name] = self._sources[cut[0]].coords[name] if cut else coord
        return xr.DataArray(np.empty(list(sizes.values())), coords, list(sizes), name=like.name)


def draw_scores(
    noise: Noise,
    mean: xr.DataArray,
    phi: xr.DataArray,
    recording: Recording,
    rng: np.random.Generator,
) -> xr.DataArray:
    """Draw a new score for every expected score, recorded as in the table.

    Parameters
    ----------
    noise
        The likelihood.
    mean
        Expected scores, dims (sample, model, benchmark).
    phi
        Precision, dims (sample, benchmark), and model where it depends on covariates.
    recording
        How the table records scores.
    rng
        Source of random numbers.
    """
    samples, models, benchmarks = (mean.sizes[dim] for dim in (SAMPLE, MODEL, BENCHMARK))
    most = block_size(mean.size)
    if mean.size <= most:
        return recording.record(noise.draw(mean, phi, rng))
    scores = mean.copy(data=np.empty(mean.shape))
    last = len(noise.steps()) - 1
    for number in range(last + 1):
        for some in parts(samples, models * benchmarks, most):
            for rows in parts(models, benchmarks, most):
                here = {SAMPLE: some, MODEL: rows}
                at = {dim: here[str(dim)] for dim in phi.dims if dim in here}
                draw = noise.at(here).steps()[number]
                drawn = draw(scores.isel(here), mean.isel(here), phi.isel(at), rng)
                drawn = recording.record(drawn) if number == last else drawn
                scores.values[some, rows] = drawn.values
    return scores
