"""The model's equations: from the values of terms to skills, predictors and expected scores.

They are written once, for a PyTensor graph and for draws. Cai et al. 2025 (arXiv:2512.06553), eqs.
(1) and (2), with the optional terms of ``latentscale/model/terms``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from latentscale.declare.spec import ModelSpec
from latentscale.maths import Named, maths_of
from latentscale.model.attempts import ATTEMPTS, SPREAD, of_first, over_attempts
from latentscale.model.scaled import on_own_scale
from latentscale.model.terms.base import Rows, Term, terms_of

# Expected scores are clamped this far inside (0, 1): a Beta with mean 0 or 1 has no density, and no
# table records scores to more than five decimals.
_EDGE = 1e-6

OPEN_INTERCEPT, OPEN_SLOPE = "open_intercept", "open_slope"
"""a and b > 0 of a curve h(a + b eta) whose ceiling was opened after the fit, dims (benchmark,): 0
and 1 in draws that have their estimated ceiling (`latentscale.model.open_ceilings`)."""


def latent_skill[Array: Named](
    spec: ModelSpec,
    values: Mapping[str, Array],
    rows: Rows[Array],
    only: Callable[[Term], bool] = lambda term: True,
) -> Array | None:
    """Return theta_i, the sum of the terms' contributions to skills; None without skills.

    Dims (model, skill), and sample on draws.

    Parameters
    ----------
    spec
        Names the terms.
    values
        The terms' variables by name.
    rows
        The models.
    only
        Terms to add up; all by default.
    """
    parts = [term.skill(values, rows) for term in terms_of(spec) if only(term)]
    return cast("Array | None", _sum(parts))


def linear_predictor[Array: Named](
    spec: ModelSpec,
    values: Mapping[str, Array],
    rows: Rows[Array],
    skill: Array | None,
    only: Callable[[Term], bool] = lambda term: True,
) -> Array:
    """Return eta_ij, the sum of the terms' contributions to it, on the link's scale.

    Dims (model, benchmark), and sample on draws; 0 if no term adds anything.

    Parameters
    ----------
    spec, values, rows, only
        As for `latent_skill`.
    skill
        Skills of the models.
    """
    parts = [term.predictor(values, rows, skill) for term in terms_of(spec) if only(term)]
    total = _sum(parts)
    if total is None:
        return cast("Array", 0.0)  # a number broadcasts as arrays do
    return of_first(values, cast("Array", total))


def precision[Array: Named](
    spec: ModelSpec, values: Mapping[str, Array], rows: Rows[Array]
) -> Array:
    """Return phi: dims (benchmark,), and model if a term makes it depend on the model.

    The classes in ``latentscale/model/likelihoods`` document the meaning of phi; the larger it is,
    the closer scores are to mu.

    Parameters
    ----------
    spec, values, rows
        As for `latent_skill`; `values` holds ``precision``, dims (benchmark,).
    """
    level = values["precision"]
    change = _sum([term.log_precision(values, rows) for term in terms_of(spec)])
    if change is None:
        return level
    return cast("Array", level * maths_of(change).exp(change))


def expected_score[Array: Named](spec: ModelSpec, values: Mapping[str, Array], eta: Array) -> Array:
    """Return mu = c + (d - c) h(eta), a fraction strictly inside (0, 1), with eta's dims.

    mu is the expected score under a Beta or beta-binomial likelihood, and the median score under
    likelihoods on the logit scale (logit-normal, Student-t). If scores are not fractions, eta is
    the standardised score and mu the median score in the benchmark's own units.

    Parameters
    ----------
    spec
        Names the link h.
    values
        ``floor`` c, ``ceiling`` d (1 if absent) and the link's own parameters; if ceilings were
        opened, ``open_intercept`` a and ``open_slope`` b of h(a + b eta); if scores are not
        fractions, what `latentscale.model.scaled.known_curve` returns. Dims broadcast against those
        of `eta`.
    eta
        Linear predictor.
    """
    line = cast(
        "Array", values[OPEN_INTERCEPT] + values[OPEN_SLOPE] * eta if OPEN_SLOPE in values else eta
    )
    share = spec.benchmarks.link.share(values, line)
    floor = values["floor"]
    top = values.get("ceiling", 1.0)
    mean = floor + (top - floor) * share
    inside = maths_of(mean).clip(mean, _EDGE, 1 - _EDGE)
    if SPREAD in values:
        several = over_attempts(inside, values[SPREAD], values[ATTEMPTS])
        inside = maths_of(mean).clip(several, _EDGE, 1 - _EDGE)
    return cast("Array", on_own_scale(values, inside, eta))


def _sum(addends: Sequence[Named | None]) -> Named | None:
    """Return the sum of the addends that are not None, of their type, or None."""
    total: Named | None = None
    for addend in addends:
        if addend is not None:
            total = addend if total is None else total + addend
    return total
