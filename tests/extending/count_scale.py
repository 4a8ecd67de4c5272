"""A scale from outside the package: counts from 0, compared by ratios of 1 + y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from latentscale.extend import SCALES, Named, Problem, Scale, at_cells, maths_of


@SCALES.add
class CountScale(Scale):
    """Scores are counts y, with log(1 + y) linear in the linear predictor."""

    kind: ClassVar[str] = "count"
    kept_as: ClassVar[str] = "count"

    def problems(
        self, values: np.ndarray, rows: Sequence[int], labels: Sequence[str], name: str
    ) -> list[Problem]:
        index = np.flatnonzero(values < 0).tolist()
        chosen = values[index].tolist()
        rule = "Counts are 0 or more."
        return at_cells(name, [rows[i] for i in index], [labels[i] for i in index], chosen, rule)

    def forward(self, score: Named) -> Named:
        return maths_of(score).log1p(score)

    def backward(self, value: Named) -> Named:
        return maths_of(value).expm1(value)

    def log_slope(self, score: Named) -> Named:
        return -maths_of(score).log1p(score)

    def step_at(self, score: np.ndarray) -> np.ndarray:
        return 1 / (1 + score)
