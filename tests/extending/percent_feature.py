"""A kind of feature from outside the package: percentages as texts, such as "30%"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from latentscale.extend import FEATURES, FeatureKind, Problem, at_cell, is_missing


@FEATURES.add
@dataclass(frozen=True)
class Percent(FeatureKind):
    """A share between 0 and 100%; its covariate is the log odds, centred and scaled."""

    kind: ClassVar[str] = "percent"
    steps: ClassVar[bool] = True
    place: ClassVar[int] = 35  # before categories, which are texts of any kind

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        cells = column.dropna()
        return len(cells) > 0 and all(isinstance(c, str) and c.endswith("%") for c in cells)

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[Any, list[Problem]]:
        values, problems = np.full(len(column), np.nan), []
        for row, cell in enumerate(column):
            text = str(cell).removesuffix("%")
            if text.replace(".", "", 1).isdigit() and 0 < float(text) < 100:
                values[row] = float(text) / 100
            elif not is_missing(cell):
                rule = 'Expected a share such as "30%", above 0 and below 100.'
                problems.append(at_cell(row, labels[row], self.name, cell, rule))
        return values, problems

    def cells(self, kept: Any) -> Any:
        return np.array([None if np.isnan(v) else f"{100 * v:.10g}%" for v in kept], dtype=object)

    def transformed(self, values: Any) -> Any:
        return np.log(values / (1 - values))

    def stepped(self, raw: Any) -> Any:
        return 1 / (1 + np.exp(-np.asarray(raw)))

    def shown(self, raw: float) -> str:
        return f"{100 * float(self.stepped(raw)):.3g}%"
