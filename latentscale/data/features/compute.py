"""Training compute: given directly, or 6 x parameters x tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.features.base import FEATURES, Feature, Floats
from latentscale.data.features.numeric import Numeric
from latentscale.dims import FLOPS_PER_BILLION_TRILLION
from latentscale.errors import SpecError

FLOPS: Final = "flops"


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
        """Return which models have no FLOPs: for want of tokens, or of a size."""
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
