"""Read the Zarr store to which nutpie writes its draws, at any moment.

Writing may still be going on, or may have stopped anywhere, even before the store's metadata were
written or in the middle of a draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.errors import FitError
from latentscale.posterior.draws import sampler_statistics

_GROUPS = ("posterior", "sample_stats", "warmup_sample_stats")
_EVENTS = "divergence_"  # prefix of the sampler's arrays of divergent transitions
_LOG_DENSITY = "logp"  # the sampler's name
# Exceptions that Zarr and its decoders raise on an incomplete chunk.
_UNREADABLE = (RuntimeError, ValueError, OSError)


@dataclass(frozen=True)
class ChainDraws:
    """Draws of one chain.

    Attributes
    ----------
    posterior, stats
        Parameters and statistics, dims (draw, ...).
    position
        The chain's last position on the unconstrained scale, shape (n,); None if it has not moved.
    log_density
        Log density of the model at the last kept draw, as recorded by the sampler; None without a
        kept draw, and in files of versions that did not record it.
    has_moved_on
        Whether the position comes from a warm-up after the last kept draw.
    """

    posterior: xr.Dataset
    stats: xr.Dataset
    position: np.ndarray | None
    log_density: float | None = None
    has_moved_on: bool = False

    @property
    def length(self) -> int:
        """Number of kept draws."""
        return int(self.posterior.sizes.get(DRAW, 0))


def read_store(
    store: Path, chains: Sequence[int], variables: Sequence[str]
) -> dict[int, ChainDraws]:
    """Return the draws in a store by chain; empty if it was stopped before the first draw.

    Parameters
    ----------
    store
        The folder.
    chains
        Numbers of the chains, in the sampler's order.
    variables
        Names of the parameters.

    Raises
    ------
    FitError
        If the store holds draws and cannot be read.
    """
    try:
        with _without_notices(), _opened(store) as tree:
            posterior, stats, warm_up = (tree[name].to_dataset() for name in _GROUPS)
            kept = posterior[list(variables)]
            return {
                chain: _read_chain(
                    *(group.isel({CHAIN: place}) for group in (kept, stats, warm_up))
                )
                for place, chain in enumerate(chains)
            }
    except Exception as error:  # of nearly any type, depending on where the sampler was stopped
        if not _holds_draws(store, variables):
            return {}
        reason = f"{type(error).__name__}: {error}"
        raise FitError(f"{store} cannot be read: it is damaged ({reason}).") from error


def _opened(store: Path) -> xr.DataTree:
    """Open a store without the arrays that have one entry per divergent transition.

    The sampler sets their lengths one after the other at the end. If it is stopped in between,
    arrays on one dim differ in length. Divergences are also recorded with each draw.
    """
    events = {path.name for path in store.glob(f"*/{_EVENTS}*")}
    return xr.open_datatree(store, engine="zarr", consolidated=False, drop_variables=sorted(events))


@contextmanager
def _without_notices() -> Iterator[None]:
    """Silence warnings about folders without an array, which the sampler makes first."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Object at .* is not recognized")
        yield


def _holds_draws(store: Path, variables: Sequence[str]) -> bool:
    """Return whether any chunk of a parameter was written; warm-up does not write any."""
    chunks = [store / "posterior" / name / "c" for name in variables]
    return any(child.is_file() for chunk in chunks for child in chunk.rglob("*"))


def _read_chain(posterior: xr.Dataset, stats: xr.Dataset, warm_up: xr.Dataset) -> ChainDraws:
    until = _drawn(stats["energy"])
    try:
        chain = _read_draws(posterior, stats, until)
    except _UNREADABLE:
        # A power failure can leave the last chunk empty; an earlier empty chunk is damage.
        chunk = int(stats["energy"].encoding["preferred_chunks"][DRAW])
        chain = _read_draws(posterior, stats, max(until - 1, 0) // chunk * chunk)
    if chain.length:
        return chain
    moved = _drawn(warm_up["energy"])
    last = warm_up["unconstrained_draw"].isel({DRAW: slice(max(moved - 1, 0), moved)}).values
    there = last[0] if len(last) and np.isfinite(last).all() else None
    return ChainDraws(chain.posterior, chain.stats, there)


def _read_draws(posterior: xr.Dataset, stats: xr.Dataset, until: int) -> ChainDraws:
    """Read the complete draws: some variables may lack chunks that are not yet written."""
    position = stats["unconstrained_draw"].isel({DRAW: slice(until)}).values
    posterior = _plain(posterior.isel({DRAW: slice(until)}).load())
    named = sampler_statistics(stats).isel({DRAW: slice(until)}).load().drop_attrs()
    whole = np.isfinite(position).all(axis=1) & (named["n_steps"].values > 0)
    for dataset in (posterior, named):
        for variable in dataset.data_vars.values():
            finite = np.isfinite(variable.transpose(DRAW, ...).values)
            whole &= finite.all(axis=tuple(range(1, finite.ndim)))
    length = int(whole.cumprod().sum())
    keep = {DRAW: slice(length)}
    at = position[length - 1] if length else None
    known = bool(length) and _LOG_DENSITY in stats
    density = float(stats[_LOG_DENSITY].isel({DRAW: length - 1})) if known else None
    return ChainDraws(posterior.isel(keep), named.isel(keep), at, density)


def _drawn(energy: xr.DataArray) -> int:
    """Find the number of draws written by bisection: the store already has its final length."""
    low, high = 0, int(energy.sizes[DRAW])
    while low < high:
        middle = (low + high) // 2
        if _is_written(energy.isel({DRAW: middle})):
            low = middle + 1
        else:
            high = middle
    return low


def _is_written(energy: xr.DataArray) -> bool:
    try:
        return bool(np.isfinite(float(energy)))
    except _UNREADABLE:
        return False


def _plain(posterior: xr.Dataset) -> xr.Dataset:
    """Return draws with plain text labels, and only the coordinates that they use."""
    used = {dim for variable in posterior.data_vars.values() for dim in variable.dims}
    dropped = [name for name in posterior.coords if name not in used or name in (CHAIN, DRAW)]
    plain = posterior.drop_vars(dropped).drop_attrs()
    texts = {
        name: np.array([str(text) for text in label.values])
        for name, label in plain.coords.items()
        if label.dtype.kind not in "iufb"
    }
    if any((labels == "").any() for labels in texts.values()):
        raise ValueError("its labels are missing")
    return plain.assign_coords(texts)
