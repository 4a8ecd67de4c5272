"""Records of how skills become scores: links, floors, ceilings, likelihoods, precision."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from latentscale.errors import SpecError
from latentscale.spec.record import Record


class Logistic(Record):
    """The symmetric link 1 / (1 + exp(-eta))."""

    kind: Literal["logistic"] = "logistic"


class PowerLogistic(Record):
    """The logistic curve to a learned positive power by benchmark: an asymmetric link."""

    kind: Literal["power-logistic"] = "power-logistic"


class ComplementaryLogLog(Record):
    """The asymmetric link 1 - exp(-exp(eta))."""

    kind: Literal["cloglog"] = "cloglog"


class Monotone(Record):
    """A learned increasing link: the logistic of a smooth curve with learned slopes.

    On the logit scale the curve has one slope below the first knot, one between each pair,
    and one above the last, blended smoothly. Its value and slope at 0 are those of the
    logistic link, which the prior is centred on; what is learned is how quickly scores leave
    the floor, and how slowly they near the ceiling.

    Attributes
    ----------
    knots
        Where the slope may change, on the scale of the linear predictor, increasing.
    shared
        Whether all benchmarks have the same curve. By default each has its own, since
        benchmarks differ in how their items' difficulties spread.
    """

    kind: Literal["monotone"] = "monotone"
    knots: tuple[float, ...] = (-3.0, -1.0, 1.0, 3.0)
    shared: bool = False

    @field_validator("knots")
    @classmethod
    def _increasing(cls, knots: tuple[float, ...]) -> tuple[float, ...]:
        rising = all(low < high for low, high in pairwise(knots))
        if not 1 <= len(knots) <= 12 or not rising or not all(abs(k) <= 10 for k in knots):
            raise SpecError(
                "knots must be 1 to 12 increasing numbers from -10 to 10, such as "
                f"[-3, -1, 1, 3]; got {list(knots)}."
            )
        return knots


class BetaLikelihood(Record):
    """Scores are Beta with mean mu and precision phi: alpha = mu phi, beta = (1 - mu) phi."""

    kind: Literal["beta"] = "beta"


class BetaBinomialLikelihood(Record):
    """Counts of correct items, binomial round a rate that is Beta with mean mu, precision phi.

    Scores times the benchmark's number of items are rounded to counts; benchmarks whose
    number of items is unknown are refused. phi is what is left beside sampling of items.
    """

    kind: Literal["beta-binomial"] = "beta-binomial"


class LogitNormalLikelihood(Record):
    """logit of the score ~ Normal(logit mu, 2 / sqrt(phi)); mu is the median score.

    At mu = 1/2 a phi gives about the spread of a Beta of the same phi.
    """

    kind: Literal["logit-normal"] = "logit-normal"


class StudentTLikelihood(Record):
    """logit of the score ~ Student-t(tail, logit mu, 2 / sqrt(phi)); mu is the median score.

    The degrees of freedom ``tail`` are learned: `shared` by all benchmarks, or one each.
    """

    kind: Literal["student-t"] = "student-t"
    shared: bool = True


class Instruct(Record):
    """Effect of instruction tuning on each benchmark: a shift, and a change of slopes."""

    shift: bool = False
    slopes: tuple[str, ...] = ()


class BenchmarkSpec(Record):
    """From skills to scores.

    Attributes
    ----------
    link
        The increasing curve from the linear predictor to (0, 1).
    floor
        Guessing floors: ``"fixed"`` at the table's, or ``"estimated"`` by benchmark, round
        the table's on the logit scale; a floor of 0 stays 0.
    ceiling
        ``"fixed"`` at 1, or ``"estimated"`` by benchmark.
    likelihood
        The noise of a score round mu: beta, beta-binomial, logit-normal or student-t.
    precision_covariates
        Covariates that change the log precision (the heteroscedastic variant).
    family_effect
        A family x benchmark effect beyond the skills: partially pooled, or fixed where
        families are fixed.
    family_slopes
        Covariates whose slopes on each benchmark differ between families beyond the skills,
        partially pooled by benchmark.
    slopes
        Covariates for which every benchmark has a slope of its own beyond its skills.
    instruct
        Effect of instruction tuning.
    """

    link: Annotated[
        Logistic | PowerLogistic | ComplementaryLogLog | Monotone, Field(discriminator="kind")
    ] = Logistic()
    floor: Literal["fixed", "estimated"] = "fixed"
    ceiling: Literal["fixed", "estimated"] = "fixed"
    likelihood: Annotated[
        BetaLikelihood | BetaBinomialLikelihood | LogitNormalLikelihood | StudentTLikelihood,
        Field(discriminator="kind"),
    ] = BetaLikelihood()
    precision_covariates: tuple[str, ...] = ()
    family_effect: bool = False
    family_slopes: tuple[str, ...] = ()
    slopes: tuple[str, ...] = ()
    instruct: Instruct = Instruct()
