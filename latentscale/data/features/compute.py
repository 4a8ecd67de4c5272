"""Training compute: given directly, or 6 x parameters x tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.features.base import FEATURES, Feature, Floats
from latentscale.data.features.numeric import Numeric
from latentscale.dims import FLOPS_PER_BILLION_TRILLION, MODEL
from latentscale.errors import SpecError, listed

FLOPS: Final = "flops"
ACTIVE: Final = "active_params_b"
_DENSE = 0.95
"""A model with at least this share of its parameters active counts as dense. Some counts leave
embeddings out; FLOPs are then 5% too high, far below what a covariate in logarithms shows."""


@FEATURES.add
@dataclass(frozen=True)
class Compute(Numeric):
    """Training FLOPs: the column ``flops`` where it is filled, else 6 x parameters x tokens."""

    kind: ClassVar[str] = "compute"
    settings: ClassVar[tuple[str, ...]] = ("transform", "unit")
    place: ClassVar[int] = 200

    @classmethod
    def check(cls, feature: Feature) -> None:
        """Refuse another column: size and tokens give the same quantity."""
        super().check(feature)
        if feature.name != FLOPS:
            raise SpecError(
                f'Feature "{feature.name}": the kind "compute" is that of the column "{FLOPS}", '
                'training FLOPs; declare kind="numeric", or rename the column.'
            )

    def raw(self, table: xr.Dataset, base: str) -> Floats:
        """Return the natural log of FLOPs."""
        return np.asarray(np.log(flops_of(table)), dtype=float)

    def given(self, table: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return which models have FLOPs, given or computed."""
        return ~np.isnan(flops_of(table))

    def missing(self, table: xr.Dataset) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which models have no FLOPs, because tokens or size are missing."""
        unknown = np.isnan(flops_of(table))
        columns = (("params_b", "params"), ("tokens_t", "tokens"))
        return {
            column: unknown & np.isnan(table[variable].to_numpy()) for column, variable in columns
        }


def flops_of(table: xr.Dataset) -> Floats:
    """Return the training FLOPs of models, over model; NaN where they are not known.

    Parameters
    ----------
    table
        Variables params (billions), tokens (trillions) and, where some models give it, flops.
    """
    params: Floats = table["params"].to_numpy().astype(float)
    tokens: Floats = table["tokens"].to_numpy().astype(float)
    computed = FLOPS_PER_BILLION_TRILLION * params * tokens
    if FLOPS not in table:
        return computed
    stated = table[FLOPS].to_numpy().astype(float)
    return np.where(np.isnan(stated), computed, stated)


def counted_in_full(table: xr.Dataset) -> list[str]:
    """Return mixtures of experts whose FLOPs are computed from all their parameters.

    They state tokens, and fewer active parameters than parameters, but not their FLOPs: `flops_of`
    gives them 6 x parameters x tokens, though their training took 6 x active x tokens.

    Parameters
    ----------
    table
        Variables over model.
    """
    if ACTIVE not in table:
        return []
    known = np.isfinite(flops_of(table))
    stated = ~np.isnan(table[FLOPS].to_numpy().astype(float)) if FLOPS in table else ~known
    fewer = table[ACTIVE].to_numpy() < _DENSE * table["params"].to_numpy()
    return [str(name) for name in table[MODEL].to_numpy()[fewer & known & ~(known & stated)]]


def counted_in_full_text(names: list[str]) -> str:
    """Return the message on mixtures of experts whose FLOPs count all parameters."""
    these = "these models" if len(names) > 1 else "this model"
    return (
        f"of {listed(names)} it is counted as 6 x params_b x tokens_t, though one token uses "
        f"active_params_b alone. Fill the column flops of {these}: "
        "6e21 x active_params_b x tokens_t."
    )
