"""w_fsj: effects of a family's base models, and of its tuned ones, on single benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, FAMILY
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, deviations
from latentscale.model.terms.base import Groups, Rows, Term, standardised

TUNING_STATE: str = "tuning_state"
STATES: tuple[str, str] = ("base", "tuned")
"""By the instruct flag, 0 and 1."""

_EFFECT = "family_tuning"
_SCALE = "family_tuning_scale"


@TERMS.add
class FamilyTuning(Term):
    """A family x tuning x benchmark effect: what tuning adds differs between families.

    Base models of a family share one effect on a benchmark, its tuned models another, independent
    a priori. So the scores of a family's base models leave its tuned models uncertain, by as much
    as the families in the table show, and the other way round.
    """

    kind: Literal["family-tuning"] = "family-tuning"
    equation: ClassVar[str] = (
        r"\eta_{ij} \mathrel{+}= w_{f(i)s(i)j}, "
        r"\quad w_{fsj} \sim \mathrm{Normal}(0, \nu_{sj}^2) \text{ for base or tuned, } s"
    )
    order: ClassVar[int] = 95
    component: ClassVar[str | None] = "family x benchmark"
    component_place: ClassVar[int] = 30
    effect: ClassVar[str | None] = _EFFECT
    latents: ClassVar[Mapping[str, str]] = {f"{_EFFECT}_raw": "terms, family-tuning"}
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # As of family x benchmark effects, which these are for one state of tuning.
        _SCALE: PriorSlot(
            Prior("HalfNormal", sigma=0.5),
            "spread of families' effects on a benchmark, by state of tuning (base, tuned)",
            reading="shift",
        )
    }

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the states."""
        return {TUNING_STATE: list(STATES)}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the effects of either state."""
        return {_SCALE: Parameter(_SCALE, (TUNING_STATE, BENCHMARK))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the effects, dims (family, tuning_state, benchmark)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        dims = (FAMILY, TUNING_STATE, BENCHMARK)
        raw = deviations(_EFFECT, dims, centred=design.centred)
        return values | {_EFFECT: deterministic(_EFFECT, raw * values[_SCALE])}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the effects."""
        scale = EffectScale(_SCALE, (TUNING_STATE, BENCHMARK))
        dims = (FAMILY, TUNING_STATE, BENCHMARK)
        centred = FAMILY if design.centred else None
        return (NormalEffect(_EFFECT, dims, scale=scale, centred=centred),)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return the effect of the family's models of the row's state."""
        base, tuned = (
            rows.of_family(_state(values[_EFFECT], place)) for place in range(len(STATES))
        )
        return base + rows.instruct * (tuned - base)

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return effects drawn from their population."""
        return groups.widening * raw * draws[_SCALE]

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return standardised deviations from the other families."""
        return standardised(effect, draws[_SCALE], groups)


def _state(effect: Named, place: int) -> Named:
    """Return the effects of one state, dims without tuning_state."""
    own = effect.isel({TUNING_STATE: place})
    return own.drop_vars(TUNING_STATE, errors="ignore") if isinstance(own, xr.DataArray) else own
