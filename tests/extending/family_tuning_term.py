"""A term from outside the package: the effect of tuning by family, partially pooled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import xarray as xr

from latentscale.extend import (
    FAMILY,
    TERMS,
    Design,
    Groups,
    ModelSpec,
    Named,
    Parameter,
    Prior,
    PriorSlot,
    Rows,
    Term,
    declare_parameters,
    deterministic,
    deviations,
    standardised,
)

EFFECT, SCALE = "family_tuning", "family_tuning_scale"


@TERMS.add
class FamilyTuning(Term):
    """A shift of all benchmarks for tuned models, different in every family."""

    kind: Literal["family-tuning"] = "family-tuning"
    component: ClassVar[str | None] = "tuning in single families"
    effect: ClassVar[str | None] = EFFECT
    latents: ClassVar[Mapping[str, str]] = {f"{EFFECT}_raw": "terms, family-tuning"}
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        SCALE: PriorSlot(Prior("HalfNormal", sigma=0.3), "spread of families' own shifts")
    }

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        return {SCALE: Parameter(SCALE, ())}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = deviations(EFFECT, (FAMILY,), centred=design.centred)
        return values | {EFFECT: deterministic(EFFECT, raw * values[SCALE])}

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        return rows.instruct * rows.of_family(values[EFFECT])

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        return groups.widening * raw * draws[SCALE]

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        return standardised(effect, draws[SCALE], groups)
