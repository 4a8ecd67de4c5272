"""Kept draws of chains in memory, and what a backend's run returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.inference.nuts.start import StartingPoints
from latentscale.model.batches import VariableSlices
from latentscale.posterior.draws import NothingKept, kept_chains, sampler_statistics


@dataclass(frozen=True)
class ChainRun:
    """Chains that a backend ran.

    Attributes
    ----------
    posterior, stats
        Kept draws and the sampler's statistics, dims (chain, draw, ...).
    interrupted
        Whether the run was cut short.
    seconds
        Wall-clock seconds by stage.
    points
        Where the chains began.
    chosen
        Settings that NUTS left open and the run chose, as JSON types.
    positions
        Kept draws on the unconstrained scale, shape (chain, draw, n), if requested.
    """

    posterior: xr.Dataset
    stats: xr.Dataset
    interrupted: bool
    seconds: dict[str, float]
    points: StartingPoints
    chosen: Mapping[str, Any] = field(default_factory=dict)
    positions: np.ndarray | None = None


def kept_of(trace: xr.DataTree, draws: int, chains: int) -> tuple[xr.Dataset, xr.Dataset, bool]:
    """Return kept draws of a trace, their statistics and whether the run was cut short.

    If a run was cut short, keep the draws that the chains that got far have in common.

    Parameters
    ----------
    trace
        A trace of nutpie, PyMC or NumPyro.
    draws, chains
        The numbers requested.
    """
    if "posterior" not in trace or not trace["posterior"].sizes.get(DRAW):
        raise NothingKept
    posterior = trace["posterior"].to_dataset()
    stats = sampler_statistics(trace["sample_stats"].to_dataset())
    done = np.isfinite(stats["energy"].transpose(CHAIN, DRAW).values).cumprod(axis=1)
    lengths = done.sum(axis=1)
    interrupted = bool(lengths.min() < draws or len(lengths) < chains)
    if interrupted:
        far, common = kept_chains(lengths.tolist())
        posterior = posterior.isel({CHAIN: far, DRAW: slice(common)})
        stats = stats.isel({CHAIN: far, DRAW: slice(common)})
    return posterior.drop_attrs(), stats.drop_attrs(), interrupted


def positions_of(
    trace: xr.DataTree, posterior: xr.Dataset, slices: VariableSlices, moved: Sequence[str]
) -> np.ndarray:
    """Return the positions of kept draws on the model's unconstrained scale, (chain, draw, n).

    Parameters
    ----------
    trace, posterior
        A trace of nutpie, and its kept draws.
    slices
        Where the model's variables are.
    moved
        Variables in whose place others were sampled; their values here are arbitrary.
    """
    every = trace["sample_stats"]["unconstrained_draw"].transpose(CHAIN, DRAW, ...)
    kept = every.sel({CHAIN: posterior[CHAIN]}).isel({DRAW: slice(posterior.sizes[DRAW])})
    positions = np.array(kept.values)
    begin = 0
    for name, shape in slices.shapes.items():
        end = begin + int(np.prod(shape))
        if name in moved:
            own = posterior[name].transpose(CHAIN, DRAW, ...).values
            positions[..., begin:end] = own.reshape(*positions.shape[:2], -1)
        begin = end
    return positions
