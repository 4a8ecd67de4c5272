"""Scores above 0 that are compared by ratios, such as minutes and dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from latentscale.data.problems import Problem, at_cells
from latentscale.data.scales.base import SCALES, Floats, Scale
from latentscale.maths import Named, maths_of


@SCALES.add
class PositiveScale(Scale):
    """Scores are above 0; their logarithms are linear in the linear predictor."""

    kind: ClassVar[str] = "positive"
    kept_as: ClassVar[str] = "positive"
    logarithmic: ClassVar[bool] = True

    def problems(
        self, values: Floats, rows: Sequence[int], labels: Sequence[str], name: str
    ) -> list[Problem]:
        """Return a problem for each value that is not above 0."""
        index = np.flatnonzero(values <= 0).tolist()
        rule = (
            'Scores of a benchmark with scale "positive" are above 0, because their logarithm is '
            'modelled; correct it, leave the cell empty, or take scale "real".'
        )
        chosen = values[index].tolist()
        return at_cells(name, [rows[i] for i in index], [labels[i] for i in index], chosen, rule)

    def forward(self, score: Named) -> Named:
        """Return the logarithm."""
        return maths_of(score).log(score)

    def backward(self, value: Named) -> Named:
        """Return the exponential."""
        return maths_of(value).exp(value)

    def log_slope(self, score: Named) -> Named | float:
        """Return the log of 1 / score."""
        return -maths_of(score).log(score)

    def step_at(self, score: Floats) -> Floats:
        """Return 1 / score."""
        return np.asarray(1 / score)
