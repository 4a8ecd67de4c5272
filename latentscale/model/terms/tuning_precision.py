"""q_j: how closely scores of tuned models follow the equations, beside those of base models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.terms.base import Rows, Term

_SHIFT = "tuning_precision"


@TERMS.add
class TuningPrecision(Term):
    """A shift of every benchmark's log precision for tuned models.

    Tuned models of one family may scatter more than its base models, on some benchmarks more than
    on others: each follows instructions and formats of answers in its own way.
    """

    kind: Literal["tuning-precision"] = "tuning-precision"
    equation: ClassVar[str] = r"\log \phi_{ij} \mathrel{+}= z_i q_j"
    order: ClassVar[int] = 97
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # One standard deviation makes the noise of tuned models 1.6 times that of base models.
        _SHIFT: PriorSlot(Prior("Normal", mu=0, sigma=1), "q_j, shift of log phi for tuned models")
    }

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the shifts."""
        return {_SHIFT: Parameter(_SHIFT, (BENCHMARK,))}

    def log_precision(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return z_i q_j."""
        return rows.instruct * values[_SHIFT]
