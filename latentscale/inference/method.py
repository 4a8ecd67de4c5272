"""Inference methods: settings as frozen objects, one result type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError
from latentscale.model.design import Design
from latentscale.posterior.draws import Draws
from latentscale.validate import choice, plain_fields, real_number, whole_number

MOST_COUNTED = 2**31 - 1
"""The largest count that every library beneath takes (32 bits with a sign)."""


@dataclass(frozen=True)
class Method(ABC):
    """An inference method; its fields are its settings."""

    @abstractmethod
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Draw from the posterior of `spec` on `design`, or approximate it.

        Parameters
        ----------
        spec, design
            What to fit.
        seed
            Seed of the random numbers; the same seed gives the same draws, as `fit` says.
        progress
            Whether to show progress.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """The method's fields as plain JSON types."""
        return asdict(self)

    def __post_init__(self) -> None:
        plain_fields(self)

    def _check_counts(self, *names: str, least: int = 1, most: int = MOST_COUNTED) -> None:
        """Refuse fields that are not whole numbers from `least` to `most`."""
        for name in names:
            value, what = getattr(self, name), self._named(name)
            whole_number(value, what, least=least, error=FitError)
            whole_number(value, what, least=least, most=most, error=FitError)

    def _check_between(self, name: str, lower: float, upper: float) -> None:
        """Refuse a field that is not a number strictly between two bounds."""
        value = getattr(self, name)
        real_number(value, self._named(name), above=lower, below=upper, error=FitError)

    def _check_choice(self, name: str, allowed: tuple[str, ...]) -> None:
        """Refuse a field that is not one of some words."""
        choice(getattr(self, name), self._named(name), allowed, error=FitError)

    def _named(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"
