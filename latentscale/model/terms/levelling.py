"""lambda_c: how skills level off in covariates, with an exponent that is estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import COVARIATE
from latentscale.errors import SpecError, listed
from latentscale.maths import Named, as_data, maths_of, on_draws
from latentscale.model.design import Design
from latentscale.model.terms.base import Rows, Term

LEVELLING: str = "levelling_covariate"
_PLACES: str = "levelling_places"


@TERMS.add
class LevellingOff(Term):
    """Skills level off in covariates, as losses do in size and tokens: powers instead of logs.

    Skills rise along g(x) = (1 - exp(-lambda x)) / lambda instead of x, with the slope B at the
    mean of the fitted models. If x is the standardised log of a feature, g is the Box-Cox transform
    of the feature over its geometric mean, with power -lambda / s, where s is the standard
    deviation of the log. Near lambda = 0 it is the logarithm; the larger lambda, the sooner skills
    level off beyond the fitted models. Losses follow such powers (Hoffmann et al. 2022,
    arXiv:2203.15556, eq. 2). All skills share lambda. Products among the covariates, and slopes of
    families and benchmarks, use x itself.

    Attributes
    ----------
    names
        The covariates of the spec that level off; no products.
    """

    names: tuple[str, ...] = Field(min_length=1)
    kind: Literal["levelling"] = "levelling"
    equation: ClassVar[str] = (
        r"\theta_{ik} \mathrel{+}= \sum_c B_{ck} \left( "
        r"\frac{1 - e^{-\lambda_c x_{ic}}}{\lambda_c} - x_{ic} \right)"
    )
    order: ClassVar[int] = 73
    component: ClassVar[str | None] = "skills: covariates"
    component_place: ClassVar[int] = 0
    covariates_apart: ClassVar[bool] = True
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # At 0.5 a covariate two standard deviations above the mean adds 1.26, not 2.
        "levelling": PriorSlot(
            Prior("HalfNormal", sigma=0.5),
            "lambda, rate at which skills level off, per standard deviation of a covariate",
        )
    }

    def check(self, spec: ModelSpec) -> None:
        """Raise SpecError where a covariate is a product, named twice, or not the spec's."""
        wrong = [name for name in self.names if ":" in name or name not in spec.covariates]
        if wrong or len(set(self.names)) < len(self.names) or not spec.skills.count:
            raise SpecError(
                "terms, levelling: names must be covariates of the spec, once each, no products, "
                f"and the spec needs skills; got {listed(self.names)}, with covariates "
                f"{listed(spec.covariates) or '(none)'} and skills.count = {spec.skills.count}."
            )

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates that level off."""
        return {LEVELLING: list(self.names)}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates that level off."""
        return {LEVELLING: self.names}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return lambda."""
        return {"levelling": Parameter("levelling", (LEVELLING,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add lambda, dims (levelling_covariate,)."""
        places = self._places(design.transform.columns)
        return super().declare(spec, design) | {_PLACES: as_data(places, (LEVELLING, COVARIATE))}

    def skill(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return sum_c B_ck (g(x_ic) - x_ic)."""
        slope, rate, x = values["slope"], values["levelling"], rows.covariates[LEVELLING]
        if _PLACES in values:
            own = values[_PLACES]
        else:
            columns = on_draws(slope)[COVARIATE].values.tolist()
            own = xr.DataArray(self._places(columns), dims=(LEVELLING, COVARIATE))
        slopes = (own * slope).sum(COVARIATE)
        levelled = -maths_of(rate).expm1(-(rate * x)) / rate
        return ((levelled - x) * slopes).sum(LEVELLING)

    def _places(self, columns: tuple[str, ...] | list[str]) -> np.ndarray:
        """Return which column each covariate is, 1 or 0, dims (levelling_covariate, covariate)."""
        return np.array([[float(name == column) for column in columns] for name in self.names])
