"""Flags: yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd

from latentscale.data.columns import cells_of, is_missing, read_switch
from latentscale.data.features.base import FEATURES, FeatureKind, Floats
from latentscale.data.problems import Problem

_WORDS: Final = {"yes": 1, "no": 0, "true": 1, "false": 0, "0": 0, "1": 1}


@FEATURES.add
@dataclass(frozen=True)
class Flag(FeatureKind):
    """0 or 1; its covariate is the flag itself, neither centred nor scaled."""

    kind: ClassVar[str] = "flag"
    centred: ClassVar[bool] = False
    place: ClassVar[int] = 10

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        """Return whether every cell that is filled is 0, 1, or a word for one of them."""
        cells = [_in_numbers(cell) for cell in cells_of(column) if not is_missing(cell)]
        return bool(cells) and all(not isinstance(c, str) and c in (0, 1) for c in cells)

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[Floats, list[Problem]]:
        """Read 0 and 1, True and False, or yes and no."""
        cells = cells_of(column)
        if any(isinstance(cell, str) for cell in cells):
            translated = [_in_numbers(cell) for cell in cells]
            column = pd.Series(translated, index=column.index, dtype=object)
        rule = "Allowed: 0 or 1, true or false, yes or no; or an empty cell."
        if self.name == "instruct":
            rule = "Allowed: 1 for an instruction-tuned model, 0 for a base model."
        return read_switch(column, labels, self.name, rule)

    def shown(self, raw: float) -> str:
        """Return yes or no."""
        return "yes" if raw == 1 else "no" if raw == 0 else f"{raw:.4g}"


def _in_numbers(cell: Any) -> Any:
    """Return the number of a word; other cells, an empty text included, as they are."""
    if isinstance(cell, str):
        return np.nan if not cell.strip() else _WORDS.get(cell.strip().casefold(), cell)
    return cell
