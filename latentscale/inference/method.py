"""Inference methods: settings as frozen objects, one result type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any

from latentscale.errors import FitError, listed
from latentscale.model.design import Design
from latentscale.posterior.draws import Draws
from latentscale.spec.spec import ModelSpec


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

    def _check_counts(self, *names: str, least: int = 1) -> None:
        """Refuse fields that are not whole numbers of at least `least`."""
        for name in names:
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                raise FitError(
                    f"{type(self).__name__}.{name} must be a whole number of at least {least}; "
                    f"got {count!r}."
                )

    def _check_between(self, name: str, lower: float, upper: float) -> None:
        """Refuse a field that is not a number strictly between two bounds."""
        value = getattr(self, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not lower < value < upper:
            raise FitError(
                f"{type(self).__name__}.{name} must lie strictly in ({lower:g}, {upper:g}); "
                f"got {value!r}."
            )

    def _check_choice(self, name: str, allowed: tuple[str, ...]) -> None:
        """Refuse a field that is not one of some words."""
        value = getattr(self, name)
        if value not in allowed:
            raise FitError(
                f"{type(self).__name__}.{name} must be one of {listed(allowed)}; got {value!r}."
            )
