"""Scores that may be any number, such as Elo ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from latentscale.data.problems import Problem
from latentscale.data.scales.base import SCALES, Floats, Scale


@SCALES.add
class RealScale(Scale):
    """Scores are any finite numbers, and linear in the linear predictor."""

    kind: ClassVar[str] = "real"
    kept_as: ClassVar[str] = "real"

    def problems(
        self, values: Floats, rows: Sequence[int], labels: Sequence[str], name: str
    ) -> list[Problem]:
        """Return none: every finite number is allowed."""
        return []
