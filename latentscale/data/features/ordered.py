"""Ordered classes: levels from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.data.columns import is_missing
from latentscale.data.features.base import FEATURES, Feature, FeatureKind, Floats
from latentscale.data.features.category import read_levels
from latentscale.data.problems import Problem
from latentscale.errors import SpecError


@FEATURES.add
@dataclass(frozen=True)
class Ordered(FeatureKind):
    """A level of several in order; its covariate is the level's place, 0 to L - 1, standardised.

    Equally spaced scores: a step from one level to the next is taken to mean the same anywhere.
    """

    kind: ClassVar[str] = "ordered"
    settings: ClassVar[tuple[str, ...]] = ("levels",)

    @classmethod
    def check(cls, feature: Feature) -> None:
        """Refuse an ordered feature without levels."""
        super().check(feature)
        if len(feature.levels) < 2:
            raise SpecError(
                f'Feature "{feature.name}" is ordered: give its levels from the lowest to the '
                'highest, at least two, such as levels=["low", "medium", "high"].'
            )

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[pd.Series, list[Problem]]:
        """Read names of levels."""
        return read_levels(column, labels, self.name, self.feature.levels)

    def kept(self, values: pd.Series | None, rows: int) -> npt.NDArray[Any]:
        """Return places of levels, NaN where not given."""
        if values is None:
            return np.full(rows, np.nan)
        place = {level: float(k) for k, level in enumerate(self.feature.levels)}
        return np.array([np.nan if is_missing(v) else place.get(str(v), np.nan) for v in values])

    def cells(self, kept: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return names of levels, None where not given."""
        return np.array(
            [None if np.isnan(v) else self.feature.levels[int(v)] for v in kept], dtype=object
        )

    def stepped(self, raw: Floats) -> npt.NDArray[Any]:
        """Return places of levels: the nearest ones."""
        return np.clip(np.round(raw), 0, len(self.feature.levels) - 1)

    def shown(self, raw: float) -> str:
        """Return the level at a place."""
        return self.feature.levels[int(self.stepped(np.array([raw]))[0])]
