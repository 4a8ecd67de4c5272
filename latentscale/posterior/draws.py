"""What every inference method hands over before it becomes a fit."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from latentscale.posterior.status import Status


@dataclass(frozen=True)
class Draws:
    """Draws of one method.

    Attributes
    ----------
    posterior
        Parameters on their natural scale, dims (chain, draw, ...).
    sample_stats
        The method's statistics, dims (chain, draw), or None.
    status
        What the draws are worth.
    seconds
        Wall-clock seconds by stage, such as ``compile`` and ``sample``.
    estimate
        What an estimator found besides its draws (standard errors, criteria), or None.
    """

    posterior: xr.Dataset
    sample_stats: xr.Dataset | None
    status: Status
    seconds: dict[str, float]
    estimate: xr.Dataset | None = None
