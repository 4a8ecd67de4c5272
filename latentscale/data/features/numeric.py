"""Numeric features: numbers, or the natural logs of positive ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.data.columns import distinct_cells, number_of_cell, read_numbers
from latentscale.data.features.base import (
    ESTIMATED,
    FEATURES,
    LEAVE_OUT,
    Feature,
    FeatureKind,
    Floats,
)
from latentscale.data.problems import Problem, at_cell
from latentscale.errors import SpecError, listed, nearest

TRANSFORMS: Final = ("identity", "log")


@FEATURES.add
@dataclass(frozen=True)
class Numeric(FeatureKind):
    """A number; its covariate is the number or its natural log, centred and scaled."""

    kind: ClassVar[str] = "numeric"
    steps: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("transform", "unit")
    if_missing: ClassVar[tuple[str, ...]] = (LEAVE_OUT, ESTIMATED)
    place: ClassVar[int] = 20

    @classmethod
    def check(cls, feature: Feature) -> None:
        """Refuse a transform that is not known."""
        super().check(feature)
        if feature.transform not in (None, *TRANSFORMS):
            raise SpecError(
                f'Feature "{feature.name}": transform "{feature.transform}" is not known; allowed '
                f"are {listed(TRANSFORMS)}." + nearest(str(feature.transform), TRANSFORMS)
            )

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        """Return whether every cell that is filled is a number."""
        cells = distinct_cells(column)
        return bool(cells) and all(number_of_cell(cell) is not None for cell in cells)

    @property
    def is_log(self) -> bool:
        """Whether the covariate is the natural log."""
        return self.feature.transform == "log"

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[Floats, list[Problem]]:
        """Read numbers; those whose log is taken must be above 0."""
        values, problems = read_numbers(column, labels, self.name)
        if self.is_log:
            rule = (
                "Its logarithm is taken, so it must be above 0; correct it, leave the cell empty, "
                'or declare the feature with transform="identity" when the table of scores is read.'
            )
            rows = np.flatnonzero(values <= 0).tolist()
            problems += [at_cell(r, labels[r], self.name, float(values[r]), rule) for r in rows]
            values = np.where(values <= 0, np.nan, values)
        return values, problems

    def transformed(self, values: npt.NDArray[Any]) -> Floats:
        """Return the numbers or their logs."""
        numbers = np.asarray(values, dtype=float)
        return np.log(numbers) if self.is_log else numbers

    def stepped(self, raw: Floats) -> npt.NDArray[Any]:
        """Return the numbers of covariates."""
        return np.exp(raw) if self.is_log else raw

    def shown(self, raw: float) -> str:
        """Return the covariate; the number itself where the covariate has the column's name."""
        return self.cell_text(raw) if self.covariate == self.name else super().shown(raw)

    def cell_text(self, raw: float) -> str:
        """Return the number."""
        return f"{float(self.stepped(np.array([raw]))[0]):.4g}"
