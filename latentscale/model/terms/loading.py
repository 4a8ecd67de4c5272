"""lambda_jk: how strongly each skill drives each benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import POSITIVE, REAL, Parameter, Prior, PriorSlot
from latentscale.declare.skills import Anchored
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, SKILL
from latentscale.maths import Named, maths_of
from latentscale.model.design import Design
from latentscale.model.identify import loading_masks
from latentscale.model.pooling import Pooling
from latentscale.model.priors import declare, deterministic
from latentscale.model.terms.base import Rows, Term

_POSITIVE = Pooling(
    "loading",
    POSITIVE,
    Prior("Normal", mu=-0.5, sigma=0.5),
    Prior("HalfNormal", sigma=0.5),
    (SKILL,),
)
"""exp(-0.5) = 0.6, near the median of the HalfNormal that is the prior without pooling."""

_SIGNED = Pooling(
    "signed_loading",
    REAL,
    Prior("Normal", mu=0, sigma=0.7),
    Prior("HalfNormal", sigma=0.7),
    (SKILL,),
)
"""Mean and spread together vary by 1, as loadings without pooling do."""
_ALIKE = replace(_SIGNED, alike=True)
"""Spreads shared by all skills."""


@TERMS.add
class Loadings(Term):
    """Loadings of benchmarks on skills: anchors load only on their own skill, others on all."""

    anchored: bool
    family_unit: bool
    pooled: bool = False
    alike: bool = False
    kind: Literal["loading"] = "loading"
    equation: ClassVar[str] = r"\eta_{ij} \mathrel{+}= \sum_k \lambda_{jk} \theta_{ik}"
    order: ClassVar[int] = 60
    quadrature: ClassVar[bool] = True
    latents: ClassVar[Mapping[str, str]] = {**_POSITIVE.latents, **_SIGNED.latents}
    skill_populations: ClassVar[tuple[str, ...]] = tuple(_SIGNED.slots)
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "loading": PriorSlot(
            Prior("HalfNormal", sigma=1),
            "lambda_jk, loading of benchmark j on skill k, for benchmarks that are not anchors",
            reading="shift",
        ),
        "anchor_loading": PriorSlot(
            Prior("HalfNormal", sigma=1),
            "lambda_kk, loading of an anchor benchmark on its own skill",
            reading="shift",
        ),
        **_POSITIVE.slots,
        **_SIGNED.slots,
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if there are skills."""
        if not spec.skills.count:
            return None
        identify = spec.skills.identify
        family_unit = isinstance(identify, Anchored) and identify.unit == "family"
        anchored, pooled = isinstance(identify, Anchored), spec.benchmarks.pooled
        alike = not spec.skills.scale_dims
        return cls(anchored=anchored, family_unit=family_unit, pooled=pooled, alike=alike)

    @property
    def pooling(self) -> Pooling:
        """How loadings are pooled: positive ones of anchored skills, signed ones of free skills."""
        signed = _ALIKE if self.alike else _SIGNED
        return _POSITIVE if self.anchored else signed

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot of loadings, and of the anchors' where those are not 1."""
        own = tuple(self.pooling.slots) if self.pooled else ("loading",)
        return (*own, "anchor_loading") if self.family_unit else own

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standard normal variables of pooled loadings."""
        return self.pooling.latent_variables(design) if self.pooled else ()

    def poolings(self) -> tuple[Pooling, ...]:
        """Return how loadings are pooled."""
        return (self.pooling,) if self.pooled else ()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the free loadings' own variables.

        ``loading`` stands for its free entries; anchors' entries have no density of their own.
        """
        parameters = (
            self.pooling.parameters(design)
            if self.pooled
            else {"loading": Parameter("loading", (BENCHMARK, SKILL))}
        )
        if self.family_unit:
            parameters["anchor_loading"] = Parameter("anchor_loading", (SKILL,))
        return parameters

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the loadings, dims (benchmark, skill)."""
        dims = (BENCHMARK, SKILL)
        values: dict[str, Named] = {}
        if self.pooled:
            start = None if self.anchored else _signs_apart(spec, design)
            values, raw = self.pooling.declare(spec, design, start)
        elif self.anchored:
            raw = declare("loading_raw", spec.prior("loading"), dims)
        else:
            raw = declare("loading_raw", spec.prior("loading"), dims, _apart(spec, design))
        loading = self._with_anchors(raw, spec, design) if self.anchored else raw
        return values | {"loading": deterministic("loading", loading)}

    def _with_anchors(self, raw: Named, spec: ModelSpec, design: Design) -> Named:
        """Return loadings with those of the anchors filled in: 1, or a parameter."""
        dims = (BENCHMARK, SKILL)
        mask = loading_masks(design.anchors, design.scores.benchmarks, spec.skills.count)
        maths = maths_of(raw)
        free = maths.named((mask == 1).astype(float), dims)
        anchor = maths.named((mask == 2).astype(float), dims)
        if not self.family_unit:
            return raw * free + anchor
        own = declare("anchor_loading", spec.prior("anchor_loading"), (SKILL,))
        return raw * free + own * anchor

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return lambda_j' theta_i; None where no term moves the skills."""
        return None if skill is None else (skill * values["loading"]).sum(SKILL)


def _apart(spec: ModelSpec, design: Design) -> np.ndarray | None:
    """Return signed starting values of loadings that separate skills, shape (benchmark, skill).

    Where loadings and skills are all 0 the gradient of both is 0 and cannot separate equal skills:
    an optimiser that starts there stays there. Positive loadings start at PyMC's choice, since it
    takes no start for transformed variables with named dims.
    """
    return _signs_apart(spec, design) if spec.prior("loading").support == REAL else None


def _signs_apart(spec: ModelSpec, design: Design) -> np.ndarray:
    """Return small loadings of signs that differ between skills, shape (benchmark, skill)."""
    count = len(design.scores.benchmarks)
    place = (np.arange(count) + 0.5)[:, None] * np.arange(spec.skills.count) / count
    return 0.5 * np.cos(np.pi * place)
