"""Percentages from 0 to 100, kept as fractions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from latentscale.data.problems import Problem, at_cells
from latentscale.data.scales.base import SCALES, Floats, Scale


@SCALES.add
class PercentScale(Scale):
    """Scores are percentages from 0 to 100; they are divided by 100 when read."""

    kind: ClassVar[str] = "percent"
    bounded: ClassVar[tuple[float, float] | None] = (0.0, 100.0)
    kept_as: ClassVar[str] = "fraction"

    def read(self, values: Floats) -> Floats:
        """Return percentages as fractions."""
        return values / 100

    def problems(
        self, values: Floats, rows: Sequence[int], labels: Sequence[str], name: str
    ) -> list[Problem]:
        """Return a problem for each value outside 0 to 100."""
        index = np.flatnonzero((values < 0) | (values > 100)).tolist()
        rule = "Scores of this benchmark are percentages from 0 to 100; correct it, or leave it "
        return at_cells(
            name,
            [rows[i] for i in index],
            [labels[i] for i in index],
            values[index].tolist(),
            rule + "empty.",
        )
