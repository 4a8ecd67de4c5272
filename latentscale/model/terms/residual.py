"""Deviations of single models from their family's curve, skill by skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL, SKILL
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, EqualCorrelation, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, standard_normal
from latentscale.model.release_share import correlated
from latentscale.model.terms.base import Rows, Term

OTHER_SETTINGS = "row_of_fitted_release"
SETTINGS_MEAN = "residual_given_other_settings"
SETTINGS_LEFT = "residual_left_by_other_settings"
"""What `latentscale.model.other_settings` adds to draws: of each row the mean of its residual given
those of its release's other settings, dims (sample, row, skill), and how much of the standard
deviation is left, dims (sample, row)."""


@TERMS.add
class Residual(Term):
    """A deviation of every model's skills, independent between skills.

    Models deviate independently, but for settings of one release where the spec says so
    (`latentscale.model.release_share`).
    """

    release: bool = False
    kind: Literal["residual"] = "residual"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= r_{ik}, "
        r"\quad r_{ik} \sim \mathrm{Normal}(0, \sigma_k^2), "
        r"\quad \mathrm{corr}(r_{ik}, r_{i'k}) = \rho \text{ for settings of one release}"
    )
    order: ClassVar[int] = 80
    component: ClassVar[str | None] = "skills: single models"
    component_place: ClassVar[int] = 20
    latents: ClassVar[Mapping[str, str]] = {"residual_raw": "skills.residual"}
    model_effect: ClassVar[str | None] = "residual"
    skill_vectors: ClassVar[tuple[str, ...]] = ("residual",)
    skill_scales: ClassVar[tuple[str, ...]] = ("residual_scale",)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "residual_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "spread of models around their family's curve, by skill",
            reading="shift",
        ),
        "release_share": PriorSlot(
            Prior("Beta", alpha=2, beta=2),
            "share of the residuals' variance that settings of one release have in common",
        ),
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if skills.residual is true."""
        skills = spec.skills
        return cls(release=skills.release) if skills.count and skills.residual else None

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot of the spread, and that of the releases' share where there is one."""
        return ("residual_scale",) + ("release_share",) * self.release

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the residuals, and the share that settings have in common."""
        parameters = {"residual_scale": Parameter("residual_scale", (SKILL,))}
        if design.use_release:
            parameters["release_share"] = Parameter("release_share", ())
        return parameters

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the residuals, dims (model, skill)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = standard_normal("residual", (MODEL, SKILL))
        if design.use_release:
            raw = correlated(raw, values["release_share"], design)
        residual = deterministic("residual", raw * values["residual_scale"])
        return values | {"residual": residual}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the residuals, equally correlated within releases where settings share them."""
        scale = EffectScale("residual_scale", (SKILL,))
        correlation = None
        if design.use_release:
            correlation = EqualCorrelation("release_share", design.release_of_model)
        effect = NormalEffect(
            "residual", (MODEL, SKILL), scale=scale, equal_correlation=correlation
        )
        return (effect,)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the residual of each row; None where rows lie on their family's curve."""
        return values.get("residual")

    def model_effect_of_raw(self, draws: xr.Dataset, raw: xr.DataArray) -> xr.DataArray:
        """Return residuals from standard normal ones, given those of other settings."""
        effect = super().model_effect_of_raw(draws, raw)
        if SETTINGS_MEAN not in draws:
            return effect
        mean, left = _given_other_settings(draws, raw)
        return mean + left * effect

    def raw_of_model_effect(self, draws: xr.Dataset, effect: xr.DataArray) -> xr.DataArray:
        """Undo `model_effect_of_raw`."""
        if SETTINGS_MEAN in draws:
            mean, left = _given_other_settings(draws, effect)
            effect = (effect - mean) / left
        return super().raw_of_model_effect(draws, effect)


def _given_other_settings(draws: xr.Dataset, of: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return mean and left share for the models of an array: 0 and 1 where nothing is known."""
    models = {MODEL: of[MODEL].values}
    mean, left = (
        draws[name].rename({OTHER_SETTINGS: MODEL}) for name in (SETTINGS_MEAN, SETTINGS_LEFT)
    )
    return mean.reindex(models, fill_value=0.0), left.reindex(models, fill_value=1.0)
