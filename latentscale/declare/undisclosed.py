"""How specs treat models whose training tokens are undisclosed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from latentscale.declare.record import Record

DEPEND_ON_TOKENS: Final = ("log_tokens", "log_flops")
"""Covariates whose values follow from training tokens."""


def some_need_tokens(covariates: Iterable[str]) -> bool:
    """Return whether some covariate, or a factor of a product, follows from training tokens."""
    return any(factor in DEPEND_ON_TOKENS for name in covariates for factor in name.split(":"))


class LeaveOut(Record):
    """Models without a token count are left out, with a warning, if the spec needs tokens."""

    kind: Literal["leave-out"] = "leave-out"


class Estimated(Record):
    """The missing token counts are parameters with the prior ``log_tokens``.

    A model's scores, its family's scores and its size then inform its token count, and its
    forecasts include the remaining uncertainty. Covariates are centred and scaled on the models
    that disclose their tokens.
    """

    kind: Literal["estimated"] = "estimated"
