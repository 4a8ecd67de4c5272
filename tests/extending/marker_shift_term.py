"""A term from outside the package: a shift of benchmarks for models whose name has a marker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import xarray as xr
from pydantic import Field

from latentscale.extend import (
    BENCHMARK,
    MODEL,
    TERMS,
    Design,
    ModelSpec,
    Named,
    Parameter,
    Prior,
    PriorSlot,
    Rows,
    Term,
)

SHIFT = "marker_shift"


@TERMS.add
class MarkerShift(Term):
    """A shift by benchmark for models with `marker` in their name."""

    kind: Literal["marker-shift"] = "marker-shift"
    marker: str = Field(min_length=1)
    component: ClassVar[str | None] = "marker in the name"
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        SHIFT: PriorSlot(Prior("Normal", mu=0, sigma=0.5), "shift of models with the marker")
    }

    def data(self, table: xr.Dataset) -> dict[str, xr.DataArray]:
        names = [str(name) for name in table[MODEL].values]
        marked = [float(self.marker in name) for name in names]
        return {"marked": xr.DataArray(marked, dims=(MODEL,), coords={MODEL: names})}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        return {SHIFT: Parameter(SHIFT, (BENCHMARK,))}

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        return rows.data["marked"] * values[SHIFT]
