"""log t_i: training tokens of models that do not disclose them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import UNDISCLOSED
from latentscale.model.design import Design
from latentscale.model.terms.base import Term

LOG_TOKENS = "log_tokens"


@TERMS.add
class UndisclosedTokens(Term):
    """The log of undisclosed training tokens, which covariates then depend on.

    How is `latentscale.model.undisclosed`'s: the term adds to no equation by itself.
    """

    kind: Literal["undisclosed_tokens"] = "undisclosed_tokens"
    equation: ClassVar[str] = (
        r"x_i = x(\log t_i), "
        r"\quad \log t_i \text{ a parameter where undisclosed}"
    )
    order: ClassVar[int] = 95
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        LOG_TOKENS: PriorSlot(
            Prior("Normal", mu=0.7, sigma=1),
            "undisclosed training tokens, natural log of trillions (median 2 trillion)",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term if undisclosed tokens are estimated."""
        return cls() if spec.undisclosed.kind == "estimated" else None

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the log tokens of the models that do not disclose them, if there are any."""
        if not design.undisclosed:
            return {}
        return {LOG_TOKENS: Parameter(LOG_TOKENS, (UNDISCLOSED,))}
