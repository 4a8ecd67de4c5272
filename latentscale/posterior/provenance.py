"""Provenance: how a fit was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latentscale.markup import call_text

FAMILIES_CENTRED = "families_centred"
"""Setting that a method records as false if it did not centre the families' effects at their mean
over the table."""


@dataclass(frozen=True)
class Provenance:
    """How a fit was made.

    Attributes
    ----------
    method, settings
        Name and fields of the inference method.
    seed
        Seed of the random numbers.
    seconds
        Wall-clock seconds by stage.
    versions
        Versions of latentscale, of Python and of the libraries behind the results.
    """

    __repr__ = call_text

    method: str
    settings: dict[str, Any]
    seed: int
    seconds: dict[str, float]
    versions: dict[str, str]
