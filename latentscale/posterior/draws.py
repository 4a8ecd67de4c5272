"""Draws: the result of every inference method, before it becomes a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from latentscale.errors import FitError
from latentscale.posterior.status import Status

_STATISTICS = {
    "diverging": ("diverging",),
    "energy": ("energy",),
    "tree_depth": ("depth", "tree_depth"),
    "n_steps": ("n_steps",),
    "step_size": ("step_size",),
    "acceptance_rate": ("mean_tree_accept", "acceptance_rate"),
}


class NothingKept(FitError):
    """Sampling was stopped before the first kept draw."""

    def __init__(self) -> None:
        super().__init__(
            "Sampling was stopped before the first kept draw, so there are no draws to keep."
        )


@dataclass(frozen=True)
class Draws:
    """Draws from one inference method.

    Attributes
    ----------
    posterior
        Parameters on their natural scale, dims (chain, draw, ...).
    sample_stats
        The method's statistics, dims (chain, draw), or None.
    status
        Whether the draws can be trusted.
    seconds
        Wall-clock seconds by stage, such as ``compile`` and ``sample``.
    estimate
        An estimator's results besides draws (standard errors, information criteria), or None.
    chosen
        Settings that were left open and chosen during the run, as JSON types; in the fit's
        provenance they replace the method's own.

    Examples
    --------
    >>> method = ls.Laplace(draws=50)
    >>> drawn = method.draw(pooled.spec, pooled.design, seed=1, progress=False)
    >>> sorted(drawn.seconds)
    ['approximate', 'compile']
    """

    posterior: xr.Dataset
    sample_stats: xr.Dataset | None
    status: Status
    seconds: dict[str, float]
    estimate: xr.Dataset | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)


def sampler_statistics(raw: xr.Dataset) -> xr.Dataset:
    """Return a sampler's statistics with ArviZ's names."""
    return xr.Dataset(
        {
            name: raw[source]
            for name, sources in _STATISTICS.items()
            for source in sources
            if source in raw
        }
    )


def kept_chains(lengths: Sequence[int]) -> tuple[list[int], int]:
    """Return the chains that are long enough to keep, and their common length.

    A chain is kept if it has at least half as many draws as the longest.

    Raises
    ------
    FitError
        If no chain has a draw.
    """
    counts = np.asarray(lengths, dtype=int)
    if not counts.size or not counts.max():
        raise NothingKept
    far = np.nonzero(counts >= max(int(counts.max()) // 2, 1))[0]
    return [int(index) for index in far], int(counts[far].min())
