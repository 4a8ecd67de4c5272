"""m_i: how closely the scores of a single model follow the equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.priors import declare_parameters, deterministic, standard_normal
from latentscale.model.terms.base import Rows, Term

_EFFECT = "model_precision"


@TERMS.add
class ModelPrecision(Term):
    """The log precision of all scores of a model, partially pooled over models.

    Scores of one model, from one source, may scatter more than those of another.
    """

    kind: Literal["model-precision"] = "model-precision"
    equation: ClassVar[str] = (
        r"\log \phi_{ij} \mathrel{+}= m_i, \quad m_i \sim \mathrm{Normal}(0, \kappa^2)"
    )
    order: ClassVar[int] = 96
    model_effect: ClassVar[str | None] = _EFFECT
    model_effect_on: ClassVar[Literal["predictor", "precision"]] = "precision"
    latents: ClassVar[Mapping[str, str]] = {f"{_EFFECT}_raw": "terms, model-precision"}
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # A standard deviation of 0.5 makes one model's noise 1.6 times another's, two apart.
        "model_precision_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.5), "standard deviation of models' effects on log phi"
        )
    }

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the effects."""
        return {"model_precision_scale": Parameter("model_precision_scale", ())}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the effects, dims (model,)."""
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = standard_normal(_EFFECT, (MODEL,))
        effect = deterministic(_EFFECT, raw * values["model_precision_scale"])
        return values | {_EFFECT: effect}

    def log_precision(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return m_i; None where rows are on their family's curve."""
        return values.get(_EFFECT)
