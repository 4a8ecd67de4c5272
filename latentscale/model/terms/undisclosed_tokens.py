"""log t_i: training tokens of models that do not disclose them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import UNDISCLOSED, UNDISCLOSED_RELEASE
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.priors import declare_parameters, of_releases
from latentscale.model.terms.base import Term

LOG_TOKENS = "log_tokens"
_OF_RELEASE = "log_tokens_of_release"
"""What is sampled where settings of a release share parameters, dims (undisclosed_release,)."""


@TERMS.add
class UndisclosedTokens(Term):
    """The log of undisclosed training tokens, which covariates then depend on.

    `latentscale.model.undisclosed` describes how. The term itself adds nothing to the equations.
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
        if design.use_release:
            return {_OF_RELEASE: Parameter(LOG_TOKENS, (UNDISCLOSED_RELEASE,))}
        return {LOG_TOKENS: Parameter(LOG_TOKENS, (UNDISCLOSED,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the log tokens, dims (undisclosed_model,): one value for settings of a release."""
        values = declare_parameters(spec, self.parameters(spec, design))
        if _OF_RELEASE not in values:
            return values
        dims, first = (UNDISCLOSED_RELEASE, UNDISCLOSED), design.undisclosed_release
        return values | {LOG_TOKENS: of_releases(LOG_TOKENS, values[_OF_RELEASE], dims, first)}
