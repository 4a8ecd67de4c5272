"""phi_ij: the precision of scores around mu, and the likelihood's own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from latentscale.declare.kinds import TERMS
from latentscale.declare.likelihood import Likelihood
from latentscale.declare.prior import POSITIVE, Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.pooling import Pooling
from latentscale.model.priors import declare_parameters, deterministic
from latentscale.model.terms.base import Rows, Term

PRECISION: str = "precision_covariate"


PRECISION_POOLING = Pooling(
    "precision", POSITIVE, Prior("Normal", mu=4.5, sigma=1), Prior("HalfNormal", sigma=1)
)
"""Log precisions: the mean is as without pooling, exp(4.5) = 90; benchmarks differ e-fold."""


@TERMS.add
class Precision(Term):
    """The precision of every benchmark's scores, whose log may be linear in covariates."""

    likelihood: Likelihood
    names: tuple[str, ...]
    pooled: bool = False
    largest: float | None = None
    kind: Literal["precision"] = "precision"
    equation: ClassVar[str] = r"\log \phi_{ij} = \log \phi_j + \sum_c \gamma_{jc} x_{ic}"
    order: ClassVar[int] = 50
    quadrature: ClassVar[bool] = True
    latents: ClassVar[Mapping[str, str]] = PRECISION_POOLING.latents
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "precision": PriorSlot(
            Prior("LogNormal", mu=4.5, sigma=1),
            "phi_j, precision of scores around mu",
            reading="noise",
        ),
        "precision_slope": PriorSlot(
            Prior("Normal", mu=0, sigma=0.5), "slope of log phi on a covariate"
        ),
        **PRECISION_POOLING.slots,
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term, which every spec has."""
        settings = spec.benchmarks
        names = settings.precision_covariates
        return cls(
            likelihood=settings.likelihood,
            names=names,
            pooled=settings.pooled,
            largest=settings.largest_precision,
        )

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the slots of precision and its slopes, and the likelihood's."""
        slopes = ("precision_slope",) if self.names else ()
        own = tuple(PRECISION_POOLING.slots) if self.pooled else ("precision",)
        return (*own, *slopes, *self.likelihood.slots)

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standard normal variables of pooled precisions."""
        return PRECISION_POOLING.latent_variables(design) if self.pooled else ()

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the covariates of the slopes."""
        return {PRECISION: list(self.names)} if self.names else {}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates of the slopes."""
        return {PRECISION: self.names} if self.names else {}

    def poolings(self) -> tuple[Pooling, ...]:
        """Return how precisions are pooled."""
        return (PRECISION_POOLING,) if self.pooled else ()

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return precisions, their slopes, and the likelihood's own parameters."""
        parameters = (
            PRECISION_POOLING.parameters(design)
            if self.pooled
            else {"precision": Parameter("precision", (BENCHMARK,))}
        )
        if self.names:
            parameters["precision_slope"] = Parameter("precision_slope", (BENCHMARK, PRECISION))
        return parameters | self.likelihood.parameters()

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add precisions, their slopes, and the likelihood's own parameters."""
        parameters = self.parameters(spec, design)
        if not self.pooled:
            return declare_parameters(spec, parameters)
        population = PRECISION_POOLING.parameters(design)
        rest = {name: p for name, p in parameters.items() if name not in population}
        plain = declare_parameters(spec, rest)
        values, pooled = PRECISION_POOLING.declare(spec, design)
        if self.largest is not None:
            pooled = pooled / (1 + pooled / self.largest)
        return {**plain, **values, "precision": deterministic("precision", pooled)}

    def log_precision(self, values: Mapping[str, Named], rows: Rows) -> Named | None:
        """Return what covariates add to log phi_j, dims (model, benchmark)."""
        if "precision_slope" not in values:
            return None
        return (rows.covariates[PRECISION] * values["precision_slope"]).sum(PRECISION)
