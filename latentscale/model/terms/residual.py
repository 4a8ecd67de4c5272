"""Deviations of single models from their family's curve, skill by skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
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

OTHER_SETTINGS = "row_of_release"
ROW_RELEASE = "release_of_row"
MODEL_RELEASE = "release_of_fitted_model"
ROW_RESIDUAL = "residual_of_row"
"""What `latentscale.model.other_settings` adds to draws: the rows that share a release with fitted
models or with one another; the place of each row's release, dims (row,); the place of each fitted
model's release, dims (model,), -1 if no row shares it; and residuals of the rows whose scores are
given, dims (sample, row, skill), NaN for other rows."""


@TERMS.add
class Residual(Term):
    """A deviation of every model's skills, independent between skills.

    Models deviate independently, except for settings of one release if the spec says so
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
            "standard deviation of models around their family's curve, by skill",
            reading="shift",
        ),
        "release_share": PriorSlot(
            Prior("Beta", alpha=2, beta=2),
            "share of the residuals' variance common to settings of one release",
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
        parameters = {"residual_scale": Parameter("residual_scale", spec.skills.scale_dims)}
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
        scale = EffectScale("residual_scale", spec.skills.scale_dims)
        correlation = None
        if design.use_release:
            correlation = EqualCorrelation("release_share", design.release_of_model)
        effect = NormalEffect(
            "residual", (MODEL, SKILL), scale=scale, equal_correlation=correlation
        )
        return (effect,)

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return the residual of each row; None where rows are on their family's curve."""
        return values.get("residual")

    def model_effect_of_raw(self, draws: xr.Dataset, raw: xr.DataArray) -> xr.DataArray:
        """Return residuals from standard normal ones, given those of other settings."""
        effect = super().model_effect_of_raw(draws, raw)
        if ROW_RELEASE not in draws:
            return effect
        return _given_other_settings(draws, effect)

    def linked_rows(self, draws: xr.Dataset, models: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return one number for the rows of a release, and one for each other model."""
        numbers = super().linked_rows(draws, models)
        if ROW_RELEASE not in draws:
            return numbers
        rows = draws.get_index(OTHER_SETTINGS).get_indexer(list(models))
        release = draws[ROW_RELEASE].values[rows]
        return np.where(rows >= 0, len(models) + release, numbers)

    def tied_models(self, draws: xr.Dataset, design: Design) -> tuple[str, ...]:
        """Return the fitted settings of releases that have several, fitted or to be forecast."""
        if not design.use_release:
            return ()
        of_model = design.release_of_model
        tied = np.bincount(of_model)[of_model] > 1
        names = np.array(design.scores.models)
        if ROW_RELEASE in draws:
            asked = draws[MODEL].values[draws[MODEL_RELEASE].values >= 0]
            tied |= np.isin(names, asked)
        return tuple(names[tied].tolist())


def _given_other_settings(draws: xr.Dataset, effect: xr.DataArray) -> xr.DataArray:
    """Return residuals given those of other settings, from independent ones of the same scale.

    The residuals given are those in the draws, which new scores may have moved.
    """
    rows = draws.get_index(OTHER_SETTINGS).get_indexer(effect[MODEL].values)
    of_model, of_row = draws[MODEL_RELEASE].values, draws[ROW_RELEASE].values
    fitted = of_model >= 0
    given = draws["residual"].transpose(SAMPLE, MODEL, SKILL).values[:, fitted]
    release = of_model[fitted]
    if ROW_RESIDUAL in draws:
        own = draws[ROW_RESIDUAL].transpose(SAMPLE, OTHER_SETTINGS, SKILL).values
        known = ~np.isnan(own).all(axis=(0, 2))
        given = np.concatenate([given, own[:, known]], axis=1)
        release = np.concatenate([release, of_row[known]])
        rows[np.isin(rows, np.flatnonzero(known))] = -1
    here = np.flatnonzero(rows >= 0)
    releases, place = np.unique(of_row[rows[here]], return_inverse=True)
    member = (release == releases[:, None]).astype(float)  # (release, given)
    count, among = member.sum(axis=1), np.bincount(place, minlength=len(releases))
    share = draws["release_share"].values[:, None]
    shrunk = share / (1 + (count - 1) * share)
    left = np.sqrt(1 - count * share * shrunk)
    # The remaining ones are again equally correlated: see `release_share`.
    rest = share / (1 + count * share)
    across, along = np.sqrt(1 - rest), np.sqrt(1 + (among - 1) * rest)
    values = effect.transpose(SAMPLE, MODEL, SKILL).values.copy()
    own = values[:, here]
    averaging = np.equal.outer(np.arange(len(releases)), place) / among[:, None]
    mean = np.einsum("rm,smk->srk", averaging, own)
    values[:, here] = (
        (shrunk[..., None] * np.einsum("rm,smk->srk", member, given))[:, place]
        + (left * across)[:, place, None] * own
        + ((left * (along - across))[..., None] * mean)[:, place]
    )
    return effect.transpose(SAMPLE, MODEL, SKILL).copy(data=values)
