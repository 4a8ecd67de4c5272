"""Deviations of single models from their family's curve, skill by skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL, SAMPLE, SKILL
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, EqualCorrelation, NormalEffect
from latentscale.model.priors import declare_parameters, deterministic, standard_normal
from latentscale.model.release_share import correlated
from latentscale.model.terms.base import Rows, Term

OTHER_SETTINGS = "row_of_fitted_release"
ROW_RELEASE = "release_of_row"
MODEL_RELEASE = "release_of_fitted_model"
"""What `latentscale.model.other_settings` adds to draws: rows that are settings of fitted releases,
the place of the release of each, dims (row,), and that of each fitted model's release, dims
(model,), -1 where no row is of it."""


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
        if ROW_RELEASE not in draws:
            return effect
        mean, left = _given_other_settings(draws, raw)
        return mean + left * effect

    def tied_models(self, draws: xr.Dataset, design: Design) -> tuple[str, ...]:
        """Return the fitted settings of releases of several, fitted or to be forecast."""
        if not design.use_release:
            return ()
        of_model = design.release_of_model
        tied = np.bincount(of_model)[of_model] > 1
        names = np.array(design.scores.models)
        if ROW_RELEASE in draws:
            asked = draws[MODEL].values[draws[MODEL_RELEASE].values >= 0]
            tied |= np.isin(names, asked)
        return tuple(names[tied].tolist())


def _given_other_settings(draws: xr.Dataset, of: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return mean and left share for the models of an array: 0 and 1 where nothing is known.

    They are those of the residuals in the draws, which new scores may have moved.
    """
    rows = draws.get_index(OTHER_SETTINGS).get_indexer(of[MODEL].values)
    here = np.flatnonzero(rows >= 0)
    release, place = np.unique(draws[ROW_RELEASE].values[rows[here]], return_inverse=True)
    member = draws[MODEL_RELEASE].values == release[:, None]  # (release, model)
    residual = draws["residual"].transpose(SAMPLE, MODEL, SKILL).values
    some = member.any(axis=0)
    sums = np.einsum("rm,smk->srk", member[:, some].astype(float), residual[:, some])
    count = member.sum(axis=1)
    share = draws["release_share"].values[:, None]
    shrunk = share / (1 + (count - 1) * share)
    coords = {MODEL: of[MODEL].values}
    mean = np.zeros((len(residual), of.sizes[MODEL], residual.shape[2]))
    left = np.ones(mean.shape[:2])
    mean[:, here] = (shrunk[..., None] * sums)[:, place]
    left[:, here] = np.sqrt(1 - count * share * shrunk)[:, place]
    by_skill = {**coords, SKILL: draws[SKILL].values} if SKILL in draws.coords else coords
    return (
        xr.DataArray(mean, by_skill, (SAMPLE, MODEL, SKILL)),
        xr.DataArray(left, coords, (SAMPLE, MODEL)),
    )
