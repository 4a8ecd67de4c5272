"""z_if: standardised values of features that models leave empty and that are to be estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import MISSING_OF_RELEASE, MISSING_VALUE
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.priors import declare_parameters, of_releases
from latentscale.model.terms.base import Term

_VALUE, _SLOT = "missing_standard", "missing_feature"  # as in latentscale.model.missing
_OF_RELEASE = "missing_standard_of_release"
"""What is sampled where settings of a release share parameters; (missing_value_of_release,)."""


@TERMS.add
class MissingFeatures(Term):
    """Missing values of features declared with ``Feature(missing="estimated")``.

    `latentscale.model.missing` describes how covariates depend on them. The term itself adds
    nothing to the equations, and has no parameters unless a feature in use is declared this way.
    """

    kind: Literal["missing_features"] = "missing_features"
    equation: ClassVar[str] = r"x_{if} \text{ a parameter where missing, and to be estimated}"
    order: ClassVar[int] = 97
    quadrature: ClassVar[bool] = True  # MarginalML refuses tables with such values
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        _SLOT: PriorSlot(
            Prior("Normal", mu=0, sigma=1),
            "missing values of features, in standard deviations from the mean of the models that "
            "give them",
        )
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term, which every spec has: the table says what is estimated."""
        return cls()

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slot where the spec sets it: without that, tables alone decide on its use."""
        return (_SLOT,) if _SLOT in spec.priors else ()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the missing values, if there are any."""
        if not design.estimated:
            return {}
        if design.use_release:
            return {_OF_RELEASE: Parameter(_SLOT, (MISSING_OF_RELEASE,))}
        return {_VALUE: Parameter(_SLOT, (MISSING_VALUE,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the values, dims (missing_value,): one for settings of a release."""
        values = declare_parameters(spec, self.parameters(spec, design))
        if _OF_RELEASE not in values:
            return values
        dims, first = (MISSING_OF_RELEASE, MISSING_VALUE), design.estimated_release
        return values | {_VALUE: of_releases(_VALUE, values[_OF_RELEASE], dims, first)}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return none: tables with such values are refused where effects must be linear."""
        return ()
