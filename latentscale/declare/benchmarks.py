"""Records of how skills become scores: links, floors, ceilings, likelihoods, precision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from latentscale.declare.choice import Choice
from latentscale.declare.kinds import LIKELIHOODS, LINKS, default_of
from latentscale.declare.likelihood import Likelihood
from latentscale.declare.link import Link
from latentscale.declare.record import Record

_A_LINK, _A_LIKELIHOOD = Choice(LINKS), Choice(LIKELIHOODS)


class Instruct(Record):
    """Effect of instruction tuning on each benchmark.

    Attributes
    ----------
    shift
        Whether instruction-tuned models have a different level on each benchmark.
    slopes
        Covariates whose slopes on each benchmark differ for instruction-tuned models.
    """

    shift: bool = False
    slopes: tuple[str, ...] = ()


class BenchmarkSpec(Record):
    """From skills to scores.

    Attributes
    ----------
    link
        The increasing curve from the linear predictor to (0, 1), one of
        `latentscale.declare.kinds.LINKS`.
    floor
        Guessing floors: ``"fixed"`` at the table's values, or ``"estimated"`` by benchmark around
        them on the logit scale. A floor of 0 stays 0; where lower is better, a floor of 1 stays 1.
    ceiling
        ``"fixed"`` at 1 (at 0 where lower is better), or ``"estimated"`` by benchmark. A ceiling
        stated by the table is used in either case.
    ceiling_open
        Share of the posterior draws, 0 to 1, in which estimated ceilings are opened after the fit:
        the benchmark's curve then rises to 1, and is fitted to its scores given the draw's linear
        predictors (`latentscale.model.open_ceilings`). The density, sampling and leave-one-out use
        the estimated ceilings; forecasts and curves are a mixture of both. A point estimate keeps
        its ceilings; fixed ceilings and those stated by the table do not change.
    likelihood
        The noise of a score around mu, one of `latentscale.declare.kinds.LIKELIHOODS`.
    pooled
        Whether intercepts, loadings, precisions and estimated ceilings are partially pooled over
        benchmarks, around the mean of the benchmark's group if it has one: for tables of many
        benchmarks with few scores.
    largest_precision
        Upper bound of pooled precisions phi_j: 1 / phi_j is exp(-x_j) + 1 / largest_precision for
        a pooled x_j. Sampling alone limits the precision of scores over n items to n. If one
        benchmark repeats another, such as a column filled in from another one, the likelihood has
        no maximum in x_j. None for no bound.
    precision_covariates
        Covariates that change the log precision (the heteroscedastic variant).
    family_effect
        Whether there is a family x benchmark effect beyond the skills: partially pooled, or fixed
        if families are fixed.
    family_slopes
        Covariates whose slopes on each benchmark differ between families beyond the skills,
        partially pooled by benchmark.
    family_slope_spreads
        ``"shared"``: on each benchmark, the slopes of all covariates in `family_slopes` have one
        spread; ``"by-covariate"``: each covariate has its own, so that families may differ a lot in
        the effect of instruction tuning on a benchmark, say, but little in the effect of size.
    slopes
        Covariates with a separate slope on every benchmark, beyond the skills.
    instruct
        Effect of instruction tuning.
    """

    link: Annotated[SerializeAsAny[Link], BeforeValidator(_A_LINK), _A_LINK] = Field(
        default_factory=default_of(LINKS, "logistic")
    )
    floor: Literal["fixed", "estimated"] = "fixed"
    ceiling: Literal["fixed", "estimated"] = "fixed"
    ceiling_open: float = Field(default=0.0, ge=0, le=1)
    likelihood: Annotated[
        SerializeAsAny[Likelihood], BeforeValidator(_A_LIKELIHOOD), _A_LIKELIHOOD
    ] = Field(default_factory=default_of(LIKELIHOODS, "beta"))
    pooled: bool = False
    largest_precision: float | None = Field(default=None, gt=0)
    precision_covariates: tuple[str, ...] = ()
    family_effect: bool = False
    family_slopes: tuple[str, ...] = ()
    family_slope_spreads: Literal["shared", "by-covariate"] = "shared"
    slopes: tuple[str, ...] = ()
    instruct: Instruct = Instruct()
